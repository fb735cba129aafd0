"""Events of a day, and the tables that ``aggregate`` makes of these events."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from jobs.platform.delta_tables import replace_day
from jobs.stages import aggregate
from schemas.config import JobConfig
from schemas.tables.access import ACCESS, OBJECT_ACCESS, PLACE_ACCESS
from schemas.tables.api import API_DAYS
from schemas.tables.events import EVENTS
from schemas.tables.jobs import JOB_ACCESS, JOBS
from schemas.tables.sources import RARE_ACTS, SOURCE_DAYS
from tests.worlds.raw_logs import DAY, job_config, rows_of, write_context

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

Rows = list[dict[str, Any]]

ASSETS = [
    {"asset_id": "ckpt", "kind": "checkpoint", "sensitivity": "5", "pattern": "s3://lab/ckpt/*"}
    | {"objects": "3", "bytes": "1000"},
    {"asset_id": "data", "kind": "dataset", "sensitivity": "3", "pattern": "s3://lab/one.bin"}
    | {"bytes": "800"},
    {"asset_id": "repo", "kind": "repo", "sensitivity": "3", "pattern": "github://lab/repo"}
    | {"objects": "70", "bytes": "300"},
]

FOLLOWED = ("ckpt", "data")

# The tables hold UTC times without a zone.
MIDNIGHT = datetime.combine(DAY, time.min)


def event(number: int = 0, **fields: Any) -> dict[str, Any]:
    """A row of ``events``."""
    row: dict[str, Any] = dict.fromkeys(EVENTS.column_names)
    row |= {
        "event_id": f"id-{number:06d}",
        "event_time": MIDNIGHT + timedelta(hours=10),
        "day": DAY,
        "source": "trail",
        "format": "aws_cloudtrail",
        "principal": "ana",
        "user_id": "u-ana",
        "user_kind": "human",
        "action": "GetObject",
        "action_class": "read",
        "resource": "s3://lab/ckpt/shard-0",
        "asset_id": "ckpt",
        "object": "shard-0",
        "outcome": "success",
        "details": {},
    }
    return row | fields


def api_days_of(spark: SparkSession, folder: Path, rows: Rows, log: str) -> Rows:
    """``api_days`` of a day with these events, of a source whose format is ``log``."""
    write_context(folder / "context", assets=ASSETS)
    config: JobConfig = job_config(folder, [{"path": "unused", "format": log}])
    values = [tuple(row[column] for column in EVENTS.column_names) for row in rows]
    replace_day(spark.createDataFrame(values, EVENTS.ddl()), config.storage, EVENTS, DAY)
    aggregate.STAGE.run(spark, config, DAY)
    return rows_of(spark, config, API_DAYS)


def jobs_of(
    spark: SparkSession, folder: Path, rows: Rows, directory: list[dict[str, str]]
) -> tuple[Rows, Rows]:
    """``jobs`` and ``job_access`` of the day with these events, some of which may be earlier."""
    write_context(folder / "context", assets=ASSETS, directory=directory)
    sources = [{"path": "unused", "format": "slurm_sacct", "cluster": "a100"}]
    config: JobConfig = job_config(folder, sources)
    for day in sorted({row["event_time"].date() for row in rows}):
        values = [
            tuple(row[column] for column in EVENTS.column_names)
            for row in (each | {"day": day} for each in rows)
            if row["event_time"].date() == day
        ]
        replace_day(spark.createDataFrame(values, EVENTS.ddl()), config.storage, EVENTS, day)
        aggregate.STAGE.run(spark, config, day)
    return rows_of(spark, config, JOBS), rows_of(spark, config, JOB_ACCESS)


def aggregated(spark: SparkSession, folder: Path, rows: Rows) -> tuple[Rows, Rows]:
    """Both tables of a day with these events."""
    write_context(folder / "context", assets=ASSETS)
    config = _config(folder)
    values = [tuple(row[column] for column in EVENTS.column_names) for row in rows]
    replace_day(spark.createDataFrame(values, EVENTS.ddl()), config.storage, EVENTS, DAY)
    aggregate.STAGE.run(spark, config, DAY)
    return rows_of(spark, config, ACCESS), rows_of(spark, config, OBJECT_ACCESS)


def places_of_day(spark: SparkSession, folder: Path) -> Rows:
    """``place_access`` of the day that :func:`aggregated` made in the folder."""
    return rows_of(spark, _config(folder), PLACE_ACCESS)


def sources_of_day(spark: SparkSession, folder: Path) -> tuple[Rows, Rows]:
    """``source_days`` and ``rare_acts`` of the day that :func:`aggregated` made in the folder."""
    config = _config(folder)
    return rows_of(spark, config, SOURCE_DAYS), rows_of(spark, config, RARE_ACTS)


def _config(folder: Path) -> JobConfig:
    return job_config(folder, [{"path": "unused", "format": "aws_s3_access"}])
