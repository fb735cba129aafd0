"""Rows of ``place_access``: the day's events by identity, place and asset."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.aggregate.access import KEYS, KIND, NETWORK
from schemas.tables.values import CONTENT_CLASSES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

IPV4_BLOCK = "regexp_extract(source_ip, '^([0-9]+[.][0-9]+[.][0-9]+)[.][0-9]+$', 1)"
"""SQL of the first three octets of an IPv4 address; empty for other text."""
IPV6_GROUPS = (
    "substring_index(concat_ws(':', nullif(split(lower(source_ip), '::')[0], ''), '0:0:0'), ':', 3)"
)
"""SQL of the first three groups of an IPv6 address; those that ``::`` leaves out are zeros."""
IPV6_BLOCK = f"regexp_replace(concat(':', {IPV6_GROUPS}), ':0+([0-9a-f])', ':$1')"
"""SQL of the same without leading zeros, behind a colon."""
BLOCK = (
    f"case when {IPV4_BLOCK} <> '' then concat({IPV4_BLOCK}, '.0/24') "
    f"when instr(source_ip, ':') > 0 then concat(substring({IPV6_BLOCK}, 2), '::/48') end"
)
"""SQL of the block of an address: /24 of IPv4, /48 of IPv6; null without an address."""
PLACE = f"coalesce({NETWORK}, {BLOCK})"
CONTENT = f"action_class in {CONTENT_CLASSES} and events > failures"
HOURS = "bit_or(if(events > failures, shiftleft(1, hour), 0)) as hours"


def place_rows(ways: DataFrame, objects: DataFrame, day: date) -> DataFrame:
    """``place_access`` of the day, from the frames that ``access`` is made of.

    ``ways``: events by everything that ``access`` lists; ``objects``: successful events by object.
    """
    from pyspark.sql.functions import expr

    by_class = (
        ways.selectExpr("*", f"{PLACE} as place")
        .where("place is not null")
        .groupBy(*KEYS, "place")
        .agg(
            expr(KIND),
            expr("min(zone) as zone"),
            expr("min(country) as country"),
            expr("sum(events) as events"),
            expr("sum(failures) as failures"),
            expr("sum(if(events > failures, bytes_out, null)) as bytes"),
            expr(HOURS),
            expr("sum(linked) as linked"),
        )
    )
    distinct = objects.groupBy(*KEYS).agg(expr("count(*) as objects"))
    taken = f"if({CONTENT}, least(events - failures, coalesce(objects, 0)), 0)"
    rows = (
        by_class.join(distinct, [*KEYS], "left")
        .groupBy("user_id", "place", "asset_id")
        .agg(
            expr(KIND),
            expr("min(zone) as zone"),
            expr("min(country) as country"),
            expr("sum(events) as events"),
            expr("sum(failures) as failures"),
            expr(f"sum({taken}) as objects"),
            expr(f"sum(if({CONTENT}, bytes, null)) as bytes"),
            expr("bit_or(hours) as hours"),
            expr("sum(linked) as linked"),
            expr(f"sum(if({CONTENT}, least(linked, coalesce(objects, 0)), 0)) as linked_objects"),
        )
    )
    return rows.selectExpr(
        f"date'{day}' as day",
        "user_id",
        "user_kind",
        "place",
        "zone",
        "country",
        "asset_id",
        "events",
        "failures",
        "objects",
        "bytes",
        "hours",
        "linked",
        "linked_objects",
    )
