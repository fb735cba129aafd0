"""Rows of ``access``: the day's events by identity, asset and class of action."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.sql import CONTAINER, exprs, quoted
from schemas.tables.values import MAX_LISTED, SIGNED_OTHERWISE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from schemas.context import Context


MAX_RANGES = 10_000
# A principal outside the directory may be `service` in one record and `unknown` in another. A row
# has one kind; `service` is kept.
KIND = "min(user_kind) as user_kind"
KEYS = ("user_id", "asset_id", "action_class")
# `[aws-cli/2.15 Python/3.11 …]` → `aws-cli`: versions change weekly, programs do not.
AGENT_FAMILY = "lower(nullif(regexp_extract(user_agent, '^[\\\\[\"]?([A-Za-z0-9_.+-]+)', 1), ''))"
DESTINATION = (
    "case when destination is not null then array_join(transform(split(destination, '\\n'), "
    f"one -> concat(coalesce(nullif({CONTAINER.replace('resource', 'one')}, ''), one), "
    "coalesce(concat('#', details['destination_account']), ''))), '\\n') end"
)
"""SQL of destinations, one a line: the container's URI, then `#` and the account if logged."""

ASSET_SIZES = "asset_id string, each double, whole double"
PARTS_AND_SIZES = {
    "object_bytes": "try_cast(details['object_size'] as bigint)",
    "is_part": "details['status_code'] = '206' and not map_contains_key(details, 'range') "
    "and bytes_out is not null",
}
"""SQL of the object's size, and of whether a part was read whose place the log does not have."""
NOT_TOLD = {"object_bytes": "cast(null as bigint)", "is_part": "false"}

ASSET = f"coalesce(asset_id, nullif({CONTAINER}, ''), resource)"
"""SQL of the touched asset, else of the resource's container."""

ROLE = "nullif(regexp_extract(user_id, '^(arn:[^/]*:assumed-role/[^/]+)/.', 1), '')"
"""SQL of the role whose session ``user_id`` is; null for others. After the last slash stands the
chosen name of a session whose role the directory does not know."""
ACTOR = {
    "user_id": f"coalesce({ROLE}, user_id)",
    "session": f"if({ROLE} is null, null, user_id)",
}
"""SQL of who acted. Whoever may assume a role opens any number of sessions under any names, so the
sessions of a role that the directory does not know are one identity."""

SESSION_NAME = "nullif(regexp_extract(principal, ':assumed-role/[^/]+/(.+)$', 1), '')"
"""SQL of the name that the opener of a role's session chose; null without such a session."""

OPENED_BY = "details['opened_by']"
"""SQL of the service that opened a session in the name of somebody."""

BY_CHOSEN_NAME = "coalesce(details['identity_rule'] = 'session_name', false)"
"""SQL: only the name of a session, which its opener chose, says whose event it is."""

ACCOUNT = "coalesce(details['account'], details['tenant'])"
"""SQL of the account or tenant that the caller belongs to, as the log says it."""
BY_LINK = (
    "coalesce(lower(details['authentication']) not in "
    f"({', '.join(map(quoted, SIGNED_OTHERWISE))}), false)"
)
"""SQL: the right to the request stood in its address, so whoever holds the link may use it. A way
that is not known counts as one."""
BYTES_IN = (
    "case when action_class = 'write' and outcome <> 'failure' then "
    "try_cast(coalesce(details['bytes_in'], details['object_size']) as bigint) end"
)
"""SQL of the bytes that were written."""

WAYS = (
    "user_id",
    "session",
    "session_name",
    "asset_id",
    "action_class",
    "hour",
    "action",
    "source_ip",
    "zone",
    "country",
    "asn",
    "user_agent",
    "credential",
    "acting_as",
    "opened_by",
    "destination",
    "source",
    "account",
)
"""Columns by which :func:`ways_of_access` counts."""
NETWORK = (
    "case when zone is not null or country is not null or asn is not null then "
    "concat_ws('/', coalesce(zone, '-'), coalesce(country, '-'), coalesce(asn, '-')) end"
)
LISTED = {
    "actions": "action",
    "addresses": "source_ip",
    "networks": NETWORK,
    "agents": AGENT_FAMILY,
    "credentials": "credential",
    "acting_as": "acting_as",
    "destinations": "destination",
    "sources": "source",
    "sessions": "session",
    "accounts": "account",
}
"""Lists of ``access`` and the SQL of their values."""


def ways_of_access(events: DataFrame) -> DataFrame:
    """Events counted by everything that ``access`` lists, and by hour."""
    described = events.selectExpr(
        "user_id",
        "session",
        f"{SESSION_NAME} as session_name",
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
        f"{OPENED_BY} as opened_by",
        f"{DESTINATION} as destination",
        "source",
        f"{ACCOUNT} as account",
        "event_time",
        "outcome",
        "bytes_out",
        f"{BY_CHOSEN_NAME} as chosen",
        f"{BY_LINK} as by_link",
        f"{BYTES_IN} as bytes_in",
    )
    return described.groupBy(*WAYS).agg(
        *exprs(
            "count(*) as events",
            "count_if(outcome = 'failure') as failures",
            "count_if(chosen) as chosen_names",
            "count_if(by_link and outcome <> 'failure') as linked",
            KIND,
            "sum(bytes_out) as bytes_out",
            "sum(bytes_in) as bytes_in",
            "min(event_time) as first_time",
            "max(event_time) as last_time",
        )
    )


