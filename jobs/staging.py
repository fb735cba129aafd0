"""Parsing raw log files into the staging table: one row a raw record, in typed columns.

The engine parses every good file; rows of other days are emptied, as only their number counts.
What it cannot take is looked at by :mod:`jobs.bad_records`; the good records among it come back as
lines and join the staging table.
"""

from __future__ import annotations

import gzip
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from jobs.context import load_context
from jobs.engine import ENGINE_OPTION
from jobs.errors import RunError
from jobs.formats import NO_TEXT, PARSED, Link, format_module, forwarded, last_untrusted, quoted
from jobs.raw_files import CHUNK_BYTES, RawFile, find_damage
from jobs.resolve import FOLDER_SCHEMES, needs_whole_uri
from jobs.salvage import (
    MAX_NESTING,
)
from schemas.config import JobConfig, Source
from schemas.context import Context

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

logger = logging.getLogger(__name__)

STAGED_TYPES = PARSED | {
    "source": "string",
    "format": "string",
    "lookup": "string",
    "in_day": "boolean",
    # Whether the record's file belongs to a later day than the run's.
    "late_file": "boolean",
    # MD5 of the text of a bad record, by which it is found in its file again.
    "digest": "string",
    "file_crc": "bigint",
    "file_chars": "int",
    "place": "int",
}
STAGED = list(STAGED_TYPES)
STAGED_DDL = ", ".join(f"`{name}` {kind}" for name, kind in STAGED_TYPES.items())
NOWHERE = (
    "cast(null as bigint) as file_crc",
    "cast(null as int) as file_chars",
    "cast(null as int) as place",
)
NOT_A_RECORD = "not a record"
LONGEST_LINE = 1_000_000
"""Bytes of a line of text: for longer ones the patterns of some engines want more than there is."""
MAX_INT = 2**31 - 1
UNPARTED_BYTES = 100_000
"""Sail parts no file as small as this."""
FIRST_DAY = date(2000, 1, 1)
"""No log of today is older; a clock that has lost its battery is."""
CLOCK = ": is the clock right?"
"""How the reason of a reject ends whose time cannot be right."""
Reader = Callable[["SparkSession", Source, RawFile, list[str]], "DataFrame"]
"""Reads files, given by their paths, that are of one kind: but for path and day one RawFile."""
BAD = "(in_day and problem is not null)"
"""Of staging rows: understood enough to be of the day, not enough to be an event."""
KEPT_BYTES = " + ".join(
    f"coalesce(octet_length({name}), 0)"
    for name, kind in PARSED.items()
    if kind == "string" and name != "problem"
)
"""SQL of how much is kept of a record: what no field of it should exceed by far, however long what
is not kept may be. It is the same whether or not the engine knows the record's text."""


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


