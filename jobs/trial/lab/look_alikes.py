"""Legitimate cases that look like theft."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.casting import Plan, Rng, any_days, case_of, cast, cast_service, take
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.names import RESEARCH
from jobs.trial.lab.population import make_service
from jobs.trial.lab.records import cloudtrail, github
from jobs.trial.lab.service_days import hosts, night_start
from jobs.trial.lab.timing import spread
from jobs.trial.lab.world import ACCOUNT, BACKUP_ACCOUNT, DAY, Lab, Person, pick

# ---- look-alikes -----------------------------------------------------------------------------


def ticket(lab: Lab, rng: Rng, p: Person, pattern: str, first: int, last: int, reason: str) -> str:
    """Add an approval by the person's manager (or anybody else) and return its id."""
    ticket_id = f"CHG-{int(rng.integers(1000, 9999))}"
    approver = p.manager or pick(rng, [q for q in lab.people if q is not p]).user_id
    lab.approvals.append(
        (
            ticket_id,
            p.user_id,
            pattern,
            f"{lab.iso(first)}T00:00:00Z",
            f"{lab.iso(last + 1)}T00:00:00Z",
            approver,
            reason,
        )
    )
    return ticket_id


def migration(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """With a ticket, all objects of a run are copied into a new bucket of the lab."""
    days = any_days(lab, rng, int(rng.integers(1, 4)))
    p = cast(lab, rng, lambda p: p.team in ("platform", "data", "inference"), days)
    if p is None:
        return None
    runs = [f for f in lab.families if f.kind == "checkpoint" and available(f.assets, days[0])]
    chosen = [runs[i] for i in rng.permutation(len(runs))[: int(rng.integers(1, 4))]]
    assets = [a for f in chosen for a in available(f.assets, days[0])]
    tickets = [
        ticket(
            lab, rng, p, f"s3://{f.bucket}/{f.prefix}/*", days[0] - 1, days[-1], "storage migration"
        )
        for f in chosen
    ]
    todo = np.array_split(
        np.array([(n, i) for n, a in enumerate(assets) for i in range(len(a.keys))]), len(days)
    )

    def act(feed: Feed, day: int) -> None:
        start = night_start(lab, p, day, p.hour + 0.5, 22_000)
        who = cloudtrail.sign_in(feed, p, start, p.ips["devbox"])
        mine = todo[days.index(day)]
        for (n, i), t in zip(mine, spread(rng, len(mine), start, 20_000), strict=True):
            cloudtrail.copy(feed, t, who, assets[n], int(i), f"{lab.name}-ckpt-cold", ACCOUNT)

    return Plan(
        case_of(
            "migration",
            False,
            [p],
            assets,
            "A ticketed migration copies whole runs into a new bucket of ours.",
            None,
            tickets=tickets,
        ),
        days,
        act,
    )


def onboarding(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A joiner clones some thirty repositories in the first days."""
    joiners = [p for p in lab.people if p.start > 0 and p.user_id not in lab.cast]
    if not joiners:
        return None
    p = pick(rng, joiners)
    lab.cast.add(p.user_id)
    p.away = set()
    days = [d for d in range(p.start, p.start + 2) if d < lab.days]
    count = min(len(lab.repos), int(rng.integers(20, 36)))
    score = np.array([3.0 if r.team == p.team or i < 4 else 0.6 for i, r in enumerate(lab.repos)])
    chosen = rng.choice(len(lab.repos), count, replace=False, p=score / score.sum())
    parts = np.array_split(chosen, len(days))

    def act(feed: Feed, day: int) -> None:
        mine = parts[days.index(day)]
        start = night_start(lab, p, day, p.hour + 1, 20_000)
        for i, t in zip(mine, spread(rng, len(mine), start, 18_000), strict=True):
            github.event(
                feed, t, p.github, "git.clone", lab.repos[int(i)], p.ips["corp"], p.git_agent
            )

    return Plan(
        case_of(
            "onboarding",
            False,
            [p],
            [lab.repos[int(i)] for i in chosen],
            "A new joiner clones the handbook's repositories.",
            None,
            repos=count,
        ),
        days,
        act,
    )


def weekly_eval_sweep(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """The evaluation service reads every checkpoint once a week."""
    s = cast_service(lab, rng, ("eval-sweeper",))
    if s is None:
        return None
    weekday, parts, begin = int(rng.integers(7)), int(rng.integers(1, 3)), int(rng.integers(0, 14))
    days = [d for d in range(lab.days) if lab.date_of(d).weekday() == weekday] or [0]

    def act(feed: Feed, day: int) -> None:
        assets = [
            a for f in lab.families if f.kind == "checkpoint" for a in available(f.assets, day)
        ]
        t: float = lab.t0 + day * DAY + begin * 3600
        who = [cloudtrail.sign_in(feed, s, t, ip) for ip in hosts(s)]
        for asset in assets:
            take(
                feed,
                rng,
                pick(rng, who),
                asset,
                list(range(len(asset.keys))),
                t,
                28_000 / len(assets),
                parts,
            )
            t += 30_000 / len(assets)

    return Plan(
        case_of(
            "weekly_eval_sweep",
            False,
            [s],
            [],
            "The evaluation service reads every checkpoint weekly.",
            None,
            weekday=weekday,
            ranges=parts,
        ),
        days,
        act,
    )


def team_transfer(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person changes team (a later directory says so) and works on the new team's assets."""
    days = any_days(lab, rng, int(rng.integers(5, 10)))
    owners = sorted({f.team for f in lab.families if f.kind == "checkpoint"})
    p = cast(lab, rng, lambda p: p.team in (*RESEARCH, "data"), days)
    if p is None:
        return None
    team = pick(rng, [t for t in owners if t != p.team])
    p.new_team = (days[0], team)
    weights = np.array([1.0 if f.team == team else 0.0 for f in lab.families])
    weights = weights * rng.gamma(1.0, 1.0, len(weights)) + 1e-6
    for week in range(len(p.family_weights)):
        if week * 7 - 7 >= days[0] - 6:
            p.family_weights[week] = weights / weights.sum()
    repos = np.array(
        [3.0 if r.team == team else 1.0 if i < 4 else 0.02 for i, r in enumerate(lab.repos)]
    )
    case = case_of(
        "team_transfer",
        False,
        [p],
        [],
        f"A person moves from {p.team} to {team}.",
        None,
        new_team=team,
    )
    for d in days:
        lab.tagged[p.user_id, d] = case

    def act(feed: Feed, day: int) -> None:
        if day == days[0]:
            p.repo_weights = repos / repos.sum()

    return Plan(case, days, act)


def conference_trip(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Ordinary work from a foreign address for some days."""
    days = any_days(lab, rng, int(rng.integers(3, 6)))
    p = cast(lab, rng, lambda p: p.git_rate > 0.3, days)
    if p is None:
        return None
    country, ip = pick(rng, [f for f in lab.foreign if f[0] != p.country])
    case = case_of(
        "conference_trip",
        False,
        [p],
        [],
        f"A person works as usual from a conference in {country}.",
        None,
        country=country,
    )
    for d in days:
        p.trip[d] = ip
        lab.tagged[p.user_id, d] = case
    return Plan(case, days)


def incident_response(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """With a ticket, the security team reads a few objects of every asset within hours."""
    days = any_days(lab, rng, int(rng.integers(1, 3)))
    p = cast(lab, rng, lambda p: p.team == "security", days) or cast(
        lab, rng, lambda p: p.team == "platform", days
    )
    if p is None:
        return None
    bucket = {f.bucket for f in lab.families}
    tickets = [
        ticket(lab, rng, p, f"s3://{b}/*", days[0], days[-1], "incident response")
        for b in sorted(bucket)
    ]
    tickets.append(
        ticket(lab, rng, p, f"github://{lab.org}/*", days[0], days[-1], "incident response")
    )
    repos = rng.permutation(len(lab.repos))[: int(rng.integers(5, 20))]

    def act(feed: Feed, day: int) -> None:
        start = night_start(lab, p, day, float(rng.uniform(0, 24)), 15_000)
        who = cloudtrail.sign_in(feed, p, start, p.ips["vpn"], chain="data-reader")
        assets = [a for f in lab.families for a in available(f.assets, day)]
        for asset in assets:
            chosen = rng.permutation(len(asset.keys))[: int(rng.integers(1, 40))].tolist()
            take(feed, rng, who, asset, chosen, start + float(rng.uniform(0, 10_000)), 3000, 1)
        for i, t in zip(repos, spread(rng, len(repos), start, 12_000), strict=True):
            github.event(
                feed, t, p.github, "git.clone", lab.repos[int(i)], p.ips["vpn"], p.git_agent
            )

    return Plan(
        case_of(
            "incident_response",
            False,
            [p],
            [],
            "A ticketed incident response reads many assets.",
            None,
            tickets=tickets,
        ),
        days,
        act,
    )


def release_crunch(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A whole team works at a multiple of its usual volume for some days."""
    days = any_days(lab, rng, int(rng.integers(3, 7)))
    teams: dict[str, list[Person]] = {}
    for p in lab.people:
        if p.user_id not in lab.cast and p.team in RESEARCH:
            teams.setdefault(p.team, []).append(p)
    big = [t for t in teams if len(teams[t]) >= 3]
    if not big:
        return None
    team, factor = pick(rng, big), float(rng.uniform(3, 5.5))
    case = case_of(
        "release_crunch",
        False,
        teams[team],
        [],
        f"{team} does more work before a release.",
        None,
        factor=factor,
    )
    for p in teams[team]:
        lab.cast.add(p.user_id)
        p.away -= set(days)
        for d in days:
            p.surge[d] = factor * float(rng.lognormal(0, 0.3))
            lab.tagged[p.user_id, d] = case
    return Plan(case, days)


def new_backup_service(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A new service starts mid-window and copies everything, with approvals."""
    days = any_days(lab, rng, 3)
    name = pick(rng, ["vault-sync", "cold-store", "snapshotter", "dr-mirror"])
    s = make_service(rng, f"svc{100 + len(lab.services)}", name, "backup")
    s.start, s.rate = days[0], 0.3
    lab.services.append(s)
    lab.cast.add(s.user_id)
    tickets = [
        ticket(lab, rng, s, f"s3://{b}/*", days[0], lab.days + 300, "new backup service")
        for b in sorted({f.bucket for f in lab.families})
    ]

    def act(feed: Feed, day: int) -> None:
        assets = [a for f in lab.families for a in available(f.assets, day)]
        t: float = lab.t0 + day * DAY + 1800
        who = cloudtrail.sign_in(feed, s, t, hosts(s)[0])
        for asset in assets[days.index(day) :: len(days)]:
            for i in range(len(asset.keys)):
                t = min(t + 20 * rng.random(), lab.t0 + (day + 1) * DAY - 1)
                cloudtrail.copy(feed, t, who, asset, i, f"{lab.name}-backup-2", BACKUP_ACCOUNT)

    return Plan(
        case_of(
            "new_backup_service",
            False,
            [s],
            [],
            "A new, approved backup service copies everything.",
            None,
            tickets=tickets,
        ),
        days,
        act,
    )


def night_owl(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person who always works at night."""
    days = list(range(lab.days))
    p = cast(lab, rng, lambda p: p.rate > 0.2, days[-3:])
    if p is None:
        return None
    p.hour = float(rng.uniform(18, 22))
    case = case_of(
        "night_owl", False, [p], [], "A person always works at night.", None, start_hour=p.hour
    )
    for d in days:
        lab.tagged[p.user_id, d] = case
    return Plan(case, days)


LOOK_ALIKES = (
    onboarding,
    migration,
    weekly_eval_sweep,
    team_transfer,
    conference_trip,
    incident_response,
    release_crunch,
    new_backup_service,
    night_owl,
)
