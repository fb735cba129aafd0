"""Rows of ``source_days``: how many events each part of a source has in each hour of the day.

Made of all events, before an access in two sources is counted once: where one of two logs of a
bucket falls silent, the other one shows that the bucket was in use.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.sql import exprs
from schemas.tables.sources import SCOPE_PATTERN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SCOPE = f"coalesce(nullif(regexp_extract(resource, '^(?:{SCOPE_PATTERN})', 0), ''), '-')"
"""SQL of the part of a source that may be logged by itself."""


def source_rows(events: DataFrame, day: date) -> DataFrame:
    """``source_days`` of the day's ``events``."""
    by_hour = (
        events.selectExpr("source", f"{SCOPE} as scope", "hour(event_time) as hour")
        .groupBy("source", "scope", "hour")
        .agg(*exprs("count(*) as records"))
    )
    hours = ", ".join(f"sum(if(hour = {hour}, records, 0))" for hour in range(24))
    return (
        by_hour.groupBy("source", "scope")
        .agg(*exprs("sum(records) as total", f"array({hours}) as hours"))
        .selectExpr(f"date'{day}' as day", "source", "scope", "total as records", "hours")
    )
