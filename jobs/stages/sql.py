"""Pieces of SQL, and a frame's computing, that several stages and log formats share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.resolve.marks import CHOSEN, OF_ACCOUNT

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FEW_DUPLICATES = 100_000
CONTAINER = (
    "regexp_extract(resource, '^(?:s3|gs|minio|host|model)://[^/]*"
    "|^[a-z0-9+.-]+://[^/]*(?:/[^/]*)?', 0)"
)
"""SQL of the URI of a resource's container: a bucket, a repository, a namespace, an account."""


def details_json(entries: dict[str, str]) -> str:
    """SQL of a JSON object of ``entries`` (key → SQL of its text); null entries are left out."""
    pairs = ", ".join(f"{quoted(key)}, {value}" for key, value in entries.items())
    return f"to_json(named_struct({pairs}))" if pairs else "'{}'"


def one_a_line(*names: str) -> str:
    """SQL of the given SQL expressions, one on each line; null and empty ones are left out.

    A line break within a name would start a second name. It becomes a carriage return, which no
    name of the directory holds.
    """
    whole = (f"replace(nullif({name}, {EMPTY}), '\\n', '\\r')" for name in names)
    return f"concat_ws('\\n', {', '.join(whole)})"


def chosen(name: str) -> str:
    """SQL of a name for ``one_a_line`` that its bearer chose; null where it is empty."""
    return f"concat('{CHOSEN}', nullif({name}, {EMPTY}))"


def of_account(account: str) -> str:
    """SQL of a line for ``one_a_line`` with the actor's account or tenant, given as SQL.

    Null where the account is empty.
    """
    return f"concat('{OF_ACCOUNT}', nullif({account}, {EMPTY}))"


def class_of(verb: str, classes: dict[str, str], otherwise: str) -> str:
    """SQL mapping the value of SQL ``verb`` by ``classes`` (verbs by class), else ``otherwise``."""
    cases = " ".join(
        f"when {verb} in ({', '.join(quoted(item) for item in verbs.split())}) then '{name}'"
        for name, verbs in classes.items()
    )
    return f"case {cases} else {otherwise} end"


UNKNOWN_ACTION = "unknown_action"
"""Key of ``details``: the verb or wording of a record that the format's table does not hold."""


def unknown_action(verb: str, classes: dict[str, str]) -> str:
    """SQL of ``verb`` where no class of ``classes`` (verbs by class) lists it, else null.

    A format stores it in ``details[UNKNOWN_ACTION]``; stage ``ingest`` counts and reports it.
    """
    known = ", ".join(quoted(item) for verbs in classes.values() for item in verbs.split())
    return f"case when {verb} not in ({known}) then {verb} end"


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


EMPTY = "''"
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def iso_time(text: str) -> str:
    """SQL of a UTC timestamp from ISO 8601 text; null unless it has a date and a time.

    The length is checked first because engines also read `2026` or `2026-10` as timestamps. Engines
    know no leap second: `23:59:60` becomes the second before it, 59.
    """
    second_before = f"concat(substring({text}, 1, 17), '59', substring({text}, 20))"
    leap = f"case when substring({text}, 17, 3) = ':60' then {second_before} end"
    return (
        f"case when length({text}) >= 19 "
        f"then coalesce(try_cast({text} as timestamp), try_cast({leap} as timestamp)) end"
    )


def zoned_time(text: str) -> str:
    """SQL of a UTC timestamp from ISO 8601 text, local in ``timezone`` unless it names a zone."""
    parsed = iso_time(text)
    named = f"{text} rlike '(Z|UTC|GMT|[+-][0-9]{{2}}:?[0-9]{{2}})$'"
    return f"case when {named} then {parsed} else to_utc_timestamp({parsed}, timezone) end"


def epoch_ms_time(text: str) -> str:
    """SQL of a UTC timestamp from milliseconds since 1970 as text."""
    return f"timestamp_millis(try_cast(try_cast({text} as double) as bigint))"


def month_number(text: str) -> str:
    """SQL of 1 to 12 from the three letters of an English month; 0 for other text."""
    return f"cast((instr('{MONTHS}', {text}) + 2) / 3 as int)"


def url_decoded(text: str) -> str:
    """SQL of percent-decoded text; the text itself where the result is not UTF-8."""
    decoded = f"try_url_decode({text})"
    return f"case when {decoded} not like '%\ufffd%' then {decoded} else {text} end"


def byte_count(text: str) -> str:
    """SQL of a number of bytes from text, which may be a float; null for other text."""
    number = f"try_cast(try_cast({text} as double) as bigint)"
    return f"case when {number} >= 0 then {number} end"


NO_TEXT = "cast(null as string)"


def computed_once(frame: DataFrame, path: str) -> DataFrame:
    """The frame, computed once. Its schema is given, because Sail writes no file without rows."""
    frame.write.parquet(path)
    return frame.sparkSession.read.schema(frame.schema).parquet(path)


def exprs(*sql: str) -> list[Column]:
    """SQL expressions, for example aggregates, as columns."""
    from pyspark.sql.functions import expr

    return [expr(each) for each in sql]