def staging_folder(storage: str) -> tempfile.TemporaryDirectory[str]:
    """A folder for what a stage puts down, beside the warehouse's tables, removed at the end."""
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
    fails or finds a doubtful record are a source's files parsed as text. An engine does not say
    which file it failed on: then (and only then) all are read through to find the damaged ones.
    """
    as_text = [
        entry
        for number, entry in enumerate(inputs)
        if not _stage_by_reader(spark, entry, config, day, staging, f"reader-{number}")
    ]
    try:
        _stage(spark, as_text, config, day, staging, "text", read_text)
        return inputs
    except Exception as error:
        files = [raw_file for entry in as_text for raw_file in entry.good]
        damage = find_damage(files)
        if not damage:
            raise RunError(f"the engine could not parse the day's files: {error}") from error
    marked = {
        entry.source.name: SourceFiles(
            entry.source,
            [replace(f, damage=damage.get(f.path, f.damage)) for f in entry.files],
        )
        for entry in as_text
    }
    _stage(spark, list(marked.values()), config, day, staging, "text", read_text)
    return [marked.get(entry.source.name, entry) for entry in inputs]


def _stage_by_reader(
    spark: SparkSession,
    entry: SourceFiles,
    config: JobConfig,
    day: date,
    staging: str,
    name: str,
) -> bool:
    """Whether the engine's JSON reader could take all files of a source, which are then staged.

    Only Sail's reader is used: Spark's passes over whatever follows the first value of a line.
    """
    if not readable_by_reader(entry) or spark.conf.get(ENGINE_OPTION) != "sail":
        return False
    try:
        _stage(spark, [entry], config, day, staging, name, read_json)
        if read_staged(spark, staging, name).where(BAD).isEmpty():
            return True
    except Exception:
        logger.info("the JSON reader failed; the files are parsed as text", exc_info=True)
    shutil.rmtree(_rows_path(staging, name), ignore_errors=True)
    return False


def parse(
    spark: SparkSession,
    source: Source,
    files: list[RawFile],
    config: JobConfig,
    day: date,
    reader: Reader,
    staging: str,
) -> Iterator[DataFrame]:
    """Staging rows of files, one frame for each kind among them.

    Packed and plain files are read apart, because Sail takes no mixture. Files of later days are,
    because a record whose time is not understood belongs to its file's day.
    """
    groups: dict[tuple[RawFile, bool, bool], list[str]] = {}
    for raw_file in files:
        kind = replace(raw_file, path="", day=None)
        late = raw_file.day not in (None, day)
        packed = raw_file.path.endswith(".gz")
        groups.setdefault((kind, packed, late), []).append(raw_file.path)
    embedded = spark.conf.get(ENGINE_OPTION) == "sail"
    for (kind, _, late), paths in sorted(groups.items(), key=lambda item: str(item[0])):
        # Sail opens every file of a list at once, and reads the head of each. Of a folder it has
        # only a few files open at a time.
        whole = kind.framing != "lines" and not kind.per_line
        places = [_folder_of_links(paths, whole, staging)] if embedded else paths
        records = reader(spark, source, kind, places)
        rows = _staging_rows(records, source, config, day, staging)
        yield rows.selectExpr("*", f"{str(late).lower()} as late_file")


def read_json(spark: SparkSession, source: Source, kind: RawFile, paths: list[str]) -> DataFrame:
    """As :func:`read_text`, by Sail's JSON reader, for formats that declare its types.

    The engine raises on a record that does not fit; no record's text or place is known.
    """
    reader_type = format_module(source.format).READER_TYPE
    schema = f"`{kind.framing}`:array<{reader_type}>"
    # A document without the array is no record, and must not vanish.
    nothing = f"array(cast(null as {reader_type}))"
    record = f"explode(coalesce(`{kind.framing}`, {nothing})) as r"
    if kind.framing == "lines":
        schema = reader_type.removeprefix("struct<").removesuffix(">")
        record = "struct(*) as r"
    if kind.wrapper is not None:
        schema, record = f"`{kind.wrapper}`:{reader_type}", f"`{kind.wrapper}` as r"
    documents = spark.read.schema(schema).option("mode", "FAILFAST").json(paths)
    return documents.selectExpr(record).selectExpr(
        *NOWHERE, "r", f"{NO_TEXT} as raw", f"{NO_TEXT} as fault", f"{NO_TEXT} as named_cluster"
    )


def readable_by_reader(entry: SourceFiles) -> bool:
    """Whether the engine's JSON reader has a type for all files of a source."""
    module = format_module(entry.source.format)
    if not hasattr(module, "READER_TYPE"):
        return False
    wrapped = [raw_file for raw_file in entry.good if raw_file.wrapper is not None]
    return all(
        raw_file.framing == "lines" and not module.WRAPPERS[raw_file.wrapper].as_text
        for raw_file in wrapped
    )


def _folder_of_links(paths: list[str], whole: bool, staging: str) -> str:
    """A folder with a link to every file; it goes with the staging folder.

    ``whole``: each file is one document. Sail parts plain files at line breaks, even where it is
    to read them whole, but no packed ones: of large files there are packed copies.
    """
    folder = Path(tempfile.mkdtemp(prefix="links-", dir=staging))
    for number, path in enumerate(paths):
        packed = path.endswith(".gz")
        if whole and not packed and Path(path).stat().st_size > UNPARTED_BYTES:
            with (
                Path(path).open("rb") as file,
                gzip.open(folder / f"{number:06d}.json.gz", "wb", compresslevel=1) as copy,
            ):
                shutil.copyfileobj(file, copy, CHUNK_BYTES)
            continue
        suffix = ".json.gz" if packed else ".json"
        (folder / f"{number:06d}{suffix}").symlink_to(Path(path).absolute())
    return str(folder)


