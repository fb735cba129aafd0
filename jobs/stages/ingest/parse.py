"""Raw records as typed columns, parsed by the engine."""

from __future__ import annotations

import uuid
from datetime import date
from typing import TYPE_CHECKING

from jobs.platform.engine import ENGINE_OPTION
from jobs.privacy.identities_file import prompt_key
from jobs.stages.ingest.addresses import forwarded, last_untrusted
from jobs.stages.ingest.dating import Dating, time_problem
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.formats.log_format import PARSED, Link, LogFormat
from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.salvage.broken_json import MAX_NESTING
from jobs.stages.ingest.secrets import TYPED_COLUMNS, masked_typing
from jobs.stages.sql import NO_TEXT, quoted
from schemas.config import JobConfig
from schemas.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


STAGED_TYPES = PARSED | {
    "source": "string",
    "format": "string",
    "lookup": "string",
    "in_day": "boolean",
    # Whether the record's file belongs to a later day than the run's.
    "late_file": "boolean",
    # MD5 of the text of a bad record; the salvage path finds the record in its file by it.
    "digest": "string",
    "file_crc": "bigint",
    "file_chars": "int",
    "place": "int",
}
STAGED = list(STAGED_TYPES)
STAGED_DDL = ", ".join(f"`{name}` {kind}" for name, kind in STAGED_TYPES.items())
PARSED_TYPES = {
    name: kind for name, kind in STAGED_TYPES.items() if name not in ("lookup", "late_file")
} | {"file_day": "date"}
"""Columns of a parsed record that are the same on every day of a run that reads its file.

``file_day``: the day that the file's path names, null without one."""
PARSED_DDL = ", ".join(f"`{name}` {kind}" for name, kind in PARSED_TYPES.items())
OF_ROW = ("source", "format", "in_day", "file_day")
"""Columns that rows of other days have, too."""
ORIGIN = ("raw", "file_crc", "file_chars", "place", "file_day")
Days = tuple[date, date]
"""The first and the last of the days whose records are wanted."""
NOWHERE = (
    "cast(null as bigint) as file_crc",
    "cast(null as int) as file_chars",
    "cast(null as int) as place",
)
NOT_A_RECORD = "not a record"
LONGEST_LINE = 1_000_000
"""Most bytes of a line of text: on longer lines the patterns of some engines run out of stack."""
MAX_INT = 2**31 - 1
BAD = "(in_day and problem is not null)"
"""SQL: staging rows that belong to this day but cannot become events."""
KEPT_BYTES = " + ".join(
    f"coalesce(octet_length({name}), 0)"
    for name, kind in PARSED.items()
    if kind == "string" and name != "problem"
)
"""SQL: bytes stored for a record. Discarded fields do not count, so the number does not depend on
whether the engine knows the record's text."""


def read_json(spark: SparkSession, source: Source, kind: RawFile, paths: list[str]) -> DataFrame:
    """Like :func:`read_text`, by Sail's JSON reader, for formats that declare its types.

    The engine raises on a record that does not fit. The text and the place of records are unknown.
    """
    records = LOG_FORMATS[source.format].json
    if records is None or records.reader_type is None:
        raise ValueError(f"{source.format} declares no types for the engine's JSON reader")
    reader_type = records.reader_type
    schema = f"`{kind.framing}`:array<{reader_type}>"
    # A document without the array has no record, but must not vanish.
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


def read_text(spark: SparkSession, source: Source, kind: RawFile, paths: list[str]) -> DataFrame:
    """One row for each raw record.

    Columns: the struct ``r``, the text ``raw``, the place in an envelope file, the ``fault`` of a
    record of another format or header, and the cluster that the record names, if any.
    """
    form = LOG_FORMATS[source.format]
    lines = (
        _texts(spark.read.option("lineSep", "\n").text(paths))
        # A lone carriage return is not a line break, neither here nor in the salvage path.
        .where("octet_length(trim(leading '\\t\\r \\0' from value)) > 0")
    )
    if kind.header is not None:
        return _rows_of_text(lines, kind.header, source)
    if form.json is None:
        raise ValueError(f"{source.format} has no JSON records")
    wrapper = None if kind.wrapper is None else form.wrapper(kind.wrapper)
    outer_type = wrapper.outer_type if wrapper else form.json.type(source)
    if kind.framing == "lines":
        struct = parsed_json(spark, "value", outer_type)
        records = lines.selectExpr(
            *NOWHERE, f"{struct} as e", "value as raw", f"{NO_TEXT} as batch"
        )
    else:
        documents = lines
        if not kind.per_line:
            documents = _texts(spark.read.text(paths, wholetext=True))
        records = _elements(spark, form, kind.framing, outer_type, documents)
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
        struct = parsed_json(spark, wrapper.record, form.json.type(source))
    return records.selectExpr(
        "file_crc",
        "file_chars",
        "place",
        f"{struct} as r",
        "raw",
        f"{wrapper.fault} as fault",
        f"nullif({wrapper.cluster}, '') as named_cluster",
    )


