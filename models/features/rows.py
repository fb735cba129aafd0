"""Rows of access: recent ones, lists unpacked, each row and group in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.memory import remembered
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def recent(
    frame: pd.DataFrame, day: date, columns: Iterable[str], days: int = HISTORY_DAYS
) -> pd.DataFrame:
    """``columns`` of the rows of the ``days`` days that end with ``day``, and their ``ago``."""
    ago = _days_ago(frame, day)
    kept = (ago >= 0) & (ago < days)
    rows = frame[list(columns)]
    chosen = (rows if kept.all() else rows[kept]).reset_index(drop=True)
    chosen["ago"] = ago[kept]
    return chosen


@remembered
def _days_ago(frame: pd.DataFrame, day: date) -> Codes:
    """Days between each row's day and ``day``; many detectors ask for them."""
    codes, distinct = pd.factorize(frame["day"])
    offsets = np.array([(day - value).days for value in distinct], dtype=np.int64)
    return offsets[codes] if len(codes) else np.zeros(0, dtype=np.int64)


def explode(values: pd.Series) -> tuple[Codes, list[Any]]:
    """Row position of each item of a column of lists, and the items, in order."""
    if isinstance(values.dtype, pd.ArrowDtype):
        return _item_rows(values), values.list.flatten().to_numpy(dtype=object).tolist()
    lists = [() if value is None or isinstance(value, float) else value for value in values]
    lengths = np.fromiter((len(value) for value in lists), dtype=np.int64, count=len(lists))
    return np.repeat(np.arange(len(lists)), lengths), list(chain.from_iterable(lists))


def explode_numbers(values: pd.Series) -> tuple[Codes, Codes]:
    """Like :func:`explode`, for whole numbers."""
    if isinstance(values.dtype, pd.ArrowDtype):
        return _item_rows(values), values.list.flatten().to_numpy(dtype=np.int64)
    row, found = explode(values)
    return row, np.array(found, dtype=np.int64)


def explode_structs(values: pd.Series, fields: Sequence[str]) -> tuple[Codes, Floats]:
    """Row position of each item of a column of lists of structs, and its numeric ``fields``.

    Shapes: (items,), (items, fields).
    """
    if isinstance(values.dtype, pd.ArrowDtype):
        items = values.list.flatten().struct
        return _item_rows(values), np.column_stack(
            [items.field(name).to_numpy(np.float64) for name in fields]
        )
    row, found = explode(values)
    numbers = [[item[name] for name in fields] for item in found]
    return row, np.array(numbers, dtype=np.float64).reshape(-1, len(fields))


def _item_rows(values: pd.Series) -> Codes:
    lengths = values.list.len().fillna(0).to_numpy(np.int64)
    return np.repeat(np.arange(len(values)), lengths)


@remembered
def active_entities(history: History) -> pd.DataFrame:
    """``user_id`` (sorted, unique) and ``user_kind`` of whoever came near assets on the day.

    That is whoever did more than look, write or sign in, or touched several assets. The hundreds of
    cluster nodes that only report to their API server would otherwise be the usual service, beside
    which every other one is unusual.
    """
    rows = history.entity_days
    today = rows[(rows["day"] == history.day) & rows["near"].astype(bool) & (rows["user_id"] != "")]
    return today.sort_values("user_id")[["user_id", "user_kind"]].reset_index(drop=True)


def active_or_in(history: History, rows: pd.DataFrame) -> pd.DataFrame:
    """:func:`active_entities` and the identities of ``rows`` (``user_id``, ``user_kind``)."""
    active = active_entities(history)
    others = rows.loc[~rows["user_id"].isin(active["user_id"]), ["user_id", "user_kind"]]
    found = pd.concat([active, others.drop_duplicates("user_id")])
    return found.sort_values("user_id", ignore_index=True)


def active_kinds(history: History) -> dict[str, str]:
    """Kind of each identity that acted on the day."""
    return {str(user): str(kind) for user, kind in each_row(active_entities(history))}


def each_row(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows as named tuples."""
    yield from frame.itertuples(index=False)


def each_group(frame: pd.DataFrame, key: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Rows of each value of a column, sorted by it."""
    yield from frame.groupby(key)


def each_part(
    frame: pd.DataFrame, key: str, columns: Sequence[str]
) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """Like :func:`each_group`, with each group's ``columns`` as arrays.

    Where most groups have a few rows, a frame for each of them takes longer than all the rest.
    """
    codes, values = pd.factorize(frame[key], sort=True)
    order = np.argsort(codes, kind="stable")
    arrays = {name: frame[name].to_numpy()[order] for name in columns}
    starts = np.searchsorted(codes[order], np.arange(len(values) + 1)).tolist()
    for value, start, end in zip(values, starts, starts[1:], strict=False):
        yield str(value), {name: array[start:end] for name, array in arrays.items()}


def log_days(history: History) -> int:
    """Days between the oldest row and the day: how long the habits could be watched, 0 to 89."""
    if history.entity_days.empty:
        return 0
    oldest = min(value for value in history.entity_days["day"].unique())
    return max(0, min(HISTORY_DAYS - 1, int((history.day - oldest).days)))
