"""The columns that every log format yields, and the parts that a format is made of.

A format is written in SQL, which the engine runs. No Python runs for single records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.sources import Source

PARSED = {
    "event_id": "string",
    "event_time": "timestamp",
    "principal": "string",
    # Names by which the directory may know the actor, the best first, one on each line.
    "names": "string",
    # `service` where the log itself says that a service acted.
    "kind_hint": "string",
    "acting_as": "string",
    "credential": "string",
    # Key issued in this record (AssumeRole); later records have it as their credential.
    "issued_credential": "string",
    "action": "string",
    "action_class": "string",
    "resource": "string",
    # The object within the resource, where the log itself names it.
    "object": "string",
    "destination": "string",
    "bytes_out": "bigint",
    "source_ip": "string",
    "user_agent": "string",
    "outcome": "string",
    # A JSON object of texts. It becomes a map in `events`: engines make maps slowly, and Sail
    # cannot read files together if their maps were made in different ways.
    "details": "string",
    # Among several records of one event the record with the highest precedence is kept.
    "precedence": "int",
    # The reason why the record is not understood; null for a good record.
    "problem": "string",
}
"""Columns that a format yields for each raw record: column → Spark SQL type."""


SAME_EVENT = ("principal", "action", "resource", "unix_seconds(event_time)")
"""Columns that must agree besides the id, because a caller may choose the id."""


class Wrapper(NamedTuple):
    """A wrapper of records, such as a log service's event.

    ``path``: the record's path in the wrapper, empty if the record is spread over it.
    ``outer_type``: Spark SQL type of the fields read of the wrapper. The rest is SQL over that
    struct ``e`` and over ``batch``, the value of the format's ``batch_origin``. ``record``: the
    struct ``r``, or with ``as_text`` its JSON text. ``fault``: the reason why it is not a record of
    this format. ``cluster``: the cluster's name.
    """

    path: str
    outer_type: str
    record: str
    as_text: bool = False
    fault: str = "cast(null as string)"
    cluster: str = "cast(null as string)"


class Link(NamedTuple):
    """Values that a record takes from other lines of the same files.

    ``tells``: SQL, on another line, of an array of the keys of the records that it concerns.
    ``values``: SQL of aggregates by name, for each key. ``asks``: SQL, on the record, of its key.
    """

    tells: str
    values: dict[str, str]
    asks: str


Columns = dict[str, str]
"""SQL by name."""
OfLine = Callable[[str, str, Source], str]
"""SQL from the SQL of a line, its file's header (empty if there is none) and the source."""


@dataclass(frozen=True)
class JsonRecords:
    """How JSON records of a format are framed and typed."""

    type: Callable[[Source], str]
    """Spark SQL type of a record."""
    envelopes: tuple[str, ...] = ()
    """Names of the array that holds the records of a one-document file; ``""``: a bare array."""
    batches: tuple[str, ...] = ()
    """The ``envelopes`` that may occur many times in a file, one on each line."""
    batch_origin: Mapping[str, str] = field(default_factory=dict)
    """The member beside such an array that names the origin of all its records."""
    wrappers: Mapping[str, Wrapper] = field(default_factory=dict)
    """Wrappers of records (of a bus, of a log service), by a member that only the wrapper has."""
    alone: str = ""
    """A member that every record has and no wrapper has."""
    reader_type: str | None = None
    """Type for the engine's own JSON reader, for formats whose records always fit it."""


@dataclass(frozen=True)
class TextRows:
    """How lines of a text format become records."""

    record: OfLine
    """SQL of the struct ``r``."""
    fault: OfLine
    """SQL of the reason why a line does not fit its header; null if it fits."""
    is_json: Callable[[str, Source], bool]
    """Whether a file that begins with this text is JSON instead of text."""
    header_problem: Callable[[str, Source], str | None]
    """The reason why no line under this header can be understood; None if lines can."""
    headerless: bool = False
    """Whether every line is a record, because no line names columns."""
    given_header: Callable[[str, Source], str | None] | None = None
    """The config's header for a file that begins with this text; None if the file has its own."""
    parts: OfLine | None = None
    """SQL of the column ``parts``, from which ``record`` and ``fault`` are made."""
    joined_parts: OfLine | None = None
    """SQL of ``parts`` made from ``parts``, for formats that split a line in two steps."""
    links: OfLine | None = None
    """SQL: whether a line may hold values for other lines (see :class:`Link`).

    These lines are read first, in a pass of their own. So they should be few.
    """
    breaks: Callable[[str, str], bool | None] | None = None
    """Whether a row (text, header) goes on in the next line; None for text that begins no row."""


@dataclass(frozen=True)
class LogFormat:
    """One log format: how its raw records become the columns of :data:`PARSED`.

    SQL may use the struct ``r`` (the record), the text ``raw`` if ``keeps_text``, and the literals
    ``source_name``, ``cluster``, ``timezone`` and ``near_day`` (the day of the file, or for a file
    whose path names no day the first day of the run's month).
    """

    columns: Callable[[Source], Columns]
    """SQL of every column of :data:`PARSED`."""
    json: JsonRecords | None = None
    text: TextRows | None = None
    keeps_text: bool = False
    """Whether ``columns`` reads ``raw``; parsing is faster if it does not."""
    addresses: str | None = None
    """SQL of an array of the caller's addresses, the server's own view last.

    Two more literals then exist: ``seen_address``, the last address that is not a trusted proxy,
    and ``forwarded_for``, the other addresses.
    """
    derived: tuple[Columns | Link, ...] = ()
    """SQL of values that several columns use, in groups; each group may use those before it.

    Engines evaluate an expression as often as its text stands in a ``case``, and patterns cost
    most. A :class:`Link` adds values of other lines.
    """
    derived_by_source: Callable[[Source], tuple[Columns, ...]] | None = None
    """More such groups, which depend on the source's settings."""
    same_event: tuple[str, ...] = SAME_EVENT
    """SQL over columns of :data:`PARSED`; all records of one event agree in these values."""
    in_stages: bool = False
    """Whether an event makes several records, each with a precedence and perhaps a time of its own.

    The first records of each precedence are one event, the second records the next event.
    """
    private_text: bool = False
    """Whether records hold texts of people; then of a rejected record only field names are kept.

    One more literal then exists: ``prompt_key``, the key of fingerprints, empty without one.
    """
    missing_fields: Callable[[str, Source], list[str]] | None = None
    """Fields that the source's mapping reads and a header lacks."""

    @property
    def envelopes(self) -> tuple[str, ...]:
        """Those of its JSON records; empty where it has none."""
        return self.json.envelopes if self.json else ()

    def wrapper(self, name: str) -> Wrapper:
        """The wrapper of that name; KeyError where the format has none."""
        if self.json is None:
            raise KeyError(name)
        return self.json.wrappers[name]

    def wrapper_of(self, members: Iterable[str]) -> str | None:
        """Name of the wrapper of a record with these members; None without a wrapper.

        A record without a wrapper may still have a wrapper's member, say ``message``.
        """
        if self.json is None or not self.json.wrappers:
            return None
        names = tuple(members)
        if self.json.alone in names:
            return None
        return next((name for name in names if name in self.json.wrappers), None)
