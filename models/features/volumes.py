"""How much each identity took, by hour, day and week: bytes, objects and distinct assets.

Bytes are NaN, not zero, where the log does not say how many there were; objects and assets then
speak alone (a server-side copy returns a few hundred bytes, whatever it moves).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.memory import remembered
from models.features.rows import TAKE_CLASSES, Codes, Floats, explode_hours, recent
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

MEASURES = ("bytes", "objects", "assets")
WEEK_DAYS = 7
COLUMNS = ("user_id", "user_kind", "asset_id", "action_class", "events", "failures", "bytes_out",
           "objects")  # fmt: skip


@dataclass(frozen=True)
class Volumes:
    """Amounts of one window length.

    ``users``: sorted ids; ``kinds``: code of each one's kind; ``amounts[measure]``: (users,
    columns), NaN where nothing was taken or nothing is known. Column 0 is the window that ends
    with the day; column j ends j days earlier. ``first_past``: first column that does not overlap
    with column 0. ``same_weekday``: columns of the same weekday, empty where that makes no sense.
    """

    users: NDArray[Any]
    kinds: Codes
    amounts: dict[str, Floats]
    first_past: int
    same_weekday: Codes


@remembered
def taken_rows(history: History, *extra: str, days: int = HISTORY_DAYS) -> pd.DataFrame:
    """Rows of ``access`` by which content was taken, with ``ago``; failures alone are no taking."""
    rows = recent(history.access, history.day, [*COLUMNS, *extra], days)
    taken = rows["action_class"].isin(TAKE_CLASSES) & (rows["events"] > rows["failures"])
    rows = rows[taken & (rows["user_id"] != "")].reset_index(drop=True)
    rows["bytes_out"] = pd.to_numeric(rows["bytes_out"]).astype("float64")
    return rows


@remembered
def daily_volumes(rows: pd.DataFrame) -> Volumes:
    """Amounts by day, from :func:`taken_rows`."""
    users, user = np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)
    shape = (len(users), HISTORY_DAYS)
    cell = user * HISTORY_DAYS + rows["ago"].to_numpy()
    amounts = _sums(cell, rows["bytes_out"].to_numpy(), rows["objects"].to_numpy(), shape)
    asset = pd.factorize(rows["asset_id"])[0]
    amounts["assets"] = _distinct(cell, asset, shape)
    days = np.arange(WEEK_DAYS, HISTORY_DAYS, WEEK_DAYS)
    return Volumes(users, _kinds(rows, user, len(users)), amounts, 1, days)


def hourly_volumes(rows: pd.DataFrame, days: int) -> Volumes:
    """Amounts of each day's largest hour; ``rows`` must have the column ``hourly``.

    Reaches back ``days`` days only, because the hours of a row are costly to unpack.
    """
    users, user = np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)
    kinds = _kinds(rows, user, len(users))
    near = rows["ago"].to_numpy() < days
    row, hours = explode_hours(rows.loc[near, "hourly"])
    shape = (len(users), days)
    cell = (user[near][row] * days + rows["ago"].to_numpy()[near][row]) * 24
    cell = cell + hours[:, 0].astype(np.int64)
    # `hourly` holds 0 where bytes are not known.
    known = np.where(hours[:, 2] > 0, hours[:, 2], np.nan)
    wide = (shape[0], shape[1] * 24)
    amounts = _sums(cell, known, hours[:, 3], wide)
    amounts["assets"] = _distinct(cell, pd.factorize(rows["asset_id"])[0][near][row], wide)
    largest = {
        name: _largest(values.reshape(shape[0], shape[1], 24)) for name, values in amounts.items()
    }
    same = np.arange(WEEK_DAYS, days, WEEK_DAYS)
    return Volumes(users, kinds, largest, 1, same)


@remembered
def weekly_volumes(rows: pd.DataFrame, log_days: int) -> Volumes:
    """Amounts of seven days; earlier windows only where the log reaches back far enough."""
    daily = daily_volumes(rows)
    columns = HISTORY_DAYS - WEEK_DAYS + 1
    amounts = {}
    for name in ("bytes", "objects"):
        sums = np.nancumsum(np.pad(daily.amounts[name], ((0, 0), (1, 0))), axis=1)
        amounts[name] = sums[:, WEEK_DAYS:] - sums[:, :-WEEK_DAYS]
    amounts["assets"] = _distinct_in_week(rows, daily.users, columns)
    for values in amounts.values():
        values[values <= 0] = np.nan
        values[:, max(1, log_days - WEEK_DAYS + 2) :] = np.nan
    none = np.zeros(0, dtype=np.int64)
    return Volumes(daily.users, daily.kinds, amounts, WEEK_DAYS, none)


def _sums(cell: Codes, sizes: Floats, objects: Floats, shape: tuple[int, int]) -> dict[str, Floats]:
    length = shape[0] * shape[1]
    known = np.isfinite(sizes)
    # Of nothing at all numpy's counts are whole numbers, which hold no NaN.
    summed = np.bincount(cell[known], sizes[known], length).astype(np.float64)
    counted = np.bincount(cell, objects, length).astype(np.float64)
    summed[summed <= 0] = np.nan
    counted[counted <= 0] = np.nan
    sums = {"bytes": summed, "objects": counted}
    return {name: values.reshape(shape) for name, values in sums.items()}


def _distinct(cell: Codes, asset: Codes, shape: tuple[int, int]) -> Floats:
    width = int(asset.max(initial=0)) + 1
    pairs = np.unique(cell * width + asset)
    counted = np.bincount(pairs // width, minlength=shape[0] * shape[1]).astype(np.float64)
    counted[counted == 0] = np.nan
    return counted.reshape(shape)


def _distinct_in_week(rows: pd.DataFrame, users: NDArray[Any], columns: int) -> Floats:
    """Distinct assets of each user in the week that ends ``column`` days before the day."""
    asset, _ = pd.factorize(rows["asset_id"])
    user = np.searchsorted(users, rows["user_id"].to_numpy(dtype=object))
    width = int(asset.max(initial=0)) + 1
    pairs, pair = np.unique(user * width + asset, return_inverse=True)
    seen = np.zeros((len(pairs), HISTORY_DAYS + 1))
    seen[pair, rows["ago"].to_numpy() + 1] = 1
    sums = seen.cumsum(axis=1)
    in_week = (sums[:, WEEK_DAYS:] - sums[:, :-WEEK_DAYS]) > 0
    counted = np.zeros((len(users), columns))
    np.add.at(counted, pairs // width, in_week)
    return counted


def _kinds(rows: pd.DataFrame, user: Codes, count: int) -> Codes:
    """Code of each user's kind: that of its newest row."""
    codes = pd.factorize(rows["user_kind"], sort=True)[0]
    kinds = np.zeros(count, dtype=np.int64)
    newest_last = np.lexsort((-codes, -rows["ago"].to_numpy()))
    kinds[user[newest_last]] = codes[newest_last]
    return kinds


def _largest(values: Floats) -> Floats:
    """Largest of the last axis, NaN where all are."""
    top = np.where(np.isfinite(values), values, -np.inf).max(axis=2)
    return np.where(np.isfinite(top), top, np.nan)
