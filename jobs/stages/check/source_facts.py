"""Facts about each source as a whole, for the gate: one row for each source."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from jobs.stages.stage import StageTables
from schemas.config import JobConfig
from schemas.expectations import (
    Expectation,
)
from schemas.tables.quality import QUALITY

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationValidationResult,
    )
    from pyspark.sql import DataFrame

    Judged = list[tuple[Expectation, ExpectationValidationResult]]
    Facts = dict[str, Any]


History = Mapping[str, Mapping[date, int]]
"""Events of earlier days: source → day → events."""


def source_facts(
    events: DataFrame, rejects: DataFrame, sources: Sequence[str], history: History, day: date
) -> list[Facts]:
    """Rows of SOURCE_FACTS, sorted: sources of the config, and other sources among the rows."""
    from pyspark.sql import functions as F

    in_day = F.expr(f"to_date(event_time) = date'{day}'")
    # Two steps: counting distinct ids beside other aggregates is slow on Sail.
    by_id = events.groupBy("source", "event_id").agg(
        F.expr("count(*)").alias("events"),
        F.expr("count(case when user_kind = 'unknown' then 1 end)").alias("unresolved"),
        F.count(F.when(in_day, 1)).alias("inside"),
        F.expr("max(unix_timestamp(event_time))").alias("last_second"),
    )
    by_source = by_id.groupBy("source").agg(
        F.expr("sum(events)").alias("events"),
        F.expr("sum(unresolved)").alias("unresolved"),
        F.expr("sum(events) - sum(inside)").alias("outside_day"),
        F.expr("sum(case when event_id is null then 0 else events - 1 end)").alias("duplicate_ids"),
        F.expr("max(last_second)").alias("last_second"),
    )
    counted = {row["source"]: row.asDict() for row in by_source.collect()}
    # A row may stand for many records that are only counted.
    all_rejects = rejects.groupBy("source").agg(F.expr("sum(coalesce(records, 1))").alias("count"))
    rejected = {row["source"]: row["count"] for row in all_rejects.collect()}
    names = sorted(name for name in {*sources, *counted, *rejected} if name is not None)
    return [
        _facts_of(name, counted.get(name, {}), rejected.get(name, 0), history.get(name, {}), day)
        for name in names
    ]


def usual_events(history: Mapping[date, int], day: date) -> float | None:
    """Median of the earlier days' events, those of the same weekday counted twice.

    Days without any event are left out: a source that stays missing must not become the usual.
    """
    weighted = [
        events
        for earlier, events in history.items()
        if events > 0
        for _ in range(2 if earlier.weekday() == day.weekday() else 1)
    ]
    return float(statistics.median(weighted)) if weighted else None


def read_history(tables: StageTables, config: JobConfig) -> History:
    """Events of the trailing days, as counted by the checks of those days."""
    window = config.quality.volume_window_days
    quality = tables.read(QUALITY, tables.day - timedelta(days=1), window - 1)
    history: dict[str, dict[date, int]] = {}
    for row in quality.where("expectation = 'source_not_missing'").collect():
        history.setdefault(row["source"], {})[row["day"]] = int(row["observed"])
    return history


def _facts_of(
    source: str, counted: Facts, rejects: int, history: Mapping[date, int], day: date
) -> Facts:
    events = counted.get("events", 0)
    unresolved = counted.get("unresolved", 0)
    usual = usual_events(history, day)
    midnight = datetime.combine(day + timedelta(days=1), time.min, UTC).timestamp()
    last_second = counted.get("last_second")
    return {
        "source": source,
        "events": events,
        "rejects": rejects,
        "records": events + rejects,
        "reject_share": rejects / (events + rejects) if events + rejects else None,
        "unresolved": unresolved,
        "unresolved_share": unresolved / events if events else None,
        "duplicate_ids": counted.get("duplicate_ids", 0),
        "outside_day": counted.get("outside_day", 0),
        "history_days": sum(count > 0 for count in history.values()),
        "usual_events": usual,
        "volume_ratio": events / usual if usual else None,
        "silent_hours": None if last_second is None else max(midnight - last_second, 0.0) / 3600,
    }
