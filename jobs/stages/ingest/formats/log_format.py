"""The columns that every log format yields, and the parts that a format is made of.

Everything that a format says is SQL, which the engine runs; there is no Python for each record.
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
    # The object within the resource, where the log itself tells it apart.
    "object": "string",
    "destination": "string",
    "bytes_out": "bigint",
    "source_ip": "string",
    "user_agent": "string",
    "outcome": "string",
    # A JSON object of texts, which becomes a map in `events`: engines make maps slowly, and Sail
    # does not read files together whose maps were made in different ways.
    "details": "string",
    # Of several records of one event the one with the highest precedence tells it best.
    "precedence": "int",
    # Why the record is not understood; null for a good one.
    "problem": "string",
}
"""What a format's parser yields for each raw record: column → Spark SQL type."""


SAME_EVENT = ("principal", "action", "resource", "unix_seconds(event_time)")
"""Who, what and when: an id alone may be chosen by the caller."""


class Wrapper(NamedTuple):
    """What a record comes in.

    ``path``: where in it the record is, empty where it is spread over it. ``outer_type``: Spark SQL
    type of what is read of it. The rest is SQL over that struct ``e`` and over ``batch``, the value
    of the format's ``BATCH``: ``record`` is the struct ``r``, or with ``as_text`` the JSON text of
    one; ``fault`` says why it is no record of this format; ``cluster`` is the cluster's name.
    """

    path: str
    outer_type: str
    record: str
    as_text: bool = False
    fault: str = "cast(null as string)"
    cluster: str = "cast(null as string)"


class Link(NamedTuple):
    """What other lines of the same files say about a record.

    ``tells``: SQL of an array of keys of the records that such a line speaks of; ``values``: SQL of
    aggregates by name, for each key; ``asks``: SQL of the key under which a record finds them.
    """

    tells: str
    values: dict[str, str]
    asks: str


Columns = dict[str, str]
"""SQL by name."""
OfLine = Callable[[str, str, Source], str]
"""SQL from the SQL of a line, its file's header (empty where there is none) and the source."""


@dataclass(frozen=True)
class JsonRecords:
    """How JSON records of a format are framed and typed."""

    type: Callable[[Source], str]
    """Spark SQL type of a record."""
    envelopes: tuple[str, ...] = ()
    """Names of the array that holds the records of a one-document file; ``""``: a bare array."""
    batches: tuple[str, ...] = ()
    """Those of ``envelopes`` of which a file may hold many, one a line."""
    batch_origin: Mapping[str, str] = field(default_factory=dict)
    """The member beside such an array that says where all its records come from."""
    wrappers: Mapping[str, Wrapper] = field(default_factory=dict)
    """What a record may come in (a bus, a log service), by the member that gives it away."""
    alone: str = ""
    """The member that every record has itself and nothing around it has."""
    reader_type: str | None = None
    """Type for the engine's own JSON reader, for formats whose records always fit it."""


@dataclass(frozen=True)
class TextRows:
    """How lines of a text format become records."""

    record: OfLine
    """SQL of the struct ``r``."""
    fault: OfLine
    """SQL of the reason why a line does not fit its header; null where it fits."""
    is_json: Callable[[str, Source], bool]
    """Whether a file that begins with this text is JSON all the same."""
    header_problem: Callable[[str, Source], str | None]
    """Why no line under this header can be understood."""
    headerless: bool = False
    """No line names columns: every line is a record."""
    given_header: Callable[[str, Source], str | None] | None = None
    """The config's header for a file that begins with this text; None if the file has its own."""
    parts: OfLine | None = None
    """SQL of the column ``parts``, from which ``record`` and ``fault`` are made."""
    joined_parts: OfLine | None = None
    """The same column once more, made from itself, where a line is taken apart in two steps."""
    links: OfLine | None = None
    """SQL: whether a line may say something about other lines (see :class:`Link`).

    The files are read for those lines alone, before the rest, so they should be few.
    """
    breaks: Callable[[str, str], bool | None] | None = None
    """Whether a row (text, header) goes on in the next line; None for text that begins no row."""


@dataclass(frozen=True)
class LogFormat:
    """One log format: how its raw records become the columns of :data:`PARSED`.

    SQL may use the struct ``r`` (the record), the text ``raw`` if ``keeps_text``, and the literals
    ``source_name``, ``cluster``, ``timezone`` and ``run_day``.
    """

    columns: Callable[[Source], Columns]
    """SQL of every column of :data:`PARSED`."""
    json: JsonRecords | None = None
    text: TextRows | None = None
    keeps_text: bool = False
    """Whether ``columns`` reads ``raw``; parsing is faster without."""
    addresses: str | None = None
    """SQL of an array of the caller's addresses, the server's own view last.

    Two more literals then exist: ``seen_address``, the last one that is no trusted proxy, and
    ``forwarded_for``, the others.
    """
    derived: tuple[Columns | Link, ...] = ()
    """SQL of values that several columns use, in groups; each group may use those before it.

    Engines evaluate an expression as often as its text stands in a ``case``, and patterns cost
    more than all else. A :class:`Link` is what other lines say.
    """
    derived_by_source: Callable[[Source], tuple[Columns, ...]] | None = None
    """More such groups, which depend on the source's settings."""
    same_event: tuple[str, ...] = SAME_EVENT
    """SQL over the columns of :data:`PARSED` in which all records of one event agree."""
    in_stages: bool = False
    """An event makes several records, each with a precedence and perhaps a time of its own.

    The first record of each precedence belong together, then the second ones.
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
        """Name of the wrapper of a record with these members; None if it stands alone.

        One that stands alone may have a member, say ``message``, that others are wrapped in.
        """
        if self.json is None or not self.json.wrappers:
            return None
        names = tuple(members)
        if self.json.alone in names:
            return None
        return next((name for name in names if name in self.json.wrappers), None)
