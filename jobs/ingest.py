"""Stage ``ingest``: raw log files of a day → ``events`` and ``rejects``.

1. The engine parses every good file into a staging table: one row a raw record, typed columns,
   rows of other days emptied. What it cannot take goes to :mod:`jobs.salvage` and comes back as
   lines.
2. The distinct names, folders and addresses of the staging table are resolved (:mod:`jobs.resolve`).
3. The staging table is deduplicated, joined with the answers and replaces the day in ``events``.

Looks back ``ingest.session_lookback_days`` days in ``events``, for who opened a role session that
is still used.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.context import load_context
from jobs.engine import ENGINE_OPTION
from jobs.errors import RunError
from jobs.formats import PARSED, format_module, quoted
from jobs.raw_files import CHUNK_BYTES, RawFile, dated_path, find_damage, find_files, read_head
from jobs.resolve import (
    FOLDER_SCHEMES,
    Identity,
    asset_finder,
    identity_finder,
    needs_whole_uri,
    network_finder,
    resolve_sessions,
)
from jobs.salvage import (
    RawRecord,
    find_elements,
    find_lines,
    json_problem,
    line_digest,
    mend_surrogates,
    read_records,
    scrub,
    split_elements,
    split_lines,
    too_long,
)
from jobs.warehouse import read_days, replace_day
from schemas.config import JobConfig, Source
from schemas.context import Context
from schemas.fieldmaps import field_map, leaf_paths
from schemas.tables import EVENTS, REJECTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

logger = logging.getLogger(__name__)

STAGED = [*PARSED, "source", "format", "lookup", "in_day", "raw", "file_crc", "file_chars", "place"]
NOWHERE = (
    "cast(null as bigint) as file_crc",
    "cast(null as int) as file_chars",
    "cast(null as int) as place",
)
Reader = Callable[["SparkSession", Source, str, str | None, list[str]], "DataFrame"]
BAD = "(in_day and problem is not null)"
DUPLICATE_ORDER = (
    "precedence desc, event_time, principal, action, resource, outcome, bytes_out, source_ip, "
    "user_agent, credential, destination, to_json(details), names"
)
"""All that may differ, so that engines and runs choose the same one."""


@dataclass(frozen=True)
class SourceFiles:
    """A source of the config and its files for the day."""

    source: Source
    files: list[RawFile]

    @property
    def good(self) -> list[RawFile]:
        return [raw_file for raw_file in self.files if raw_file.damage is None]

    @property
    def damaged(self) -> list[RawFile]:
        return [raw_file for raw_file in self.files if raw_file.damage is not None]


def run(spark: SparkSession, config: JobConfig, day: date) -> str:
    """Replace the day in ``events`` and ``rejects``; returns the day's sum of records.

    Raises RunError if no source has a file for the day or a file cannot be read; both tables then
    stay as they were.
    """
    context = load_context(config.context, day)
    limit = config.ingest.max_file_bytes
    inputs = [
        SourceFiles(source, find_files(source, day, config.late_days, limit))
        for source in config.sources
    ]
    if not any(entry.files for entry in inputs):
        looked = "\n".join(
            f"  {source.name}: {dated_path(source.path, day)}" for source in config.sources
        )
        raise RunError(f"no log file for {day} (nor the {config.late_days} days after it):\n{looked}")
    with staging_folder(config.storage) as staging:
        inputs = stage_good_files(spark, inputs, config, day, staging)
        rejects = salvage(spark, inputs, config, day, staging)
        staged = spark.read.parquet(f"{staging}/*.parquet")
        earlier = sessions_before(spark, config, day)
        events = resolve_events(spark, staged, context, earlier)
        read, other_days = staged.selectExpr("count(*)", "count_if(not in_day)").first()
        bad = staged.where(BAD).count()
        if read - other_days - bad + len(rejects) == 0:
            raise RunError(
                f"no record of {day} in {sum(len(entry.files) for entry in inputs)} files "
                f"({other_days} records of other days); is the path's date the event's?"
            )
        replace_day(events, config.storage, EVENTS, day)
        replace_day(_reject_frame(spark, rejects, day), config.storage, REJECTS, day)
    written = read_days(spark, config.storage, EVENTS, day).count()
    unknown = unknown_fields(inputs, config, day)
    duplicates = read - other_days - bad - written
    # Records of files that were salvaged are in `read` if good; the bad ones were never staged.
    total = read - bad + len(rejects)
    sums = (
        f"{total:,} records = {written:,} events + {duplicates:,} duplicates + "
        f"{len(rejects):,} rejects + {other_days:,} of other days"
    )
    return sums + _unknown_fields_note(unknown) + _missing_note(inputs)


def staging_folder(storage: str) -> tempfile.TemporaryDirectory[str]:
    """A folder for one run's staging table, beside the warehouse's tables, removed at the end."""
    if "://" in storage:
        return tempfile.TemporaryDirectory(prefix="exfilwatch-")
    folder = Path(storage) / "_staging"
    shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=folder)


def stage_good_files(
    spark: SparkSession, inputs: list[SourceFiles], config: JobConfig, day: date, staging: str
) -> list[SourceFiles]:
    """Parse all undamaged files; returns ``inputs`` with the damage that the engine met.

    The engine's own JSON reader is several times faster than parsing text, but it stops at the
    first record that is not as expected and keeps no text; so it goes first, and only where it
    fails or finds a doubtful record are the files parsed as text. An engine does not say which
    file it failed on: then (and only then) all are read through to find the damaged ones.
    """
    path = f"{staging}/good.parquet"
    try:
        _stage(spark, inputs, config, day, path, read_json)
        if spark.read.parquet(path).where(BAD).isEmpty():
            return inputs
    except Exception:
        logger.info("the JSON reader failed; the files are parsed as text", exc_info=True)
    try:
        _stage(spark, inputs, config, day, path, read_text)
        return inputs
    except Exception as error:
        damage = find_damage(
            [raw_file for entry in inputs for raw_file in entry.good], config.ingest.max_file_bytes
        )
        if not damage:
            raise RunError(f"the engine could not parse the day's files: {error}") from error
    marked = [
        SourceFiles(
            entry.source,
            [replace(f, damage=damage.get(f.path, f.damage)) for f in entry.files],
        )
        for entry in inputs
    ]
    _stage(spark, marked, config, day, path, read_text)
    return marked


def parse(
    spark: SparkSession,
    source: Source,
    files: list[RawFile],
    day: date,
    max_chars: int,
    reader: Reader,
) -> Iterator[DataFrame]:
    """Staging rows of files, one frame for each framing and header among them."""
    groups: dict[tuple[str, str | None], list[str]] = {}
    for raw_file in files:
        groups.setdefault((raw_file.framing, raw_file.header), []).append(raw_file.path)
    for (framing, header), paths in sorted(groups.items(), key=lambda item: str(item[0])):
        records = reader(spark, source, framing, header, paths)
        yield _staging_rows(records, source, day, record_limit(source, framing, max_chars))


def read_json(
    spark: SparkSession, source: Source, framing: str, header: str | None, paths: list[str]
) -> DataFrame:
    """As :func:`read_text`, by the engine's JSON reader where the format declares its types.

    The engine raises on a record that does not fit; no record's text or place is known.
    """
    reader_type = getattr(format_module(source.format), "READER_TYPE", None)
    if reader_type is None:
        return read_text(spark, source, framing, header, paths)
    fields = reader_type.removeprefix("struct<").removesuffix(">")
    schema = fields if framing == "lines" else f"`{framing}`:array<{reader_type}>"
    if spark.conf.get(ENGINE_OPTION) == "sail":
        # Given a list, Sail reads the head of every file, which of an envelope is all of it.
        paths = [_folder_of_links(paths)]
    documents = spark.read.schema(schema).option("mode", "FAILFAST").json(paths)
    record = "struct(*) as r" if framing == "lines" else f"explode(`{framing}`) as r"
    return documents.selectExpr(record).selectExpr(
        *NOWHERE, "r", "cast(null as string) as raw", "cast(null as string) as fault"
    )


def _folder_of_links(paths: list[str]) -> str:
    """A folder with a link to every file; it goes when the process ends."""
    folder = tempfile.mkdtemp(prefix="exfilwatch-links-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for number, path in enumerate(paths):
        suffix = ".json.gz" if path.endswith(".gz") else ".json"
        os.symlink(os.path.abspath(path), f"{folder}/{number:06d}{suffix}")
    return folder


def read_text(
    spark: SparkSession, source: Source, framing: str, header: str | None, paths: list[str]
) -> DataFrame:
    """One row a raw record: struct ``r``, text ``raw``, its place in an envelope file, and
    ``fault``: why a line does not fit its header.
    """
    module = format_module(source.format)
    text = "value"
    if spark.conf.get(ENGINE_OPTION) != "sail":
        # Sail refuses what is not UTF-8; others hand it on, and even write it.
        text = "make_valid_utf8(value)"
    no_fault = "cast(null as string) as fault"
    if framing != "lines":
        whole = spark.read.text(paths, wholetext=True).selectExpr(f"{text} as value")
        # Parsed in one go where nothing needs the record's own text: that is the fast path.
        element = "string" if module.KEEPS_TEXT else module.json_type(source)
        array = parsed_json(spark, "value", f"struct<`{framing}`:array<{element}>>")
        array = f"{array}.`{framing}`"
        if framing == "":
            array = parsed_json(spark, "value", f"array<{element}>")
        documents = whole.selectExpr(
            "crc32(value) as file_crc", "length(value) as file_chars", f"{array} as records"
        ).selectExpr("file_crc", "file_chars", "records is null as broken", "records")
        # Nothing but the generator may name the array: it would be copied to each of its elements.
        elements = documents.selectExpr(
            "file_crc", "file_chars", "broken", "posexplode_outer(records) as (place, element)"
        ).where("broken or place is not null")
        struct, raw = "element", "cast(null as string)"
        if module.KEEPS_TEXT:
            struct, raw = parsed_json(spark, "element", module.json_type(source)), "element"
        return elements.selectExpr(
            "file_crc", "file_chars", "place", f"{struct} as r", f"{raw} as raw", no_fault
        )
    # A lone carriage return is no line break here nor in the salvage path.
    lines = (
        spark.read.option("lineSep", "\n")
        .text(paths)
        .selectExpr(f"rtrim('\\r', {text}) as value")
        .where("length(trim(both '\\t\\r ' from value)) > 0")
    )
    if header is None:
        struct = parsed_json(spark, "value", module.json_type(source))
        return lines.selectExpr(*NOWHERE, f"{struct} as r", "value as raw", no_fault)
    return lines.where(f"value <> {quoted(header)}").selectExpr(
        *NOWHERE,
        f"{module.record('value', header, source)} as r",
        "value as raw",
        f"{module.fault('value', header, source)} as fault",
    )


def parsed_json(spark: SparkSession, text: str, ddl: str) -> str:
    """SQL of JSON text as a value of type ``ddl``; null or a struct of nulls where it is none.

    Sail takes JSON only. Spark would also take single quotes, NaN, and whatever follows the first
    value, and so lose a second record on the same line: inside an array all must fit.
    """
    if spark.conf.get(ENGINE_OPTION) == "sail":
        return f"from_json({text}, {quoted(ddl)})"
    options = "map('allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')"
    return f"get(from_json(concat('[', {text}, ']'), {quoted(f'array<{ddl}>')}, {options}), 0)"


def record_limit(source: Source, framing: str, max_chars: int) -> int | None:
    """Characters beyond which a record is rejected; None where no path sees all records' text."""
    module = format_module(source.format)
    if hasattr(module, "READER_TYPE") or (framing != "lines" and not module.KEEPS_TEXT):
        return None
    return max_chars


