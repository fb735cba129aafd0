"""Rows of ``entity_days``: each identity with access on the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.features.pairs import TAKEN
from jobs.stages.features.rolling_day import rolling_rows
from schemas.tables.values import MANY_PLACES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SUMS = {
    "user_kind": "min(user_kind)",
    "near": f"max(near) or count(*) >= {MANY_PLACES}",
    "events": "sum(events)",
    "failures": "sum(failures)",
    # Whole millionths again, whatever the order.
    "attempts": "sum(cast(round(attempts * 1e6) as bigint)) / 1e6",
    "touched": "cast(count(*) as int)",
    "sensitive": "cast(count_if(coalesce(sensitive, false)) as int)",
    "looked": "cast(count_if(looked) as int)",
    "bytes": "sum(bytes)",
    "objects": "sum(objects)",
    "assets": "cast(count_if(taken) as int)",
    "clones": "sum(clones)",
    "lists": "sum(lists)",
    "writes": "sum(writes)",
    "executes": "sum(executes)",
    "gives": "sum(gives)",
    "new_assets": "cast(count_if(days_before = 0) as int)",
}
"""Columns that sum up the pairs of an identity, and their SQL."""
RARE_SHARE = 0.1
LEAST_DAYS = 5
"""Days before, from which on a value may be rare."""
RARE = f"days_before < {RARE_SHARE} * past_days and past_days >= {LEAST_DAYS}"
OF_VALUES = {
    "new_networks": "kind = 'network' and days_before = 0",
    "new_agents": "kind = 'agent' and days_before = 0",
    "new_actions": "kind = 'action' and days_before = 0",
    "new_hours": "kind = 'hour' and days_before = 0",
    "rare_networks": f"kind = 'network' and {RARE}",
    "rare_agents": f"kind = 'agent' and {RARE}",
    "roles": "kind = 'role'",
}
"""Columns that count the values of an identity in ``novelty``, and their conditions."""

AMOUNTS = ("week_assets", "hour_objects", "hour_assets", "rolling_objects", "rolling_assets")
"""Columns that are 0 for whoever took nothing."""


def entity_rows(
    access: DataFrame,
    two_days: DataFrame,
    pairs: DataFrame,
    week: DataFrame,
    novelty: DataFrame,
    past: DataFrame,
    listed: DataFrame,
    day: date,
) -> DataFrame:
    """``entity_days`` of the day.

    ``two_days``: ``access`` of the day and the day before; ``pairs``, ``novelty``: those tables of
    the day; ``week``: ``pairs`` of the seven days that end with it; ``past``: ``entity_days`` of
    the 89 days before; ``listed``: sensitive assets.
    """
    from pyspark.sql.functions import expr

    sums = (
        pairs.join(listed, "asset_id", "left")
        .groupBy("user_id")
        .agg(*(expr(sql).alias(name) for name, sql in SUMS.items()))
    )
    earlier = past.groupBy("user_id").agg(expr("cast(count(*) as int) as past_days"))
    known = sums.join(earlier, "user_id", "left").withColumn(
        "past_days", expr("coalesce(past_days, 0)")
    )
    values = novelty.join(known.select("user_id", "past_days"), "user_id").groupBy("user_id")
    counted = values.agg(
        *(expr(f"cast(count_if({sql}) as int)").alias(name) for name, sql in OF_VALUES.items())
    )
    recent = (
        week.where("taken")
        .select("user_id", "asset_id")
        .distinct()
        .groupBy("user_id")
        .agg(expr("cast(count(*) as int) as week_assets"))
    )
    rows = (
        known.join(counted, "user_id", "left")
        .join(recent, "user_id", "left")
        .join(_hours(access), "user_id", "left")
        .join(rolling_rows(two_days, day), "user_id", "left")
    )
    return rows.selectExpr(
        f"date'{day}' as day",
        "user_id",
        *SUMS,
        "past_days as days_before",
        "hour_bytes",
        "rolling_bytes",
        "hours",
        *(f"coalesce({name}, 0) as {name}" for name in (*OF_VALUES, *AMOUNTS)),
    )


def _hours(access: DataFrame) -> DataFrame:
    """Events of each hour, and the most taken in one hour, by identity."""
    from pyspark.sql.functions import expr

    hours = access.selectExpr("user_id", "asset_id", f"{TAKEN} as taken", "explode(hourly) as h")
    by_asset = hours.groupBy("user_id", "h.hour", "asset_id").agg(
        expr("sum(h.events) as events"),
        expr("max(taken) as taken"),
        expr("sum(if(taken, h.bytes, 0)) as bytes"),
        expr("sum(if(taken, h.objects, 0)) as objects"),
    )
    by_hour = by_asset.groupBy("user_id", "hour").agg(
        expr("sum(events) as events"),
        expr("sum(bytes) as bytes"),
        expr("sum(objects) as objects"),
        expr("cast(count_if(taken) as int) as assets"),
    )
    each = ", ".join(f"coalesce(sum(if(hour = {hour}, events, 0)), 0)" for hour in range(24))
    return by_hour.groupBy("user_id").agg(
        expr("nullif(max(bytes), 0) as hour_bytes"),
        expr("max(objects) as hour_objects"),
        expr("max(assets) as hour_assets"),
        expr(f"array({each}) as hours"),
    )
