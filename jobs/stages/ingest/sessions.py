"""Whose session it is: from the key of a session back to the identity that opened it.

A day may hand out any number of keys, so the engine follows them by joins, one join for each step.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from jobs.stages.ingest.answers import hinted
from jobs.stages.sql import computed_once, details_json
from jobs.stages.stage import StageTables
from schemas.config import JobConfig
from schemas.tables.events import EVENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_SESSION_HOPS = 5
RULE, NAME = "details['identity_rule']", "details['identity_name']"
WHO = ("user", "kind", "note")
FURTHER_BACK = (
    "link_user is not null "
    "and not (found_user is not null and link_note is not null and found_note is null)"
)
"""SQL: whether a link's identity replaces the one found so far. A note says: found by a rule."""


def sessions_of(
    tables: StageTables, good: DataFrame, identities: DataFrame, config: JobConfig, staging: str
) -> DataFrame:
    """Who stands behind each session key that was handed out on the day or in the look-back days.

    Columns: ``credential``, ``session_user``, ``session_kind``, ``session_note`` (a JSON object for
    ``details``; null for an identity known without a rule), ``of_stranger`` (the key was handed out
    to another account, or to a session that uses such a key).
    """
    issued = with_askers(issued_keys(good), identities)
    keys = computed_once(with_earlier(issued, earlier_keys(tables, config)), f"{staging}/keys")
    if not keys.where("strange").isEmpty():
        keys = computed_once(with_all_strangers(keys), f"{staging}/keys_of_strangers")
    return hinted(computed_once(behind_keys(keys), f"{staging}/sessions.parquet"))


def issued_keys(good: DataFrame) -> DataFrame:
    """The keys of the day: ``key``, ``names`` and ``source`` of the asker, the key it ``used``.

    Several records may issue one key. The record with the highest precedence counts; among these
    one with a credential and names, then the earliest.
    """
    order = (
        "-coalesce(precedence, 0), credential is null, coalesce(names, '') = '', event_time, "
        "coalesce(names, ''), coalesce(credential, ''), source"
    )
    issued = good.where("issued_credential is not null").selectExpr(
        "issued_credential as key",
        "coalesce(names, '') as names",
        "source",
        "credential as used",
        f"row_number() over (partition by issued_credential order by {order}) as place",
    )
    return issued.where("place = 1").drop("place")


def with_askers(issued: DataFrame, identities: DataFrame) -> DataFrame:
    """Issued keys with the identity of the asker: ``key used user kind note strange``."""
    return issued.join(identities, ["source", "names"], "left").selectExpr(
        "key",
        "used",
        "alias_user as user",
        "alias_kind as kind",
        "if(alias_user is null, null, alias_note) as note",
        "coalesce(of_foreign, false) as strange",
    )


def earlier_keys(tables: StageTables, config: JobConfig) -> DataFrame:
    """Keys handed out in the look-back days: ``key earlier_user earlier_kind earlier_note``.

    Only keys whose asker is of the directory. Of several askers of a key one known without a rule
    goes first.
    """
    days = config.ingest.session_lookback_days
    ddl = "key string, earlier_user string, earlier_kind string, earlier_note string"
    if days == 0:
        return tables.spark.createDataFrame([], ddl)
    order = (
        f"{RULE} is null desc, user_id desc, user_kind desc, coalesce({RULE}, '') desc, "
        f"coalesce({NAME}, '') desc"
    )
    note = details_json({"identity_rule": RULE, "identity_name": NAME})
    key = "details['issued_credential']"
    handed_out = (
        tables.read(EVENTS, tables.day - timedelta(days=1), days - 1)
        .where(f"action_class = 'assume' and user_kind <> 'unknown' and {key} is not null")
        .selectExpr(
            f"{key} as key",
            "user_id as earlier_user",
            "user_kind as earlier_kind",
            f"if({RULE} <> '' and {NAME} <> '', {note}, null) as earlier_note",
            f"row_number() over (partition by {key} order by {order}) as place",
        )
    )
    return handed_out.where("place = 1").drop("place")


def with_earlier(issued: DataFrame, earlier: DataFrame) -> DataFrame:
    """All keys of the day and of the days before."""
    return issued.join(earlier, "key", "full").selectExpr(
        *("key", "used", "user", "kind", "note"),
        *("earlier_user", "earlier_kind", "earlier_note"),
        "coalesce(strange, false) as strange",
    )


def with_all_strangers(keys: DataFrame) -> DataFrame:
    """Keys of which also those are ``strange`` that sessions with strange keys asked for."""
    links = keys.selectExpr("key as link", "used as link_used", "strange as link_strange")
    walk = keys.selectExpr("*", "used as next")
    for _ in range(MAX_SESSION_HOPS):
        walk = walk.join(links, walk["next"] == links["link"], "left").selectExpr(
            *(name for name in keys.columns if name != "strange"),
            "strange or coalesce(link_strange, false) as strange",
            "link_used as next",
        )
    return walk.drop("next")


def behind_keys(keys: DataFrame) -> DataFrame:
    """The columns of :func:`sessions_of`, for all keys with an identity and all strange keys.

    A session that asks for another key is followed back to its own key, at most
    :data:`MAX_SESSION_HOPS` times. A key of the look-back days ends the chain. The identity nearest
    to the beginning of the chain is the answer; an identity found by a rule only if no other is
    known. A strange key has no identity but that of the look-back days.
    """
    links = keys.selectExpr(
        "key as link",
        "if(earlier_user is not null or strange, null, used) as link_used",
        *(
            f"coalesce(earlier_{name}, if(earlier_user is not null or strange, null, {name})) "
            f"as link_{name}"
            for name in WHO
        ),
    )
    walk = keys.selectExpr(
        "*",
        *(f"if(strange, null, {name}) as found_{name}" for name in WHO),
        "if(strange, null, used) as next",
    )
    for _ in range(MAX_SESSION_HOPS):
        walk = walk.join(links, walk["next"] == links["link"], "left").selectExpr(
            *keys.columns,
            *(f"if({FURTHER_BACK}, link_{name}, found_{name}) as found_{name}" for name in WHO),
            "link_used as next",
        )
    found = [
        f"if(found_user is null, earlier_{name}, found_{name}) as session_{name}" for name in WHO
    ]
    return (
        walk.selectExpr("key as credential", *found, "strange")
        .selectExpr(
            "credential",
            *(f"session_{name}" for name in WHO),
            "strange and session_user is null as of_stranger",
        )
        .where("session_user is not null or of_stranger")
    )
