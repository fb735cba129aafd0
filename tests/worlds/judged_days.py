"""Good days of events, and jobs for the quality gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from jobs.inputs.config import load_config
from jobs.platform.delta_tables import read_days, replace_day
from schemas.config import JobConfig
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.quality import QUALITY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY = date(2026, 10, 5)

FORMATS = {"checkpoints": "aws_cloudtrail", "code": "github_audit"}

Row = dict[str, Any]


def event(source: str, number: int, hour: float, day: date = DAY) -> Row:
    """An event that meets every expectation."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    row: Row = dict.fromkeys(EVENTS.column_names)
    return row | {
        "event_id": f"{source}-{number}",
        "event_time": start + timedelta(hours=hour),
        "day": day,
        "source": source,
        "format": FORMATS.get(source, "mapped"),
        "principal": f"person{number % 3}@example.com",
        "user_id": f"u{number % 3}",
        "user_kind": "human",
        "action": "GetObject",
        "action_class": "read",
        "resource": f"s3://lab-ckpt/orion/{number}",
        "bytes_out": 1000 + number,
        "outcome": "success",
        "details": {"range": "bytes=0-1"},
    }


def good_day(day: date = DAY, events: int = 20, sources: Sequence[str] = tuple(FORMATS)) -> list:
    """Events spread over the whole day for each source."""
    return [event(s, n, 23.9 * (n + 1) / events, day) for s in sources for n in range(events)]


def reject(source: str, number: int) -> Row:
    """A row of ``rejects``."""
    return {
        "day": DAY,
        "source": source,
        "format": FORMATS[source],
        "file": f"raw/{source}.json.gz",
        "position": f"record {number}",
        "reason": "not JSON",
        "line": "{",
        "records": None,
    }


def frame(spark: SparkSession, rows: list[Row], table: Any = EVENTS) -> DataFrame:
    """Rows as a frame with the columns of a table."""
    records = [tuple(row[name] for name in table.column_names) for row in rows]
    return spark.createDataFrame(records, table.ddl())


def job_config(folder: Path, sources: dict[str, str] | None = None, **quality: Any) -> JobConfig:
    """A job with these sources (name → format) and settings of ``quality``."""
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / "context").mkdir(exist_ok=True)
    settings = {
        "sources": [
            {"name": name, "format": form, "path": "raw/*.gz"}
            for name, form in (sources or FORMATS).items()
        ],
        "context": "context",
        "storage": "warehouse",
        "output": "out",
        "quality": quality,
    }
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_config(path)


def stored_quality(spark: SparkSession, config: JobConfig, day: date = DAY) -> list[tuple]:
    """Sorted rows of ``quality`` of a day."""
    rows = read_days(spark, config.storage, QUALITY, day).collect()
    return sorted(tuple(row) for row in rows)


def write_day(
    spark: SparkSession,
    config: JobConfig,
    rows: list[Row],
    day: date = DAY,
    rejects: Sequence[Row] = (),
) -> None:
    """Write both tables of a day, as one run of ingest does."""
    replace_day(frame(spark, rows), config.storage, EVENTS, day)
    replace_day(frame(spark, list(rejects), REJECTS), config.storage, REJECTS, day)
