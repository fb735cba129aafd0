"""Rows of ``events``: parsed records joined with identities, assets and networks."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from jobs.stages.ingest.deduplicate import without_duplicates
from jobs.stages.ingest.secrets import MASKED_COLUMNS, masked
from jobs.stages.sql import CONTAINER
from jobs.stages.stage import StageTables
from models.resolve.assets import asset_finder
from models.resolve.identities import IdentityMatch, identity_finder
from models.resolve.identity_rules import Identity
from models.resolve.networks import network_finder
from models.resolve.sessions import keys_of_strangers, resolve_sessions
from schemas.config import JobConfig
from schemas.context import Context
from schemas.tables.events import EVENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MAX_CANDIDATES = 10


def sessions_before(tables: StageTables, config: JobConfig) -> dict[str, Identity]:
    """Keys handed out in the look-back days → the directory's identity that asked for them."""
    days = config.ingest.session_lookback_days
    if days == 0:
        return {}
    rows = (
        tables.read(EVENTS, tables.day - timedelta(days=1), days - 1)
        .where("action_class = 'assume' and user_kind <> 'unknown'")
        .selectExpr(
            "details['issued_credential'] as issued",
            "user_id",
            "user_kind",
            "details['identity_rule'] as rule",
            "details['identity_name'] as name",
        )
        .where("issued is not null")
        .distinct()
        .collect()
    )
    # The last one stays: an asker known without a rule, if there is one.
    rows.sort(key=lambda row: (row.rule is None, *(value or "" for value in row)))
    return {row.issued: Identity(row.user_id, row.user_kind, row.rule, row.name) for row in rows}


def resolve_events(
    tables: StageTables, staged: DataFrame, context: Context, config: JobConfig
) -> DataFrame:
    """Staging rows as ``events``: deduplicated, with identities, assets and networks."""
    from pyspark.sql import functions as F

    good = staged.where("in_day and problem is null")
    once = without_duplicates(tables.spark, good, {source.format for source in config.sources})
    joined = once
    for answers, keys in (
        *_identities(tables, good, context, config),
        _assets(tables.spark, good, context, config),
        _networks(tables.spark, good, context),
    ):
        joined = joined.join(answers.hint("broadcast"), keys, "left")
    by_name = {
        name: F.expr(f"case when not ({NO_PERSON}) then {name} end")
        for name in ("alias_user", "alias_kind", "alias_note")
    }
    # Masked here and not for each source: an engine takes long to plan these patterns.
    without_secrets = {name: F.expr(masked(name)) for name in MASKED_COLUMNS}
    return joined.withColumns(by_name | without_secrets).selectExpr(
        "event_id",
        "event_time",
        "to_date(event_time) as day",
        "source",
        "format",
        "principal",
        f"if({BY_NAME}, alias_user, coalesce(session_user, alias_user, {STRANGER})) as user_id",
        f"if({BY_NAME}, alias_kind, coalesce(session_kind, alias_kind, kind_hint, 'unknown')) "
        "as user_kind",
        "acting_as",
        "credential",
        "action",
        "action_class",
        "resource",
        "destination",
        "asset_id",
        "coalesce(object, nullif(case when asset_id is not null "
        f"then substring(resource, prefix_chars + 1) when {CONTAINER} <> '' "
        f"then substring(resource, length({CONTAINER}) + 2) end, '')) as object",
        "bytes_out",
        "source_ip",
        "nullif(country, '') as country",
        "nullif(zone, '') as zone",
        "nullif(asn, '') as asn",
        "user_agent",
        "outcome",
        f"from_json(case when {NOTE} is null then details else {WITH_NOTE} end, "
        "'map<string,string>') as details",
    )


# An unknown principal may be called like a known user_id. The source before its name keeps them
# apart.
STRANGER = "if(principal = namesake, concat(source, ':', principal), principal)"
# Rules about people do not apply where the log itself says that a service acted, nor to the name
# of a session that another account opened.
NO_PERSON = (
    "coalesce(kind_hint = 'service' and alias_kind = 'human' and alias_note is not null, false) "
    "or coalesce(of_stranger and alias_note like '%\"session_name\"%', false)"
)
# Session names chosen by a service are trusted. A session name chosen by a person is ignored,
# unless the person is known only through a rule.
BY_NAME = (
    "coalesce(alias_kind = 'human' and session_kind = 'service' "
    "or alias_user is not null and alias_note is null and session_note is not null, false)"
)
NOTE = f"if({BY_NAME} or session_user is null, alias_note, session_note)"
WITH_NOTE = (
    "concat(substring(details, 1, length(details) - 1), if(details = '{}', '', ','), "
    f"substring({NOTE}, 2))"
)


