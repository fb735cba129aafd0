"""One entry of the queue for one story, and one case for its days.

On a day the members of a ring fold into the one with the most evidence. A member folds if the
leader's evidence names it and at least OWN_SHARE of its own evidence comes from the detectors that
do so: who did something else as well stays an entry of its own. Members stay findings of the day,
below the queue.

A role that reads for a job folds into the submitter, if the submitter's evidence names it and at
least OWN_SHARE of the role's own is about what the job read. The story then has the evidence of the
stronger of both, so that it stands where the role would stand.

Over days a story is a case: a finding joins the latest case of the last CASE_DAYS days that is
about one of its identities. Otherwise it opens a case, whose id is the finding's own. So a later
finding appears in the timeline of the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from models.scoring.points import CERTAIN, ScoredEntity

OWN_SHARE = 0.5
JOBS = "job_cover"
"""The detector whose evidence about a submitter names the roles of the jobs."""
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
    roles = _roles_of_jobs(ranked)
    leaders, members = _fold_rings(_led_by_people(ranked, roles))
    lead = {entity.entity for entity in leaders}
    leader_of = {entity.entity: leader for entity, leader in members}
    of_roles = [
        (entity, name if name in lead else leader_of[name])
        for entity in ranked
        if (name := roles.get(entity.entity)) is not None
    ]
    return leaders, [*members, *of_roles]


def _roles_of_jobs(ranked: Iterable[ScoredEntity]) -> dict[str, str]:
    """Submitter of each role that folds; of several the one with the most evidence."""
    submitters: dict[str, list[tuple[ScoredEntity, frozenset[str]]]] = {}
    for entity in ranked:
        for contribution in entity.contributions:
            if contribution.detector == JOBS and contribution.points > 0:
                for role in contribution.related_users:
                    read = frozenset(contribution.asset_ids)
                    submitters.setdefault(role, []).append((entity, read))
    found = {}
    for entity in ranked:
        for submitter, read in submitters.get(entity.entity, ()):
            shared = sum(
                part.raw
                for part in entity.contributions
                if part.asset_ids and read.issuperset(part.asset_ids)
            )
            alike = shared > 0 and shared >= OWN_SHARE * entity.raw
            if alike and entity.proof <= submitter.proof and submitter.entity != entity.entity:
                found[entity.entity] = submitter.entity
                break
    return {role: name for role, name in found.items() if name not in found}


def _led_by_people(ranked: Iterable[ScoredEntity], roles: Mapping[str, str]) -> list[ScoredEntity]:
    """``ranked`` without the folded roles; submitters have their roles' place and evidence."""
    most: dict[str, float] = {}
    for entity in ranked:
        most.setdefault(roles.get(entity.entity, entity.entity), entity.raw)
    own = {entity.entity: entity for entity in ranked}
    return [replace(own[name], raw=evidence) for name, evidence in most.items()]


def _fold_rings(
    ranked: Sequence[ScoredEntity],
) -> tuple[list[ScoredEntity], list[tuple[ScoredEntity, str]]]:
    """Leaders, and members of rings with their leader; both in their order."""
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
