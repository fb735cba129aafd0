"""Raw logs, jobs and their results, for tests of the stages that read logs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from jobs.inputs.config import DEFAULTS
from jobs.platform.delta_tables import read_days
from jobs.platform.stores import create_file
from jobs.stages import ingest
from schemas.config import JobConfig
from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
)
from schemas.tables.spec import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2026, 10, 5)
ACCOUNT = "111122223333"
CONTEXT_COLUMNS = {
    "directory": DIRECTORY_COLUMNS,
    "assets": ASSET_COLUMNS,
    "approvals": APPROVAL_COLUMNS,
    "networks": NETWORK_COLUMNS,
}


def trail_record(number: int | str, time: str = "10:00:00", **fields: Any) -> dict[str, Any]:
    """A CloudTrail record: one object read by one person on :data:`DAY`."""
    record = {
        "eventVersion": "1.10",
        "eventID": f"id-{number}",
        "eventTime": time if "T" in time else f"{DAY}T{time}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "[aws-cli/2.15.0]",
        "userIdentity": {
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/ana",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAEXAMPLEANA",
            "userName": "ana",
        },
        "requestParameters": {"bucketName": "lab-ckpt", "key": f"orion/shard-{number}"},
        "additionalEventData": {"bytesTransferredOut": 100.0},
        "recipientAccountId": ACCOUNT,
        "readOnly": True,
    }
    return {name: value for name, value in {**record, **fields}.items() if value is not None}


def envelope(*records: Any, **fields: Any) -> str:
    """Records in AWS's envelope."""
    return json.dumps({"Records": list(records), **fields})


def write_file(path: Path, content: str | bytes, pack: bool | None = None) -> Path:
    """Write a log file; ``pack`` None: packed if its name ends in ``.gz``."""
    data = content.encode() if isinstance(content, str) else content
    packed = path.suffix == ".gz" if pack is None else pack
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return path


def upload(folder: Path, url: str) -> None:
    """Copy all files below a local folder to a URL."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with create_file(f"{url}/{path.relative_to(folder)}") as file:
                file.write(path.read_bytes())


def write_context(folder: Path, **files: list[dict[str, str]]) -> None:
    """Write context files of the given rows; missing cells are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, rows in files.items():
        columns = CONTEXT_COLUMNS[kind]
        lines = [",".join(columns)]
        lines += [",".join(row.get(column, "") for column in columns) for row in rows]
        (folder / f"{kind}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def job_config(folder: Path, sources: list[dict[str, Any]], **settings: Any) -> JobConfig:
    """The shipped defaults with all folders in ``folder``; source paths are relative to it.

    ``settings`` replace top-level keys; maps are merged into the defaults.
    """
    values = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    values |= {"context": str(folder / "context"), "storage": str(folder / "warehouse")}
    values |= {"output": str(folder / "out")}
    for name, value in settings.items():
        values[name] = {**values[name], **value} if isinstance(value, Mapping) else value
    usual = {"format": "aws_cloudtrail", "name": "trail"}
    named = [{**usual, **source, "path": str(folder / source["path"])} for source in sources]
    return JobConfig(**values, sources=named)


def rows_of(
    spark: SparkSession, config: JobConfig, table: Table, day: date = DAY
) -> list[dict[str, Any]]:
    """Rows of a table's day as dicts, sorted by the table's key."""
    found = read_days(spark, config.storage, table, day).collect()
    rows = [row.asDict(recursive=True) for row in found]
    return sorted(rows, key=lambda row: [str(row[column]) for column in table.key])


def sums_of(summary: str) -> dict[str, int]:
    """The figures of all sources in the summary of ``ingest``."""
    total, _, parts = summary.split(";")[0].partition(" records = ")
    sums = {"records": int(total.replace(",", ""))}
    for part in parts.split(" + "):
        count, _, name = part.partition(" ")
        sums[name] = int(count.replace(",", ""))
    return sums


def sums_by_source(summary: str) -> dict[str, dict[str, int]]:
    """The figures of each source with rejects, from the summary of ``ingest``. They must add up."""
    found = {}
    for part in summary.split("; of ")[1:]:
        name, _, sums = part.partition(": ")
        found[name] = sums_of(sums)
        assert found[name].pop("records") == sum(found[name].values())
    return found


def run_ingest(spark: SparkSession, config: JobConfig, day: date = DAY) -> dict[str, int]:
    """Run the stage and return its figures. They must add up."""
    sums = sums_of(str(ingest.STAGE.run(spark, config, day)))
    assert sums["records"] == sum(count for name, count in sums.items() if name != "records")
    return sums
