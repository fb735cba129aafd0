"""CloudTrail logs in a folder for each day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.config import JobConfig
from schemas.tables.events import EVENTS
from tests.worlds.raw_logs import DAY, rows_of, trail_record, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAYS = [DAY + timedelta(days=offset) for offset in range(4)]

DATED = "raw/{yyyy}/{mm}/{dd}/*.json*"


def lines(*records: Any) -> str:
    """One line for each record; a record that is a text is not changed."""
    return "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records)


def put(folder: Path, day: date, content: str, name: str = "a.json") -> None:
    """Write a log into the folder of its day, where :data:`DATED` finds it."""
    write_file(folder / f"raw/{day:%Y/%m/%d}" / name, content)


def ids(spark: SparkSession, config: JobConfig, day: date = DAY) -> list[str]:
    """Ids of the day's stored events, sorted."""
    return [row["event_id"] for row in rows_of(spark, config, EVENTS, day)]


def at(day: date, number: int | str, **fields: Any) -> dict[str, Any]:
    """A CloudTrail record of ten o'clock on that day."""
    return trail_record(number, f"{day}T10:00:00Z", **fields)
