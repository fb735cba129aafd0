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
from schemas.context import names_of
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
def directory_ids(context: Context) -> frozenset[str]:
    """Every ``user_id`` of the directory."""
    return frozenset(context.directory["user_id"].astype(str))


@remembered
def teams(context: Context) -> dict[str, str]:
    """Declared team of each user that has one."""
    rows = people(context)["team"]
    return {str(user): str(team) for user, team in rows.items() if team}


def leaving(context: Context, day: date, leaver_days: int) -> dict[str, Reason]:
    """What to say of whoever is within a notice or offer window, or has left, however long ago.

    What is known of one account of a person holds for the person's others.
    """
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
    for user, others in _accounts(context).items():
        if user in found:
            last = rows.at[user, "end_date"]
            of_same = (each for each in others if _began_before(rows.at[each, "start_date"], last))
            found |= {other: found[user] for other in of_same if other not in found}
    return found


def _began_before(start: object, end: object) -> bool:
    """Whether an account is no new one of somebody who left and came back."""
    if not isinstance(end, date):
        return True
    return isinstance(start, date) and start < end


@remembered
def _accounts(context: Context) -> dict[str, list[str]]:
    """Further accounts of each person: those with a :func:`marks_of_people` in common."""
    marks = marks_of_people(context)
    bearers: dict[str, set[str]] = {}
    for user, names in marks.items():
        for name in names:
            bearers.setdefault(name, set()).add(user)
    return {
        user: sorted(set().union(*(bearers[name] for name in names)) - {user})
        for user, names in marks.items()
    }


@remembered
def marks_of_people(context: Context) -> dict[str, frozenset[str]]:
    """By which names a person's second account is known: aliases, and the address without a tag."""
    known, found = people(context), {}
    known = known[known["kind"] == "human"]
    for user, email, aliases in zip(known.index, known["email"], known["aliases"], strict=True):
        local, at, domain = str(email).casefold().partition("@")
        names = {str(name).casefold() for name in names_of(aliases)}
        names.add(local.partition("+")[0] + at + domain)
        found[str(user)] = frozenset(names - {""})
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
    answer is then the whole 89 days. So it is where the directory has start dates of others of the
    kind: an account that lies unused is no newcomer, whoever takes it up.
    """
    known = people(history.context)
    started, kinds = known["start_date"].to_dict(), known["kind"].to_dict()
    dated = {kinds[user] for user, start in started.items() if isinstance(start, date)}
    days = recent(history.entity_days, history.day, ["user_id"])
    first = days.groupby("user_id")["ago"].max().to_dict()
    oldest = log_days(history)
    tenures = {}
    for user in users:
        start = started.get(user)
        if isinstance(start, date):
            tenures[user] = float(max(0, (history.day - start).days))
        else:
            seen = HISTORY_DAYS if kinds.get(user) in dated else int(first.get(user, 0))
            tenures[user] = float(HISTORY_DAYS - 1 if seen >= oldest else seen)
    return tenures
