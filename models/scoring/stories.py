"""One entry of the queue for one story, and one case for its days.

On a day the members of a ring fold into the one with the most evidence. A member folds if the
leader's evidence names it and at least OWN_SHARE of its own evidence comes from the detectors that
do so: who did something else as well stays an entry of its own. Members stay findings of the day,
below the queue.

A role that reads for a job folds into the submitter, if the submitter's evidence names it and at
least OWN_SHARE of the role's own is about what the job read. The story then has the evidence of the
stronger of both, so that it stands where the role would stand.

Strangers to the directory fold if the same detectors speak against them, and they share an address
or an asset: whoever opens accounts, roles or keys fills one place with them.

Over days a story is a case: a finding joins the latest case of the last CASE_DAYS days that is
about one of its identities. Otherwise it opens a case, whose id is the finding's own. So a later
finding appears in the timeline of the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta

from models.detectors.signal import MOST_RELATED
from models.reasons.parts import Identities
from models.reasons.reason import Reason
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
    ranked: Sequence[ScoredEntity], strangers: Mapping[str, Set[str]] | None = None
) -> tuple[list[ScoredEntity], list[tuple[ScoredEntity, str]]]:
    """The entities that lead a story, and the folded ones with their leader; both in their order.

    ``ranked``: the day's entities, most evidence first. ``strangers``: those that the directory
    does not know, with their addresses. A certain fact never folds.
    """
    roles = _roles_of_jobs(ranked)
    heads, members = _fold_rings(_led_by_people(ranked, roles))
    leaders, alike = _fold_strangers(heads, strangers or {})
    leader_of = {entity.entity: leader for entity, leader in members} | alike
    folded = [
        *((entity, leader) for entity, leader in members),
        *((entity, alike[entity.entity]) for entity in heads if entity.entity in alike),
        *((entity, roles[entity.entity]) for entity in ranked if entity.entity in roles),
    ]
    return leaders, [(entity, _last(leader, leader_of)) for entity, leader in folded]


def in_order(
    leaders: Sequence[ScoredEntity],
    folded: Sequence[tuple[ScoredEntity, str]],
    length: int,
    most: int,
) -> list[ScoredEntity]:
    """At most ``most`` findings: the queue of ``length`` leaders, folded entities, other leaders.

    Who folds into a leader beyond the ``most`` is left out: its story is not told.
    """
    rest = [*(entity for entity, _ in folded), *leaders[length:]]
    kept = [*leaders[:length], *rest][:most]
    names, leader_of = {each.entity for each in kept}, {each.entity: by for each, by in folded}
    return [each for each in kept if leader_of.get(each.entity, each.entity) in names]


def _last(leader: str, leader_of: Mapping[str, str]) -> str:
    """Who leads the story at last: a leader may have folded as well."""
    while leader in leader_of:
        leader = leader_of[leader]
    return leader


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


def _fold_strangers(
    leaders: Sequence[ScoredEntity], strangers: Mapping[str, Set[str]]
) -> tuple[list[ScoredEntity], dict[str, str]]:
    """Leaders that name the strangers who did likewise, and the leader of each of those."""
    first: list[ScoredEntity] = []
    leader_of: dict[str, str] = {}
    for entity in leaders:
        if entity.entity in strangers and entity.proof < CERTAIN:
            alike = (each for each in first if _did_likewise(entity, each, strangers))
            if found := next(alike, None):
                leader_of[entity.entity] = found.entity
                continue
            first.append(entity)
    others: dict[str, list[str]] = {}
    for name, leader in leader_of.items():
        others.setdefault(leader, []).append(name)
    kept = [entity for entity in leaders if entity.entity not in leader_of]
    return [_with_others(each, others.get(each.entity, ())) for each in kept], leader_of


def _did_likewise(
    one: ScoredEntity, other: ScoredEntity, strangers: Mapping[str, Set[str]]
) -> bool:
    """Whether most of a stranger's evidence speaks against another at the place or assets, too."""
    together = not strangers[one.entity].isdisjoint(strangers[other.entity])
    assets = {each.detector: set(each.asset_ids) for each in other.contributions}
    shared = sum(
        each.raw
        for each in one.contributions
        if each.detector in assets
        and (together or not assets[each.detector].isdisjoint(each.asset_ids))
    )
    return shared > 0 and shared >= OWN_SHARE * one.raw


def _with_others(entity: ScoredEntity, others: Collection[str]) -> ScoredEntity:
    if not others:
        return entity
    lead, *rest = entity.contributions
    related = tuple(sorted({*lead.related_users, *others}))[:MOST_RELATED]
    note = Reason("did_likewise", others=Identities(tuple(sorted(others))[:MOST_RELATED]))
    return replace(
        entity,
        contributions=(replace(lead, related_users=related), *rest),
        notes=(*entity.notes, note),
    )


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