def _staging_rows(
    records: DataFrame, source: Source, day: date, max_chars: int | None
) -> DataFrame:
    """Typed columns of the records; those of rows of other days are null."""
    columns = format_module(source.format).columns(source)
    literals = records.selectExpr(
        "*",
        f"{quoted(source.name)} as source_name",
        f"{_nullable(source.cluster)} as cluster",
        f"{quoted(source.timezone)} as timezone",
    )
    length = f"when length(raw) > {max_chars} then {quoted(too_long(max_chars))}" if max_chars else ""
    parsed = literals.selectExpr(
        *(f"{columns[name]} as {name}" for name in PARSED if name != "problem"),
        f"case {length} when fault is not null then fault when r is null then 'not a record' "
        f"else {columns['problem']} end as problem",
        "raw",
        "file_crc",
        "file_chars",
        "place",
    )
    timed = parsed.selectExpr(
        *(name for name in PARSED if name != "problem"),
        "case when problem is null and event_time is null then 'no time that is understood' "
        "else problem end as problem",
        # A record whose time is not understood is looked at in the run of its file's own day.
        f"event_time is null or to_date(event_time) = date'{day}' as in_day",
        "raw",
        "file_crc",
        "file_chars",
        "place",
    )
    kept = [name for name in STAGED if name not in ("source", "format", "in_day", "lookup", "raw")]
    return timed.selectExpr(
        *(f"if(in_day, {name}, null) as {name}" for name in kept),
        "in_day",
        f"case when {BAD} then raw end as raw",
        f"{quoted(source.name)} as source",
        f"{quoted(source.format)} as format",
    )


