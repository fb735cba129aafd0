"""Habits: when and from where people work, and on which assets."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.world import Asset, Lab, Person, pick


def working(p: Person, lab: Lab, day: int, rng: np.random.Generator) -> bool:
    """Whether a person works on a local day at all."""
    if day < p.start or (p.end is not None and day > p.end) or day in p.away:
        return False
    if day in p.surge or day in p.trip:
        return True
    weekend = lab.date_of(day).weekday() >= 5
    return bool(rng.random() < (p.weekend if weekend else 0.93))


def local_hours(p: Person, rng: np.random.Generator, count: int) -> np.ndarray:
    """Local hours of the day's tasks: a working day with a lunch dip and some evenings."""
    hours = p.hour + rng.beta(1.6, 1.5, count) * 9.0
    hours = np.where(rng.random(count) < 0.12, hours + rng.normal(4.5, 1.5, count), hours)
    dip = p.hour + 3.2
    return np.where(np.abs(hours - dip) < 0.4, hours + 0.9, hours)


def address(p: Person, day: int, rng: np.random.Generator, weights: tuple[float, ...]) -> str:
    """A person's place of work: dev machine, VPN, office or home; abroad on a trip."""
    if day in p.trip:
        return p.trip[day] if rng.random() < 0.8 else p.ips["vpn"]
    return p.ips[pick(rng, ("devbox", "vpn", "corp", "home"), weights)]


def available(assets: list[Asset], day: int) -> list[Asset]:
    """Assets that exist by a day."""
    return [a for a in assets if a.born < day]


def choose_asset(p: Person, lab: Lab, day: int, rng: np.random.Generator, ip: str) -> Asset | None:
    """An asset drawn from this week's habits, mostly the newest of its family."""
    weights = p.family_weights[max(0, day + 7) // 7 % len(p.family_weights)]
    fam = lab.families[int(rng.choice(len(weights), p=weights))]
    if fam.allowed and day in p.trip and ip == p.trip[day]:
        return None
    there = available(fam.assets, day)
    if not there:
        return None
    return there[-1] if rng.random() < 0.55 else pick(rng, there)


def sample_indexes(asset: Asset, count: int, rng: np.random.Generator) -> list[int]:
    """Objects one task reads: a run of shards, or a random handful with the small files."""
    n = len(asset.keys)
    count = min(count, n)
    if rng.random() < 0.6:
        begin = int(rng.integers(0, n - count + 1))
        return list(range(begin, begin + count))
    indexes: list[int] = rng.choice(n, count, replace=False).tolist()
    return indexes
