"""Tables of the stage `features`: what the models need of 90 days of access, reduced by the engine.

Every number of a day comes from the `access` of that day, or says how the 89 days before it
compare. So a day that is run again gives the same rows, whatever came later.
"""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import STEP_NAMES, USER_KINDS, ZONES

NOVELTY_KINDS = ("network", "agent", "action", "hour", "role", "credential", "destination")
"""Kinds of value in NOVELTY: items of the lists of `access`, its action class, UTC hours."""

_BEFORE = "of the 89 days before the day"

ASSET_DAYS = Table(
    name="asset_days",
    stage="features",
    grain="day x asset touched",
    key=("asset_id",),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("asset_id", "string", "as in access"),
        Column("users", "int", "identities that touched it", minimum=1),
        Column("written", "bigint", "most objects that one identity wrote; 0: none", minimum=0),
        Column("writer", "string", "that identity; null: none, or not known", True),
        Column(
            "others_wrote",
            "bigint",
            "most objects that another one wrote; null: not known",
            True,
            minimum=0,
        ),
        Column("first_day", "date", f"first day with any touch, the day itself or {_BEFORE}"),
    ),
)

NOVELTY = Table(
    name="novelty",
    stage="features",
    grain="day x identity x kind of value x value",
    key=("user_id", "kind", "value"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("kind", "string", "kind of the value", values=NOVELTY_KINDS),
        Column(
            "value",
            "string",
            "value of the day: a `zone/country/asn`, a program, an action class, a UTC hour "
            "(0-23), a role, a credential, or a destination of a copy or share that succeeded",
        ),
        Column("days_before", "int", f"this identity's days with the value, {_BEFORE}", minimum=0),
        Column("last_day", "date", "last of these days; null: none", True),
        Column("earlier_day", "date", "last of these days that is a week or more before the day; "
               "null: none", True),
        Column("chosen", "boolean", "all of its events with success were under chosen names of "
               "sessions; null: not known", True),
    ),
)  # fmt: skip

PLACE_DAYS = Table(
    name="place_days",
    stage="features",
    grain="day x identity x place",
    key=("user_id", "place"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("place", "string", "as in place_access"),
        Column("zone", "string", "as in place_access", True, values=ZONES),
        Column("country", "string", "as in place_access", True),
        Column("events", "bigint", "all events", minimum=1),
        Column("failures", "bigint", "events that failed", minimum=0),
        Column("objects", "bigint", "objects whose content was taken or executed", minimum=0),
        Column("hours", "int", "UTC hours with a success, as bits (bit 0: midnight)", minimum=0),
        *(
            Column(f"{of}{name}", "int", f"{meaning} {where}, {_BEFORE}", minimum=0)
            for of, where in (("", "at the place"),
                              ("country_", "in the country (all unknown countries are one)"))
            for name, meaning in (
                ("days", "this identity's days with a success"),
                ("weeks", "this identity's weeks (counted back from the day) with content taken"),
                ("others", "other identities with a success"),
                ("team_others", "other identities of the same declared team with a success"),
            )
        ),
        Column("own_days", "int", "this identity's days with a success at the place whose right "
               f"stood in no link, {_BEFORE}", True, minimum=0),
        Column("linked", "bigint", "successful events whose right stood in a link", True,
               minimum=0),
        Column("worth", "bigint", "objects taken × (sensitivity ÷ 5)², in hundredths", True,
               minimum=0),
        *(
            Column(f"{of}week_worths", "array<bigint>", "the largest worth of a day in each of "
                   f"this identity's weeks with content taken {where}, ascending, {_BEFORE}; -1: "
                   "a week of an older version", True)
            for of, where in (("", "at the place"), ("country_", "in the country"))
        ),
    ),
)  # fmt: skip

GRANTS = Table(
    name="grants",
    stage="features",
    grain="day x identity x asset x whom it was opened to",
    key=("user_id", "asset_id", "destination"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access: who opened it"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("asset_id", "string", "as in access: what was opened, or copied from"),
        Column("destination", "string", "grantee or place, as an item of destinations in access"),
        Column("ways", "array<string>", "actions that opened it, sorted, at most 50"),
        Column("objects", "bigint", "objects opened or copied with success", minimum=0),
    ),
)  # fmt: skip

STEPS = Table(
    name="steps",
    stage="features",
    grain="day x identity x step x place x what was copied there",
    key=("user_id", "step", "place", "source"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("step", "string", "collect: read or cloned a sensitive asset; pack: got one as an "
               "archive; stage: wrote or copied to a place of an object store; send: took from a "
               "place outside our networks, or opened it; clean: deleted there", values=STEP_NAMES),
        Column("place", "string", "the asset or place, as asset_id in access"),
        Column("source", "string", "asset that was copied there; empty: something else"),
        Column("objects", "bigint", "objects, with success", minimum=0),
        Column("bytes", "bigint", "bytes, estimated where no log has them; null: unknown", True,
               minimum=0),
        Column("first_hour", "int", "first UTC hour", minimum=0),
        Column("last_hour", "int", "last UTC hour", minimum=0),
    ),
)  # fmt: skip

