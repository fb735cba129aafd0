"""Stage ``ingest``: raw log files of a day → ``events`` and ``rejects``.

1. The raw records are parsed into a staging table (:mod:`jobs.staging`).
2. The distinct names, folders and addresses of it are resolved (:mod:`jobs.resolve`).
3. It is deduplicated, joined with the answers and replaces the day in ``events``.

Looks back ``ingest.session_lookback_days`` days in ``events``, for who opened a role session that
is still used.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from jobs.bad_records import Reject, salvage
from jobs.context import load_context
from jobs.errors import RunError
from jobs.formats import SAME_EVENT, format_module, quoted
from jobs.identity_rules import Identity
from jobs.listing import dated_path, day_folder, own_folder, unmatched_files
from jobs.plain_text import printable
from jobs.raw_files import changed_files, find_files
from jobs.resolve import (
    IdentityMatch,
    asset_finder,
    concealing_patterns,
    identity_finder,
    keys_of_strangers,
    network_finder,
    resolve_sessions,
)
from jobs.secrets import MASKED_COLUMNS, masked
from jobs.staging import (
    BAD,
    CLOCK,
    SourceFiles,
    read_staged,
    stage_good_files,
    staging_folder,
)
from jobs.unknown_fields import unknown_actions_note, unknown_fields_note
from jobs.warehouse import next_writing, read_days, replace_day
from schemas.config import JobConfig
from schemas.context import Context
from schemas.tables import EVENTS, REJECTS, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DUPLICATE_ORDER = (
    "precedence desc, event_time, principal, action, resource, outcome, bytes_out, source_ip, "
    "user_agent, credential, destination, details, names"
)
"""All that may differ, so that engines and runs choose the same one."""
EVENT_ORDER = "event_time, principal, action, resource, same_event, turn"
OWN_HASH = (
    "left(md5(concat_ws('|', cast(unix_micros(event_time) as string), principal, action, "
    "resource)), 12)"
)
"""SQL of what an event's id ends in where another event has the id."""
FEW_DUPLICATES = 100_000
MAX_CANDIDATES = 10
MAX_SHOWN = 20
"""Files that an error names; of more it gives the number."""
INPUTS: tuple[Table, ...] = ()
"""Raw logs only; of the days before, ``events`` may be missing."""


def run(spark: SparkSession, config: JobConfig, day: date) -> str:
    """Replace the day in ``events`` and ``rejects``; returns the day's sum of records.

    Both commits carry one number. Stage ``check`` refuses a day on which the numbers differ.

    Where there are several sources, the sum of each that has rejects follows.

    Raises RunError if no source has a file for the day, one has too many, a folder cannot be
    listed or a file cannot be read; both tables then stay as they were.
    """
    from pyspark.sql import functions as F

    context = load_context(config.context, day)
    inputs = find_inputs(config, day)
    if not any(entry.files for entry in inputs):
        looked = "\n".join(
            printable(f"  {source.name}: {dated_path(source.path, day)}")
            for source in config.sources
        )
        days = f"{day} (nor the {config.late_days} days after it)"
        raise RunError(f"no log file for {days}:\n{looked}")
    with staging_folder(config.storage) as staging:
        listed = inputs
        try:
            inputs = stage_good_files(spark, inputs, config, day, staging)
            rejects = salvage(spark, inputs, config, day, staging)
        except Exception as error:
            require_unchanged(listed, error)
            raise
        require_unchanged(listed)
        rejected, other_days = rejects.by_source(), rejects.elsewhere
        staged = read_staged(spark, staging)
        earlier = sessions_before(spark, config, day)
        events = resolve_events(spark, staged, context, earlier, config)
        counts = staged.groupBy("source").agg(
            *map(F.expr, ("count(*)", "count_if(not in_day)", f"count_if({BAD})"))
        )
        good: Counter[str] = Counter()
        # Bad rows are counted where their raw records were found: as rejects, or for another day.
        for source, read, late, bad in counts.collect():
            good[source] = read - late - bad
            other_days[source] += late
        if good.total() + rejected.total() == 0:
            raise RunError(
                f"no record of {day} in {sum(len(entry.files) for entry in inputs)} files "
                f"({other_days.total()} records of other days); is the path's date the event's?"
            )
        writing = next_writing(config.storage, (EVENTS, REJECTS), day)
        frame = _reject_frame(spark, rejects.rows(), day, staging)
        replace_day(frame, config.storage, REJECTS, day, writing)
        replace_day(events, config.storage, EVENTS, day, writing)
    stored = read_days(spark, config.storage, EVENTS, day)
    rows = stored.groupBy("source").count().collect()
    written = Counter({row["source"]: row["count"] for row in rows})
    good.subtract(written)
    sums = {
        "events": written,
        "duplicates": good,
        "rejects": rejected,
        "of other days": other_days,
    }
    return (
        _sum_of_records({name: counts.total() for name, counts in sums.items()})
        + unknown_fields_note(inputs, config, day)
        + unknown_actions_note(stored)
        + _clock_note(rejects.rows())
        + _missing_note(inputs)
        + _odd_note(inputs)
        + _unmatched_note(inputs, config, day)
        + _assets_note(context, config)
        + _sources_with_rejects(inputs, sums)
    )