def _texts(read: DataFrame) -> DataFrame:
    """Texts as valid UTF-8, without NUL at either end and without carriage returns at the end."""
    if read.sparkSession.conf.get(ENGINE_OPTION) == "sail":
        return read.selectExpr("ltrim('\\0', value) as value").selectExpr(
            "rtrim('\\r\\0', value) as value"
        )
    # Spark keeps text that is not UTF-8. It scans a whole text to trim its end.
    ends = "endswith(value, '\\r') or endswith(value, '\\0')"
    return read.selectExpr("ltrim('\\0', make_valid_utf8(value)) as value").selectExpr(
        f"if({ends}, rtrim('\\r\\0', value), value) as value"
    )


def _rows_of_text(lines: DataFrame, header: str, source: Source) -> DataFrame:
    """The records of a text format, from lines under a header (empty if there is none)."""
    rows = LOG_FORMATS[source.format].text
    if rows is None:
        raise ValueError(f"{source.format} is no text format")
    if header:
        # Joined files have headers in the middle, perhaps in another case; they are not records.
        # The first character rules out nearly every line.
        same_start = f"lower(left(value, 1)) = lower({quoted(header[:1])})"
        same = f"lower(value) = lower({quoted(header)})"
        lines = lines.where(f"not ({same_start} and {same})")
    long = f"octet_length(value) > {LONGEST_LINE}"
    lines = lines.selectExpr("value as raw", f"{long} as long", f"if({long}, '', value) as value")
    # In a step of their own, so that engines compute them once and not for every field.
    for step in (rows.parts, rows.joined_parts):
        if step is not None:
            parts = step("value", header, source)
            lines = lines.selectExpr("raw", "long", "value", f"{parts} as parts")
    links = [f"{rows.links('raw', header, source)} as links"] if rows.links else []
    too_long = quoted(f"a line of more than {LONGEST_LINE:,} bytes")
    return lines.selectExpr(
        *NOWHERE,
        f"{rows.record('value', header, source)} as r",
        "raw",
        f"if(long, {too_long}, {rows.fault('value', header, source)}) as fault",
        f"{NO_TEXT} as named_cluster",
        *links,
    )


def _elements(
    spark: SparkSession, form: LogFormat, array: str, outer_type: str, documents: DataFrame
) -> DataFrame:
    """The records (structs ``e``) in the array of each document, with their places."""
    # If nothing needs the text of single records, the whole array is parsed at once: it is faster.
    element = "string" if form.keeps_text else outer_type
    records = parsed_json(spark, "value", f"struct<`{array}`:array<{element}>>") + f".`{array}`"
    if array == "":
        # Engines would turn an object into an array of one.
        records = parsed_json(spark, "value", f"array<{element}>")
        records = f"case when value rlike '^\\\\s*\\\\[' then {records} end"
    batch = NO_TEXT
    if form.json and array in form.json.batch_origin:
        pattern = rf'"{form.json.batch_origin[array]}"\s*:\s*"([^"\\]*)"'
        batch = f"nullif(regexp_extract(value, {quoted(pattern)}, 1), '')"
    parsed = documents.selectExpr(
        "crc32(value) as file_crc",
        "length(value) as file_chars",
        f"{records} as records",
        f"{batch} as batch",
    ).selectExpr("file_crc", "file_chars", "records is null as broken", "records", "batch")
    # Only the generator may name the array, which would otherwise be copied to each element.
    elements = parsed.selectExpr(
        "file_crc",
        "file_chars",
        "broken",
        "batch",
        "posexplode_outer(records) as (place, element)",
    ).where("broken or place is not null")
    struct, raw = "element", NO_TEXT
    if form.keeps_text:
        struct, raw = parsed_json(spark, "element", outer_type), "element"
    return elements.selectExpr(
        "file_crc", "file_chars", "place", f"{struct} as e", f"{raw} as raw", "batch"
    )