LINEAGE = Table(
    name="lineage",
    stage="features",
    grain="day x place x asset or place whose content came there x whether a log says so",
    key=("place", "origin", "logged"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("place", "string", "place of an object store that is no listed asset, as in steps"),
        Column("origin", "string", "asset_id of the listed asset, or another place"),
        Column("logged", "boolean", "true: a log says that it was copied there on the day; false: "
               "an identity read half or more of the sensitive asset on the day and the day before "
               "it, and wrote as many bytes there on the day as the content has, packed 1 to 16 "
               "times"),
        Column("objects", "bigint", "objects copied in the 90 days that end with the day, if their "
               "names are known each once; else objects written on the day", minimum=0),
        Column("bytes", "bigint", "their bytes, estimated where no log has them; null: unknown",
               True, minimum=0),
    ),
)  # fmt: skip

PAIRS = Table(
    name="pairs",
    stage="features",
    grain="day x identity x asset touched",
    key=("user_id", "asset_id"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("asset_id", "string", "as in access"),
        Column("events", "bigint", "all events", minimum=1),
        Column("failures", "bigint", "events that failed", minimum=0),
        Column("attempts", "double", "sum over action classes of the root of failures", minimum=0),
        Column("near", "boolean", "did more than look, list, write or sign in"),
        Column("content", "boolean", "asked for content or execution"),
        Column("looked", "boolean", "listed or inspected"),
        Column("taken", "boolean", "content was taken: read, copy, clone, share, query"),
        Column("bytes", "bigint", "known bytes taken; null: none known", True, minimum=0),
        Column("objects", "bigint", "objects taken, by action class, summed", minimum=0),
        Column("clones", "bigint", "objects of clones", minimum=0),
        Column("lists", "bigint", "events that list or inspect", minimum=0),
        Column("writes", "bigint", "events that write or delete", minimum=0),
        Column("executes", "bigint", "events that execute", minimum=0),
        Column("gives", "bigint", "events that copy or share", minimum=0),
        Column("given", "bigint", "objects copied or shared with success", minimum=0),
        Column("entries", "bigint", "events of actions that enter a container; one succeeded",
               minimum=0),
        Column("cloned", "boolean", "cloned with success"),
        Column("fetched", "boolean", "a repository, read with success"),
        Column("archived", "boolean", "a clone or fetch was an archive (ZIP, tarball, bundle)"),
        Column("new_credential", "boolean", "a clone or fetch used a credential that the identity, "
               f"known from earlier days, had on none {_BEFORE}"),
        Column("destinations", "array<string>", "destinations of its copies and shares, sorted"),
        Column("days_before", "int", f"this identity's days with a touch, {_BEFORE}", minimum=0),
        Column("first_day", "date", "first of these days; the day itself if there is none"),
        Column("asset_first_day", "date", "first_day of the asset in asset_days"),
        Column("chosen", "boolean", "all events with success were under chosen names of sessions; "
               "null: not known", True),
    ),
)  # fmt: skip

ENTITY_DAYS = Table(
    name="entity_days",
    stage="features",
    grain="day x identity with access",
    key=("user_id",),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("near", "boolean", "did more than look, list, write or sign in, or touched three "
               "assets and more"),
        Column("days_before", "int", f"days with access, {_BEFORE}", minimum=0),
        Column("events", "bigint", "all events", minimum=1),
        Column("failures", "bigint", "events that failed", minimum=0),
        Column("attempts", "double", "sum of attempts in pairs", minimum=0),
        Column("touched", "int", "assets touched", minimum=1),
        Column("sensitive", "int", "touched assets of sensitivity 4 and 5", minimum=0),
        Column("looked", "int", "assets listed or inspected", minimum=0),
        Column("bytes", "bigint", "known bytes taken; null: none known", True, minimum=0),
        Column("objects", "bigint", "objects taken", minimum=0),
        Column("assets", "int", "assets taken from", minimum=0),
        Column("week_assets", "int", "assets taken from in the seven days that end with the day",
               minimum=0),
        Column("hour_bytes", "bigint", "most known bytes taken in one hour; null: none", True,
               minimum=0),
        Column("hour_objects", "bigint", "most objects taken in one hour", minimum=0),
        Column("hour_assets", "int", "most assets taken from in one hour", minimum=0),
        Column("rolling_bytes", "bigint", "most known bytes taken in 24 hours that end within the "
               "day; of those before midnight no more than of those after it; null: none", True,
               minimum=0),
        Column("rolling_objects", "bigint", "most objects taken in such hours; those of one asset "
               "and hour as a share of the day's distinct ones", True, minimum=0),
        Column("rolling_assets", "int", "most assets taken from in such hours", True, minimum=0),
        Column("clones", "bigint", "objects of clones", minimum=0),
        Column("lists", "bigint", "events that list or inspect", minimum=0),
        Column("writes", "bigint", "events that write or delete", minimum=0),
        Column("executes", "bigint", "events that execute", minimum=0),
        Column("gives", "bigint", "events that copy or share", minimum=0),
        Column("roles", "int", "distinct roles", minimum=0),
        Column("hours", "array<bigint>", "events of each UTC hour; 24 numbers"),
        Column("new_networks", "int", f"networks seen on none {_BEFORE}", minimum=0),
        Column("new_agents", "int", f"programs seen on none {_BEFORE}", minimum=0),
        Column("new_actions", "int", f"action classes seen on none {_BEFORE}", minimum=0),
        Column("new_hours", "int", f"UTC hours seen on none {_BEFORE}", minimum=0),
        Column("new_assets", "int", f"assets touched on none {_BEFORE}", minimum=0),
        Column("rare_networks", "int", "networks of less than a tenth of the days before; 0 after "
               "fewer than five such days", minimum=0),
        Column("rare_agents", "int", "programs, likewise", minimum=0),
    ),
)  # fmt: skip
