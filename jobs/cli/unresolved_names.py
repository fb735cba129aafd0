"""Lists principals of stored events that are unresolved, ambiguous or matched only by a rule.

No engine is needed: Arrow groups the events batch by batch, so memory holds only the distinct
principals in question. An event is unresolved if its ``user_kind`` is ``unknown``, as in the
``check`` stage. A principal that the log calls a service is resolved, even outside the directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import open_table, table_exists
from jobs.platform.errors import RunError
from jobs.platform.terminal_text import table
from models.resolve.identity_rules import guess_finder
from schemas.config import JobConfig
from schemas.tables.events import EVENTS
from schemas.tables.values import IDENTITY_DETAILS

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

Row = dict[str, Any]
NOBODY = ("anonymous", "system:anonymous")
"""Principals of events whose log names nobody. They cannot have an alias."""
COUNTED = ("source", "user_kind", "principal", "user_id", *IDENTITY_DETAILS)
SUMS = ("events", "bytes_out")
MAX_GUESSES = 5


@dataclass(frozen=True)
class Listing:
    """The rows to print and, for each kind, the number of all rows."""

    first: date
    last: date
    sources: list[Row]
    unresolved: list[Row]
    unresolved_total: int
    by_rule: list[Row]
    by_rule_total: int


def list_identities(config: JobConfig, day: date | None, days: int, limit: int) -> Listing:
    """All sources, and the ``limit`` principals and rule matches with the most events (0: all).

    They cover ``day``, or the stored days among the last ``days`` up to the latest stored one.
    """
    import pyarrow.compute as pc

    first, last = _stored_span(config, day, days)
    counts = _count(config.storage, first, last)
    if not counts.num_rows:
        raise RunError(f"no events of {first} to {last} in {config.storage}")
    unknown = pc.equal(counts["user_kind"], "unknown")
    ambiguous = pc.is_valid(counts["identity_candidates"])
    keys = ["principal", "identity_candidates"]
    unresolved, unresolved_total = _largest(counts.filter(pc.or_(unknown, ambiguous)), keys, limit)
    guess = guess_finder(load_context(config.context, last).directory)
    for row in unresolved:
        row |= _advice(row, guess(row["principal"]))
    keys = ["identity_rule", "identity_name", "user_id"]
    by_rule, by_rule_total = _largest(
        counts.filter(pc.is_valid(counts["identity_rule"])), keys, limit
    )
    return Listing(
        first, last, _sources(counts), unresolved, unresolved_total, by_rule, by_rule_total
    )


def as_text(listing: Listing) -> str:
    """The lists as tables; control characters are shown as escapes."""
    span = f"{listing.first} to {listing.last}"
    parts = [f"events of {listing.first if listing.first == listing.last else span}"]
    parts.append(_table(listing.sources))
    for title, rows, total in (
        ("not resolved", listing.unresolved, listing.unresolved_total),
        ("matched by a near-certain rule", listing.by_rule, listing.by_rule_total),
    ):
        parts += ["", f"{title}: {total:,}", *([_table(rows)] if rows else [])]
    if listing.by_rule:
        parts.append("if you know whose name it is, add it to the aliases of that user_id")
    return "\n".join(parts)


def as_rows(listing: Listing) -> Iterator[Row]:
    """Every row with the name of its list."""
    for name in ("sources", "unresolved", "by_rule"):
        for row in getattr(listing, name):
            yield {"list": name, **row}


def _stored_span(config: JobConfig, day: date | None, days: int) -> tuple[date, date]:
    """First and last stored day to read. RunError if no day holds events."""
    stored: list[date] = []
    if table_exists(config.storage, EVENTS):
        partitions = open_table(config.storage, EVENTS).partitions()
        stored = sorted(date.fromisoformat(str(found["day"])) for found in partitions)
    if not stored:
        raise RunError(
            f"no events in {config.storage} yet; run a day first (`exfilwatch run --config FILE "
            "--day D`)"
        )
    if day is None:
        return max(stored[0], stored[-1] - timedelta(days=days - 1)), stored[-1]
    if day not in stored:
        raise RunError(
            f"no events of {day} in {config.storage}; its days are {stored[0]} to {stored[-1]}"
        )
    return day, day


def _count(storage: str, first: date, last: date) -> pa.Table:
    """Events and bytes of uncertain identities by principal; of certain ones only by source."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def detail(key: str) -> pc.Expression:
        return pc.map_lookup(pc.field("details"), pa.scalar(key), "first")

    def where(condition: pc.Expression, column: str) -> pc.Expression:
        return pc.if_else(condition, pc.field(column), pa.scalar(None, pa.string()))

    stored = open_table(storage, EVENTS).to_pyarrow_dataset()
    in_span = (pc.field("day") >= pc.scalar(first)) & (pc.field("day") <= pc.scalar(last))
    by_rule = pc.is_valid(detail("identity_rule"))
    unknown = pc.field("user_kind") == "unknown"
    in_question = unknown | pc.is_valid(detail("identity_candidates"))
    columns = {
        "source": pc.field("source"),
        "user_kind": pc.field("user_kind"),
        "principal": where(in_question, "principal"),
        "user_id": where(by_rule, "user_id"),
        **{key: detail(key) for key in IDENTITY_DETAILS},
        "bytes_out": pc.field("bytes_out"),
    }
    # Details are large in memory, and grouping is faster than reading, so read little ahead.
    scanner = stored.scanner(
        columns=columns, filter=in_span, batch_readahead=2, fragment_readahead=1
    )
    nothing = scanner.projected_schema.empty_table()
    counts = _summed(nothing.append_column("events", pa.array([], pa.int64())))
    for batch in scanner.to_batches():
        rows = pa.Table.from_batches([batch])
        rows = rows.append_column("events", pa.repeat(pa.scalar(1), len(batch)))
        counts = _summed(pa.concat_tables([counts, rows.select(counts.column_names)]))
    return counts


