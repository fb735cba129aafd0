"""Rows of the tables that commands print."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobs.platform.delta_tables import replace_day, to_frame
from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS
from schemas.tables.spec import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2026, 10, 5)
ESCAPE = "s3://lab/\x1b[2J\u202egnp.exe"
"""Printed raw, it clears the screen and reverses the text after it."""


def event(number: int, **changes: Any) -> dict[str, Any]:
    """One row of events."""
    return {
        **dict.fromkeys(EVENTS.column_names),
        "event_id": f"e{number:04}",
        "event_time": datetime(2026, 10, 5, 9, tzinfo=UTC) + timedelta(seconds=number),
        "day": DAY,
        "source": "logs",
        "format": "aws_cloudtrail",
        "principal": "ana",
        "user_id": "u1",
        "user_kind": "human",
        "action": "GetObject",
        "action_class": "read",
        "resource": f"s3://lab/{number}",
        "outcome": "success",
        "details": {"range": "bytes=0-9"},
        **changes,
    }


def access(day: date, **changes: Any) -> dict[str, Any]:
    """One row of access."""
    moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    return {
        **{name: [] for name in ACCESS.column_names},
        "day": day,
        "user_id": "u1",
        "user_kind": "human",
        "asset_id": "ckpt",
        "action_class": "read",
        "events": 64,
        "failures": 0,
        "bytes_out": 123_456_789,
        "bytes_estimated": None,
        "objects": 64,
        "first_time": moment,
        "last_time": moment,
        "addresses": ["192.0.2.7"],
        "chosen_names": 0,
        "bytes_in": None,
        **changes,
    }


def document(finding_id: str, rank: int = 1) -> dict[str, Any]:
    """A finding in the form of findings.ndjson."""
    return {
        "@timestamp": "2026-10-05T10:00:00Z",
        "event": {
            "id": finding_id,
            "start": "2026-10-04T09:00:00Z",
            "end": "2026-10-05T10:00:00Z",
            "risk_score": 71.25,
            "severity": 3,
            "reason": f"Read 64 of 64 shards of {ESCAPE}",
        },
        "user": {"id": "u1", "name": "Ana Silva", "email": "ana@example.com"},
        "related": {"user": ["u1"]},
        "rule": {"name": "shard_coverage"},
        "threat": {"technique": {"id": ["T1530"]}},
        "exfil": {
            "assets": [
                {
                    "id": "ckpt",
                    "kind": "checkpoint",
                    "owner_team": "evals",
                    "sensitivity": 5,
                    "objects": 64,
                    "objects_total": 64,
                    "bytes": 123_456_789,
                    "bytes_estimated": 987_654,
                    "coverage": 1.0,
                    "first_access": True,
                },
                {"id": "s3://scratch", "kind": None, "first_access": False},
            ],
            "contributions": [
                {
                    "detector": "first_access",
                    "family": "novelty",
                    "points": 11.25,
                    "p_value": 0.004,
                    "observed": 1.0,
                    "expected": 0.0,
                    "unit": "assets",
                    "reason": "never seen here",
                },
                {
                    "detector": "shard_coverage",
                    "family": "coverage",
                    "points": 60.0,
                    "p_value": 0.00001,
                    "observed": 64.0,
                    "expected": 2.0,
                    "unit": "objects",
                    "reason": "the whole checkpoint",
                },
            ],
            "queue_rank": rank,
            "in_budget": True,
            "window": "7d",
        },
    }


def finding(finding_id: str, day: date, rank: int) -> dict[str, Any]:
    """One row of findings."""
    return {
        "day": day,
        "event_id": finding_id,
        "entity": "u1",
        "window": "7d",
        "risk_score": 71.25,
        "queue_rank": rank,
        "in_budget": True,
        "members": [],
        "document": json.dumps(document(finding_id, rank)),
    }


def store(spark: SparkSession, storage: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    """Write the rows to their days of a table."""
    for day in sorted({row["day"] for row in rows}):
        frame = pd.DataFrame([row for row in rows if row["day"] == day])
        frame = frame.reindex(columns=table.column_names)
        replace_day(to_frame(spark, frame, table), str(storage), table, day)