def _stage(
    spark: SparkSession,
    inputs: list[SourceFiles],
    config: JobConfig,
    day: date,
    path: str,
    reader: Reader,
) -> None:
    context = load_context(config.context, day)
    lookup = lookup_key(context)
    frames = [
        frame
        for entry in inputs
        for frame in parse(
            spark, entry.source, entry.good, day, config.ingest.max_record_bytes, reader
        )
    ]
    if not frames:
        frames = [_no_rows(spark)]
    rows = reduce(lambda left, right: left.unionByName(right), frames)
    rows.selectExpr(*(f"{lookup} as lookup" if c == "lookup" else c for c in STAGED)).write.mode(
        "overwrite"
    ).option("compression", "snappy").parquet(path)


def lookup_key(context: Context) -> str:
    """SQL of what decides a resource's asset: its folder where that is enough, else all of it."""
    exact, odd = needs_whole_uri(context.assets)
    folder = "substring(resource, 1, length(resource) - length(substring_index(resource, '/', -1)))"
    cases = []
    if exact:
        cases.append(f"when resource in ({', '.join(map(quoted, exact))}) then resource")
    if odd:
        cases.append(f"when resource rlike {quoted(odd)} then resource")
    schemes = ", ".join(quoted(scheme) for scheme in FOLDER_SCHEMES)
    cases.append(f"when substring_index(resource, ':', 1) in ({schemes}) then {folder}")
    return f"case {' '.join(cases)} else resource end"