def read_text(spark: SparkSession, source: Source, kind: RawFile, paths: list[str]) -> DataFrame:
    """One row a raw record: struct ``r``, text ``raw``, its place in an envelope file, ``fault``:
    why it is none of its format or does not fit its header, and the cluster if it names one.
    """
    module = format_module(source.format)
    # Some engines refuse text that is not UTF-8, others hand it on, and even write it.
    sail = spark.conf.get(ENGINE_OPTION) == "sail"
    text = "value" if sail else "make_valid_utf8(value)"
    without_end = "rtrim('\\r\\0', value) as value"
    if not sail:
        # Spark walks through all of a text to trim its end.
        ends = "endswith(value, '\\r') or endswith(value, '\\0')"
        without_end = f"if({ends}, rtrim('\\r\\0', value), value) as value"
    lines = (
        spark.read.option("lineSep", "\n")
        .text(paths)
        .selectExpr(f"ltrim('\\0', {text}) as value")
        .where("octet_length(trim(leading '\\t\\r \\0' from value)) > 0")
        # A lone carriage return is no line break here nor in the salvage path.
        .selectExpr(without_end)
    )
    if kind.header is not None:
        return _rows_of_text(lines, kind.header, source)
    wrapper = None if kind.wrapper is None else module.WRAPPERS[kind.wrapper]
    outer_type = wrapper.outer_type if wrapper else module.json_type(source)
    if kind.framing == "lines":
        struct = parsed_json(spark, "value", outer_type)
        records = lines.selectExpr(
            *NOWHERE, f"{struct} as e", "value as raw", f"{NO_TEXT} as batch"
        )
    else:
        documents = lines
        if not kind.per_line:
            documents = spark.read.text(paths, wholetext=True)
            documents = documents.selectExpr(f"ltrim('\\0', {text}) as value")
            documents = documents.selectExpr(without_end)
        records = _elements(spark, module, kind.framing, outer_type, documents)
    if wrapper is None:
        return records.selectExpr(
            "file_crc",
            "file_chars",
            "place",
            "e as r",
            "raw",
            f"{NO_TEXT} as fault",
            f"{NO_TEXT} as named_cluster",
        )
    struct = wrapper.record
    if wrapper.as_text:
        struct = parsed_json(spark, wrapper.record, module.json_type(source))
    return records.selectExpr(
        "file_crc",
        "file_chars",
        "place",
        f"{struct} as r",
        "raw",
        f"{wrapper.fault} as fault",
        f"nullif({wrapper.cluster}, '') as named_cluster",
    )


def _rows_of_text(lines: DataFrame, header: str, source: Source) -> DataFrame:
    """The records of a text format, from lines under a header, which is empty if there is none."""
    module = format_module(source.format)
    if header:
        # One in the middle, of files put together, is no record; nor if in another case.
        # Of nearly every line the first character tells it.
        same_start = f"lower(left(value, 1)) = lower({quoted(header[:1])})"
        same = f"lower(value) = lower({quoted(header)})"
        lines = lines.where(f"not ({same_start} and {same})")
    long = f"octet_length(value) > {LONGEST_LINE}"
    lines = lines.selectExpr("value as raw", f"{long} as long", f"if({long}, '', value) as value")
    # Apart, so that engines compute them once and not for every field.
    for step in ("parts", "mended"):
        if hasattr(module, step):
            parts = getattr(module, step)("value", header, source)
            lines = lines.selectExpr("raw", "long", "value", f"{parts} as parts")
    telling = []
    if hasattr(module, "telling"):
        telling = [f"{module.telling('raw', header, source)} as telling"]
    too_long = quoted(f"a line of more than {LONGEST_LINE:,} bytes")
    return lines.selectExpr(
        *NOWHERE,
        f"{module.record('value', header, source)} as r",
        "raw",
        f"if(long, {too_long}, {module.fault('value', header, source)}) as fault",
        f"{NO_TEXT} as named_cluster",
        *telling,
    )