def _identities(
    tables: StageTables, good: DataFrame, context: Context, config: JobConfig
) -> tuple[tuple[DataFrame, list[str]], tuple[DataFrame, list[str]]]:
    """Identities by the names of a record, and by its session; each with the keys of its join."""
    find_identity = identity_finder(
        context.directory,
        [source.name for source in config.sources],
        config.own_accounts,
        _accounts_with_trails(good),
    )
    askers = good.select("source", "names", "format").where("names <> ''").distinct().collect()
    matches = [(row, find_identity(row.names, row.source, row.format)) for row in askers]
    identities = [
        (row.source, row.names, *_answer(match), match.namesake)
        for row, match in matches
        if match != IdentityMatch()
    ]
    issued = _issued_keys(good)
    strange = keys_of_strangers(issued, lambda asker: find_identity(*asker).foreign)
    behind = resolve_sessions(
        [row for row in issued if row[0] not in strange],
        sessions_before(tables, config),
        lambda asker: find_identity(*asker).identity,
    )
    sessions = [(key, *_answer(IdentityMatch(who)), False) for key, who in behind.items()]
    sessions += [(key, None, None, None, True) for key in strange - behind.keys()]
    by_name = tables.spark.createDataFrame(
        identities,
        "source string, names string, alias_user string, alias_kind string, alias_note string, "
        "namesake string",
    )
    by_session = tables.spark.createDataFrame(
        sessions,
        "credential string, session_user string, session_kind string, session_note string, "
        "of_stranger boolean",
    )
    return (by_name, ["source", "names"]), (by_session, ["credential"])


def _assets(
    spark: SparkSession, good: DataFrame, context: Context, config: JobConfig
) -> tuple[DataFrame, list[str]]:
    """The asset of each folder or whole URI, with the key of its join."""
    find_asset = asset_finder(context.assets, config.assets.nested)
    lookups = [row.lookup for row in good.select("lookup").distinct().collect()]
    assets = [(u, m.asset_id, m.prefix_chars) for u in lookups if u and (m := find_asset(u))]
    ddl = "lookup string, asset_id string, prefix_chars int"
    return spark.createDataFrame(assets, ddl), ["lookup"]


def _networks(
    spark: SparkSession, good: DataFrame, context: Context
) -> tuple[DataFrame, list[str]]:
    """The network of each address, with the key of its join."""
    find_network = network_finder(context.networks)
    addresses = [row.source_ip for row in good.select("source_ip").distinct().collect()]
    networks = [(a, *found) for a in addresses if a and (found := find_network(a))]
    ddl = "source_ip string, zone string, country string, asn string"
    return spark.createDataFrame(networks, ddl), ["source_ip"]


def _issued_keys(
    good: DataFrame,
) -> list[tuple[str, tuple[str, str, str], str | None]]:
    """For each issued key: (key, (names, source, format) of the asker, the key the asker used).

    Several records may issue one key. The record with the highest precedence
    counts; among these one with a credential and names, then the earliest.
    """
    rows = (
        good.where("issued_credential is not null")
        .select(
            "issued_credential",
            "precedence",
            "credential",
            "event_time",
            "names",
            "source",
            "format",
        )
        .distinct()
        .collect()
    )
    rows.sort(
        key=lambda row: (
            -(row.precedence or 0),
            row.credential is None,
            not row.names,
            row.event_time,
            row.names or "",
            row.credential or "",
            row.source,
        ),
        reverse=True,
    )
    # The best record is the last.
    first = {row.issued_credential: row for row in rows}
    return [
        (key, (row.names or "", row.source, row.format), row.credential)
        for key, row in sorted(first.items())
    ]


def _accounts_with_trails(good: DataFrame) -> list[str]:
    """AWS accounts whose trails are among the logs: recipient accounts of CloudTrail records."""
    account = "nullif(regexp_extract(details, '\"recipient_account\":\"([0-9]+)\"', 1), '')"
    rows = (
        good.where("format = 'aws_cloudtrail'")
        .selectExpr(f"{account} as account")
        .where("account is not null")
        .distinct()
        .collect()
    )
    return sorted(row.account for row in rows)


def _answer(match: IdentityMatch) -> tuple[str | None, str | None, str | None]:
    """User id, kind, and a JSON object for ``details``: the rule or the candidates of the match.

    The JSON object is None for an exact match.
    """
    note = {}
    if match.candidates:
        note["identity_candidates"] = ";".join(match.candidates[:MAX_CANDIDATES])
    if match.identity is None:
        return None, None, json.dumps(note) if note else None
    user = match.identity
    if user.rule and user.name:
        note = {"identity_rule": user.rule, "identity_name": user.name}
    return user.user_id, user.kind, json.dumps(note) if note else None
