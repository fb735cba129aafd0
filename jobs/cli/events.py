"""A day's events or rejects, filtered, as NDJSON or as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from jobs.platform.stored_rows import stored_rows
from jobs.platform.terminal_text import table
from schemas.tables.events import EVENTS, REJECTS

if TYPE_CHECKING:
    import pyarrow.compute as pc

EVENT_HEADER = (
    "event_time",
    "source",
    "user_id",
    "action",
    "action_class",
    "resource",
    "asset_id",
    "bytes_out",
    "source_ip",
    "outcome",
)
REJECT_HEADER = ("source", "file", "position", "reason", "line")
SEARCHED_IN_EVENTS = ("resource", "principal", "action", "destination", "user_agent")
SEARCHED_IN_REJECTS = ("file", "reason", "line")


@dataclass(frozen=True)
class Wanted:
    """Conditions on a day's rows. None allows any value; ``user`` is a user_id or a principal."""

    day: date
    source: str | None = None
    user: str | None = None
    asset: str | None = None
    action_class: str | None = None
    outcome: str | None = None
    contains: str | None = None


def find_events(storage: str, wanted: Wanted, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The first ``limit`` events by time (0: all), and the number of all matching events."""
    import pyarrow.compute as pc

    condition = _day_and_source(wanted)
    for column, value in (
        ("asset_id", wanted.asset),
        ("action_class", wanted.action_class),
        ("outcome", wanted.outcome),
    ):
        if value is not None:
            condition &= pc.field(column) == value
    if wanted.user is not None:
        user = pc.field("user_id") == wanted.user
        condition &= user | (pc.field("principal") == wanted.user)
    if wanted.contains is not None:
        condition &= _contains(SEARCHED_IN_EVENTS, wanted.contains)
    return stored_rows(storage, EVENTS, condition, ["event_time", "source", "event_id"], limit)


def find_rejects(storage: str, wanted: Wanted, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The first ``limit`` rejects by source, file, position (0: all), and the number of all."""
    condition = _day_and_source(wanted)
    if wanted.contains is not None:
        condition &= _contains(SEARCHED_IN_REJECTS, wanted.contains)
    return stored_rows(storage, REJECTS, condition, ["source", "file", "position"], limit)


def as_ndjson(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One JSON object a row, in ASCII, so no log value reaches a terminal as a control sequence."""
    for row in rows:
        plain = {name: _plain(value) for name, value in row.items()}
        # json escapes every control character except DEL.
        yield json.dumps(plain, ensure_ascii=True).replace("\x7f", "\\u007f")


def as_table(rows: list[dict[str, Any]], header: tuple[str, ...]) -> str:
    """The columns of ``header`` as aligned text; control characters are shown as escapes."""
    cells = [[_plain(row[name]) for name in header] for row in rows]
    return table(header, cells, {"resource": 80, "line": 100, "reason": 80, "file": 80})


def instant(moment: datetime) -> str:
    """ISO 8601 with Z. A time without a zone is UTC, as everywhere in the warehouse."""
    aware = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.isoformat().replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def _day_and_source(wanted: Wanted) -> pc.Expression:
    import pyarrow.compute as pc

    condition = pc.field("day") == pc.scalar(wanted.day)
    if wanted.source is not None:
        condition &= pc.field("source") == wanted.source
    return condition


def _contains(columns: tuple[str, ...], text: str) -> pc.Expression:
    import pyarrow.compute as pc

    found = [
        pc.if_else(pc.is_null(pc.field(column)), False, pc.match_substring(pc.field(column), text))
        for column in columns
    ]
    condition = found[0]
    for expression in found[1:]:
        condition |= expression
    return condition
