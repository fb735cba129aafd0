"""Planted incidents and look-alikes, and how a queue did with them.

An incident counts as found at a budget of N if one of its people is among the first N of a day's
queue between its first day and ``GRACE_DAYS`` after its last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.trial.rankings import Queue

GRACE_DAYS = 2


@dataclass(frozen=True)
class Case:
    """A planted incident or look-alike; ``taken``: day → share taken by its end, 0 to 1."""

    name: str
    kind: str
    users: frozenset[str]
    assets: frozenset[str]
    first: date
    last: date
    taken: dict[date, float]


@dataclass(frozen=True)
class Alert:
    """The first entry that names a person of an incident."""

    day: date
    taken: float


@dataclass(frozen=True)
class Result:
    """One ranking of one lab at one budget; ``named``: incidents whose asset an entry names."""

    found: dict[str, Alert]
    named: set[str]
    look_alikes: list[str]
    shown: int
    right: int


@dataclass(frozen=True)
class Lab:
    """One lab that was run: its cases, its queues by ranking, the identities of each day."""

    name: str
    incidents: list[Case]
    look_alikes: list[Case]
    queues: dict[str, Queue]
    active: dict[date, int]


def judge(queue: Queue, budget: int, incidents: list[Case], look_alikes: list[Case]) -> Result:
    """The result of the first ``budget`` entries of every day."""
    found: dict[str, Alert] = {}
    named: set[str] = set()
    alerted: set[str] = set()
    shown = right = 0
    for day in sorted(queue):
        for entry in queue[day][:budget]:
            shown += 1
            hits = [case for case in incidents if matches(case, day, entry)]
            right += bool(hits)
            for case in hits:
                found.setdefault(case.name, Alert(day, taken_by(case, day)))
            named |= {case.name for case in hits if not case.assets.isdisjoint(entry)}
            alerted |= {case.name for case in look_alikes if matches(case, day, entry)}
    return Result(found, named, sorted(alerted), shown, right)


def expected_by_chance(days: dict[date, int], budget: int, incidents: list[Case]) -> float:
    """Expected number of incidents found if each day's queue were drawn at random.

    ``days``: identities active on each day. Closed form for an incident: 1 − the product over its
    days of the chance that none of its people is drawn.
    """
    expected = 0.0
    for case in incidents:
        missed = 1.0
        for day, active in days.items():
            if case.first <= day <= case.last + timedelta(days=GRACE_DAYS) and active:
                for drawn in range(min(budget, active)):
                    missed *= max(0.0, 1 - len(case.users) / (active - drawn))
        expected += 1 - missed
    return expected


def read_cases(truth: dict[str, Any]) -> tuple[list[Case], list[Case]]:
    """Incidents and look-alikes of a sample lab's truth."""

    def case(entry: dict[str, Any]) -> Case:
        taken = {
            date.fromisoformat(part["day"]): float(part.get("taken_fraction") or 0.0)
            for part in entry.get("evidence", ())
        }
        first, last = (date.fromisoformat(entry[key]) for key in ("first_day", "last_day"))
        users, assets = (frozenset(entry[key]) for key in ("user_ids", "asset_ids"))
        return Case(entry["id"], entry.get("kind", ""), users, assets, first, last, taken)

    return [case(e) for e in truth["incidents"]], [case(e) for e in truth["look_alikes"]]


def matches(case: Case, day: date, entry: tuple[str, ...]) -> bool:
    """Whether an entry of ``day`` names a person of the case in its time."""
    in_time = case.first <= day <= case.last + timedelta(days=GRACE_DAYS)
    return in_time and not case.users.isdisjoint(entry)


def taken_by(case: Case, day: date) -> float:
    """Share taken by the end of ``day``, 0 to 1."""
    known = [share for at, share in case.taken.items() if at <= day]
    return max(known, default=0.0)


def taken_on_first_day(case: Case) -> float:
    """Share taken by the end of the first day on which something was taken; 0 if nothing was."""
    return next((share for _, share in sorted(case.taken.items()) if share > 0), 0.0)
