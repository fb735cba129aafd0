"""Chooses the people, days and assets of a case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jobs.trial.lab.case import Case
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.names import RESEARCH
from jobs.trial.lab.records import cloudtrail
from jobs.trial.lab.records.cloudtrail import Session
from jobs.trial.lab.timing import spread
from jobs.trial.lab.world import (
    Asset,
    Lab,
    Person,
    pick,
)

Rng = np.random.Generator
RECENT = 12  # incidents happen in the last so many days
LAPTOP = "[aws-cli/2.15.30 Python/3.11.8 Darwin/23.4.0 exe/arm64 prompt/off command/s3.cp]"


@dataclass
class Plan:
    """A case with the days it acts on and the action."""

    case: Case
    days: list[int]
    act: Callable[[Feed, int], None] = field(default=lambda feed, day: None)


# ---- casting ---------------------------------------------------------------------------------


def cast(lab: Lab, rng: Rng, want: Callable[[Person], bool], days: list[int]) -> Person | None:
    """An established person without another case, at work on the given days."""
    free = [
        p
        for p in lab.people
        if p.user_id not in lab.cast and p.start < -14 and p.notice is None and want(p)
    ]
    if not free:
        return None
    person = pick(rng, free)
    lab.cast.add(person.user_id)
    person.away -= set(range(min(days) - 3, max(days) + 2))
    return person


def cast_service(lab: Lab, rng: Rng, kinds: tuple[str, ...]) -> Person | None:
    """A service of one of the kinds, without another case."""
    free = [s for s in lab.services if s.user_id not in lab.cast and s.title in kinds]
    if not free:
        return None
    service = pick(rng, free)
    lab.cast.add(service.user_id)
    return service


def recent_days(lab: Lab, rng: Rng, span: int, last: bool) -> list[int]:
    """`span` consecutive days among the last ones; if `last`, they end on the last day."""
    span = min(span, lab.days - 1)
    low = max(1, lab.days - RECENT)
    begin = lab.days - span if last else int(rng.integers(low, max(low, lab.days - span) + 1))
    begin = min(begin, lab.days - span)
    return list(range(begin, begin + span))


def target(
    lab: Lab, rng: Rng, day: int, want: Callable[[Asset], bool], shards: int = 0
) -> Asset | None:
    """A checkpoint that exists by a day and is in no other incident."""
    found = []
    for f in lab.families:
        there = [a for a in available(f.assets, day) if a.asset_id not in lab.cast]
        if f.kind == "checkpoint" and there and want(there[-1]) and len(there[-1].keys) > shards:
            found.append(there[-1] if rng.random() < 0.6 else pick(rng, there))
    if not found:
        return None
    asset = pick(rng, found)
    lab.cast.add(asset.asset_id)
    return asset


def forget(lab: Lab, p: Person, asset: Asset) -> None:
    """Remove an asset from a person's habits."""
    mine = [i for i, f in enumerate(lab.families) if asset in f.assets]
    for w in p.family_weights:
        w[mine] = 0.0
        if not w.any():
            w[-1] = 1.0
        w /= w.sum()


def home_or(rng: Rng, p: Person, *places: str) -> str:
    """One of the places a person works from."""
    return p.ips[pick(rng, places)]


def case_of(
    name: str,
    incident: bool,
    people: list[Person],
    assets: list[Asset],
    text: str,
    total: int | None = None,
    **knobs: object,
) -> Case:
    """A case record; its id is its kind (each kind is planted once)."""
    return Case(
        name,
        name,
        incident,
        [p.user_id for p in people],
        [a.asset_id for a in assets],
        text,
        {k: round(v, 3) if isinstance(v, float) else v for k, v in knobs.items()},
        total,
    )


def research_user(p: Person) -> bool:
    """A person with ordinary access to the object store."""
    return p.team in (*RESEARCH, "data", "platform") and p.rate > 0.15


def free_owners(lab: Lab, asset: Asset) -> list[Person]:
    """Members of an asset's team without a case."""
    return [
        p
        for p in lab.people
        if p.team == asset.team
        and p.user_id not in lab.cast
        and p.start < -14
        and p.notice is None
        and research_user(p)
    ]


def take(
    feed: Feed,
    rng: Rng,
    who: Session,
    asset: Asset,
    order: list[int],
    start: float,
    seconds: float,
    parts: int,
) -> None:
    """Read the given objects over a span of time."""
    for i, t in zip(order, spread(rng, len(order), start, seconds), strict=True):
        cloudtrail.read(feed, t, who, asset, i, parts, seconds / (len(order) + 1) / (parts + 1))


def some_of(rng: Rng, asset: Asset, share: float) -> list[int]:
    """A share of an asset's objects, in order or shuffled."""
    n = len(asset.keys)
    order = rng.permutation(n)[: max(1, round(share * n))].tolist()
    return sorted(order) if rng.random() < 0.5 else order


def daily_portions(
    rng: Rng, asset: Asset, share: float, days: list[int]
) -> list[NDArray[np.int64]]:
    """A share of an asset's objects, a portion for each of the days."""
    return np.array_split(np.array(some_of(rng, asset, share)), len(days))


def any_days(lab: Lab, rng: Rng, span: int) -> list[int]:
    """Consecutive days in the later two thirds of the window."""
    span = min(span, lab.days - 1)
    begin = (
        int(rng.integers(lab.days // 3, lab.days - span + 1))
        if lab.days > 3 * span
        else lab.days - span
    )
    return list(range(begin, begin + span))
