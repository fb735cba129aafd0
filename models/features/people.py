"""People: their teams, who leaves, and for how long each is known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from models.features.memory import remembered
from models.features.rows import log_days, recent
from models.reasons.parts import Day
from models.reasons.reason import Reason
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History
    from schemas.context import Context

OPEN_NOTICE_DAYS = 120
"""Days a notice without an end date is believed."""


@remembered
def people(context: Context) -> pd.DataFrame:
    """The directory by ``user_id``, first row of each."""
    return context.directory.drop_duplicates("user_id").set_index("user_id")


@remembered
def teams(context: Context) -> dict[str, str]:
    """Declared team of each user that has one."""
    rows = people(context)["team"]
    return {str(user): str(team) for user, team in rows.items() if team}


def leaving(context: Context, day: date, leaver_days: int) -> dict[str, Reason]:
    """What to say of whoever is within a notice or offer window, or has left, however long ago."""
    found = {}
    rows = people(context)
    for user, row in rows[rows["notice_date"].notna() | rows["end_date"].notna()].iterrows():
        notice = row["notice_date"] if isinstance(row["notice_date"], date) else None
        end = row["end_date"] if isinstance(row["end_date"], date) else None
        if end is not None and end < day:
            found[str(user)] = Reason("active_after_leaving", day=Day(end.isoformat()))
        elif end is not None and day <= end <= day + timedelta(days=leaver_days):
            found[str(user)] = Reason("leaves", day=Day(end.isoformat()))
        elif notice is not None and notice <= day <= (
            end or notice + timedelta(days=OPEN_NOTICE_DAYS)
        ):
            found[str(user)] = Reason("gave_notice", day=Day(notice.isoformat()))
    return found


def settled_days(history: History, users: Iterable[str]) -> dict[str, float]:
    """Days in which each user could settle in, for detectors that excuse the first ones.

    That of people and services of the directory is their tenure. Nobody has vouched for a stranger,
    so a stranger has no first days: the answer is the whole 89 days.
    """
    known = people(history.context).index
    tenure = tenure_days(history, users)
    return {user: days if user in known else HISTORY_DAYS - 1.0 for user, days in tenure.items()}


def tenure_days(history: History, users: Iterable[str]) -> dict[str, float]:
    """Days since each user began: by ``start_date``, else since first seen (at most 89).

    Of a user without a start date who is there since the log began nothing is known, so the
    answer is then the whole 89 days.
    """
    started = people(history.context)["start_date"].to_dict()
    days = recent(history.entity_days, history.day, ["user_id"])
    first = days.groupby("user_id")["ago"].max().to_dict()
    oldest = log_days(history)
    tenures = {}
    for user in users:
        start = started.get(user)
        if isinstance(start, date):
            tenures[user] = float(max(0, (history.day - start).days))
        else:
            seen = int(first.get(user, 0))
            tenures[user] = float(HISTORY_DAYS - 1 if seen >= oldest else seen)
    return tenures