def parsed_json(spark: SparkSession, text: str, ddl: str) -> str:
    """SQL of JSON text as a value of type ``ddl``; null or a struct of nulls for other text.

    Sail accepts JSON only. Spark would also accept single quotes, NaN, and any text after the first
    value, and so lose a second record on a line. Inside an array the value must be the only one.
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


def parsed_rows(
    records: DataFrame, source: Source, config: JobConfig, dated: Dating, days: Days, staging: str
) -> DataFrame:
    """The columns :data:`PARSED_TYPES` of records; null in rows of other days than ``days``.

    ``records``: rows of a reader, with the column ``file_day``.
    """
    form = LOG_FORMATS[source.format]
    columns = form.columns(source)
    literals = records.selectExpr(
        "*",
        f"{quoted(source.name)} as source_name",
        f"coalesce(named_cluster, {_nullable(source.cluster)}) as cluster",
        f"{quoted(source.timezone)} as timezone",
        f"{dated.near} as near_day",
    )
    if form.private_text:
        literals = literals.selectExpr("*", f"{quoted(prompt_key(config))} as prompt_key")
    if form.addresses:
        seen = (form.addresses, source.trusted_proxies or [])
        literals = literals.selectExpr(
            "*", f"{last_untrusted(*seen)} as seen_address", f"{forwarded(*seen)} as forwarded_for"
        )
    given = form.derived_by_source(source) if form.derived_by_source else ()
    for values in (*form.derived, *given):
        if isinstance(values, Link):
            literals = _linked(literals, values, staging)
        else:
            computed = (f"{sql} as {name}" for name, sql in values.items())
            literals = literals.selectExpr("*", *computed)
    parsed = literals.selectExpr(
        *(f"{columns[name]} as {name}" for name in PARSED if name != "problem"),
        f"case when fault is not null then fault when r is null then {quoted(NOT_A_RECORD)} "
        f"else {columns['problem']} end as problem",
        *ORIGIN,
    )
    return _of_days(_with_problems(parsed, config, dated, days), source)


def _with_problems(parsed: DataFrame, config: JobConfig, dated: Dating, days: Days) -> DataFrame:
    """Parsed records with the problem of their time or size, and whether they are of ``days``."""
    first, last = days
    # Names are listed here, because asking a frame for its columns makes the engine plan it.
    named = (
        masked_typing(name) + f" as {name}" if name in TYPED_COLUMNS else name for name in PARSED
    )
    timed = parsed.selectExpr(*named, *ORIGIN, f"{time_problem(dated)} as clock").selectExpr(
        *(name for name in (*PARSED, *ORIGIN) if name not in ("event_time", "problem")),
        "if(clock is null, event_time, null) as event_time",
        "coalesce(problem, clock) as problem",
    )
    max_bytes = config.ingest.max_record_bytes
    too_long = f"more than the {max_bytes:,} bytes to keep that `ingest.max_record_bytes` allows"
    return timed.selectExpr(
        *(name for name in PARSED if name != "problem"),
        "case when problem is null and event_time is null then 'no time that is understood' "
        f"when problem is null and {KEPT_BYTES} > {max_bytes} then {quoted(too_long)} "
        "else problem end as problem",
        # A record without a time that is understood belongs to the run of its file's day.
        f"event_time is null or to_date(event_time) between date'{first}' and date'{last}' "
        "as in_day",
        *ORIGIN,
    )


def _of_days(records: DataFrame, source: Source) -> DataFrame:
    """Rows of :func:`parsed_rows`: the columns of records of other days are null."""
    kept = [name for name in PARSED_TYPES if name not in (*OF_ROW, "digest")]
    return records.selectExpr(
        *(f"if(in_day, {name}, null) as {name}" for name in kept),
        "in_day",
        "file_day",
        # Not the text: it may be as large as a file and would be sent to this process.
        f"case when {BAD} then md5(raw) end as digest",
        f"{quoted(source.name)} as source",
        f"{quoted(source.format)} as format",
    )


def rows_of_day(rows: DataFrame, day: date) -> DataFrame:
    """Rows of :func:`parsed_rows` of several days as those of one of these days."""
    own = f"in_day and (event_time is null or to_date(event_time) = date'{day}') as in_day"
    others = (name for name in PARSED_TYPES if name != "in_day")
    kept = (name for name in PARSED_TYPES if name not in OF_ROW)
    return rows.selectExpr(*others, own).selectExpr(
        *OF_ROW, *(f"if(in_day, {name}, null) as {name}" for name in kept)
    )


def _linked(records: DataFrame, link: Link, staging: str) -> DataFrame:
    """The records with the values of other lines (see :class:`Link`).

    These values are written to a file first. A window would sort whole records by the key; and
    engines know the size of a file, by which they choose how to join.
    """
    from pyspark.sql.functions import expr

    aggregates = (expr(sql).alias(name) for name, sql in link.values.items())
    path = f"{staging}/links-by-key-{uuid.uuid4().hex}"
    linking = records.where("links").selectExpr("*", f"explode({link.tells}) as told")
    linking = linking.selectExpr("*", f"{_of_file_day('told')} as link_key")
    linking = linking.groupBy("link_key").agg(*aggregates)
    linking.write.mode("overwrite").parquet(path)
    ddl = ", ".join(("link_key bigint", *(f"{name} string" for name in link.values)))
    known = records.sparkSession.read.schema(ddl).parquet(path)
    # The smaller side comes first: Sail builds its hash table of that side.
    asking = records.selectExpr("*", f"{link.asks} as asked")
    asking = asking.selectExpr("*", f"{_of_file_day('asked')} as link_key").drop("asked")
    return known.join(asking, "link_key", "right").drop("link_key")


def _of_file_day(key: str) -> str:
    """SQL of a key that only lines in files of one day share; null for a null ``key``.

    A run over several days may parse the files of each day apart.
    """
    return f"if({key} is null, null, xxhash64({key}, file_day))"


def _nullable(text: str | None) -> str:
    return quoted(text) if text else "cast(null as string)"
