"""Approvals as they were known: one that is written afterwards covers nothing before its writing.

Each run keeps the context files with its day. So the first day whose file has a row is known. A row
of the oldest kept file may be as old as it says. An edited row counts as it was until the edit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from jobs.inputs.context import read_sheet
from jobs.platform.delta_tables import stored_files, table_exists
from schemas.context import APPROVAL_COLUMNS
from schemas.tables.runs import CONTEXT_FILES
from schemas.tables.values import HISTORY_DAYS

KEY = [name for name in APPROVAL_COLUMNS if name != "reason"]
TICKET = ["ticket_id", "user_id"]


def kept_approvals(storage: str, day: date) -> list[tuple[date, pd.DataFrame]]:
    """Versions of approvals.csv kept with the 90 days that end with ``day``, oldest first.

    Each with the first day on which it took the place of another.
    """
    import pyarrow.compute as pc

    if not table_exists(storage, CONTEXT_FILES):
        return []
    known = stored_files(storage, CONTEXT_FILES)
    near = (pc.field("day") <= pc.scalar(day)) & (
        pc.field("day") > pc.scalar(day - timedelta(days=HISTORY_DAYS))
    )
    wanted = near & (pc.field("kind") == "approvals")
    rows = known.to_table(columns=["day", "hash"], filter=wanted).to_pylist()
    rows.sort(key=lambda row: row["day"])
    firsts = [
        row["day"]
        for place, row in enumerate(rows)
        if place == 0 or row["hash"] != rows[place - 1]["hash"]
    ]
    found = known.to_table(columns=["day", "content"], filter=wanted & pc.field("day").isin(firsts))
    content = {row["day"]: row["content"] for row in found.to_pylist()}
    return [(first, _rows_of(content[first])) for first in firsts]


def _rows_of(content: bytes | None) -> pd.DataFrame:
    if content is None:
        return read_sheet("approvals", None).rows
    with tempfile.TemporaryDirectory(prefix="exfilwatch-approvals-") as folder:
        path = Path(folder) / "approvals.csv"
        path.write_bytes(content)
        return read_sheet("approvals", path).rows


def as_known(current: pd.DataFrame, versions: Sequence[tuple[date, pd.DataFrame]]) -> pd.DataFrame:
    """``current`` rows of approvals.csv, none of which starts before it was written.

    ``versions``: see :func:`kept_approvals`. With the earlier rows of tickets that were edited.
    """
    written: dict[tuple[Any, ...], pd.Timestamp | None] = {}
    edited: dict[tuple[Any, ...], pd.Timestamp] = {}
    for number, (day, rows) in enumerate(versions):
        keys = set(_keys(rows))
        for key in keys:
            written.setdefault(key, pd.Timestamp(day) if number else None)
        for key in written.keys() - keys:
            edited.setdefault(key, pd.Timestamp(day))
    now = _keys(current)
    tickets = {key[: len(TICKET)] for key in now}
    reasons = zip(now, current["reason"], strict=True)
    found = [_row(key, written.get(key), None) | {"reason": reason} for key, reason in reasons]
    found += [
        _row(key, first, edited[key]) | {"reason": ""}
        for key, first in written.items()
        if key not in set(now) and key in edited and key[: len(TICKET)] in tickets
    ]
    return pd.DataFrame(found, columns=list(APPROVAL_COLUMNS), dtype=object)


def _keys(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    each = rows[KEY].itertuples(index=False, name=None)
    return [tuple(None if pd.isna(value) else value for value in row) for row in each]


def _row(
    key: tuple[Any, ...], first: pd.Timestamp | None, until: pd.Timestamp | None
) -> dict[str, Any]:
    row = dict(zip(KEY, key, strict=True))
    if first is not None:
        row["start"] = first if row["start"] is None else max(pd.Timestamp(row["start"]), first)
    if until is not None:
        row["end"] = until if row["end"] is None else min(pd.Timestamp(row["end"]), until)
    return row
