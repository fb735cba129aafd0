"""Rows of ``grants``: what each identity opened or copied on the day, and to whom."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.features.novelty import GIVEN
from schemas.tables.values import MAX_LISTED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def grant_rows(access: DataFrame, day: date) -> DataFrame:
    """``grants`` of the day, from its ``access``. A grant that is taken back later stays one."""
    from pyspark.sql.functions import expr

    keys = ("user_id", "asset_id", "destination")
    ways = "slice(sort_array(array_distinct(flatten(collect_list(actions)))), 1, {})"
    return (
        access.where(GIVEN)
        .selectExpr("*", "explode(destinations) as destination")
        .groupBy(*keys)
        .agg(
            expr("min(user_kind) as user_kind"),
            expr(f"{ways.format(MAX_LISTED)} as ways"),
            expr("sum(objects) as objects"),
        )
        .selectExpr(
            f"date'{day}' as day",
            "user_id",
            "user_kind",
            "asset_id",
            "destination",
            "ways",
            "objects",
        )
    )
