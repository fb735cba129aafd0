"""Rows of ``asset_days``: each asset touched on the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def asset_rows(access: DataFrame, before: DataFrame, day: date) -> DataFrame:
    """``asset_days`` of the day; ``before``: its rows of the 89 days before."""
    from pyspark.sql.functions import expr

    today = access.groupBy("asset_id").agg(
        expr("cast(count(distinct user_id) as int) as users"),
        expr("coalesce(max(if(action_class = 'write', objects, 0)), 0) as written"),
    )
    earlier = before.groupBy("asset_id").agg(expr("min(day) as first_seen"))
    return today.join(earlier, "asset_id", "left").selectExpr(
        f"date'{day}' as day",
        "asset_id",
        "users",
        "written",
        f"coalesce(first_seen, date'{day}') as first_day",
    )
