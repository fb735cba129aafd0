"""How much of the content of other artefacts identities took at places that hold a copy of it.

No table follows the objects of such a place. So bytes stand for objects, and what was taken on
different days counts as different, as far as the content has as much. A window of a month or more
counts with its largest week, because whoever works with a copy reads the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.coverage import read_today
from models.features.memory import remembered
from models.features.rows import Codes, Floats, recent
from models.features.sensitivity import are_other
from models.features.takings import sized_rows
from models.features.volumes import WEEK_DAYS
from schemas.tables.coverage import COVERAGE_DAYS
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

KEYS = ["user_id", "asset_id"]
NAMES = ("day", "user_kind", *KEYS)


@remembered
def copies_read(history: History) -> pd.DataFrame:
    """Rows like those of COVERAGE, for each day on which an identity took content at such a place.

    Columns: ``day``, ``user_id``, ``user_kind``, ``asset_id`` (the place), ``asset_objects`` (of
    the content), and ``objects``, ``read``, ``new``, ``bytes``, ``unsized`` of each window.
    """
    sizes = {place: of.objects for place, of in history.context.derived.items() if of.objects > 0}
    columns = ["day", "user_id", "user_kind", "asset_id", "taken", "objects", "bytes"]
    rows = recent(history.pairs, history.day, columns)
    rows = rows[rows["taken"].astype(bool) & rows["asset_id"].isin(list(sizes))]
    rows = rows[(rows["user_id"] != "") & ~are_other(rows, history)].reset_index(drop=True)
    whole = rows["asset_id"].map(sizes).to_numpy(dtype=np.float64)
    known = rows["bytes"].astype("float64").to_numpy()
    pair = np.asarray(rows.groupby(KEYS).ngroup(), dtype=np.int64)
    ago = rows["ago"].to_numpy(dtype=np.int64)
    taken = _by_day(pair, ago, np.minimum(sized_rows(history, rows, known), whole))
    sent = _by_day(pair, ago, np.nan_to_num(known))
    found = rows[["day", "user_id", "user_kind", "asset_id", "ago"]].assign(asset_objects=whole)
    for days in COVERAGE_DAYS:
        objects = np.minimum(_window(taken, days)[pair, ago], whole)
        before = np.minimum(_sums(taken, HISTORY_DAYS)[pair, np.minimum(ago + days, HISTORY_DAYS)],
                            whole)  # fmt: skip
        found[f"objects_{days}"] = np.round(objects).astype(np.int64)
        found[f"read_{days}"] = objects
        found[f"new_{days}"] = np.minimum(objects, whole - before)
        found[f"bytes_{days}"] = _window(sent, days)[pair, ago]
        found[f"unsized_{days}"] = 0.0
    return found


def _by_day(pair: Codes, ago: Codes, amounts: Floats) -> Floats:
    """Amounts as (pairs, days ago)."""
    table = np.zeros((int(pair.max(initial=-1)) + 1, HISTORY_DAYS))
    np.add.at(table, (pair, ago), amounts)
    return table


def _sums(table: Floats, days: int) -> Floats:
    """Sums of ``days`` days that end so many days ago, (pairs, HISTORY_DAYS + 1)."""
    ends = np.pad(np.cumsum(np.pad(table, ((0, 0), (1, 0))), axis=1), ((0, 0), (0, days)), "edge")
    sums: Floats = ends[:, days:] - ends[:, :-days]
    return sums


def _window(table: Floats, days: int) -> Floats:
    """Amounts of windows; of long ones those of the largest week within."""
    week = _sums(table, min(days, WEEK_DAYS))
    weeks = max(1, days - WEEK_DAYS + 1)
    padded = np.pad(week, ((0, 0), (0, weeks - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weeks, axis=1)
    return np.asarray(windows.max(axis=2), dtype=np.float64)


def with_copies(rows: pd.DataFrame, copies: pd.DataFrame) -> pd.DataFrame:
    """``rows`` of COVERAGE and rows of :func:`copies_read`, in the columns that both have."""
    if copies.empty:
        return rows
    both = [name for name in copies if name in rows]
    numbers = dict.fromkeys((name for name in both if name not in NAMES), "float64")
    united = pd.concat([rows[both].astype(numbers), copies[both].astype(numbers)])
    return united.sort_values([*KEYS], kind="stable", ignore_index=True)


def read_or_copied(history: History) -> pd.DataFrame:
    """Rows of COVERAGE of the day, with those of places that hold a copy."""
    copies = copies_read(history)
    return with_copies(read_today(history), copies[copies["ago"] == 0])
