"""Cases of work across teams, each with random numbers of its own.

They are cast after all other cases, so that these stay as they are.
"""

from __future__ import annotations

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    any_days,
    case_of,
    cast,
    daily_portions,
    forget,
    home_or,
    recent_days,
    research_user,
    some_of,
    take,
    target,
)
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.names import RESEARCH
from jobs.trial.lab.records import cloudtrail
from jobs.trial.lab.service_days import night_start
from jobs.trial.lab.world import Lab, Person, pick

LOOK_DAYS = 21
LEAST_TEAM = 3


def second_visit(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person looks cheaply at a far team's checkpoint; three weeks later they read the bulk."""
    reads = recent_days(lab, rng, int(rng.integers(1, 4)), last)
    p = cast(lab, rng, research_user, reads)
    look = max(0, reads[0] - LOOK_DAYS - int(rng.integers(0, 4)))
    asset = target(lab, rng, look, lambda a: a.team != p.team and a.sensitivity >= 4) if p else None
    if p is None or asset is None:
        return None
    for mate in (each for each in lab.people if each.team == p.team):
        forget(lab, mate, asset)
    share, hour = float(rng.uniform(0.4, 0.95)), p.hour + float(rng.uniform(0, 9))
    portions = daily_portions(rng, asset, share, reads)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 6000)
        who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "devbox", "vpn"))
        order = some_of(rng, asset, 0.01) if day == look else []
        if day in reads:
            order = portions[reads.index(day)].tolist()
        take(feed, rng, who, asset, order, t, 5000, 1)

    case = case_of(
        "second_visit",
        True,
        [p],
        [asset],
        "A person who looked at a far team's checkpoint weeks ago reads the bulk of it.",
        len(asset.keys),
        share=share,
        days=len(reads),
        days_between=reads[0] - look,
    )
    return Plan(case, sorted({look, *reads}), act)


def team_project(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Half of a team works with another team's run for two weeks; one reads much at the end."""
    days = any_days(lab, rng, 12)
    free: dict[str, list[Person]] = {}
    for p in lab.people:
        if p.user_id not in lab.cast and p.start < -14 and p.notice is None and research_user(p):
            free.setdefault(p.team, []).append(p)
    chosen = [team for team in RESEARCH if len(free.get(team, [])) >= LEAST_TEAM]
    if not chosen:
        return None
    team = pick(rng, chosen)
    others = [
        a
        for f in lab.families
        if f.kind == "checkpoint" and f.team != team
        for a in available(f.assets, days[0])
        if a.asset_id not in lab.cast
    ]
    if not others:
        return None
    asset = pick(rng, others)
    size = sum(p.team == team for p in lab.people)
    people = free[team][: max(LEAST_TEAM, size // 2)]
    lab.cast |= {p.user_id for p in people} | {asset.asset_id}
    share = float(rng.uniform(0.4, 0.9))

    def act(feed: Feed, day: int) -> None:
        for p in people:
            if day != days[-1] and rng.random() < 0.6:
                continue
            t = night_start(lab, p, day, p.hour + float(rng.uniform(1, 7)), 4000)
            who = cloudtrail.sign_in(feed, p, t, p.ips["devbox"])
            part = share if day == days[-1] and p is people[0] else 0.08
            take(feed, rng, who, asset, some_of(rng, asset, part), t, 3000, 1)

    text = "A team works with another team's run; one of them reads much of it at the end."
    return Plan(case_of("team_project", False, people, [asset], text, share=share), days, act)


TEAM_INCIDENTS = (second_visit,)
TEAM_LOOK_ALIKES = (team_project,)