def _elements(
    spark: SparkSession, module: ModuleType, array: str, outer_type: str, documents: DataFrame
) -> DataFrame:
    """The records, structs ``e``, in the array that each document holds, with their places."""
    # Parsed in one go where nothing needs the record's own text: that is the fast path.
    element = "string" if module.KEEPS_TEXT else outer_type
    records = parsed_json(spark, "value", f"struct<`{array}`:array<{element}>>") + f".`{array}`"
    if array == "":
        # Of an object engines would make an array of one.
        records = parsed_json(spark, "value", f"array<{element}>")
        records = f"case when value rlike '^\\\\s*\\\\[' then {records} end"
    batch = NO_TEXT
    if array in getattr(module, "BATCH", {}):
        pattern = rf'"{module.BATCH[array]}"\s*:\s*"([^"\\]*)"'
        batch = f"nullif(regexp_extract(value, {quoted(pattern)}, 1), '')"
    parsed = documents.selectExpr(
        "crc32(value) as file_crc",
        "length(value) as file_chars",
        f"{records} as records",
        f"{batch} as batch",
    ).selectExpr("file_crc", "file_chars", "records is null as broken", "records", "batch")
    # Nothing but the generator may name the array: it would be copied to each of its elements.
    elements = parsed.selectExpr(
        "file_crc",
        "file_chars",
        "broken",
        "batch",
        "posexplode_outer(records) as (place, element)",
    ).where("broken or place is not null")
    struct, raw = "element", NO_TEXT
    if module.KEEPS_TEXT:
        struct, raw = parsed_json(spark, "element", outer_type), "element"
    return elements.selectExpr(
        "file_crc", "file_chars", "place", f"{struct} as e", f"{raw} as raw", "batch"
    )


def parsed_json(spark: SparkSession, text: str, ddl: str) -> str:
    """SQL of JSON text as a value of type ``ddl``; null or a struct of nulls where it is none.

    Sail takes JSON only. Spark would also take single quotes, NaN, and whatever follows the first
    value, and so lose a second record on the same line: inside an array it must be the only one.
    """
    if spark.conf.get(ENGINE_OPTION) == "sail":
        return f"from_json({text}, {quoted(ddl)})"
    options = (
        "map('allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false', "
        f"'maxNestingDepth', '{MAX_NESTING + 1}', 'maxStringLen', '{MAX_INT}', "
        f"'maxNumLen', '{MAX_INT}')"
    )
    values = f"from_json(concat('[', {text}, ']'), {quoted(f'array<{ddl}>')}, {options})"
    return f"get(filter(array({values}), x -> size(x) = 1), 0)[0]"


def _staging_rows(
    records: DataFrame, source: Source, config: JobConfig, day: date, staging: str
) -> DataFrame:
    """Typed columns of the records; those of rows of other days are null."""
    module = format_module(source.format)
    columns = module.columns(source)
    literals = records.selectExpr(
        "*",
        f"{quoted(source.name)} as source_name",
        f"coalesce(named_cluster, {_nullable(source.cluster)}) as cluster",
        f"{quoted(source.timezone)} as timezone",
        f"date'{day}' as run_day",
    )
    if hasattr(module, "ADDRESSES"):
        seen = (module.ADDRESSES, source.trusted_proxies or [])
        literals = literals.selectExpr(
            "*", f"{last_untrusted(*seen)} as seen_address", f"{forwarded(*seen)} as forwarded_for"
        )
    given = module.derived(source) if hasattr(module, "derived") else ()
    for values in (*getattr(module, "DERIVED", ()), *given):
        if isinstance(values, Link):
            literals = _linked(literals, values, staging)
        else:
            computed = (f"{sql} as {name}" for name, sql in values.items())
            literals = literals.selectExpr("*", *computed)
    parsed = literals.selectExpr(
        *(f"{columns[name]} as {name}" for name in PARSED if name != "problem"),
        f"case when fault is not null then fault when r is null then {quoted(NOT_A_RECORD)} "
        f"else {columns['problem']} end as problem",
        "raw",
        "file_crc",
        "file_chars",
        "place",
    )
    clock = time_problem(source, day, config.late_days)
    origin = ("raw", "file_crc", "file_chars", "place")
    # The names are given, as asking a frame for them makes the engine plan it.
    parsed = parsed.selectExpr(*PARSED, *origin, f"{clock} as clock").selectExpr(
        *(name for name in (*PARSED, *origin) if name not in ("event_time", "problem")),
        "if(clock is null, event_time, null) as event_time",
        "coalesce(problem, clock) as problem",
    )
    max_bytes = config.ingest.max_record_bytes
    too_long = f"more than the {max_bytes:,} bytes to keep that `ingest.max_record_bytes` allows"
    timed = parsed.selectExpr(
        *(name for name in PARSED if name != "problem"),
        "case when problem is null and event_time is null then 'no time that is understood' "
        f"when problem is null and {KEPT_BYTES} > {max_bytes} then {quoted(too_long)} "
        "else problem end as problem",
        # A record whose time is not understood is looked at in the run of its file's own day.
        f"event_time is null or to_date(event_time) = date'{day}' as in_day",
        "raw",
        "file_crc",
        "file_chars",
        "place",
    )
    kept = [
        name
        for name in STAGED
        if name not in ("source", "format", "in_day", "late_file", "lookup", "digest")
    ]
    return timed.selectExpr(
        *(f"if(in_day, {name}, null) as {name}" for name in kept),
        "in_day",
        # Not the text, which may be as large as a file and would be sent to this process.
        f"case when {BAD} then md5(raw) end as digest",
        f"{quoted(source.name)} as source",
        f"{quoted(source.format)} as format",
    )