def touched_objects(events: DataFrame) -> DataFrame:
    """Successful events counted by user, asset, action class and object; hours as a bit mask."""
    succeeded = events.where("outcome <> 'failure'").selectExpr(
        "*", f"{ASSET} as touched", "coalesce(object, resource) as one"
    )
    counted = succeeded.groupBy("user_id", "touched", "action_class", "one").agg(
        *exprs(
            KIND,
            "count(*) as reads",
            "sum(bytes_out) as bytes_out",
            "max(object_bytes) as object_bytes",
            "min(event_time) as first_time",
            "max(event_time) as last_time",
            "bit_or(shiftleft(1, hour(event_time))) as hours",
        )
    )
    return counted.withColumnsRenamed({"touched": "asset_id", "one": "object"})


def asset_sizes(context: Context) -> list[tuple[str, float | None, float]]:
    """Bytes of one object (None: not known) and of the whole of assets whose bytes are known."""
    from models.features.assets import listed_assets

    known = listed_assets(context).query("bytes > 0")
    # A fetch from a repository is not a fetch of one file.
    counted = known.query("objects > 0 and kind != 'repo'")
    each = (counted["bytes"] / counted["objects"]).to_dict()
    return [(str(asset), each.get(asset), whole) for asset, whole in known["bytes"].items()]


def access_rows(ways: DataFrame, objects: DataFrame, sizes: DataFrame, day: date) -> DataFrame:
    """``access`` of the day, from :func:`ways_of_access` and :func:`touched_objects`.

    ``sizes``: rows of :func:`asset_sizes`.
    """
    distinct = _distinct_objects(objects)
    return (
        _totals(ways)
        .join(_hours(ways, distinct), [*KEYS])
        .join(distinct.select(*KEYS, "objects"), [*KEYS], "left")
        .join(_estimates(objects, sizes), [*KEYS], "left")
        .selectExpr(
            f"date'{day}' as day",
            "user_id",
            "user_kind",
            "asset_id",
            "action_class",
            "events",
            "failures",
            "bytes_out",
            "nullif(cast(round(least(amount, whole)) as bigint), 0) as bytes_estimated",
            "coalesce(objects, 0) as objects",
            "first_time",
            "last_time",
            "hourly",
            *(name for name in LISTED if name != "accounts"),
            "chosen_names",
            "accounts",
            "bytes_in",
        )
    )


def _totals(ways: DataFrame) -> DataFrame:
    """Sums and lists of distinct values by :data:`KEYS`."""
    values = {name: f"collect_list({value})" for name, value in LISTED.items()}
    values["acting_as"] = "concat(collect_list(acting_as), collect_list(opened_by))"
    values["destinations"] = "flatten(collect_list(split(destination, '\\n')))"
    lists = (
        f"slice(sort_array(array_distinct({value})), 1, {MAX_LISTED}) as {name}"
        for name, value in values.items()
    )
    return ways.groupBy(*KEYS).agg(
        *exprs(
            KIND,
            "sum(events) as events",
            "sum(failures) as failures",
            "sum(chosen_names) as chosen_names",
            "sum(bytes_out) as bytes_out",
            "sum(bytes_in) as bytes_in",
            "min(first_time) as first_time",
            "max(last_time) as last_time",
            *lists,
        )
    )


def _distinct_objects(objects: DataFrame) -> DataFrame:
    """Number of distinct objects by :data:`KEYS`, and an array of that number for each hour."""
    by_hour = ", ".join(f"count_if((hours & {1 << hour}) <> 0)" for hour in range(24))
    return objects.groupBy(*KEYS).agg(
        *exprs("count(*) as objects", f"array({by_hour}) as objects_by_hour")
    )


def _hours(ways: DataFrame, distinct: DataFrame) -> DataFrame:
    """Column ``hourly`` by :data:`KEYS`: amounts of each hour that has events."""
    by_hour = ways.groupBy(*KEYS, "hour").agg(
        *exprs("sum(events) as events", "coalesce(sum(bytes_out), 0) as bytes")
    )
    structs = (
        "sort_array(collect_list(named_struct('hour', hour, 'events', events, 'bytes', bytes, "
        "'objects', coalesce(get(objects_by_hour, hour), 0)))) as hourly"
    )
    counted = distinct.select(*KEYS, "objects_by_hour")
    return by_hour.join(counted, [*KEYS], "left").groupBy(*KEYS).agg(*exprs(structs))


def _estimates(objects: DataFrame, sizes: DataFrame) -> DataFrame:
    """Bytes that no log has, estimated from sizes (``amount``), and the asset's size (``whole``).

    Unknown objects take one multiplication, because a sum of fractions depends on its order.
    """
    unknown = "bytes_out is null and object_bytes is null"
    of_group = "max(if(action_class = 'clone', whole, each))"
    return (
        objects.where("action_class in ('read', 'copy', 'clone')")
        .join(sizes, ["asset_id"], "left")
        .groupBy(*KEYS)
        .agg(
            *exprs(
                "coalesce(sum(case when bytes_out is null then object_bytes end), 0) + "
                f"coalesce({of_group} * count_if({unknown}), 0) as amount",
                "max(whole) as whole",
            )
        )
    )
