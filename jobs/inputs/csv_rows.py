"""Rows of the context files: columns, cells, and checks over all rows of a file."""

from __future__ import annotations

import csv
import difflib
import io
import ipaddress
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import pandas as pd

from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    ASSET_KINDS,
    DIRECTORY_COLUMNS,
    EMPLOYMENTS,
    IDENTITY_KINDS,
    NETWORK_COLUMNS,
    NETWORK_ZONES,
)

COLUMNS = {
    "directory": DIRECTORY_COLUMNS,
    "assets": ASSET_COLUMNS,
    "approvals": APPROVAL_COLUMNS,
    "networks": NETWORK_COLUMNS,
}
INTEGER_COLUMNS = ("sensitivity", "objects", "bytes")
PROSE_COLUMNS = ("display_name", "title", "name", "reason")
"""Free text; a quoted cell may hold several lines."""
MAX_INTEGER = 2**63 - 1
ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")

Parser = Callable[[str], Any]
"""Function from a stripped cell to its value; its ValueError names the expected form."""
Line = int
"""Number of a row's first line in its file; the header is line 1."""


@dataclass(frozen=True)
class Sheet:
    """One parsed file: its typed rows and its problems."""

    rows: pd.DataFrame
    problems: tuple[str, ...] = ()


def split_cells(
    text: str, columns: tuple[str, ...], problems: list[tuple[Line, str]]
) -> list[tuple[Line, dict[str, str]]]:
    """Rows as stripped cells by column; a row that does not fit the header is a problem."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[Line, dict[str, str]]] = []
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            first_line, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                wrong = _header_problems(header, columns)
                problems += [(first_line, problem) for problem in wrong]
                if wrong:
                    return []
            elif len(cells) != len(header):
                wanted, found = len(header), len(cells)
                problems.append((first_line, f"{found} cells, where the header has {wanted}"))
            else:
                stripped = (cell.strip() for cell in cells)
                rows.append((first_line, dict(zip(header, stripped, strict=True))))
    except csv.Error as error:
        problems.append((reader.line_num, f"not valid CSV: {error}"))
    if header is None:
        problems.append((1, f"no header; expected {','.join(columns)}"))
    return rows


def _header_problems(header: list[str], columns: tuple[str, ...]) -> list[str]:
    problems = []
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            problems.append(f"{_quoted(name)}: column given twice")
        if name not in columns:
            near = difflib.get_close_matches(name, columns, n=1)
            guess = f"; did you mean `{near[0]}`?" if near else ""
            problems.append(f"{_quoted(name)}: unknown column{guess}")
    missing = [name for name in columns if name not in header]
    if missing:
        problems.append(
            f"missing columns: {', '.join(missing)} (separated by commas, in any order)"
        )
    return problems


def parse_cells(
    rows: list[tuple[Line, dict[str, str]]],
    parsers: dict[str, Parser],
    problems: list[tuple[Line, str]],
) -> list[tuple[Line, dict[str, Any]]]:
    """Typed rows; a cell that cannot be parsed is a problem, and its value None."""
    typed = []
    for line, cells in rows:
        values: dict[str, Any] = {}
        for column, parse in parsers.items():
            try:
                values[column] = parse(_printable(cells[column], column in PROSE_COLUMNS))
            except ValueError as error:
                values[column] = None
                problems.append((line, f"{column}: {error}"))
        typed.append((line, values))
    return typed


def frame_of(kind: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows of a context file with its columns; whole numbers as Int64, all else as objects."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS[kind]), dtype=object)
    present = [column for column in INTEGER_COLUMNS if column in frame]
    return frame.astype(dict.fromkeys(present, "Int64"))


# Parsers of single cells


def _printable(cell: str, lines_allowed: bool) -> str:
    """The cell; ValueError if it holds control characters, which no real name or pattern does."""
    plain = re.sub(r"[\r\n\t]+", " ", cell) if lines_allowed else cell
    if CONTROL.search(plain):
        raise ValueError(f"holds a control character: {_quoted(cell)}")
    return plain


def _text(cell: str) -> str:
    return cell


def _required(cell: str) -> str:
    if not cell:
        raise ValueError("must not be empty")
    return cell


def _one_of(values: tuple[str, ...]) -> Parser:
    def parse(cell: str) -> str:
        if cell not in values:
            allowed = ", ".join(value or "empty" for value in values)
            raise ValueError(f"one of {allowed} is expected, not {_quoted(cell)}")
        return cell

    return parse


def _listed(cell: str) -> tuple[str, ...]:
    items = (item.strip() for item in cell.split(";"))
    return tuple(dict.fromkeys(item for item in items if item))


def _whole_number(lowest: int, highest: int) -> Parser:
    def parse(cell: str) -> int | None:
        if not cell:
            return None
        if not re.fullmatch(r"[+-]?[0-9]{1,19}", cell) or not lowest <= int(cell) <= highest:
            bounds = f"{lowest} to {highest}" if highest < MAX_INTEGER else f"{lowest} or more"
            raise ValueError(f"a whole number, {bounds}, is expected, not {_quoted(cell)}")
        return int(cell)

    return parse


def iso_day_of(text: str) -> date | None:
    """The day of a text such as 2026-10-05; None if it is no such day."""
    try:
        return date.fromisoformat(text) if ISO_DAY.fullmatch(text) else None
    except ValueError:
        return None


def _day(cell: str) -> date | None:
    found = iso_day_of(cell)
    if cell and found is None:
        raise ValueError(f"a day, YYYY-MM-DD, is expected, not {_quoted(cell)}")
    return found


def _instant(hour_of_a_mere_date: time) -> Parser:
    """Parser of a time to naive UTC. A time without an offset is UTC.

    A date without a time gets the given time of day.
    """

    def parse(cell: str) -> datetime | None:
        if not cell:
            return None
        day = iso_day_of(cell)
        if day:
            return datetime.combine(day, hour_of_a_mere_date)
        try:
            found = datetime.fromisoformat(cell) if ISO_TIME.fullmatch(cell) else None
            if found and found.tzinfo:
                found = found.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            found = None
        if found is None:
            raise ValueError(f"an ISO 8601 time is expected, not {_quoted(cell)}")
        return found

    return parse


def _glob(cell: str) -> str:
    scheme = SCHEME.match(cell)
    if not scheme or scheme.end() == len(cell):
        raise ValueError(
            f"a glob over resource URIs is expected (such as s3://bucket/prefix/*), "
            f"not {_quoted(cell)}"
        )
    place = cell.find("[")
    while place >= 0:
        # As in fnmatch, a `]` directly after `[` or `[!` belongs to the set.
        negated = cell[place + 1 : place + 2] in ("!", "^")
        end = cell.find("]", place + (3 if negated else 2))
        if end < 0:
            raise ValueError(f"`[` without `]` in the glob {_quoted(cell)}")
        place = cell.find("[", end)
    return cell


def _network(cell: str) -> str:
    try:
        return str(ipaddress.ip_network(cell))
    except ValueError:
        pass
    try:
        nearest = f" (its network is {ipaddress.ip_network(cell, strict=False)})"
    except ValueError:
        nearest = ""
    raise ValueError(f"a network such as 10.0.0.0/8 is expected, not {_quoted(cell)}{nearest}")


def _quoted(cell: str) -> str:
    short = cell if len(cell) <= 60 else cell[:60] + "…"
    return ascii(short) if not short.isprintable() else f"'{short}'"


PARSERS: dict[str, dict[str, Parser]] = {
    "directory": {
        **dict.fromkeys(DIRECTORY_COLUMNS, _text),
        "user_id": _required,
        "kind": _one_of(IDENTITY_KINDS),
        "employment": _one_of(EMPLOYMENTS),
        "start_date": _day,
        "notice_date": _day,
        "end_date": _day,
        "aliases": _listed,
    },
    "assets": {
        **dict.fromkeys(ASSET_COLUMNS, _text),
        "asset_id": _required,
        "kind": _one_of(ASSET_KINDS),
        "sensitivity": _whole_number(1, 5),
        "objects": _whole_number(0, MAX_INTEGER),
        "bytes": _whole_number(0, MAX_INTEGER),
        "allowed_countries": _listed,
        "pattern": _glob,
    },
    "approvals": {
        **dict.fromkeys(APPROVAL_COLUMNS, _text),
        "ticket_id": _required,
        "user_id": _required,
        "pattern": _glob,
        "start": _instant(time.min),
        "end": _instant(time.max),
    },
    "networks": {
        **dict.fromkeys(NETWORK_COLUMNS, _text),
        "cidr": _network,
        "zone": _one_of(NETWORK_ZONES),
    },
}


# Checks over all rows of a file

Rows = list[tuple[Line, dict[str, Any]]]
RowCheck = Callable[[Rows], list[tuple[Line, str]]]


def _unique(column: str) -> RowCheck:
    def check(rows: Rows) -> list[tuple[Line, str]]:
        first: dict[str, Line] = {}
        problems = []
        for line, row in rows:
            value = row[column]
            if value and value in first:
                problems.append(
                    (line, f"{column}: {_quoted(value)} is already in line {first[value]}")
                )
            elif value:
                first[value] = line
        return problems

    return check


def _one_person_per_alias(rows: Rows) -> list[tuple[Line, str]]:
    """Problems: an alias that is exactly the alias or user_id of another identity.

    E-mail addresses are not compared, because services often have that of their owner.
    """
    owners: dict[str, dict[str, Line]] = defaultdict(dict)
    for line, row in rows:
        for name in (*(row["aliases"] or ()), row["user_id"]):
            if name and row["user_id"]:
                owners[name].setdefault(row["user_id"], line)
    problems = []
    for name, users in owners.items():
        if len(users) > 1:
            places = " and ".join(f"{_quoted(user)} (line {line})" for user, line in users.items())
            problems.append((max(users.values()), f"aliases: {_quoted(name)} belongs to {places}"))
    return problems


def _end_after_start(rows: Rows) -> list[tuple[Line, str]]:
    return [
        (line, f"end: {row['end']}, before the start {row['start']}")
        for line, row in rows
        if row["start"] and row["end"] and row["end"] < row["start"]
    ]


ROW_CHECKS: dict[str, tuple[RowCheck, ...]] = {
    "directory": (_unique("user_id"), _one_person_per_alias),
    "assets": (_unique("asset_id"),),
    "approvals": (_end_after_start,),
    "networks": (_unique("cidr"),),
}