def time_problem(source: Source, day: date, late_days: int) -> str:
    """SQL: why ``event_time`` cannot be right; null if it can.

    A file of one day holds no record of a later day; clocks and zones may differ by a day. A file
    whose path names no day may be as new as this run.
    """
    last, named = day + timedelta(days=late_days), "the last day read"
    today = datetime.now(UTC).date()
    if not source.dated and today > last:
        last, named = today, "today"
    end = last + timedelta(days=2)
    time = "concat('time ', substring(cast(event_time as string), 1, 19), ' lies "
    ahead = f"datediff(to_date(event_time), date'{last}'), ' days ahead of {named}, {last}{CLOCK}'"
    return (
        f"case when event_time < timestamp'{FIRST_DAY} 00:00:00' "
        f"then {time}before {FIRST_DAY}{CLOCK}') "
        f"when event_time >= timestamp'{end} 00:00:00' then {time}', {ahead}) end"
    )


def _linked(records: DataFrame, link: Link, staging: str) -> DataFrame:
    """The records with what others tell about them.

    That is put down first: a window would sort whole records by the key, and of a table engines
    know the size, by which they choose how to join.
    """
    from pyspark.sql.functions import expr

    aggregates = (expr(sql).alias(name) for name, sql in link.values.items())
    path = tempfile.mkdtemp(prefix="told-", dir=staging)
    told = records.where("telling").selectExpr("*", f"explode({link.tells}) as link_key")
    told = told.groupBy("link_key").agg(*aggregates)
    told.write.mode("overwrite").parquet(path)
    ddl = ", ".join(("link_key bigint", *(f"{name} string" for name in link.values)))
    known = records.sparkSession.read.schema(ddl).parquet(path)
    # The smaller side first: of that one Sail makes the hash table.
    asking = records.selectExpr("*", f"{link.asks} as link_key")
    return known.join(asking, "link_key", "right").drop("link_key")


def _stage(
    spark: SparkSession,
    inputs: list[SourceFiles],
    config: JobConfig,
    day: date,
    staging: str,
    name: str,
    reader: Reader,
) -> None:
    frames = [
        frame
        for entry in inputs
        for frame in parse(spark, entry.source, entry.good, config, day, reader, staging)
    ]
    _write_staging(spark, frames, config, day, staging, name)


def stage_lines(
    spark: SparkSession,
    kinds: list[tuple[Source, RawFile, str, bool]],
    config: JobConfig,
    day: date,
    staging: str,
    name: str,
) -> None:
    """Stage files of lines: source, kind, path, and whether they are of a later day's files."""
    frames = []
    for source, kind, path, late in kinds:
        records = read_text(spark, source, kind, [path])
        rows = _staging_rows(records, source, config, day, staging)
        frames.append(rows.selectExpr("*", f"{str(late).lower()} as late_file"))
    _write_staging(spark, frames, config, day, staging, name)


def _write_staging(
    spark: SparkSession,
    frames: list[DataFrame],
    config: JobConfig,
    day: date,
    staging: str,
    name: str,
) -> None:
    lookup = lookup_key(load_context(config.context, day))
    rows = reduce(lambda left, right: left.unionByName(right), frames or [_no_rows(spark)])
    rows = rows.selectExpr("*", f"{lookup} as lookup").select(*STAGED)
    path = _rows_path(staging, name)
    rows.write.mode("overwrite").option("compression", "snappy").parquet(path)


def read_staged(spark: SparkSession, staging: str, name: str = "*") -> DataFrame:
    """A part of the staging table, or all of it.

    The columns are given, as Sail writes no file where there are no rows.
    """
    return spark.read.schema(STAGED_DDL).parquet(_rows_path(staging, name))


def _rows_path(staging: str, name: str) -> str:
    """Where a part of the staging table is: apart from all else, as to Sail ``*`` is any path."""
    return f"{staging}/rows/{name}.parquet"


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


def _nullable(text: str | None) -> str:
    return quoted(text) if text else "cast(null as string)"


def _no_rows(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([], STAGED_DDL).drop("lookup")