def find_inputs(config: JobConfig, day: date) -> list[SourceFiles]:
    """All sources and their files for the day; RunError with the problems of all sources."""
    inputs, problems = [], []
    for source in config.sources:
        try:
            files = find_files(source, day, config.late_days, config.ingest)
        except RunError as error:
            problems.append(str(error))
        else:
            inputs.append(SourceFiles(source, files))
    if problems:
        raise RunError("\n".join(problems))
    return inputs


def require_unchanged(inputs: list[SourceFiles], cause: Exception | None = None) -> None:
    """Raise RunError if a file is gone or has become shorter since it was found.

    A file that has grown is read to some place behind its former end; a later run reads the rest.
    """
    changed = [
        f"{printable(path)} of source {entry.source.name!r} vanished or was cut while it was read"
        for entry in inputs
        for path in changed_files(entry.files)
    ]
    if changed:
        more = [f"and {len(changed) - MAX_SHOWN:,} more"] if len(changed) > MAX_SHOWN else []
        advice = "run the day again when nothing moves or rewrites its files"
        raise RunError("\n".join([*changed[:MAX_SHOWN], *more, advice])) from cause


def sessions_before(spark: SparkSession, config: JobConfig, day: date) -> dict[str, Identity]:
    """Keys handed out in the look-back days → the directory's identity that asked for them."""
    days = config.ingest.session_lookback_days
    if days == 0:
        return {}
    rows = (
        read_days(spark, config.storage, EVENTS, day - timedelta(days=1), days - 1)
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
    # The last one stays: one that is known without a rule, if there is any.
    rows.sort(key=lambda row: (row.rule is None, *(value or "" for value in row)))
    return {row.issued: Identity(row.user_id, row.user_kind, row.rule, row.name) for row in rows}


def resolve_events(
    spark: SparkSession,
    staged: DataFrame,
    context: Context,
    earlier: dict[str, Identity],
    config: JobConfig,
) -> DataFrame:
    """``events`` of the staging rows: deduplicated, identities, assets and networks resolved."""
    from pyspark.sql import functions as F

    good = staged.where("in_day and problem is null")
    find_identity = identity_finder(
        context.directory,
        [source.name for source in config.sources],
        config.own_accounts,
        _accounts_with_trails(good),
    )
    find_asset = asset_finder(context.assets, config.assets.nested)
    find_network = network_finder(context.networks)

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
        earlier,
        lambda asker: find_identity(*asker).identity,
    )
    sessions = [(key, *_answer(IdentityMatch(who)), False) for key, who in behind.items()]
    sessions += [(key, None, None, None, True) for key in strange - behind.keys()]
    lookups = [row.lookup for row in good.select("lookup").distinct().collect()]
    assets = [(u, m.asset_id, m.prefix_chars) for u in lookups if u and (m := find_asset(u))]
    addresses = [row.source_ip for row in good.select("source_ip").distinct().collect()]
    networks = [(a, *found) for a in addresses if a and (found := find_network(a))]

    def answers(rows: list, ddl: str) -> DataFrame:
        return spark.createDataFrame(rows, ddl).hint("broadcast")

    joined = (
        without_duplicates(spark, good, {source.format for source in config.sources})
        .join(
            answers(
                identities,
                "source string, names string, alias_user string, alias_kind string, "
                "alias_note string, namesake string",
            ),
            ["source", "names"],
            "left",
        )
        .join(
            answers(
                sessions,
                "credential string, session_user string, session_kind string, "
                "session_note string, of_stranger boolean",
            ),
            "credential",
            "left",
        )
        .join(answers(assets, "lookup string, asset_id string, prefix_chars int"), "lookup", "left")
        .join(
            answers(networks, "source_ip string, zone string, country string, asn string"),
            "source_ip",
            "left",
        )
    )
    by_name = {
        name: F.expr(f"case when not ({NO_PERSON}) then {name} end")
        for name in ("alias_user", "alias_kind", "alias_note")
    }
    # Here and not for each source: an engine takes long to plan these patterns.
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


