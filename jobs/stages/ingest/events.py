"""Rows of ``events``: parsed records joined with identities, assets and networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.stages.ingest.answers import assets_of, identities_of, networks_of
from jobs.stages.ingest.deduplicate import without_duplicates
from jobs.stages.ingest.secrets import MASKED_COLUMNS, masked
from jobs.stages.ingest.sessions import sessions_of
from jobs.stages.sql import CONTAINER, details_json
from jobs.stages.stage import StageTables
from models.resolve.assets import needs_whole_uri
from schemas.config import JobConfig
from schemas.context import Context

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def resolve_events(
    tables: StageTables, staged: DataFrame, context: Context, config: JobConfig, staging: str
) -> DataFrame:
    """Staging rows as ``events``: deduplicated, with identities, assets and networks.

    The folder ``staging`` takes the resolved names, folders, addresses and sessions.
    """
    from pyspark.sql import functions as F

    good = staged.where("in_day and problem is null")
    once = without_duplicates(tables.spark, good, {source.format for source in config.sources})
    identities = identities_of(good, context, config, _accounts_with_trails(good), staging)
    sessions = sessions_of(tables, good, identities, config, staging)
    assets = assets_of(with_whole_uris(good, context), context, config, staging)
    networks = networks_of(good, context, staging)
    joined = (
        with_whole_uris(once, context)
        .join(identities.drop("format", "of_foreign"), ["source", "names"], "left")
        .join(sessions, "credential", "left")
        .join(assets, "lookup", "left")
        .join(networks, "source_ip", "left")
    )
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
        f"{OUTCOME} as outcome",
        f"from_json(case when {NOTE} is null then details else {WITH_NOTE} end, "
        "'map<string,string>') as details",
    )


# Messages of errors are short. Whoever breaks off a download near its end has the content, though
# some logs call that a failure.
LONGEST_ERROR = 20_000
OUTCOME = (
    "if(outcome = 'failure' and action_class in ('read', 'clone') "
    f"and coalesce(bytes_out, 0) > {LONGEST_ERROR}, 'success', outcome)"
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
# Who opens a session names it. A service that does so for others could have chosen any name.
BY_SERVICE = "coalesce(alias_kind = 'human' and session_kind = 'service', false)"
OPENED_BY = (
    "concat(substring(alias_note, 1, length(alias_note) - 1), ',', "
    f"substring({details_json({'opened_by': 'session_user'})}, 2))"
)
NOTE = (
    f"case when {BY_SERVICE} and alias_note is not null then {OPENED_BY} "
    f"when {BY_NAME} or session_user is null then alias_note else session_note end"
)
WITH_NOTE = (
    "concat(substring(details, 1, length(details) - 1), if(details = '{}', '', ','), "
    f"substring({NOTE}, 2))"
)


def with_whole_uris(rows: DataFrame, context: Context) -> DataFrame:
    """Rows whose ``lookup`` is the whole resource if a pattern of the asset list is exactly it.

    The list is joined: as text of a query it would take an engine long to plan.
    """
    exact, _ = needs_whole_uri(context.assets)
    if not exact:
        return rows
    listed = rows.sparkSession.createDataFrame([(uri,) for uri in exact], "listed string")
    return rows.join(
        listed.hint("broadcast"), rows["resource"] == listed["listed"], "left"
    ).selectExpr(
        *(name for name in rows.columns if name != "lookup"),
        "coalesce(listed, lookup) as lookup",
    )


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
