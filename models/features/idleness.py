"""For how long identities and credentials were idle before they came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.people import people
from models.features.rows import Floats, log_days, recent
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

STRETCH_DAYS, STRETCH_ACTIVE = 7, 3
"""Active days within so many days that are work, even without content."""
SETTLED_DAYS = 14
"""Looks so many days before the day do not make an idle identity less idle: a thief tries first."""
ALIKE = 0.7
"""Share of a break from which an earlier break is like it."""


@dataclass(frozen=True)
class Break:
    """Days without work before an identity came back.

    ``share``: how far it still is on the way back, 1 on the first day. ``whole``: the break began
    with work that the log holds; otherwise it is the least that the log proves. ``looks``: active
    days within the break. ``alike``: earlier breaks of much the same length.
    """

    days: int
    share: float
    whole: bool
    looks: int = 0
    alike: int = 0


def breaks(
    history: History, users: list[str], return_days: int, least_days: int
) -> dict[str, list[Break]]:
    """Breaks of each of ``users`` that ended within its last ``return_days`` days of work.

    Work is a day on which content was taken, or a day of a stretch with STRETCH_ACTIVE active days
    within STRETCH_DAYS. One look or one small read does not end a break: the identity is back after
    ``return_days`` days of work. Nobody is idle before the day on which they began. Of strangers to
    the directory only breaks between days in the log are known. Breaks shorter than ``least_days``
    may be left out.
    """
    active, work = _days(history, users)
    # Whoever worked on so many of the last days has no break among its last days of work.
    lately = work[:, 1 : least_days + 1].sum(axis=1)
    started = people(history.context)["start_date"].to_dict()
    first = log_days(history)
    found: dict[str, list[Break]] = {}
    for row in np.flatnonzero(lately < return_days):
        user = users[row]
        since = _days_since_start(started, user, history.day, first)
        mine = _breaks_of(active[row], work[row], since, return_days)
        if mine:
            found[user] = mine
    return found


def _days(history: History, users: list[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Active days and days of work by days ago; both (users, HISTORY_DAYS)."""
    rows = recent(history.entity_days, history.day, ["user_id", "assets"])
    place = pd.Index(users).get_indexer(pd.Index(rows["user_id"]))
    rows, place = rows[place >= 0], place[place >= 0]
    active = np.zeros((len(users), HISTORY_DAYS), dtype=bool)
    content = active.copy()
    active[place, rows["ago"]] = True
    content[place, rows["ago"]] = rows["assets"].to_numpy() > 0
    # Of the day itself and the days before it; the days after a day belong to no stretch of it.
    counts = np.cumsum(np.pad(active.astype(np.int16), ((0, 0), (1, STRETCH_DAYS))), axis=1)
    ends = np.minimum(np.arange(HISTORY_DAYS) + STRETCH_DAYS, HISTORY_DAYS)
    within = counts[:, ends] - counts[:, np.arange(HISTORY_DAYS)]
    return active, content | (active & (within >= STRETCH_ACTIVE))


def _days_since_start(started: dict[Any, Any], user: str, day: date, first: int) -> int | None:
    """Days since the identity began or the log did, the later one; None for strangers."""
    if user not in started:
        return None
    start = started[user]
    return min(first, (day - start).days) if isinstance(start, date) else first


def _breaks_of(
    active: NDArray[np.bool_], work: NDArray[np.bool_], since: int | None, return_days: int
) -> list[Break]:
    ago = [0, *(np.flatnonzero(work[1:]) + 1).tolist()]
    lengths = np.diff(ago)
    found = []
    for number, length in enumerate(lengths[:return_days]):
        later = lengths[number + 1 :]
        found.append(
            Break(
                days=int(length),
                share=1 - number / return_days,
                whole=True,
                looks=_looks(active, ago[number], ago[number + 1]),
                alike=int((later >= ALIKE * length).sum()),
            )
        )
    if since is not None and len(lengths) < return_days:
        found.append(
            Break(
                days=since - ago[-1],
                share=1 - len(lengths) / return_days,
                whole=False,
                looks=_looks(active, ago[-1], HISTORY_DAYS),
            )
        )
    return found


def _looks(active: NDArray[np.bool_], start: int, end: int) -> int:
    return int(active[max(start + 1, SETTLED_DAYS) : end].sum())


def credential_idle_days(history: History) -> pd.DataFrame:
    """``user_id``, ``value`` (the credential) and ``idle``: days since its use before this week."""
    rows = history.novelty[history.novelty["day"] == history.day]
    rows = rows[(rows["kind"] == "credential") & rows["earlier_day"].notna()]
    idle: Floats = np.array(
        [(history.day - each).days for each in rows["earlier_day"]], dtype=float
    )
    return rows[["user_id", "value"]].assign(idle=idle).reset_index(drop=True)