# A principal that is not known and bears the user_id of somebody who is would become that one.
STRANGER = "if(principal = namesake, concat(source, ':', principal), principal)"
# Where the log itself says that no person acted, rules about people have nothing to say.
# Nor has the name of a session that somebody of another account opened.
NO_PERSON = (
    "coalesce(kind_hint = 'service' and alias_kind = 'human' and alias_note is not null, false) "
    "or coalesce(of_stranger and alias_note like '%\"session_name\"%', false)"
)
# A service that opens role sessions for people names them in the session; a person who names
# somebody else is not believed, unless it takes a rule to know that person at all.
BY_NAME = (
    "coalesce(alias_kind = 'human' and session_kind = 'service' "
    "or alias_user is not null and alias_note is null and session_note is not null, false)"
)
NOTE = f"if({BY_NAME} or session_user is null, alias_note, session_note)"
WITH_NOTE = (
    "concat(substring(details, 1, length(details) - 1), if(details = '{}', '', ','), "
    f"substring({NOTE}, 2))"
)
CONTAINER = (
    "regexp_extract(resource, '^(?:s3|gs|minio|host|model)://[^/]*"
    "|^[a-z0-9+.-]+://[^/]*(?:/[^/]*)?', 0)"
)
"""SQL of the URI of what holds a resource: a bucket, a repository, a namespace, an account."""


def _issued_keys(
    good: DataFrame,
) -> list[tuple[str, tuple[str, str, str], str | None]]:
    """(key handed out, names, source and format of who asked, the key that one used), all of one
    record for each key: of the one that says most, then of the first.
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
    # The best one is the last.
    first = {row.issued_credential: row for row in rows}
    return [
        (key, (row.names or "", row.source, row.format), row.credential)
        for key, row in sorted(first.items())
    ]


def _accounts_with_trails(good: DataFrame) -> list[str]:
    """AWS accounts whose trails are among the logs: those that CloudTrail delivered records to."""
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
    """User, kind, and what the details say of how they were found: a JSON object; null: exactly."""
    note = {}
    if match.candidates:
        note["identity_candidates"] = ";".join(match.candidates[:MAX_CANDIDATES])
    if match.identity is None:
        return None, None, json.dumps(note) if note else None
    user = match.identity
    if user.rule and user.name:
        note = {"identity_rule": user.rule, "identity_name": user.name}
    return user.user_id, user.kind, json.dumps(note) if note else None


def without_duplicates(spark: SparkSession, good: DataFrame, formats: Iterable[str]) -> DataFrame:
    """One row for each event; ``formats``: those that may be among the rows.

    Rows of one (source, event_id) are one event if who, what and when agree, as the format's
    ``SAME_EVENT`` says. Of several events with one id the earliest keeps it; the others' ids get
    ``#`` and a hash of who, what and when.

    Ids seen twice are few, so they are found by a 64-bit hash alone and only their rows are
    ordered; a collision of hashes merely sends a row through the ordering.
    """
    keyed = good.selectExpr("*", "xxhash64(source, event_id) as id_hash")
    hashes = keyed.groupBy("id_hash").count().where("count > 1").select("id_hash")
    twice = hashes.limit(FEW_DUPLICATES + 1).collect()
    if not twice:
        return good
    if len(twice) <= FEW_DUPLICATES:
        # Brought here and back, so that the engine knows that this side of the joins is small.
        hashes = spark.createDataFrame([(row.id_hash,) for row in twice], "id_hash bigint")
        hashes = hashes.hint("broadcast")
    once = keyed.join(hashes, "id_hash", "left_anti").drop("id_hash")
    same, turn = _same_event(formats)
    first = f"row_number() over (partition by source, event_id order by {EVENT_ORDER}) = 1"
    best = (
        keyed.join(hashes, "id_hash", "left_semi")
        .selectExpr("*", f"{same} as same_event")
        .selectExpr("*", f"{turn} as turn")
        .selectExpr(
            "*",
            "row_number() over (partition by source, event_id, same_event, turn "
            f"order by {DUPLICATE_ORDER}) as copy_number",
        )
        .where("copy_number = 1")
        .selectExpr("*", f"{first} as keeps_id")
        .selectExpr(
            f"if(keeps_id, event_id, concat(event_id, '#', {OWN_HASH})) as event_id",
            *(name for name in good.columns if name != "event_id"),
        )
    )
    return once.unionByName(best)


def _same_event(formats: Iterable[str]) -> tuple[str, str]:
    """SQL of a hash of that in which all records of one event agree, and of the event's number
    among those that agree in it, 0 but for formats with stages.
    """
    cases, staged = [], []
    for name in sorted(set(formats)):
        module = format_module(name)
        same = getattr(module, "SAME_EVENT", SAME_EVENT)
        cases.append(f"when {quoted(name)} then xxhash64({', '.join(same)})")
        if getattr(module, "IN_STAGES", False):
            staged.append(quoted(name))
    turn = "cast(0 as int)"
    if staged:
        turn = (
            f"if(format in ({', '.join(staged)}), dense_rank() over (partition by source, "
            "event_id, same_event, precedence order by event_time), 0)"
        )
    return f"case format {' '.join(cases)} end", turn


def _sum_of_records(parts: dict[str, int]) -> str:
    named = " + ".join(f"{count:,} {name}" for name, count in parts.items())
    return f"{sum(parts.values()):,} records = {named}"


def _sources_with_rejects(inputs: list[SourceFiles], sums: dict[str, Counter[str]]) -> str:
    """The sum of each source that has rejects, as those are to be looked into.

    Empty for a job of one source, whose sum has been said.
    """
    names = [entry.source.name for entry in inputs if sums["rejects"][entry.source.name]]
    return "".join(
        f"; of {name}: {_sum_of_records({part: counts[name] for part, counts in sums.items()})}"
        for name in names
        if len(inputs) > 1
    )


def _clock_note(rejects: list[Reject]) -> str:
    """Rejects whose times cannot be right, by source, each with an example; empty if none."""
    wrong: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for name, _, file, position, reason, _, records in rejects:
        if reason.endswith(CLOCK):
            counts[name] += records or 1
            wrong.setdefault(name, []).append(f"{file} {position}: {reason.removesuffix(CLOCK)}")
    if not wrong:
        return ""
    named = ", ".join(
        f"{name}: {counts[name]:,} (such as {found[-1]})" for name, found in sorted(wrong.items())
    )
    return f"; WRONG TIMES, is the clock right? {named}"


def _assets_note(context: Context, config: JobConfig) -> str:
    """How many patterns would conceal a more sensitive asset; empty if none would."""
    found = concealing_patterns(context.assets)
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    held = "conceal it" if config.assets.nested == "longest" else "count as the more sensitive one"
    return f"; ASSETS of lower sensitivity within another {held}: {found[0]}{more}"


def _missing_note(inputs: list[SourceFiles]) -> str:
    missing = [e.source.name for e in inputs if all(f.refused for f in e.files)]
    return f"; NO FILE for {', '.join(missing)}" if missing else ""


def _odd_note(inputs: list[SourceFiles]) -> str:
    """Sockets, pipes, devices and links that lead out of a source's folder; empty if none."""
    odd = [raw_file for entry in inputs for raw_file in entry.files if raw_file.refused]
    if not odd:
        return ""
    first = f"{printable(odd[0].path)}: {odd[0].refused}"
    return f"; NOT OPENED: {len(odd):,} odd files (such as {first})"


