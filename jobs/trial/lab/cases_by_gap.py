"""Cases of logs that fall silent, each with random numbers of its own.

They are cast after all other cases, so that these stay as they are. A :class:`SilentLog` keeps
records out of the files, never those of an incident; all others stay byte for byte the same.
"""

from __future__ import annotations

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    any_days,
    case_of,
    cast,
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
from jobs.trial.lab.records import cloudtrail
from jobs.trial.lab.service_days import night_start
from jobs.trial.lab.world import ACCOUNT, DAY, Lab, SilentLog, pick

TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail"
HOUR = 3600.0
SILENT_SHARE = 0.75
"""Share of the records that a holiday lacks."""


def silent_bucket(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person tries some shards; then the bucket's events stay out of the trail for hours.

    In half of the labs a request that leaves the bucket out came the day before. The copy itself
    leaves no record.
    """
    days = recent_days(lab, rng, 2, last)
    p = cast(lab, rng, research_user, days)
    asset = (
        target(lab, rng, days[0], lambda a: a.team != p.team and a.sensitivity >= 4) if p else None
    )
    if p is None or asset is None:
        return None
    forget(lab, p, asset)
    tried, logged = int(rng.integers(4, 16)), bool(rng.random() < 0.5)
    start, hours = float(rng.uniform(5, 12)), float(rng.uniform(5, 11))
    begin = lab.t0 + days[-1] * DAY + start * HOUR
    inside = {a.asset_id for f in lab.families if f.bucket == asset.bucket for a in f.assets}
    lab.silences.append(SilentLog("aws_cloudtrail", begin, begin + hours * HOUR, frozenset(inside)))

    def act(feed: Feed, day: int) -> None:
        if day != days[-1]:
            if logged:
                t = night_start(lab, p, day, p.hour + 8)
                who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "devbox", "vpn"))
                params = (
                    f'{{"trailName":"{TRAIL}/object-events","advancedEventSelectors":[{{"name":'
                    '"objects","fieldSelectors":[{"field":"eventCategory","equals":["Data"]},'
                    '{"field":"resources.type","equals":["AWS::S3::Object"]},{"field":'
                    f'"resources.ARN","notStartsWith":["arn:aws:s3:::{asset.bucket}/"]}}]}}]}}'
                )
                cloudtrail.call(feed, t, who, "PutEventSelectors", params=params,
                                service="cloudtrail")  # fmt: skip
            return
        t = begin - 1.4 * HOUR
        who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "devbox", "vpn"))
        order = some_of(rng, asset, min(1.0, tried / len(asset.keys)))
        take(feed, rng, who, asset, order, t, HOUR, 1)

    case = case_of(
        "silent_bucket",
        True,
        [p],
        [asset],
        "A person tries a few shards, then the trail has nothing of the bucket for hours.",
        None,
        hours=hours,
        tried=tried,
        logged=logged,
    )
    return Plan(case, days, act)


def quiet_holiday(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Most people are away on a working day; somebody of the team reads on."""
    day = any_days(lab, rng, 1)[0]
    silent = {int((each.begin - lab.t0) // DAY) for each in lab.silences}
    while lab.date_of(day).weekday() > 4 or day in silent:
        day = (day - 1) % lab.days
    people = [p for p in lab.people if p.user_id not in lab.cast and research_user(p)]
    if not people:
        return None
    p = pick(rng, people)
    begin = lab.t0 + day * DAY
    for source in ("aws_cloudtrail", "github_audit", "kubernetes_audit"):
        lab.silences.append(SilentLog(source, begin, begin + DAY, share=SILENT_SHARE))

    def act(feed: Feed, day: int) -> None:
        own = [a for f in lab.families if f.team == p.team for a in available(f.assets, day)]
        own = own or [a for f in lab.families for a in available(f.assets, day)]
        t = night_start(lab, p, day, p.hour + 1, 4000)
        who = cloudtrail.sign_in(feed, p, t, p.ips["vpn"])
        asset = pick(rng, own)
        take(feed, rng, who, asset, some_of(rng, asset, 0.2), t, 2000, 1)

    text = "A holiday: all logs have a quarter of their records."
    return Plan(case_of("quiet_holiday", False, [p], [], text), [day], act)


GAP_INCIDENTS = (silent_bucket,)
GAP_LOOK_ALIKES = (quiet_holiday,)
