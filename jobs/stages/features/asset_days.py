"""Rows of ``asset_days``: each asset touched on the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

WROTE = (
    "if(action_class = 'write' and objects > 0, "
    "named_struct('objects', objects, 'user_id', user_id), null)"
)
"""SQL of how many objects an identity wrote."""


def asset_rows(access: DataFrame, before: DataFrame, day: date) -> DataFrame:
    """``asset_days`` of the day; ``before``: its rows of the 89 days before."""
    from pyspark.sql.functions import expr

    today = access.groupBy("asset_id").agg(
        expr("cast(count(distinct user_id) as int) as users"),
        expr(f"slice(sort_array(array_compact(collect_list({WROTE})), false), 1, 2) as wrote"),
    )
    earlier = before.groupBy("asset_id").agg(expr("min(day) as first_seen"))
    return today.join(earlier, "asset_id", "left").selectExpr(
        f"date'{day}' as day",
        "asset_id",
        "users",
        "coalesce(get(wrote, 0).objects, 0) as written",
        "get(wrote, 0).user_id as writer",
        "coalesce(get(wrote, 1).objects, 0) as others_wrote",
        f"coalesce(first_seen, date'{day}') as first_day",
    )
