"""Cases of broken rules: logging that is switched off, access beside what a ticket names.

Each has random numbers of its own. They are cast after all other cases, so that these stay as they
are.
"""

from __future__ import annotations

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    any_days,
    case_of,
    cast,
    cast_service,
    daily_portions,
    forget,
    home_or,
    recent_days,
    research_user,
    some_of,
    take,
    target,
)
from jobs.trial.lab.feed import REGION, Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.look_alikes import ticket
from jobs.trial.lab.records import cloudtrail
from jobs.trial.lab.service_days import hosts, night_start
from jobs.trial.lab.world import ACCOUNT, DAY, Lab, pick

TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail"


def logging_off(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person tries some shards, then narrows or stops the trail; the rest leaves no record."""
    days = recent_days(lab, rng, 1, last)
    p = cast(lab, rng, research_user, days)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 4) if p else None
    if p is None or asset is None:
        return None
    verb = pick(rng, ["StopLogging", "PutEventSelectors", "DeleteTrail", "PutBucketLogging"])
    tried, hour = int(rng.integers(2, 9)), float(rng.uniform(0, 24))

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 4000)
        who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "devbox", "vpn"))
        order = some_of(rng, asset, tried / len(asset.keys))
        take(feed, rng, who, asset, order, t, 900, 1)
        if verb == "PutBucketLogging":
            params = f'{{"bucketName":"{asset.bucket}","BucketLoggingStatus":{{}}}}'
            cloudtrail.call(feed, t + 1200, who, verb, params=params)
        else:
            params = f'{{"name":"{TRAIL}/object-events"}}'
            cloudtrail.call(feed, t + 1200, who, verb, params=params, service="cloudtrail")

    return Plan(
        case_of(
            "logging_off",
            True,
            [p],
            [asset],
            "A person tries a few shards, then ends or narrows the log.",
            None,
            verb=verb,
            tried=tried,
        ),
        days,
        act,
    )


def beside_the_ticket(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person with a ticket for one checkpoint reads another of the same team under it."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 4)
    p = cast(lab, rng, lambda p: research_user(p) and p.team != asset.team, days) if asset else None
    if p is None or asset is None:
        return None
    forget(lab, p, asset)
    others = [
        a
        for f in lab.families
        if f.kind == "checkpoint" and f.team == asset.team
        for a in available(f.assets, days[0])
        if a.asset_id != asset.asset_id
    ]
    pattern = pick(rng, others).pattern if others else f"s3://{asset.bucket}/eval/*"
    number = ticket(lab, rng, p, pattern, days[0] - 1, days[-1] + 2, "comparison of two runs")
    share, hour = float(rng.uniform(0.3, 0.9)), p.hour + float(rng.uniform(0, 9))
    portions = daily_portions(rng, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 5000)
        who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "devbox", "vpn"))
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), t, 4000, 1)

    return Plan(
        case_of(
            "beside_the_ticket",
            True,
            [p],
            [asset],
            "A person with a ticket for one checkpoint reads another one.",
            len(asset.keys),
            share=share,
            days=len(days),
            ticket=number,
        ),
        days,
        act,
    )


def logging_deployed(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """The deployment service changes the selectors of a trail, as a release says."""
    days = any_days(lab, rng, 1)
    s = cast_service(lab, rng, ("ci-bot", "image-builder", "gc-cleaner", "log-shipper"))
    if s is None:
        return None
    second = float(rng.uniform(8, 17)) * 3600

    def act(feed: Feed, day: int) -> None:
        t = lab.t0 + day * DAY + second
        who = cloudtrail.sign_in(feed, s, t, hosts(s)[0])
        params = f'{{"trailName":"{TRAIL}/management"}}'
        cloudtrail.call(feed, t, who, "UpdateTrail", params=params, service="cloudtrail")

    return Plan(
        case_of(
            "logging_deployed",
            False,
            [s],
            [],
            "The deployment service updates a trail.",
        ),
        days,
        act,
    )


RULE_INCIDENTS = (logging_off, beside_the_ticket)
RULE_LOOK_ALIKES = (logging_deployed,)
