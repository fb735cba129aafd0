"""Accesses in the logs of two sources are counted once; ``events`` keeps both events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobs.stages import aggregate, ingest
from jobs.stages.aggregate.count_once import overlapping
from schemas.sources import Source
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.events import EVENTS
from tests.worlds.raw_logs import (
    DAY,
    envelope,
    job_config,
    rows_of,
    run_ingest,
    trail_record,
    write_context,
    write_file,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

Rows = list[dict[str, Any]]
TRAIL = {"name": "trail", "path": "raw/trail.json"}
SECOND_TRAIL = {"name": "second trail", "path": "raw/second.json"}
# Named first, and yet CloudTrail's events are those that count.
S3_LOG = {"name": "bucket log", "format": "aws_s3_access", "path": "raw/s3.log"}
PAGES = {"time": "at", "principal": "who", "action": "did", "resource": "page", "event_id": "id"}
ASSETS = [{"asset_id": "ckpt", "kind": "checkpoint", "pattern": "s3://lab-ckpt/orion/*"}]


def line(request: str, operation: str, key: str = "-", sent: str = "100", **more: str) -> str:
    """A line of an S3 access log, two seconds after what CloudTrail says."""
    return (
        f"79a5 {more.get('bucket', 'lab-ckpt')} [05/Oct/2026:10:00:02 +0000] 192.0.2.10 "
        f"arn:aws:iam::111122223333:user/ana {request} {operation} {key} "
        f'"GET /{key} HTTP/1.1" {more.get("status", "200")} - {sent} {more.get("size", "400")} '
        '12 9 "-" "aws-cli/2.15.0" -'
    )


def trail_records() -> Rows:
    bucket = {"bucketName": "lab-ckpt"}
    copy = {"bucketName": "lab-data", "key": "drop/x", "x-amz-copy-source": "lab-ckpt/orion/c"}
    return [
        trail_record("0", requestID="R0", additionalEventData=None),
        trail_record("1", requestID="R1"),
        trail_record("2", requestID="R2", eventName="CopyObject", requestParameters=copy),
        trail_record("3", requestID="R3", eventName="DeleteObjects", requestParameters=bucket),
        # Management events have no line in the log of a bucket.
        trail_record("4", requestID="R4", eventName="AssumeRole", requestParameters=None),
    ]


LINES = [
    line("R0", "REST.GET.OBJECT", "orion/shard-0", sent="77"),
    line("R1", "REST.GET.OBJECT", "orion/shard-1", sent="99"),
    # A copy makes a line for its source, which is what CloudTrail's event tells, and for its end.
    line("R2", "REST.COPY.OBJECT_GET", "orion/c", sent="-"),
    line("R2", "REST.COPY.OBJECT", "drop/x", sent="234", bucket="lab-data"),
    # A deletion of many makes a line for the request and one for each key.
    line("R3", "REST.POST.MULTI_OBJECT_DELETE"),
    line("R3", "BATCH.DELETE.OBJECT", "orion/a"),
    line("R3", "BATCH.DELETE.OBJECT", "orion/b"),
    # Data events are not switched on for all buckets.
    line("R9", "REST.GET.OBJECT", "orion/shard-9"),
]


def run_both(spark: SparkSession, folder: Path, *sources: dict[str, Any]) -> tuple[JobConfig, str]:
    write_context(folder / "context", assets=ASSETS)
    write_file(folder / "raw/trail.json", envelope(*trail_records()))
    write_file(folder / "raw/second.json", envelope(*trail_records()[1:3]))
    write_file(folder / "raw/s3.log", "\n".join(LINES) + "\n")
    config = job_config(folder, list(sources))
    run_ingest(spark, config)
    return config, str(aggregate.STAGE.run(spark, config, DAY))


def counted(spark: SparkSession, config: JobConfig) -> dict[tuple[str, str], Any]:
    return {
        (row["asset_id"], row["action_class"]): (row["events"], row["bytes_out"], row["sources"])
        for row in rows_of(spark, config, ACCESS)
    }


def test_a_trail_and_a_bucket_log(sail: SparkSession, tmp_path: Path) -> None:
    """That Spark finds the same, tests/stages/ingest/test_formats.py shows."""
    config, summary = run_both(sail, tmp_path, S3_LOG, TRAIL, SECOND_TRAIL)
    assert len(rows_of(sail, config, EVENTS)) == 5 + 2 + len(LINES)
    assert summary.endswith(", in two sources but counted once: 6 events")
    assert counted(sail, config) == {
        # The bytes that the trail does not know of shard-0 are the log's; those of shard-1 stay.
        ("ckpt", "read"): (3, 77 + 100 + 100, ["bucket log", "trail"]),
        ("ckpt", "copy"): (1, None, ["trail"]),
        ("ckpt", "delete"): (2, 200, ["bucket log"]),
        ("s3://lab-data", "write"): (1, 234, ["bucket log"]),
        ("s3://lab-ckpt", "delete"): (1, 100, ["trail"]),
        ("aws://111122223333/s3", "assume"): (1, 100, ["trail"]),
    }
    rows = rows_of(sail, config, OBJECT_ACCESS)
    objects = {row["object"]: (row["reads"], row["object_bytes"]) for row in rows}
    # Only the access log has sizes; events of the trail take theirs from it.
    assert objects == dict.fromkeys(("shard-0", "shard-1", "shard-9", "c"), (1, 400))


def test_nothing_is_told_twice(sail: SparkSession, tmp_path: Path) -> None:
    """Sources that cannot overlap are not looked at, as the summary shows."""
    config, summary = run_both(sail, tmp_path, TRAIL)
    assert summary.endswith("user–object rows")
    config, summary = run_both(
        sail, tmp_path, TRAIL, {**TRAIL, "name": "o", "path": "raw/none.json"}
    )
    assert summary.endswith(", in two sources but counted once: 0 events")
    assert counted(sail, config)["ckpt", "read"][0] == 2


def test_equal_ids_of_other_accesses(sail: SparkSession, tmp_path: Path) -> None:
    """Serial numbers are equal by chance; an export of the same log repeats everything."""
    pages = {
        "wiki": [("1", "10:00:00", "ana", "/a"), ("2", "10:00:00", "ana", "/b")],
        # Another wiki, whose pages have the same numbers and partly the same names.
        "wiki of others": [("1", "11:00:00", "ana", "/a"), ("2", "10:00:00", "ana", "/c")],
        "wiki export": [("2", "10:00:00", "ana", "/b")],
        "tickets": [("2", "10:00:00", "ana", "/b")],
    }
    sources = []
    for name, rows in pages.items():
        lines = [
            json.dumps({"id": i, "at": f"{DAY}T{at}Z", "who": who, "did": "view", "page": page})
            for i, at, who, page in rows
        ]
        write_file(tmp_path / f"{name}.ndjson", "\n".join(lines))
        classes = {"action_class": {"*": "read"}} if name == "tickets" else {}
        source = {"name": name, "format": "mapped", "path": f"{name}.ndjson"}
        sources.append({**source, "mapping": {**PAGES, **classes}})
    config = job_config(tmp_path, sources)
    ingest.STAGE.run(sail, config, DAY)
    assert str(aggregate.STAGE.run(sail, config, DAY)).endswith(
        ", in two sources but counted once: 1 events"
    )
    rows = rows_of(sail, config, ACCESS)
    assert sum(row["events"] for row in rows) == 5
    assert {row["asset_id"]: row["sources"] for row in rows if row["action_class"] == "other"} == {
        "/a": ["wiki", "wiki of others"],
        "/b": ["wiki"],
        "/c": ["wiki of others"],
    }


def test_which_sources_may_overlap() -> None:
    def source(name: str, format_id: str) -> Source:
        return Source(name=name, format=format_id, path="x")

    one, two = source("one", "github_audit"), source("two", "github_audit")
    log, trail = source("log", "aws_s3_access"), source("trail", "aws_cloudtrail")
    shell = source("shell", "sshd")
    assert overlapping([log, one, shell, two, trail]) == [one, two, trail, log]
    assert overlapping([shell, one, trail]) == []


def test_events_with_one_id_in_a_log_and_its_copy(sail: SparkSession, tmp_path: Path) -> None:
    """The copy lacks the first of them, so that another one has the plain id there."""
    texts = [
        json.dumps({"id": "same", "at": f"{DAY}T{at}Z", "who": who, "did": "view", "page": "/a"})
        for at, who in (("10:00:00", "ana"), ("11:00:00", "ana"), ("12:00:00", "bo"))
    ]
    write_file(tmp_path / "all.ndjson", "\n".join(texts))
    write_file(tmp_path / "some.ndjson", "\n".join(texts[1:]))
    sources = [
        {"name": name, "format": "mapped", "path": f"{name}.ndjson", "mapping": PAGES}
        for name in ("all", "some")
    ]
    config = job_config(tmp_path, sources)
    assert run_ingest(sail, config)["events"] == 5
    assert str(aggregate.STAGE.run(sail, config, DAY)).endswith(
        ", in two sources but counted once: 2 events"
    )
    assert sum(row["events"] for row in rows_of(sail, config, ACCESS)) == 3
