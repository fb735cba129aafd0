"""Cases in which content leaves in steps, and a release that looks like it.

Each has random numbers of its own. They are cast after all other cases, so that these stay as they
are.
"""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    case_of,
    cast,
    daily_portions,
    home_or,
    recent_days,
    research_user,
    take,
    target,
)
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.records import cloudtrail
from jobs.trial.lab.records.cloudtrail import Session
from jobs.trial.lab.service_days import night_start
from jobs.trial.lab.timing import spread
from jobs.trial.lab.world import Lab, pick

EXIT_DAYS = 5


def put(
    feed: Feed, rng: Rng, who: Session, bucket: str, names: list[str], total: int, start: float
) -> None:
    """Objects of ``total`` bytes together."""
    for name, t in zip(names, spread(rng, len(names), start, 3000), strict=True):
        size = total // len(names)
        cloudtrail.s3(feed, t, who, "PutObject", bucket, name, size=size)


def get(
    feed: Feed, rng: Rng, who: Session, bucket: str, names: list[str], total: int, start: float
) -> None:
    """Read the objects again."""
    for name, t in zip(names, spread(rng, len(names), start, 3000), strict=True):
        cloudtrail.s3(feed, t, who, "GetObject", bucket, name, size=total // len(names))


def remove(feed: Feed, rng: Rng, who: Session, bucket: str, names: list[str], start: float) -> None:
    """Delete the objects."""
    for name, t in zip(names, spread(rng, len(names), start, 600), strict=True):
        cloudtrail.s3(feed, t, who, "DeleteObject", bucket, name)


def staged_exit(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person reads a checkpoint over days, packs it, takes the pack home and deletes it."""
    days = recent_days(lab, rng, EXIT_DAYS, last)
    p = cast(lab, rng, research_user, days)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 4) if p else None
    if p is None or asset is None:
        return None
    share, packed = float(rng.uniform(0.4, 1)), float(rng.uniform(1.2, 14))
    bucket = pick(rng, [f"{lab.name}-scratch", f"{lab.name}-tmp-{int(rng.integers(1000))}"])
    stem, hour = f"{p.team}/{p.user_id}/run", float(rng.uniform(0, 12))
    names = [f"{stem}/out-{n}.bin" for n in range(int(rng.integers(2, 7)))]
    reading, rest = days[:-3] or days[:1], days[-3:]
    portions = daily_portions(rng, asset, share, reading)
    total = int(sum(asset.sizes[i] for i in np.concatenate(portions)) / packed)
    inside, home = home_or(rng, p, "devbox", "corp", "vpn"), p.ips["home"]

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 9000)
        who = cloudtrail.sign_in(feed, p, t, home if day == rest[-2 % len(rest)] else inside)
        if day in reading:
            take(feed, rng, who, asset, portions[reading.index(day)].tolist(), t, 3000, 1)
        if day == rest[0]:
            put(feed, rng, who, bucket, names, total, t + 3000)
        if day == rest[-2 % len(rest)]:
            get(feed, rng, who, bucket, names, total, t + 6000)
        if day == rest[-1]:
            remove(feed, rng, who, bucket, names, t + 9000)

    return Plan(
        case_of(
            "staged_exit",
            True,
            [p],
            [asset],
            "A person reads a checkpoint, packs it elsewhere, takes the pack home and deletes it.",
            len(asset.keys),
            share=share,
            packed=packed,
            bucket=bucket,
        ),
        days,
        act,
    )


def weekly_release(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person packs a release of the own team's checkpoint every week, as the weeks before."""
    weekday = int(rng.integers(0, min(7, lab.days)))
    days = list(range(weekday, lab.days, 7))
    p = cast(lab, rng, research_user, days)
    if p is None:
        return None
    there = [
        a
        for f in lab.families
        if f.kind == "checkpoint"
        for a in available(f.assets, 0)
        if a.team == p.team
    ] or [a for f in lab.families if f.kind == "checkpoint" for a in available(f.assets, 0)]
    asset = pick(rng, there)
    packed, hour = float(rng.uniform(1.5, 4)), p.hour + float(rng.uniform(0, 4))
    total = int(sum(asset.sizes) / packed)
    bucket, home = f"{lab.name}-releases", p.ips["home"]

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 16_000)
        names = [f"release-{day}/part-{n}" for n in range(4)]
        who = cloudtrail.sign_in(feed, p, t, p.ips["devbox"])
        take(feed, rng, who, asset, list(range(len(asset.keys))), t, 3000, 1)
        put(feed, rng, who, bucket, names, total, t + 4000)
        get(feed, rng, cloudtrail.sign_in(feed, p, t, home), bucket, names, total, t + 8000)
        remove(feed, rng, who, bucket, names, t + 12_000)

    case = case_of(
        "weekly_release",
        False,
        [p],
        [],
        "A person packs, checks and tidies up a release every week.",
        packed=packed,
    )
    for day in days:
        lab.tagged[p.user_id, day] = case
    return Plan(case, days, act)


STAGE_INCIDENTS = (staged_exit,)
STAGE_LOOK_ALIKES = (weekly_release,)
