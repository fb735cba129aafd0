"""Random parts of log records, by their names in templates."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache, partial

from jobs.trial.bench.records import AGENTS, DAY

USERS = 1_300


class Record(dict[str, str]):
    """The random parts of one record, each made at its first use."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def __missing__(self, name: str) -> str:
        part = PARTS[name]
        value = part(self) if callable(part) else self.filled(self.rng.choice(part))
        self[name] = value
        return value

    def filled(self, template: str) -> str:
        """The template, filled with its named parts."""
        pieces = _pieces(template)
        return "".join([self[each] if n % 2 else each for n, each in enumerate(pieces)])


@cache
def _pieces(template: str) -> list[str]:
    """Texts and names of parts, in turns."""
    return re.split("<([a-z][a-z0-9_]*)>", template)


def _digits(count: int, record: Record) -> str:
    return f"{record.rng.getrandbits(4 * count):0{count}x}"


def _below(limit: int, record: Record) -> str:
    return str(int(record.rng.random() * limit))


def _clock(record: Record) -> str:
    second = int(record["second"])
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _uuid(record: Record) -> str:
    text = _digits(32, record)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _prose(clauses: int, record: Record) -> str:
    return ". ".join(record.rng.choices(CLAUSES, k=clauses))


CLAUSES = (
    "please compare the evaluation losses of both checkpoints",
    "the optimizer state was restored from step ninety thousand",
    "\\n\\n```python\\nfor batch in loader:\\n    loss = model(batch)\\n```\\n",
    'the configuration says \\"bf16\\" while the shards hold float32',
    "what happens to throughput when activations are recomputed",
    "write a summary for the weekly meeting and name open questions",
)
PARTS: dict[str, Callable[[Record], str] | tuple[str, ...]] = {
    "who": lambda r: str(int(r.rng.paretovariate(0.7)) % USERS),
    "user": lambda r: f"u{int(r['who']):04d}",
    "team": lambda r: str(int(r["who"]) % 20),
    "ip": lambda r: f"10.{int(r['who']) % 4 * 40}.{int(r['who']) // 250}.{int(r['who']) % 250}",
    "stranger": lambda r: f"203.0.113.{r.rng.getrandbits(8)}",
    "agent": tuple(agent[1:-1] for agent in AGENTS),
    "second": partial(_below, 86_400),
    "clock": _clock,
    "time": lambda r: f"{DAY}T{r['clock']}",
    "epoch": lambda r: str(1_791_158_400 + int(r["second"])),
    "milli": lambda r: f"{r.rng.getrandbits(30) % 1000:03d}",
    "micro": lambda r: f"{r.rng.getrandbits(30) % 1_000_000:06d}",
    "run": partial(_below, 100),
    "shard": lambda r: f"model-{r.rng.getrandbits(30) % 400:05d}-of-00400.safetensors",
    "key": lambda r: f"run-{r['run']}/step-{r['run']}00/{r['shard']}",
    "bucket": lambda r: f"lab-bucket-{int(r['run']) % 20}",
    "repo": lambda r: f"lab/trainer-{r['run']}",
    "bytes": lambda r: str(r.rng.getrandbits(28)),
    "number": partial(_below, 9_000_000),
    "ms": partial(_below, 900),
    "port": lambda r: str(20_000 + r.rng.getrandbits(15)),
    "pid": partial(_below, 90_000),
    "node": partial(_below, 400),
    "id16": partial(_digits, 16),
    "id24": partial(_digits, 24),
    "id40": partial(_digits, 40),
    "id64": partial(_digits, 64),
    "id76": partial(_digits, 76),
    "uuid": _uuid,
    "other_uuid": _uuid,
    "question": partial(_prose, 12),
    "answer": partial(_prose, 24),
    "s3_request": (
        *['REST.GET.OBJECT <key> "GET /<key> HTTP/1.1" 200 - <bytes> <bytes> <s3_end>'] * 10,
        *['REST.GET.OBJECT <key> "GET /<key> HTTP/1.1" 206 - 8388608 <bytes> <s3_end>'] * 6,
        'REST.GET.OBJECT <key> "GET /<key> HTTP/1.1" 403 AccessDenied 243 - <s3_end>',
        'REST.HEAD.OBJECT <key> "HEAD /<key> HTTP/1.1" 200 - - <bytes> <s3_end>',
        'REST.PUT.PART <key> "PUT /<key>?partNumber=3&uploadId=<id64> HTTP/1.1" 200 - - <bytes> '
        "<s3_end>",
        'REST.GET.BUCKET - "GET /?list-type=2&prefix=run-<run>%2F HTTP/1.1" 200 - <ms> - <s3_end>',
        "BATCH.DELETE.OBJECT <key> - 204 - - <bytes> - - - -",
    ),
    "s3_end": ('<ms> <ms> "-" "<agent>" -',),
    "gcp_identity": (
        '"principalEmail":"<user>@example.com"',
        '"principalEmail":"trainer-<team>@lab-prod.iam.gserviceaccount.com","principalSubject":'
        '"serviceAccount:trainer-<team>@lab-prod.iam.gserviceaccount.com"',
        '"principalEmail":"trainer-<team>@lab-prod.iam.gserviceaccount.com",'
        '"serviceAccountDelegationInfo":[{"firstPartyPrincipal":{"principalEmail":'
        '"<user>@example.com"},"principalSubject":"user:<user>@example.com"}]',
    ),
    "gcp_verb": (*["get"] * 14, "create", "create", "list", "delete"),
    "gcp_status": (*[""] * 19, '"code":7,"message":"PERMISSION_DENIED"'),
    "azure_identity": (
        '"type":"OAuth","tokenHash":"<id64>","requester":{"appId":"11111111-2222-3333-4444-'
        '555555555555","audience":"https://storage.azure.com","objectId":"<other_uuid>","tenantId":'
        '"66666666-7777-8888-9999-000000000000","tokenIssuer":"https://sts.windows.net/66666666-'
        '7777-8888-9999-000000000000/","upn":"<user>@example.com"},"authorization":[{"action":'
        '"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read","result":'
        '"Granted"}]',
        '"type":"AccountKey","tokenHash":"key1(<id64>)"',
        '"type":"SAS","tokenHash":"key1(<id64>),SasSignature(<id64>)"',
    ),
    "azure_operation": (
        *['"StorageRead","operationName":"GetBlob"'] * 14,
        '"StorageRead","operationName":"GetBlobProperties"',
        '"StorageRead","operationName":"ListBlobs"',
        '"StorageWrite","operationName":"PutBlock"',
        '"StorageWrite","operationName":"PutBlockList"',
    ),
    "azure_status": (
        *['200,"statusText":"Success"'] * 15,
        '206,"statusText":"Success"',
        '404,"statusText":"BlobNotFound"',
    ),
    "minio_request": (
        *['"name":"GetObject"'] * 14,
        '"name":"PutObject"',
        '"name":"HeadObject"',
        '"name":"ListObjectsV2"',
    ),
    "minio_identity": (
        '"accessKey":"<id16>","parentUser":"<user>@example.com","requestClaims":{"accessKey":'
        '"<id16>","email":"<user>@example.com","exp":1791244800,"parent":"<user>@example.com",'
        '"preferred_username":"<user>","sub":"<uuid>"}',
        '"accessKey":"trainer-<team>"',
    ),
    "minio_range": ("", '"Range":"bytes=0-8388607",'),
    "github_end": (
        *[
            '"transport_protocol":2,"transport_protocol_name":"ssh","user":"","user_agent":'
            '"git/2.46.0-Linux","user_id":0'
        ]
        * 4,
        '"query_string":"?ref=main","rate_limit_remaining":4871,"request_method":"GET","route":'
        '"/repositories/:repository_id/contents/*","status_code":200,"url_path":"/repositories/'
        '<number>/contents/src/attention.cu","user_agent":"GitHub CLI 2.60.0"',
    ),
    "github_action": (*["git.clone"] * 4, *["git.fetch"] * 8, "git.push", "api.request"),
    "gitlab_message": (
        *['{"protocol":"ssh","action":"git-upload-pack"}'] * 6,
        '{"protocol":"http","action":"git-receive-pack"}',
    ),
    "kubernetes_request": (
        '"requestURI":"/api/v1/namespaces/serving/pods/llm-<node>/log?container=main&follow=true",'
        '"verb":"get",<kubernetes_person>,"objectRef":{"resource":"pods","namespace":"serving",'
        '"name":"llm-<node>","apiVersion":"v1","subresource":"log"}',
        '"requestURI":"/api/v1/namespaces/serving/pods?limit=500","verb":"list",'
        '<kubernetes_person>,"objectRef":{"resource":"pods","namespace":"serving","apiVersion":'
        '"v1"}',
        '"requestURI":"/api/v1/namespaces/serving/pods/llm-<node>/exec?command=nvidia-smi&command='
        '-q&container=main&stdout=true&stderr=true","verb":"get",<kubernetes_person>,"objectRef":'
        '{"resource":"pods","namespace":"serving","name":"llm-<node>","apiVersion":"v1",'
        '"subresource":"exec"}',
        *[
            '"requestURI":"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/gpu-<node>'
            '?timeout=10s","verb":"update","user":{"username":"system:node:gpu-<node>","groups":['
            '"system:nodes","system:authenticated"]},"sourceIPs":["<ip>"],"userAgent":"kubelet/'
            'v1.31.2 (linux/amd64) kubernetes/5864a46","objectRef":{"resource":"leases",'
            '"namespace":"kube-node-lease","name":"gpu-<node>","uid":"<uuid>","apiGroup":"coordination.k8s.io",'
            '"apiVersion":"v1","resourceVersion":"<number>"}'
        ]
        * 3,
        *[
            '"requestURI":"/api/v1/namespaces/serving/configmaps/routes","verb":"get","user":{'
            '"username":"system:serviceaccount:serving:router","uid":"<other_uuid>","groups":['
            '"system:serviceaccounts","system:serviceaccounts:serving","system:authenticated"],'
            '"extra":{"authentication.kubernetes.io/node-name":["gpu-<node>"],'
            '"authentication.kubernetes.io/node-uid":["<other_uuid>"],'
            '"authentication.kubernetes.io/pod-name":["router-<id16>"],'
            '"authentication.kubernetes.io/pod-uid":["<other_uuid>"]}},"sourceIPs":["<ip>"],'
            '"userAgent":"router/v0.0.0 (linux/amd64) kubernetes/$Format","objectRef":{"resource":'
            '"configmaps","namespace":"serving","name":"routes","apiVersion":"v1"}'
        ]
        * 3,
    ),
    "kubernetes_person": (
        '"user":{"username":"<user>@example.com","groups":["research-<team>","oidc:researchers",'
        '"system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":['
        '"JTI=<other_uuid>"]}},"sourceIPs":["<ip>","10.0.0.1"],"userAgent":"kubectl/v1.31.2 '
        '(linux/amd64) kubernetes/5864a46"',
    ),
    "syslog": (
        "Oct  5 <clock> login-<team> sshd[<pid>]:",
        "<time>.<micro>+00:00 login-<team> sshd[<pid>]:",
    ),
    "sampling": (
        '"temperature":0.7,"max_tokens":2048',
        '"max_completion_tokens":512,"n":1,"logprobs":true,"top_logprobs":5',
    ),
    "wiki_verb": (*["view"] * 8, "export", "edit"),
}
