"""One day of every format at once: each record that was written is found again, once.

The records are made here and counted while they are written, source by source.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jobs import aggregate, cli, ingest
from schemas.config import FORMATS, JobConfig
from schemas.tables import ACCESS, EVENTS, OBJECT_ACCESS, REJECTS
from tests.raw_logs import ACCOUNT, DAY, job_config, rows_of, sums_of, trail_record, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONTEXT = Path(__file__).parent / "formats/context"
NOON = datetime.combine(DAY, time(12))
TABLES = (EVENTS, REJECTS, ACCESS, OBJECT_ACCESS)
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
HEADERS = {"slurm_sacct": SACCT, "mapped": ",".join(MAPPING.values())}
ENVELOPES = {
    "aws_cloudtrail": '{"Records":[%s]}',
    "azure_storage": '{"records":[%s]}',
    "gcp_audit": "[%s]",
    "github_audit": "[%s]",
    "kubernetes_audit": '{"kind":"EventList","items":[%s]}',
}
FORMATS_OF_TEXT = {"aws_s3_access", "slurm_sacct", "sshd", "mapped"}
BROKEN = {
    "aws_s3_access": "no line of this log",
    "slurm_sacct": "7|a100",
    "sshd": "no line of this log",
    "mapped": "too,few",
}


def text_of(record: Any) -> str:
    return record if isinstance(record, str) else json.dumps(record)


def damaged(kind: int, lines: list[str], header: list[str]) -> tuple[bytes, int, list[int]]:
    """A damaged file of good ``lines``, the rejects it must make, and which lines are whole."""
    text = "\n".join([*header, *lines]).encode() + b"\n"
    everything = list(range(len(lines)))
    if kind == 0:
        return b"\xef\xbb\xbf" + text, 0, everything
    if kind == 1:
        return text + b"caf\xe9 \xff\n", 1, everything
    if kind == 2:
        return gzip.compress(text) + b"no gz", 1, everything
    # Stored without packing, so that half the file holds half the text.
    cut = gzip.compress(text, compresslevel=0)
    cut = cut[: len(cut) // 2]
    left = zlib.decompressobj(wbits=31).decompress(cut)
    whole = left.count(b"\n") - len(header)
    # The line that is cut off, and what is lost after it.
    return cut, 2 - left.endswith(b"\n"), everything[:whole]


def write_source(folder: Path, format_id: str, kind: int) -> dict[str, int]:
    """Write a source's files; how many records of each sort are in them."""
    make = RECORDS[format_id]
    sums = {"events": 0, "duplicates": 0, "rejects": 0, "of other days": 0}
    numbers = iter(range(1, 10_000))

    def good(count: int) -> list[str]:
        sums["events"] += count
        found = [next(numbers) for _ in range(count)]
        return [text_of(make(n, NOON + timedelta(seconds=n))) for n in found]

    def again(lines: list[str]) -> list[str]:
        sums["duplicates"] += len(lines)
        return lines

    def of_other_days(*days: int) -> list[str]:
        sums["of other days"] += len(days)
        return [text_of(make(next(numbers), NOON + timedelta(days=day))) for day in days]

    def broken(count: int) -> list[str]:
        sums["rejects"] += count
        return [BROKEN.get(format_id, '{"bad": ')] * count

    header = [HEADERS[format_id]] if format_id in HEADERS else []
    first, second = good(20), good(12)
    files = {
        "a": [*header, *first, "", *broken(2), *of_other_days(1)],
        "b": [*header, *second, *again(first[:5]), *broken(1), *of_other_days(-1, 2)],
        "c": [*header, *again(second[:1]), *good(8), *again(second[2:4])],
    }
    # Packed and plain ones in each source, but of a kind, as Spark plans each kind for seconds.
    lines_end, envelope_end = (".log", ".json.gz") if kind % 2 else (".log.gz", ".json")
    for name, lines in files.items():
        write_file(folder / f"{name}{lines_end}", "\n".join(lines) + "\n")
    if format_id in ENVELOPES:
        elements = [*good(4), *again(first[7:9]), "5", *of_other_days(-2), *good(4)]
        write_file(folder / f"d{envelope_end}", ENVELOPES[format_id] % ",\n".join(elements))
        sums["rejects"] += 1
    lines = [text_of(make(n, NOON + timedelta(seconds=n))) for n in range(5000, 5010)]
    content, rejects, whole = damaged(kind, lines, header)
    write_file(folder / ("f.log.gz" if kind > 1 else "f.log"), content, pack=False)
    sums["events"] += len(whole)
    sums["rejects"] += rejects
    return sums


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[JobConfig, dict[str, dict[str, int]]]:
    """A job with a source of each format, and what its files hold."""
    folder = tmp_path_factory.mktemp("day")
    written, sources = {}, []
    for number, format_id in enumerate(FORMATS):
        written[format_id] = write_source(folder / "raw" / format_id, format_id, number % 4)
        source: dict[str, Any] = {"name": format_id, "format": format_id}
        source["path"] = f"raw/{format_id}/*"
        sources.append(source | ({"mapping": MAPPING} if format_id == "mapped" else {}))
    return job_config(folder, sources, context=str(CONTEXT), late_days=0), written


def sums_by_source(summary: str) -> dict[str, dict[str, int]]:
    """The figures that ``ingest`` says of each source with rejects, which must add up."""
    found = {}
    for line in summary.splitlines()[1:]:
        name, _, sums = line.strip().partition(": ")
        found[name] = sums_of(sums)
        assert found[name].pop("records") == sum(found[name].values())
    return found


def run(spark: SparkSession, config: JobConfig) -> tuple[str, dict[str, Any]]:
    """What ``ingest`` says, and all rows of the stages that read raw records."""
    summary = ingest.run(spark, config, DAY)
    aggregate.run(spark, config, DAY)
    return summary, {table.name: rows_of(spark, config, table) for table in TABLES}


def test_every_record_of_every_source_is_accounted_for(
    sail: SparkSession,
    apache_spark: SparkSession,
    day: tuple[JobConfig, dict[str, dict[str, int]]],
) -> None:
    config, written = day
    summary, tables = run(sail, config)
    assert sums_by_source(summary) == written
    total = sums_of(summary)
    assert total.pop("records") == sum(total.values())
    assert total == {name: sum(sums[name] for sums in written.values()) for name in total}
    for name, sums in written.items():
        for table, rows in (("events", tables["events"]), ("rejects", tables["rejects"])):
            assert sum(row["source"] == name for row in rows) == sums[table], name

    assert run(sail, config) == (summary, tables), "a re-run differs"

    on_spark = config.model_copy(update={"storage": f"{config.storage}-spark"})
    spark_summary, spark_tables = run(apache_spark, on_spark)
    assert spark_summary == summary
    for name, rows in tables.items():
        # One by one, for a message that can be read.
        for row, same in zip(rows, spark_tables[name], strict=True):
            assert row == same, name


def test_the_whole_pipeline_runs_on_such_a_day(
    day: tuple[JobConfig, dict[str, dict[str, int]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, written = day
    settings = {
        "sources": [source.model_dump(exclude_none=True) for source in config.sources],
        "context": config.context,
        "late_days": 0,
    }
    (tmp_path / "job.yml").write_text(yaml.safe_dump(settings))
    code = cli.main(["run", "--config", str(tmp_path / "job.yml"), "--day", str(DAY)])
    output = capsys.readouterr()
    assert (code, output.err) == (0, "")
    for name, sums in written.items():
        records = sum(sums.values())
        assert f"  {name}: {records} records = {sums['events']} events + " in output.out
    assert (tmp_path / "out/report.html").is_file()
