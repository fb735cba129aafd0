"""The most that an identity took in 24 hours that end within the day.

A day that is cut at midnight UTC makes two half days of an afternoon in California. So the part of
the 24 hours before midnight counts too, up to as much as the part after it: what was taken
yesterday alone is not told again today.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.stages.features.pairs import TAKEN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MEASURES = ("bytes", "objects", "assets")
MIDNIGHT, HOURS = 24, 24
"""Hours are counted from midnight before the day before, so that the day begins at MIDNIGHT."""
ROW = "day, user_id, asset_id, action_class"


def rolling_rows(access: DataFrame, day: date) -> DataFrame:
    """``user_id``, ``rolling_bytes``, ``rolling_objects``, ``rolling_assets``.

    ``access``: of the day and the day before. Of whoever took nothing on the day there is no row.
    Each amount is the largest of t + min(t, y) over the hours of the day: t was taken on the day up
    to the end of the hour, y in the rest of the 24 hours that end with it. Hours share the distinct
    objects of a row in proportion to their own. Assets of y are those that t has not.
    """
    from pyspark.sql.functions import expr

    taken = access.where(TAKEN).selectExpr(
        "*", f"datediff(day, date'{day - timedelta(days=1)}') * {HOURS} as start"
    )
    rows = taken.selectExpr(*ROW.split(", "), "objects", "start", "explode(hourly) as h")
    hours = rows.selectExpr(
        "user_id",
        "asset_id",
        "cast(start + h.hour as int) as hour",
        "h.bytes as bytes",
        f"objects * h.objects / nullif(sum(h.objects) over (partition by {ROW}), 0) as objects",
    )
    # Whole millionths add up alike in every order.
    amounts = hours.groupBy("user_id", "hour").agg(
        expr("sum(bytes) as bytes"),
        expr("sum(cast(round(coalesce(objects, 0) * 1e6) as bigint)) as objects"),
    )
    touched = hours.groupBy("user_id", "asset_id").agg(
        expr(f"min(if(hour >= {MIDNIGHT}, hour, null)) as first"),
        expr(f"max(if(hour < {MIDNIGHT}, hour, null)) as last"),
    )
    return _largest(_changes(amounts, touched))


def _changes(amounts: DataFrame, touched: DataFrame) -> DataFrame:
    """By how much t and y change at an hour: ``user_id``, ``hour``, ``t_…`` and ``y_…``."""
    before, left = f"hour < {MIDNIGHT}", f"least(last + {HOURS}, coalesce(first, last + {HOURS}))"
    of_amounts = [
        _change("hour", f"not {before}", t_bytes="bytes", t_objects="objects"),
        _change(str(MIDNIGHT), before, y_bytes="bytes", y_objects="objects"),
        _change(f"hour + {HOURS}", before, y_bytes="-bytes", y_objects="-objects"),
    ]
    of_assets = [
        _change("first", "first is not null", t_assets="1"),
        _change(str(MIDNIGHT), "last is not null", y_assets="1"),
        _change(left, "last is not null", y_assets="-1"),
    ]
    return _each(amounts, of_amounts).unionByName(_each(touched, of_assets))


def _change(hour: str, condition: str, **amounts: str) -> str:
    """A struct: by how much (SQL) t and y change at ``hour`` (SQL); without hour no change."""
    names = (f"{part}_{measure}" for part in "ty" for measure in MEASURES)
    fields = (f"cast({amounts.get(name, '0')} as bigint) as {name}" for name in names)
    return f"struct(cast(if({condition}, {hour}, null) as int) as hour, {', '.join(fields)})"


def _each(rows: DataFrame, changes: list[str]) -> DataFrame:
    """The ``changes`` of each row; the rows are computed once for all of them."""
    each = rows.selectExpr("user_id", f"explode(array({', '.join(changes)})) as change")
    return each.selectExpr("user_id", "change.*").where("hour is not null")


def _largest(changes: DataFrame) -> DataFrame:
    from pyspark.sql.functions import expr

    names = [name for name in changes.columns if name not in ("user_id", "hour")]
    by_hour = changes.groupBy("user_id", "hour").agg(*(expr(f"sum({n}) as {n}") for n in names))
    past = "partition by user_id order by hour rows between unbounded preceding and current row"
    sums = by_hour.selectExpr("user_id", *(f"sum({n}) over ({past}) as {n}" for n in names))
    most = {m: f"max(t_{m} + least(t_{m}, y_{m}))" for m in MEASURES}
    found = sums.groupBy("user_id").agg(
        expr(f"nullif({most['bytes']}, 0) as rolling_bytes"),
        expr(f"cast(round({most['objects']} / 1e6) as bigint) as rolling_objects"),
        expr(f"cast({most['assets']} as int) as rolling_assets"),
    )
    return found.where("rolling_assets > 0")
