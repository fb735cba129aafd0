"""Rows of `access`: the day's events by identity, asset and class of action."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.sql import CONTAINER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from schemas.context import Context


MAX_DISTINCT = 50
MAX_RANGES = 10_000
# A principal that the directory does not know may be `service` by one record and `unknown` by
# another; as a row has one kind, the one that says more is kept.
KIND = "min(user_kind) as user_kind"
KEYS = ("user_id", "asset_id", "action_class")
LISTED = (
    "actions",
    "addresses",
    "networks",
    "agents",
    "credentials",
    "acting_as",
    "destinations",
    "sources",
)
# `[aws-cli/2.15 Python/3.11 …]` → `aws-cli`: versions change weekly, programs do not.
AGENT_FAMILY = "lower(nullif(regexp_extract(user_agent, '^[\\\\[\"]?([A-Za-z0-9_.+-]+)', 1), ''))"
DESTINATION = (
    "case when destination is not null then concat(coalesce(nullif("
    f"{CONTAINER.replace('resource', 'destination')}, ''), destination), "
    "coalesce(concat('#', details['destination_account']), '')) end"
)
"""Where copies go: the container's URI, `#` and the account where the log names it."""

ASSET_SIZES = "asset_id string, each double, whole double"
PARTS_AND_SIZES = {
    "object_bytes": "try_cast(details['object_size'] as bigint)",
    "is_part": "details['status_code'] = '206' and not map_contains_key(details, 'range') "
    "and bytes_out is not null",
}
"""SQL of the whole object's size, and of whether a part was read of which the place is not told."""
NOT_TOLD = {"object_bytes": "cast(null as bigint)", "is_part": "false"}

ASSET = f"coalesce(asset_id, nullif({CONTAINER}, ''), resource)"
"""What was touched: the asset, else what holds the resource."""


def ways_of_access(events: DataFrame) -> DataFrame:
    """Events counted by everything that ``access`` lists, and by hour."""
    described = events.selectExpr(
        "user_id",
        "user_kind",
        f"{ASSET} as asset_id",
        "action_class",
        "hour(event_time) as hour",
        "action",
        "source_ip",
        "zone",
        "country",
        "asn",
        "user_agent",
        "credential",
        "acting_as",
        f"{DESTINATION} as destination",
        "source",
        "event_time",
        "outcome",
        "bytes_out",
    )
    described.createOrReplaceTempView("described_events")
    columns = (
        "user_id, asset_id, action_class, hour, action, source_ip, zone, country, asn, "
        "user_agent, credential, acting_as, destination, source"
    )
    return events.sparkSession.sql(
        f"select {columns}, count(*) as events, count_if(outcome = 'failure') as failures, "
        f"{KIND}, sum(bytes_out) as bytes_out, min(event_time) as first_time, "
        "max(event_time) as last_time "
        f"from described_events group by {columns}"
    )


def touched_objects(events: DataFrame) -> DataFrame:
    """Successful events counted by user, asset, action class and object; hours as a bit mask."""
    events.createOrReplaceTempView("day_events")
    return events.sparkSession.sql(
        f"""
        select user_id, {ASSET} as asset_id,
            action_class, coalesce(object, resource) as object, {KIND}, count(*) as reads,
            sum(bytes_out) as bytes_out, max(object_bytes) as object_bytes,
            min(event_time) as first_time, max(event_time) as last_time,
            bit_or(shiftleft(1, hour(event_time))) as hours
        from day_events where outcome <> 'failure'
        group by 1, 2, 3, 4
        """
    )


def asset_sizes(context: Context) -> list[tuple[str, float | None, float]]:
    """Bytes of one object (None: not known) and of the whole of assets whose bytes are known."""
    from models.features.assets import listed_assets

    known = listed_assets(context).query("bytes > 0")
    # What is fetched of a repository is not one of its files.
    counted = known.query("objects > 0 and kind != 'repo'")
    each = (counted["bytes"] / counted["objects"]).to_dict()
    return [(asset, each.get(asset), whole) for asset, whole in known["bytes"].items()]


def access_rows(ways: DataFrame, objects: DataFrame, sizes: DataFrame, day: date) -> DataFrame:
    """``access`` of the day from both scratch tables and the sizes of assets."""
    sizes.createOrReplaceTempView("asset_sizes")
    ways.createOrReplaceTempView("ways")
    objects.createOrReplaceTempView("objects")
    keys = ", ".join(KEYS)
    hourly_objects = ", ".join(f"count_if((hours & {1 << hour}) <> 0)" for hour in range(24))
    listed = ", ".join(
        f"slice(sort_array(array_distinct(collect_list({value}))), 1, {MAX_DISTINCT}) as {name}"
        for name, value in zip(
            LISTED,
            (
                "action",
                "source_ip",
                "case when zone is not null or country is not null or asn is not null then "
                "concat_ws('/', coalesce(zone, '-'), coalesce(country, '-'), coalesce(asn, '-')) "
                "end",
                AGENT_FAMILY,
                "credential",
                "acting_as",
                "destination",
                "source",
            ),
            strict=True,
        )
    )
    totals = (
        f"select {keys}, {KIND}, sum(events) as events, sum(failures) as failures, "
        "sum(bytes_out) as bytes_out, min(first_time) as first_time, max(last_time) as last_time, "
        f"{listed} from ways group by {keys}"
    )
    by_hour = (
        f"select {keys}, hour, sum(events) as events, coalesce(sum(bytes_out), 0) as bytes "
        f"from ways group by {keys}, hour"
    )
    distinct = (
        f"select {keys}, count(*) as objects, array({hourly_objects}) as by_hour "
        f"from objects group by {keys}"
    )
    # One multiplication instead of a sum of fractions, which depends on the order of its terms.
    unknown = "bytes_out is null and object_bytes is null"
    estimated = (
        f"select {keys}, coalesce(sum(case when bytes_out is null then object_bytes end), 0) + "
        "coalesce(case when action_class = 'clone' then max(whole) else max(each) end "
        f"* count_if({unknown}), 0) as amount, max(whole) as whole "
        "from objects left join asset_sizes using (asset_id) "
        f"where action_class in ('read', 'copy', 'clone') group by {keys}"
    )
    same_estimate = " and ".join(f"t.{key} = e.{key}" for key in KEYS)
    same = " and ".join(f"t.{key} = h.{key}" for key in KEYS)
    same_objects = " and ".join(f"t.{key} = o.{key}" for key in KEYS)
    hours = f"""
        select {", ".join(f"h.{key}" for key in KEYS)}, sort_array(collect_list(named_struct(
            'hour', h.hour, 'events', h.events, 'bytes', h.bytes,
            'objects', coalesce(get(t.by_hour, h.hour), 0)))) as hourly
        from ({by_hour}) h left join ({distinct}) t on {same}
        group by {", ".join(f"h.{key}" for key in KEYS)}
    """
    return ways.sparkSession.sql(
        f"""
        select date'{day}' as day, t.user_id, t.user_kind, t.asset_id, t.action_class, t.events,
            t.failures, t.bytes_out,
            nullif(cast(round(least(e.amount, e.whole)) as bigint), 0) as bytes_estimated,
            coalesce(o.objects, 0) as objects, t.first_time, t.last_time, h.hourly,
            {", ".join(f"t.{name}" for name in LISTED)}
        from ({totals}) t join ({hours}) h on {same}
        left join ({distinct}) o on {same_objects}
        left join ({estimated}) e on {same_estimate}
        """
    )