def salvage(
    spark: SparkSession, inputs: list[SourceFiles], config: JobConfig, day: date, staging: str
) -> list[tuple[str, str, str, str, str, str]]:
    """Look at what the engine could not take, record by record.

    Good records of damaged files join the staging table. Returns the rejects (source, format,
    file, position, reason, line), sorted.
    """
    staged = spark.read.parquet(f"{staging}/good.parquet")
    bad = staged.where(BAD).select("source", "raw", "file_crc", "file_chars", "place", "problem")
    by_source: dict[str, list] = {}
    for row in bad.collect():
        by_source.setdefault(row.source, []).append(row)
    limit = config.ingest.max_file_bytes
    rejects: list[tuple[str, str, str, str, str, str]] = []
    for number, entry in enumerate(inputs):
        source = entry.source
        rows = by_source.get(source.name, [])
        reasons = {line_digest(row.raw): row.problem for row in rows if row.raw is not None}
        line_files = [f for f in entry.good if f.framing == "lines"]
        found = list(find_lines(line_files, set(reasons), limit)) if reasons else []
        broken: list[RawFile] = []
        places: dict[tuple[int, int], set[int]] = {}
        problems: dict[tuple[int, int, int], str] = {}
        for row in rows:
            if row.file_crc is None:
                continue
            indexes = places.setdefault((row.file_crc, row.file_chars), set())
            if row.place is not None:
                indexes.add(row.place)
                problems[row.file_crc, row.file_chars, row.place] = row.problem
        envelope_files = [f for f in entry.good if f.framing != "lines"]
        for raw_file, records in find_elements(envelope_files, places, limit) if places else ():
            if records:
                found += records
            else:
                broken.append(raw_file)
        rejects += [
            _reject(source, record, config.ingest.reject_line_chars, reasons)
            for record in found
            if record.day in (None, day)
        ]
        rejects += _salvage_files(
            spark, source, [*entry.damaged, *broken], config, day, f"{staging}/salvaged-{number}"
        )
    return sorted(set(rejects))


