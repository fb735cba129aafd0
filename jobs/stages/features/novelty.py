"""Rows of ``novelty``: the values of each identity on the day, and how often it had them before."""

from __future__ import annotations

from datetime import date, timedelta
from functools import reduce
from typing import TYPE_CHECKING

from schemas.tables.values import GIVING_CLASSES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

VALUES = {
    "network": "explode(networks)",
    "agent": "explode(agents)",
    "action": "action_class",
    "hour": "explode(hourly.hour)",
    "role": "explode(acting_as)",
    "credential": "explode(credentials)",
    "destination": "explode(destinations)",
}
"""SQL of the values of each kind in a row of ``access``."""
WEEK = timedelta(days=7)
GIVEN = f"action_class in {GIVING_CLASSES} and events > failures"
"""SQL: something was copied or shared with success."""
CHOSEN = "events > failures and coalesce(chosen_names, 0) >= events - failures"
"""SQL: whoever succeeded may be anybody who chose that name for a session."""


def novelty_rows(access: DataFrame, before: DataFrame, day: date) -> DataFrame:
    """``novelty`` of the day; ``before``: its rows of the 89 days before."""
    from pyspark.sql.functions import expr

    keys = ["user_id", "kind", "value"]
    parts = [
        (access.where(GIVEN) if kind == "destination" else access)
        .selectExpr("user_id", f"'{kind}' as kind", f"{value} as value", f"{CHOSEN} as chosen")
        .selectExpr("user_id", "kind", "cast(value as string) as value", "chosen")
        for kind, value in VALUES.items()
    ]
    today = reduce(lambda one, other: one.unionByName(other), parts)
    distinct = today.where("value is not null").groupBy(*keys).agg(expr("min(chosen) as chosen"))
    earlier = (
        before.select(*keys, "day")
        .join(distinct, keys, "left_semi")
        .groupBy(*keys)
        .agg(
            expr("cast(count(*) as int) as days"),
            expr("max(day) as last_day"),
            expr(f"max(if(day <= date'{day - WEEK}', day, null)) as earlier_day"),
        )
    )
    return distinct.join(earlier, keys, "left").selectExpr(
        f"date'{day}' as day",
        *keys,
        "coalesce(days, 0) as days_before",
        "last_day",
        "earlier_day",
        "chosen",
    )
