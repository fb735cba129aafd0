"""Cases in which one opens an asset and another one reads it.

Each has random numbers of its own. They are cast after all other cases, so that these stay as they
are.
"""

from __future__ import annotations

from dataclasses import replace

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    any_days,
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
from jobs.trial.lab.service_days import night_start
from jobs.trial.lab.world import BACKUP_ACCOUNT, OUTSIDE_ACCOUNT, Lab, pick

STRANGE_AGENT = "[Boto3/1.28.5 md/Botocore#1.31.5 os/linux lang/python#3.9.2]"
BROWSER = "[Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0]"


def opened_bucket(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person opens a bucket to a foreign account, which reads a checkpoint days later."""
    days = recent_days(lab, rng, int(rng.integers(1, 4)), last)
    opening = max(0, days[0] - int(rng.integers(2, 26)))
    p = cast(lab, rng, research_user, [opening])
    asset = target(lab, rng, opening, lambda a: a.sensitivity >= 4) if p else None
    if p is None or asset is None:
        return None
    principal = f"AIDA{int(rng.integers(10**9, 10**10))}OUTSIDE"
    share, hour = float(rng.uniform(0.3, 1)), float(rng.uniform(0, 24))
    ip = pick(rng, lab.foreign)[1]
    portions = daily_portions(rng, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 6000)
        if day == opening:
            who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "devbox", "vpn", "corp"))
            cloudtrail.open_bucket(feed, t, who, asset, OUTSIDE_ACCOUNT)
        if day in days:
            reader = cloudtrail.foreign_session(OUTSIDE_ACCOUNT, principal, ip, STRANGE_AGENT)
            order = portions[days.index(day)].tolist()
            take(feed, rng, reader, asset, order, t + 900, 4000, 1)

    case = case_of(
        "opened_bucket",
        True,
        [p],
        [asset],
        "A person opens a bucket to a foreign account, which reads a checkpoint later.",
        len(asset.keys),
        share=share,
        days_between=days[0] - opening,
        days=len(days),
    )
    case.user_ids.append(principal)
    return Plan(case, sorted({opening, *days}), act)


def link_given_away(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person signs links to the shards of a checkpoint; somebody else uses them abroad."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    p = cast(lab, rng, research_user, days)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 4) if p else None
    if p is None or asset is None:
        return None
    share, hour = float(rng.uniform(0.2, 0.9)), float(rng.uniform(0, 24))
    country, ip = pick(rng, lab.foreign)
    portions = daily_portions(rng, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 6000)
        signer = cloudtrail.sign_in(feed, p, t, p.ips["devbox"])
        friend = replace(signer, ip=ip, agent=BROWSER, authentication="QueryString")
        take(feed, rng, friend, asset, portions[days.index(day)].tolist(), t + 600, 5000, 1)

    return Plan(
        case_of(
            "link_given_away",
            True,
            [p],
            [asset],
            f"Links that a person signed are used in {country} to read a checkpoint.",
            len(asset.keys),
            share=share,
            address=ip,
            days=len(days),
        ),
        days,
        act,
    )


def approved_replication(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """An engineer replicates a bucket into our backup account, which then reads it."""
    days = any_days(lab, rng, 4)
    p = cast(lab, rng, lambda p: p.team in ("platform", "data", "inference"), days)
    if p is None:
        return None
    there = [a for f in lab.families if f.kind == "checkpoint" for a in available(f.assets, 0)]
    asset = pick(rng, there)
    principal = f"AROA{int(rng.integers(10**9, 10**10))}BACKUP:verify"
    portions = daily_portions(rng, asset, 0.3, days[1:] or days)
    ip, hour = f"10.22.{int(rng.integers(250))}.7", float(rng.uniform(1, 20))

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 5000)
        if day == days[0]:
            who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "vpn", "corp"))
            cloudtrail.replicate(feed, t, who, asset, f"{lab.name}-backup", BACKUP_ACCOUNT)
            return
        reader = cloudtrail.foreign_session(BACKUP_ACCOUNT, principal, ip, STRANGE_AGENT)
        order = portions[days.index(day) - 1].tolist()
        take(feed, rng, reader, asset, order, t + 900, 3000, 1)

    case = case_of(
        "approved_replication",
        False,
        [p],
        [],
        "An engineer replicates a bucket into the backup account, which verifies the copy.",
    )
    case.user_ids.append(principal)
    return Plan(case, days, act)


GRANT_INCIDENTS = (opened_bucket, link_given_away)
GRANT_LOOK_ALIKES = (approved_replication,)
