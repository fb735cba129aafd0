"""Rows of ``steps``: what each identity did on the day by which content may leave in steps."""

from __future__ import annotations

from datetime import date
from functools import reduce
from typing import TYPE_CHECKING

from jobs.stages.features.pairs import SUCCEEDED, names_any
from schemas.tables.values import ARCHIVE_WORDS, CONTENT_CLASSES, OUR_ZONES, STORES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEYS = ("user_id", "step", "place", "source")
STORED = " or ".join(f"startswith(asset_id, '{store}')" for store in STORES)
TO_STORE = " or ".join(f"startswith(place, '{store}')" for store in STORES)
KNOWN = "coalesce(bytes_out, bytes_estimated)"
OF_ACCESS = {
    "collect": ("sensitive and action_class in ('read', 'clone')", KNOWN),
    "pack": (f"sensitive and {names_any(ARCHIVE_WORDS)} and action_class in {CONTENT_CLASSES}",
             KNOWN),
    "stage": (f"action_class = 'write' and ({STORED})", "bytes_in"),
    "send": (f"action_class = 'share' and size(destinations) > 0 and ({STORED})", "null"),
    "clean": (f"action_class = 'delete' and ({STORED})", "null"),
}  # fmt: skip
"""Steps that a row of ``access`` is, the condition, and SQL of its bytes."""


def step_rows(access: DataFrame, places: DataFrame, listed: DataFrame, day: date) -> DataFrame:
    """``steps`` of the day.

    ``access``, ``places``: ``access`` and ``place_access`` of the day; ``listed``: the listed
    assets with ``sensitive``.
    """
    from pyspark.sql.functions import expr

    known = (
        access.where(SUCCEEDED)
        .join(listed.select("asset_id", "sensitive"), "asset_id", "left")
        .withColumn("sensitive", expr("coalesce(sensitive, false)"))
    )
    hours = ("hour(first_time) as first_hour", "hour(last_time) as last_hour")
    parts = [
        known.where(condition).selectExpr(
            "user_id", "user_kind", f"'{step}' as step", "asset_id as place", "'' as source",
            "objects", f"cast({size} as bigint) as bytes", *hours,
        )
        for step, (condition, size) in OF_ACCESS.items()
    ]  # fmt: skip
    copies = (
        known.where("action_class = 'copy'")
        .selectExpr("*", "explode(destinations) as target")
        .withColumn("place", expr("substring_index(target, '#', 1)"))
        .where(TO_STORE)
        .selectExpr("user_id", "user_kind", "'stage' as step", "place", "asset_id as source",
                    "objects", f"cast({KNOWN} as bigint) as bytes", *hours)
    )  # fmt: skip
    sent = places.where(
        f"{SUCCEEDED} and objects > 0 and coalesce(zone, 'external') not in {OUR_ZONES} "
        f"and ({STORED})"
    ).selectExpr(
        "user_id", "user_kind", "'send' as step", "asset_id as place", "'' as source", "objects",
        "bytes", *(f"{sql} as {name}" for name, sql in HOURS.items()),
    )  # fmt: skip
    rows = reduce(lambda one, other: one.unionByName(other), [*parts, copies, sent])
    return (
        rows.groupBy(*KEYS)
        .agg(
            expr("min(user_kind) as user_kind"),
            expr("sum(objects) as objects"),
            expr("sum(bytes) as bytes"),
            expr("min(first_hour) as first_hour"),
            expr("max(last_hour) as last_hour"),
        )
        .selectExpr(f"date'{day}' as day", "user_id", "user_kind", "step", "place", "source",
                    "objects", "bytes", "first_hour", "last_hour")
    )  # fmt: skip


def _hours_with_bits() -> dict[str, str]:
    """SQL of the first and the last hour of a bit mask of hours."""
    each = [f"if((hours & {1 << hour}) <> 0, {hour}, null)" for hour in range(24)]
    return {"first_hour": f"least({', '.join(each)})", "last_hour": f"greatest({', '.join(each)})"}


HOURS = _hours_with_bits()