def _salvage_files(
    spark: SparkSession,
    source: Source,
    files: list[RawFile],
    config: JobConfig,
    day: date,
    path: str,
) -> list[tuple[str, str, str, str, str, str]]:
    """Stage the good records of damaged files; returns the rejects among their records."""
    if not files:
        return []
    ingest = config.ingest
    is_json = not hasattr(format_module(source.format), "record") or files[0].header is None
    bad: list[RawRecord] = []
    origins: dict[str, list[RawRecord]] = {}
    by_header: dict[str | None, list[str]] = {}
    for raw_file in files:
        for record in read_records(raw_file, ingest.max_file_bytes, ingest.max_record_bytes):
            problem = record.problem or (json_problem(record.text) if is_json else None)
            if problem:
                bad.append(replace(record, problem=problem))
                continue
            origins.setdefault(line_digest(record.text), []).append(record)
            by_header.setdefault(raw_file.header, []).append(record.text)
    lookup = lookup_key(load_context(config.context, day))
    for number, (header, lines) in enumerate(sorted(by_header.items(), key=str)):
        text = Path(f"{path}-{number}.txt")
        text.write_text("\n".join([*([header] if header else []), *lines]) + "\n", encoding="utf-8")
        again = RawFile(str(text), None, "lines", header)
        for part, frame in enumerate(parse(spark, source, [again], day, ingest.max_record_bytes, read_text)):
            rows = frame.selectExpr(*(f"{lookup} as lookup" if c == "lookup" else c for c in STAGED))
            rows.write.mode("overwrite").parquet(f"{path}-{number}-{part}.parquet")
            staged = spark.read.parquet(f"{path}-{number}-{part}.parquet")
            for row in staged.where(BAD).select("raw", "problem").collect():
                bad += [
                    replace(record, problem=row.problem) for record in origins[line_digest(row.raw)]
                ]
    return [
        _reject(source, record, ingest.reject_line_chars, {})
        for record in bad
        if record.day in (None, day)
    ]


def _reject(
    source: Source, record: RawRecord, limit: int, reasons: dict[str, str]
) -> tuple[str, str, str, str, str, str]:
    """A reject's row. The reason is found here, in Python, so that engines agree on it."""
    reason = record.problem
    text_format = hasattr(format_module(source.format), "record")
    if reason is None and not text_format:
        reason = json_problem(record.text)
    reason = reason or reasons.get(line_digest(record.text)) or "no time that is understood"
    return (
        source.name,
        source.format,
        record.file,
        record.position,
        reason,
        scrub(record.text, limit),
    )