def _unmatched_note(inputs: list[SourceFiles], config: JobConfig, day: date) -> str:
    """Files in the day's folders that no source's path matches; empty if there are none."""
    matched = {os.path.realpath(f.path) for entry in inputs for f in entry.files}
    unmatched: dict[str, str] = {}
    for offset in range(config.late_days + 1):
        for source in config.sources:
            if folder := day_folder(source.path):
                found = unmatched_files(
                    dated_path(folder, day + timedelta(days=offset)),
                    own_folder(source.path),
                    matched,
                )
                for path in islice(found, config.ingest.max_files):
                    unmatched.setdefault(path, source.name)
    if not unmatched:
        return ""
    path = min(unmatched)
    return (
        f"; NOT READ: {len(unmatched):,} files in the folders of these days that the path of no "
        f"source matches (such as {printable(path)}, in a folder of {unmatched[path]})"
    )


def _reject_frame(spark: SparkSession, rejects: list[Reject], day: date, staging: str) -> DataFrame:
    """The rejects as a frame, by way of a file: the channel to the engine takes 128 MiB at most."""
    import pyarrow as pa
    from pyarrow import parquet

    if not rejects:
        return spark.createDataFrame([], REJECTS.ddl())
    names = [column.name for column in REJECTS.columns if column.name != "day"]
    columns = zip(*rejects, strict=True)
    types = [pa.int64() if name == "records" else pa.string() for name in names]
    arrays = [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
    path = f"{staging}/rejects.parquet"
    parquet.write_table(pa.table(arrays, names=names), path)
    stored = ", ".join(f"`{column.name}` {column.type}" for column in REJECTS.columns[1:])
    return spark.read.schema(stored).parquet(path).selectExpr(f"date'{day}' as day", "*")
