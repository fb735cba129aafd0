"""The log formats: how raw records of each become the columns of :data:`PARSED`.

A format is one module with

- ``ENVELOPES``: names of the array that holds the records where a file is one JSON document
  (``""`` for a bare array; empty for formats that are never one document),
- ``json_type(source) -> str``: Spark SQL type of a JSON record; text formats have instead
  ``is_header(line) -> bool`` and ``record(line, header) -> str``, SQL of the record struct, and
- ``columns(source) -> dict``: SQL of every column of :data:`PARSED` over the struct ``r``, the
  record's text ``raw``, and the literals ``source_name``, ``cluster`` and ``timezone``.

Everything runs in the engine; there is no Python for each record.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

PARSED = {
    "event_id": "string",
    "event_time": "timestamp",
    "principal": "string",
    # Names under which the directory may know the one who acted, best first, one a line.
    "names": "string",
    # `service` where the log itself says that no person acted.
    "kind_hint": "string",
    "acting_as": "string",
    "credential": "string",
    # Key handed out by this record (AssumeRole); later records carry it as their credential.
    "issued_credential": "string",
    "action": "string",
    "action_class": "string",
    "resource": "string",
    "destination": "string",
    "bytes_out": "bigint",
    "source_ip": "string",
    "user_agent": "string",
    "outcome": "string",
    "details": "map<string,string>",
    # Of several records of one event the one with the highest precedence tells it best.
    "precedence": "int",
    # Why the record is not understood; null for a good one.
    "problem": "string",
}
"""What a format's parser yields for each raw record: column → Spark SQL type."""


def format_module(format_id: str) -> ModuleType:
    """The module of a format; the config has already refused unknown ids."""
    return import_module(f"jobs.formats.{format_id}")


def details_map(entries: dict[str, str]) -> str:
    """SQL of a map of ``entries`` (key → SQL of its value) without those that are null."""
    pairs = ", ".join(f"'{key}', {value}" for key, value in entries.items())
    return f"map_filter(map({pairs}), (k, v) -> v is not null)"


def one_a_line(*names: str) -> str:
    """SQL of the given SQL expressions, one a line, without those that are null or empty."""
    return f"concat_ws('\\n', {', '.join(f'nullif({name}, {EMPTY})' for name in names)})"


def class_of(verb: str, classes: dict[str, str], otherwise: str) -> str:
    """SQL mapping the value of SQL ``verb`` by ``classes`` (verbs by class), else ``otherwise``."""
    cases = " ".join(
        f"when {verb} in ({', '.join(quoted(item) for item in verbs.split())}) then '{name}'"
        for name, verbs in classes.items()
    )
    return f"case {cases} else {otherwise} end"


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


EMPTY = "''"

ADDRESS = r"^[0-9]{1,3}(\\.[0-9]{1,3}){3}$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+$"
"""SQL-escaped pattern of an IPv4 or IPv6 address without a port."""


def iso_time(text: str) -> str:
    """SQL of a UTC timestamp from ISO 8601 text; null unless it has a date and a time.

    The length is checked first because engines also read `2026` or `2026-10` as timestamps.
    """
    return f"case when length({text}) >= 19 then try_cast({text} as timestamp) end"