def _summed(counts: pa.Table) -> pa.Table:
    """One row for each combination of ``COUNTED``."""
    sums = [("events", "sum"), ("bytes_out", "sum")]
    return counts.group_by([*COUNTED]).aggregate(sums).rename_columns([*COUNTED, *SUMS])


def _largest(counts: pa.Table, keys: list[str], limit: int) -> tuple[list[Row], int]:
    """The groups with the most events, and the number of all groups."""
    groups = counts.group_by(keys).aggregate(
        [("source", "distinct"), ("events", "sum"), ("bytes_out", "sum")]
    )
    groups = groups.rename_columns([*keys, "sources", "events", "bytes_out"])
    order = [("events", "descending"), *((key, "ascending") for key in keys)]
    rows = groups.sort_by(order).slice(0, limit or None).to_pylist()
    for row in rows:
        row["sources"] = sorted(row["sources"])
    return rows, groups.num_rows


def _sources(counts: pa.Table) -> list[Row]:
    """Events of each source and of all sources, by the way their identity was found."""
    kinds = ("events", "resolved", "by_rule", "ambiguous", "unresolved")
    found: dict[str, Row] = {}
    totals = dict.fromkeys(kinds, 0)
    keys = ["source", "user_kind", "identity_rule", "identity_candidates"]
    groups = counts.group_by(keys).aggregate([("events", "sum")])
    for row in groups.rename_columns([*keys, "events"]).to_pylist():
        sums = found.setdefault(row["source"], dict.fromkeys(kinds, 0))
        known = row["user_kind"] != "unknown"
        for sum_of in (sums, totals):
            sum_of["events"] += row["events"]
            sum_of["resolved" if known else "unresolved"] += row["events"]
            sum_of["by_rule"] += row["events"] if row["identity_rule"] else 0
            sum_of["ambiguous"] += row["events"] if row["identity_candidates"] else 0
    listed = [*sorted(found.items()), *([("*", totals)] if len(found) > 1 else [])]
    return [
        {"source": name, "resolved_share": round(sums["resolved"] / sums["events"], 4), **sums}
        for name, sums in listed
    ]


def _advice(row: Row, guesses: list[str]) -> Row:
    """The reason why a principal is unresolved, and a guess at its identity."""
    if row["principal"] in NOBODY:
        return {"why": "the log names nobody", "hint": ""}
    if row["identity_candidates"]:
        fitting = row["identity_candidates"].replace(";", ", ")
        return {"why": f"ambiguous: {fitting}", "hint": "add it to the aliases of the right one"}
    if len(guesses) == 1:
        hint = f"add it to the aliases of {guesses[0]}?"
    elif guesses:
        more = ", …" if len(guesses) > MAX_GUESSES else ""
        hint = f"one of {', '.join(guesses[:MAX_GUESSES])}{more}?"
    else:
        hint = ""
    return {"why": "not in the directory", "hint": hint}


def _table(rows: list[Row]) -> str:
    header = [name for name in rows[0] if name != "identity_candidates"]
    widths = {"principal": 80, "hint": 100, "identity_name": 80}
    return table(header, [[row[name] for name in header] for row in rows], widths)
