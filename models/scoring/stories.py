"""One entry of the queue for one story, and one case for its days.

On a day the members of a ring fold into the one with the most evidence. A member folds if the
leader's evidence names it and at least OWN_SHARE of its own evidence comes from the detectors that
do so: who did something else as well stays an entry of its own. Members stay findings of the day,
below the queue.

Over days a story is a case: a finding joins the latest case of the last CASE_DAYS days that is
about one of its identities. Otherwise it opens a case, whose id is the finding's own. So a later
finding appears in the timeline of the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from models.scoring.points import CERTAIN, ScoredEntity

OWN_SHARE = 0.5
CASE_DAYS = 30
"""Days after its last finding for which a case is open; entity risk looks back as far."""


@dataclass(frozen=True)
class Case:
    """The part of a case that later findings can join."""

    id: str
    last_day: date
    """Day of its last finding in the queue."""
    users: frozenset[str]
    """Identities of all its findings in the queue."""


def fold(
    ranked: Sequence[ScoredEntity],
) -> tuple[list[ScoredEntity], list[tuple[ScoredEntity, str]]]:
    """The entities that lead a story, and the folded ones with their leader; both in their order.

    ``ranked``: the day's entities, most evidence first. A certain fact never folds.
    """
    leaders: list[ScoredEntity] = []
    folded: list[tuple[ScoredEntity, str]] = []
    naming: dict[str, list[tuple[str, str]]] = {}
    for entity in ranked:
        named = naming.get(entity.entity, ())
        found = next((leader for leader, _ in named if _belongs(entity, leader, named)), None)
        if found is not None and entity.proof < CERTAIN:
            folded.append((entity, found))
            continue
        leaders.append(entity)
        for contribution in entity.contributions:
            for user in contribution.related_users if contribution.points > 0 else ():
                naming.setdefault(user, []).append((entity.entity, contribution.detector))
    return leaders, folded


def _belongs(entity: ScoredEntity, leader: str, named: Iterable[tuple[str, str]]) -> bool:
    by = {detector for name, detector in named if name == leader}
    shared = sum(c.raw for c in entity.contributions if c.detector in by)
    return shared > 0 and shared >= OWN_SHARE * entity.raw


def case_of(day: date, users: Collection[str], cases: Iterable[Case]) -> str | None:
    """Id of the case that a finding of ``day`` about ``users`` joins; None: it opens its own.

    Of several the one with the latest finding; among these the smallest id.
    """
    oldest = day - timedelta(days=CASE_DAYS)
    fits = [
        case for case in cases if oldest <= case.last_day < day and not case.users.isdisjoint(users)
    ]
    return min(fits, key=lambda case: (-case.last_day.toordinal(), case.id)).id if fits else None


def open_cases(shown: Iterable[tuple[date, str, Collection[str]]]) -> list[Case]:
    """Cases of earlier findings in the queue: day, id of the case, identities; sorted by id."""
    days: dict[str, date] = {}
    users: dict[str, set[str]] = {}
    for day, case, people in shown:
        days[case] = max(day, days.get(case, day))
        users.setdefault(case, set()).update(people)
    return [Case(case, days[case], frozenset(users[case])) for case in sorted(days)]
