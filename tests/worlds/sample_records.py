"""Good records of every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from tests.worlds.raw_logs import ACCOUNT, DAY, trail_record

NOON = datetime.combine(DAY, time(12))
MAPPING = {"time": "when", "principal": "who", "action": "what", "resource": "where"}
SACCT = "JobIDRaw|Cluster|Account|User|Submit|Start|End|State|JobName"


def cloudtrail(number: int, when: datetime) -> Any:
    return trail_record(number, f"{when:%Y-%m-%dT%H:%M:%SZ}")


def s3_access(number: int, when: datetime) -> Any:
    return (
        f"0123 lab-ckpt [{when:%d/%b/%Y:%H:%M:%S} +0000] 192.0.2.10 arn:aws:iam::{ACCOUNT}:user/ana"
        f' R{number} REST.GET.OBJECT orion/shard-{number} "GET /orion/shard-{number} HTTP/1.1" 200'
        ' - 100 400 12 9 "-" "aws-cli/2.15.0" -'
    )


def azure(number: int, when: datetime) -> Any:
    return {
        "time": f"{when.isoformat()}Z",
        "category": "StorageRead",
        "operationName": "GetBlob",
        "statusCode": 200,
        "callerIpAddress": "192.0.2.10:44321",
        "correlationId": f"id-{number}",
        "identity": {"type": "OAuth", "requester": {"upn": "ana@example.com"}},
        "properties": {"objectKey": f"/labckpt/orion/shard-{number}", "responseBodySize": 100},
    }


def gcp(number: int, when: datetime) -> Any:
    return {
        "insertId": f"id-{number}",
        "logName": "projects/lab/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": f"{when.isoformat()}Z",
        "protoPayload": {
            "authenticationInfo": {"principalEmail": "ana@example.com"},
            "methodName": "storage.objects.get",
            "requestMetadata": {"callerIp": "192.0.2.10"},
            "resourceName": f"projects/_/buckets/lab-gs/objects/orion/shard-{number}",
            "serviceName": "storage.googleapis.com",
        },
    }


def github(number: int, when: datetime) -> Any:
    return {
        "@timestamp": int(when.replace(tzinfo=UTC).timestamp() * 1000),
        "_document_id": f"id-{number}",
        "action": "git.clone",
        "actor": "ana-gh",
        "org": "lab",
        "repo": f"lab/repo-{number % 5}",
    }


def gitlab(number: int, when: datetime) -> Any:
    return {
        "id": number,
        "created_at": f"{when.isoformat()}Z",
        "author_id": 17,
        "author_name": "Ana Example",
        "details": {"custom_message": {"protocol": "ssh", "action": "git-upload-pack"}},
        "entity_path": f"lab/repo-{number % 5}",
        "event_type": "repository_git_operation",
        "target_type": "Project",
    }


def kubernetes(number: int, when: datetime) -> Any:
    return {
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/serving/pods/llm-0/exec?command=bash",
        "verb": "create",
        "user": {"username": "ana@example.com"},
        "sourceIPs": ["192.0.2.10"],
        "objectRef": {
            "resource": "pods",
            "namespace": "serving",
            "name": f"llm-{number}",
            "subresource": "exec",
        },
        "responseStatus": {"code": 101},
        "requestReceivedTimestamp": f"{when.isoformat()}Z",
    }


def minio(number: int, when: datetime) -> Any:
    return {
        "deploymentid": "dep-1",
        "time": f"{when.isoformat()}Z",
        "trigger": "incoming",
        "api": {
            "name": "GetObject",
            "bucket": "lab-minio",
            "object": f"orion/shard-{number}",
            "statusCode": 200,
            "tx": 100,
        },
        "remotehost": "192.0.2.10",
        "requestID": f"id-{number}",
        "accessKey": "bo",
    }


def litellm(number: int, when: datetime) -> Any:
    return {
        "id": f"id-{number}",
        "call_type": "acompletion",
        "status": "success",
        "startTime": when.replace(tzinfo=UTC).timestamp(),
        "model_group": "orion-xl",
        "metadata": {"user_api_key_user_id": "u0017"},
    }


def sacct(number: int, when: datetime) -> Any:
    moment = when.isoformat()
    return f"{number}|a100|pretrain|ana-slurm|{moment}|{moment}|{moment}|COMPLETED|train"


def sshd(number: int, when: datetime) -> Any:
    return (
        f"{when:%b} {when.day:2d} {when:%H:%M:%S} gpu-login-1 sshd[{number}]: Accepted publickey "
        f"for ubuntu from 192.0.2.10 port {1024 + number} ssh2: ED25519 SHA256:AnaKey"
    )


def wiki(number: int, when: datetime) -> Any:
    return f'{when.isoformat()}Z,ana@example.com,read,"page ""{number}"", draft"'


RECORDS: dict[str, Callable[[int, datetime], Any]] = {
    "aws_cloudtrail": cloudtrail,
    "aws_s3_access": s3_access,
    "azure_storage": azure,
    "gcp_audit": gcp,
    "github_audit": github,
    "gitlab_audit": gitlab,
    "kubernetes_audit": kubernetes,
    "minio_audit": minio,
    "litellm_gateway": litellm,
    "slurm_sacct": sacct,
    "sshd": sshd,
    "mapped": wiki,
}
"""(number, time) → a record with that number as id and that time."""
HEADERS = {"slurm_sacct": SACCT, "mapped": ",".join(MAPPING.values())}
"""Format → header line, for text files with a header."""


def text_of(record: Any) -> str:
    """A record in the form of its file."""
    return record if isinstance(record, str) else json.dumps(record)


def source_of(format_id: str) -> dict[str, Any]:
    """Settings in a job config of a source that has the name of its format."""
    source: dict[str, Any] = {"name": format_id, "format": format_id, "path": f"raw/{format_id}/*"}
    return source | ({"mapping": MAPPING} if format_id == "mapped" else {})
