"""Rows of ``place_days``: the places of each identity on the day, and who was there before.

A place is made known by successes alone. Nothing of the day itself counts as earlier.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COUNTRY = "coalesce(country, '-')"
"""SQL of the country; all unknown ones are one."""
SIGNED = "events - failures > coalesce(linked, 0)"
"""SQL: a success whose right stood in no link."""
COUNTED = ("days", "weeks", "others", "team_others")
NOTHING = "cast(array() as array<bigint>)"
OLDER = -1
"""Worth of content in rows of older versions, which do not tell it."""


def place_day_rows(
    access: DataFrame,
    before: DataFrame,
    teams: DataFrame,
    vouched: DataFrame | None,
    worths: tuple[DataFrame, int],
    day: date,
) -> DataFrame:
    """``place_days`` of the day.

    ``access``: ``place_access`` of the day; ``before``: ``place_days`` of the 89 days before;
    ``teams``: ``user_id`` and ``team`` of everybody who has one. ``vouched``: ``user_id`` of those
    who make a place known to others, because names of strangers cost nothing; None: everybody.
    ``worths``: ``asset_id`` and ``weight`` of listed assets, and the weight of all others.
    """
    from pyspark.sql.functions import expr

    today = _amounts(access, *worths).join(teams, ["user_id"], "left")
    today = today.withColumn("land", expr(COUNTRY))
    used = before.where("events > failures").selectExpr(
        "user_id",
        "place",
        f"{COUNTRY} as land",
        "day",
        "objects",
        "worth",
        f"{SIGNED} as signed",
    )
    for value, prefix in (("place", ""), ("land", "country_")):
        today = _with_habits(today, used, teams, vouched, day, value, prefix)
    counts = [f"{prefix}{name}" for prefix in ("", "country_") for name in COUNTED]
    return today.selectExpr(
        f"date'{day}' as day",
        "user_id",
        "user_kind",
        "place",
        "zone",
        "country",
        "events",
        "failures",
        "objects",
        "hours",
        *(f"cast(coalesce({name}, 0) as int) as {name}" for name in counts),
        "cast(coalesce(own_days, 0) as int) as own_days",
        "linked",
        "worth",
        *(
            f"coalesce({prefix}week_worths, {NOTHING}) as {prefix}week_worths"
            for prefix in ("", "country_")
        ),
    )


def _amounts(access: DataFrame, listed: DataFrame, other: int) -> DataFrame:
    """What each identity did at each place on the day."""
    from pyspark.sql.functions import expr

    return (
        access.join(listed, ["asset_id"], "left")
        .groupBy("user_id", "place")
        .agg(
            expr("min(user_kind) as user_kind"),
            expr("min(zone) as zone"),
            expr("min(country) as country"),
            expr("sum(events) as events"),
            expr("sum(failures) as failures"),
            expr("sum(objects) as objects"),
            expr("bit_or(hours) as hours"),
            expr("sum(coalesce(linked, 0)) as linked"),
            expr(f"cast(sum(objects * coalesce(weight, {other})) as bigint) as worth"),
        )
    )


def _with_habits(
    today: DataFrame,
    used: DataFrame,
    teams: DataFrame,
    vouched: DataFrame | None,
    day: date,
    value: str,
    prefix: str,
) -> DataFrame:
    """``today`` and its columns of COUNTED for one kind of ``value``, behind ``prefix``."""
    from pyspark.sql.functions import expr

    own = ["user_id", value]
    days = (
        used.join(today.select(value).distinct(), [value], "left_semi")
        .groupBy(*own, "day")
        .agg(
            expr("max(objects) > 0 as content"),
            expr("max(signed) as signed"),
            expr(f"if(max(objects) > 0, coalesce(sum(worth), {OLDER}), 0) as worth"),
        )
    )
    weeks = days.groupBy(*own, expr(f"cast(datediff(date'{day}', day) / 7 as int) as week")).agg(
        expr("count(*) as days"),
        expr("max(content) as content"),
        expr("max(worth) as worth"),
        expr("count_if(signed) as signed"),
    )
    known = (
        weeks.groupBy(*own)
        .agg(
            expr(f"sum(days) as {prefix}days"),
            expr(f"count_if(content) as {prefix}weeks"),
            expr(f"sum(signed) as {prefix}own_days"),
            expr(f"sort_array(collect_list(if(content, worth, null))) as {prefix}week_worths"),
        )
        .withColumn("own", expr("1"))
    )
    if vouched is not None:
        ours = vouched.selectExpr("user_id", "1 as ours")
        known = known.drop("own").join(ours, ["user_id"], "left").withColumnRenamed("ours", "own")
    everybody = known.groupBy(value).agg(expr("count(own) as everybody"))
    mates = known.join(teams, ["user_id"]).groupBy("team", value).agg(expr("count(*) as mates"))
    others = "coalesce({}, 0) - coalesce(own, 0)"
    return (
        today.join(known, own, "left")
        .join(everybody, [value], "left")
        .join(mates, ["team", value], "left")
        .withColumn(f"{prefix}others", expr(others.format("everybody")))
        .withColumn(f"{prefix}team_others", expr(f"if(team is null, 0, {others.format('mates')})"))
        .drop("own", "everybody", "mates")
    )
