"""How much each identity took, by hour, day and week: bytes, objects and distinct assets.

Bytes are NaN, not zero, where the log does not say how many there were; objects and assets then
speak alone (a server-side copy returns a few hundred bytes, whatever it moves).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.memory import remembered
from models.features.novelty import neighbours
from models.features.rows import Codes, Floats, log_days, recent
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

MEASURES = ("bytes", "objects", "assets")
WEEK_DAYS = 7


@dataclass(frozen=True)
class Volumes:
    """Amounts of one window length.

    ``users``: sorted ids; ``kinds``: code of each one's kind; ``circles``: positions of each one's
    neighbours (:func:`models.features.novelty.neighbours`); ``amounts[measure]``: (users,
    columns), NaN where nothing was taken or nothing is known. Column 0 is the window that ends
    with the day; column j ends j days earlier. ``first_past``: first column that does not overlap
    with column 0. ``same_weekday``: columns of the same weekday, empty where that makes no sense.
    """

    users: NDArray[Any]
    kinds: Codes
    circles: list[Codes]
    amounts: dict[str, Floats]
    first_past: int
    same_weekday: Codes


@remembered
def daily_volumes(history: History) -> Volumes:
    """Amounts taken by day, of whoever took anything in the 90 days."""
    rows, user = _taking_users(history, ["user_kind", *MEASURES])
    users = np.unique(rows["user_id"].to_numpy(dtype=object))
    amounts = {name: _table(rows, user, name, len(users), HISTORY_DAYS) for name in MEASURES}
    kinds, circles = _kinds(rows, user, len(users)), neighbours(history, users)
    days = np.arange(WEEK_DAYS, HISTORY_DAYS, WEEK_DAYS)
    return Volumes(users, kinds, circles, amounts, 1, days)


@remembered
def rolling_volumes(history: History) -> Volumes:
    """Amounts of 24 hours that end within a day, see jobs.stages.features.rolling_day.

    A day that was written without them counts with what was taken on it.
    """
    daily = daily_volumes(history)
    columns = {name: f"rolling_{name}" for name in MEASURES}
    rows, user = _taking_users(history, [*columns, *columns.values()])
    for name, column in columns.items():
        rows[column] = pd.to_numeric(rows[column]).astype("float64").fillna(rows[name])
    amounts = {
        name: _table(rows, user, column, len(daily.users), HISTORY_DAYS)
        for name, column in columns.items()
    }
    return replace(daily, amounts=amounts)


@remembered
def hourly_volumes(history: History, days: int) -> Volumes:
    """Amounts of each day's largest hour; reaches back ``days`` days."""
    daily = daily_volumes(history)
    rows, user = _taking_users(history, [f"hour_{name}" for name in MEASURES])
    amounts = {
        name: _table(rows, user, f"hour_{name}", len(daily.users), days) for name in MEASURES
    }
    return replace(daily, amounts=amounts, same_weekday=np.arange(WEEK_DAYS, days, WEEK_DAYS))


@remembered
def weekly_volumes(history: History) -> Volumes:
    """Amounts of seven days; earlier windows only where the log reaches back far enough.

    Assets are known of the weeks that end on a day with access.
    """
    daily = daily_volumes(history)
    columns = HISTORY_DAYS - WEEK_DAYS + 1
    amounts = {}
    for name in ("bytes", "objects"):
        sums = np.nancumsum(np.pad(daily.amounts[name], ((0, 0), (1, 0))), axis=1)
        amounts[name] = sums[:, WEEK_DAYS:] - sums[:, :-WEEK_DAYS]
    rows, user = _taking_users(history, ["week_assets"])
    amounts["assets"] = _table(rows, user, "week_assets", len(daily.users), HISTORY_DAYS)
    amounts["assets"] = amounts["assets"][:, :columns]
    reach = log_days(history)
    for values in amounts.values():
        values[values <= 0] = np.nan
        values[:, max(1, reach - WEEK_DAYS + 2) :] = np.nan
    none = np.zeros(0, dtype=np.int64)
    return replace(daily, amounts=amounts, first_past=WEEK_DAYS, same_weekday=none)


def _taking_users(history: History, columns: list[str]) -> tuple[pd.DataFrame, Codes]:
    """Days with access of whoever took anything in the 90 days, and the code of each one's user."""
    wanted = list(dict.fromkeys(["user_id", "assets", *columns]))
    rows = recent(history.entity_days, history.day, wanted)
    taking = rows.loc[(rows["assets"] > 0) & (rows["user_id"] != ""), "user_id"].unique()
    rows = rows[rows["user_id"].isin(taking)].reset_index(drop=True)
    return rows, np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)[1]


def _table(rows: pd.DataFrame, user: Codes, column: str, users: int, days: int) -> Floats:
    """A column as (users, days), NaN where it is not known or nothing."""
    table = np.full((users, days), np.nan)
    ago, values = rows["ago"].to_numpy(), pd.to_numeric(rows[column]).to_numpy(dtype=np.float64)
    kept = (ago < days) & (values > 0)
    table[user[kept], ago[kept]] = values[kept]
    return table


def _kinds(rows: pd.DataFrame, user: Codes, count: int) -> Codes:
    """Code of each user's kind: that of its newest day with a taking."""
    codes = pd.factorize(rows["user_kind"], sort=True)[0]
    kinds = np.zeros(count, dtype=np.int64)
    taking = np.flatnonzero(rows["assets"] > 0)
    newest_last = taking[np.argsort(-rows["ago"].to_numpy()[taking], kind="stable")]
    kinds[user[newest_last]] = codes[newest_last]
    return kinds