def sessions_before(spark: SparkSession, config: JobConfig, day: date) -> dict[str, Identity]:
    """Keys handed out in the look-back days → the directory's identity that asked for them."""
    from datetime import timedelta

    days = config.ingest.session_lookback_days
    if days == 0:
        return {}
    rows = (
        read_days(spark, config.storage, EVENTS, day - timedelta(days=1), days - 1)
        .where("action_class = 'assume' and user_kind <> 'unknown'")
        .selectExpr("details['issued_credential'] as issued", "user_id", "user_kind")
        .where("issued is not null")
        .distinct()
        .collect()
    )
    return {row.issued: Identity(row.user_id, row.user_kind) for row in sorted(rows)}


def resolve_events(
    spark: SparkSession, staged: DataFrame, context: Context, earlier: dict[str, Identity]
) -> DataFrame:
    """``events`` of the staging rows: deduplicated, identities, assets and networks resolved."""
    good = staged.where("in_day and problem is null")
    find_identity = identity_finder(context.directory)
    find_asset = asset_finder(context.assets)
    find_network = network_finder(context.networks)

    names = [row.names for row in good.select("names").distinct().collect()]
    identities = [(n, i.user_id, i.kind) for n in names if n and (i := find_identity(n))]
    issued = [
        (row.issued_credential, row.names, row.credential)
        for row in good.where("issued_credential is not null")
        .groupBy("issued_credential")
        .agg({"names": "min", "credential": "min"})
        .toDF("issued_credential", "credential", "names")
        .collect()
    ]
    sessions = [
        (key, identity.user_id, identity.kind)
        for key, identity in resolve_sessions(issued, earlier, find_identity).items()
    ]
    lookups = [row.lookup for row in good.select("lookup").distinct().collect()]
    assets = [(u, m.asset_id, m.prefix_chars) for u in lookups if u and (m := find_asset(u))]
    addresses = [row.source_ip for row in good.select("source_ip").distinct().collect()]
    networks = [(a, *found) for a in addresses if a and (found := find_network(a))]

    def answers(rows: list, ddl: str) -> DataFrame:
        return spark.createDataFrame(rows, ddl).hint("broadcast")

    resolved = (
        without_duplicates(spark, good)
        .join(answers(identities, "names string, alias_user string, alias_kind string"), "names", "left")
        .join(
            answers(sessions, "credential string, session_user string, session_kind string"),
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
    return resolved.selectExpr(
        "event_id",
        "event_time",
        "to_date(event_time) as day",
        "source",
        "format",
        "principal",
        "coalesce(session_user, alias_user, principal) as user_id",
        "coalesce(session_kind, alias_kind, kind_hint, 'unknown') as user_kind",
        "acting_as",
        "credential",
        "action",
        "action_class",
        "resource",
        "destination",
        "asset_id",
        f"nullif(case when asset_id is not null then substring(resource, prefix_chars + 1) "
        f"else substring(resource, length({CONTAINER}) + 2) end, '') as object",
        "bytes_out",
        "source_ip",
        "nullif(country, '') as country",
        "nullif(zone, '') as zone",
        "nullif(asn, '') as asn",
        "user_agent",
        "outcome",
        "details",
    )


CONTAINER = (
    "regexp_extract(resource, '^(?:s3|gs|host|model)://[^/]*|^[a-z0-9+.-]+://[^/]*(?:/[^/]*)?', 0)"
)
"""SQL of the URI of what holds a resource: a bucket, a repository, a namespace, an account."""


def without_duplicates(spark: SparkSession, good: DataFrame) -> DataFrame:
    """One row for each (source, event_id).

    Ids seen twice are few, so they are found by a 64-bit hash alone and only their rows are
    ordered; a collision of hashes merely sends a row through the ordering.
    """
    keyed = good.selectExpr("*", "xxhash64(source, event_id) as id_hash")
    twice = keyed.groupBy("id_hash").count().where("count > 1").select("id_hash").collect()
    if not twice:
        return good
    # Brought here and back, so that the engine knows that this side of the joins is small.
    hashes = spark.createDataFrame([(row.id_hash,) for row in twice], "id_hash bigint")
    hashes = hashes.hint("broadcast")
    once = keyed.join(hashes, "id_hash", "left_anti")
    best = (
        keyed.join(hashes, "id_hash", "left_semi")
        .selectExpr(
            "*",
            "row_number() over (partition by source, event_id "
            f"order by {DUPLICATE_ORDER}) as copy_number",
        )
        .where("copy_number = 1")
        .drop("copy_number")
    )
    return once.unionByName(best).drop("id_hash")


def unknown_fields(inputs: list[SourceFiles], config: JobConfig, day: date) -> Counter[str]:
    """Fields the maps do not know, counted on a sample of the day's records.

    The sample is the first records of files drawn with the day as the seed, at most
    ``ingest.unknown_field_sample`` records over all sources. Keys: ``source: field``.
    """
    sources = [e for e in inputs if e.good and e.source.format != "mapped"]
    counts: Counter[str] = Counter()
    if not sources:
        return counts
    per_source = config.ingest.unknown_field_sample // len(sources)
    for entry in sources:
        known = field_map(entry.source.format)
        files = [f for f in entry.good if f.day in (None, day)] or entry.good
        chosen = random.Random(f"{day}{entry.source.name}").sample(files, min(3, len(files)))
        for raw_file in chosen:
            for record in _sample(raw_file, per_source // len(chosen)):
                counts.update(
                    f"{entry.source.name}: {path}"
                    for path in leaf_paths(record)
                    if not known.knows(path)
                )
    return counts


def _sample(raw_file: RawFile, count: int) -> Iterable[dict]:
    """The first ``count`` records of a file that parse, read from its first megabyte."""
    from jobs.raw_files import CHUNK_BYTES, open_raw

    with open_raw(raw_file.path) as file:
        head = file.read(CHUNK_BYTES).decode("utf-8", errors="replace")
    if raw_file.header is not None:
        return [{name: "" for name in raw_file.header.rstrip("|").split("|")}]
    from jobs.salvage import _elements, _lines

    pieces = _lines(head, True) if raw_file.framing == "lines" else _elements(head, raw_file.framing, True)
    records = []
    for _, text, problem in pieces:
        if len(records) >= count:
            break
        if problem is None and json_problem(text) is None:
            records.append(json.loads(text))
    return records


def _unknown_fields_note(unknown: Counter[str]) -> str:
    if not unknown:
        return ""
    named = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items())[:10])
    more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
    return f"; unknown fields in the sample: {named}{more}"


def _missing_note(inputs: list[SourceFiles]) -> str:
    missing = [entry.source.name for entry in inputs if not entry.files]
    return f"; NO FILE for {', '.join(missing)}" if missing else ""


def _nullable(text: str | None) -> str:
    return quoted(text) if text else "cast(null as string)"


def _no_rows(spark: SparkSession) -> DataFrame:
    types = {**PARSED, "in_day": "boolean", "file_crc": "bigint", "file_chars": "int"}
    types |= {"raw": "string", "place": "int", "source": "string", "format": "string"}
    return spark.range(0).selectExpr(*(f"cast(null as {t}) as {name}" for name, t in types.items()))


def _reject_frame(
    spark: SparkSession, rejects: list[tuple[str, str, str, str, str, str]], day: date
) -> DataFrame:
    rows = [(day, *reject) for reject in rejects]
    return spark.createDataFrame(rows, REJECTS.ddl())
