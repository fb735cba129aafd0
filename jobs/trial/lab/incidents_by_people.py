"""Incidents in which people take assets that they may read."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    case_of,
    cast,
    daily_portions,
    forget,
    free_owners,
    home_or,
    recent_days,
    research_user,
    some_of,
    take,
    target,
)
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.records import cloudtrail, github
from jobs.trial.lab.service_days import night_start
from jobs.trial.lab.timing import spread
from jobs.trial.lab.world import Lab, pick

# ---- incidents -------------------------------------------------------------------------------


def leaver_bulk_copy(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person on notice reads a whole checkpoint of their team in an afternoon."""
    days = recent_days(lab, rng, 1, last)
    asset = target(lab, rng, days[0], lambda a: bool(free_owners(lab, a)))
    p = cast(lab, rng, lambda p: p in free_owners(lab, asset), days) if asset else None
    if p is None or asset is None:
        return None
    p.notice = days[0] - int(rng.integers(1, 12))
    p.end = days[0] + int(rng.integers(2, 16))
    share, hours, parts = (
        float(rng.uniform(0.8, 1)),
        float(rng.uniform(1.2, 5)),
        int(rng.integers(1, 5)),
    )
    hour, ip = float(rng.uniform(12.5, 16)), home_or(rng, p, "vpn", "corp", "devbox")
    chain = "data-reader" if rng.random() < 0.3 else None

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, hours * 3600)
        who = cloudtrail.sign_in(feed, p, t, ip, chain=chain)
        cloudtrail.s3(
            feed,
            t - 30,
            who,
            "ListObjects",
            asset.bucket,
            asset=asset.asset_id,
            listing=asset.keys[0].rsplit("/", 1)[0],
        )
        take(feed, rng, who, asset, some_of(rng, asset, share), t, hours * 3600, parts)

    return Plan(
        case_of(
            "leaver_bulk_copy",
            True,
            [p],
            [asset],
            "A leaver on notice reads a whole checkpoint of the own team in one afternoon.",
            len(asset.keys),
            share=share,
            hours=hours,
            ranges=parts,
            chained=bool(chain),
        ),
        days,
        act,
    )


def foreign_team_night(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person of another team reads a frontier checkpoint for the first time, on two nights."""
    days = recent_days(lab, rng, int(rng.integers(2, 4)), last)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 4)
    p = cast(lab, rng, lambda p: p.team != asset.team and p.rate > 0.05, days) if asset else None
    if asset is None or p is None:
        return None
    forget(lab, p, asset)
    share, parts = float(rng.uniform(0.4, 1)), int(rng.integers(1, 4))
    hour, ip = float(rng.uniform(22, 26)) % 24, home_or(rng, p, "vpn", "home", "devbox")
    nights = daily_portions(rng, asset, share, days)
    if rng.random() < 0.4:
        lab.approvals.append(
            (
                f"ACC-{int(rng.integers(100, 999))}",
                p.user_id,
                asset.pattern,
                f"{lab.iso(days[0] - 30)}T00:00:00Z",
                f"{lab.iso(days[0] - 16)}T00:00:00Z",
                p.manager,
                "one-off comparison",
            )
        )

    def act(feed: Feed, day: int) -> None:
        mine = nights[days.index(day)].tolist()
        t = night_start(lab, p, day, hour, 9000)
        take(
            feed,
            rng,
            cloudtrail.sign_in(feed, p, t, ip),
            asset,
            mine,
            t,
            float(rng.uniform(2000, 8500)),
            parts,
        )

    return Plan(
        case_of(
            "foreign_team_night",
            True,
            [p],
            [asset],
            "A person of another team reads a checkpoint for the first time, at night.",
            len(asset.keys),
            share=share,
            nights=len(days),
            ranges=parts,
        ),
        days,
        act,
    )


def slow_drip(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person takes a checkpoint over many days, in small and regular portions."""
    days = recent_days(lab, rng, int(rng.integers(8, 13)), last)
    p = cast(lab, rng, research_user, days)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 3, 40) if p else None
    if p is None or asset is None:
        return None
    share, ip = float(rng.uniform(0.55, 1)), home_or(rng, p, "devbox", "vpn")
    hour = p.hour + float(rng.uniform(0, 8))
    portions = daily_portions(rng, asset, share, days)
    chain = "data-reader" if rng.random() < 0.5 else None
    if rng.random() < 0.5:
        forget(lab, p, asset)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour + float(rng.normal(0, 0.15)), 3000)
        mine = portions[days.index(day)].tolist()
        take(feed, rng, cloudtrail.sign_in(feed, p, t, ip, chain=chain), asset, mine, t, 2400, 1)

    return Plan(
        case_of(
            "slow_drip",
            True,
            [p],
            [asset],
            "A person reads a checkpoint in small daily portions.",
            len(asset.keys),
            share=share,
            days=len(days),
            objects_a_day=len(portions[0]),
        ),
        days,
        act,
    )


def collusion(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Colleagues read nearly disjoint shards that jointly complete a checkpoint."""
    days = recent_days(lab, rng, int(rng.integers(1, 5)), last)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 3, 30)
    if asset is None:
        return None
    crew = [cast(lab, rng, research_user, days) for _ in range(int(rng.integers(2, 5)))]
    people = [p for p in crew if p is not None]
    if len(people) < 2:
        lab.cast -= {p.user_id for p in people}
        return None
    overlap, order = float(rng.uniform(0, 0.07)), rng.permutation(len(asset.keys))
    jobs = {}
    for p, part in zip(people, np.array_split(order, len(people)), strict=True):
        extra = rng.choice(order, int(overlap * len(part)), replace=False)
        jobs[p.user_id] = np.array_split(np.concatenate([part, extra]), len(days))

    def act(feed: Feed, day: int) -> None:
        for p in people:
            t = night_start(lab, p, day, p.hour + float(rng.uniform(1, 9)), 6000)
            who = cloudtrail.sign_in(feed, p, t, home_or(rng, p, "devbox", "vpn"))
            take(
                feed,
                rng,
                who,
                asset,
                jobs[p.user_id][days.index(day)].tolist(),
                t,
                float(rng.uniform(1200, 5400)),
                1,
            )

    return Plan(
        case_of(
            "collusion",
            True,
            people,
            [asset],
            "Colleagues read nearly disjoint parts of a checkpoint, together all of it.",
            len(asset.keys),
            crew=len(people),
            overlap=overlap,
            days=len(days),
        ),
        days,
        act,
    )


def mass_clone(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """An engineer clones many private repositories of other teams with a personal token."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    p = cast(lab, rng, lambda p: p.git_rate > 0.2, days)
    if p is None:
        return None
    private = [r for r in lab.repos if r.sensitivity >= 2 and r.team != p.team]
    count = max(6, round(float(rng.uniform(0.25, 0.75)) * len(private)))
    chosen = [private[i] for i in rng.permutation(len(private))[:count]]
    token = pick(rng, ["Personal access token (classic)", "Fine-grained personal access token"])
    hours, hour = float(rng.uniform(0.5, 6)), float(rng.uniform(0, 24))
    ip = home_or(rng, p, "home", "vpn", "corp")
    parts = np.array_split(np.arange(len(chosen)), len(days))

    def act(feed: Feed, day: int) -> None:
        mine = parts[days.index(day)]
        start = night_start(lab, p, day, hour, hours * 3600)
        for i, t in zip(mine, spread(rng, len(mine), start, hours * 3600), strict=True):
            github.event(feed, t, p.github, "git.clone", chosen[i], ip, p.git_agent, token)

    return Plan(
        case_of(
            "mass_clone",
            True,
            [p],
            chosen,
            "An engineer clones most private repositories with a personal token.",
            len(chosen),
            repos=len(chosen),
            hours=hours,
            token=token,
        ),
        days,
        act,
    )


def zip_before_leaving(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """ZIP downloads of never-visited repositories shortly before leaving or giving notice."""
    days = recent_days(lab, rng, int(rng.integers(1, 4)), last)
    p = cast(lab, rng, lambda p: p.git_rate > 0.05, days)
    if p is None:
        return None
    strange = [i for i, r in enumerate(lab.repos) if r.team != p.team and r.sensitivity >= 2]
    chosen = rng.permutation(strange)[: int(rng.integers(6, 20))]
    p.repo_weights[chosen] = 0.0
    p.repo_weights /= p.repo_weights.sum()
    before = int(rng.integers(-3, 9))  # negative: notice comes only after the downloads
    p.notice = days[0] - before
    p.end = max(days[-1], p.notice) + int(rng.integers(3, 25))
    ip, hour = home_or(rng, p, "home", "vpn", "corp"), p.hour + float(rng.uniform(0, 12))
    parts = np.array_split(chosen, len(days))

    def act(feed: Feed, day: int) -> None:
        mine = parts[days.index(day)]
        start = night_start(lab, p, day, hour, 5400)
        for i, t in zip(mine, spread(rng, len(mine), start, 5000), strict=True):
            github.event(
                feed,
                t,
                p.github,
                "repo.download_zip",
                lab.repos[int(i)],
                ip,
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
                "web",
            )

    return Plan(
        case_of(
            "zip_before_leaving",
            True,
            [p],
            [lab.repos[int(i)] for i in chosen],
            "A person near notice downloads ZIPs of repositories never touched before.",
            len(chosen),
            repos=len(chosen),
            notice_days_before=before,
        ),
        days,
        act,
    )


def gradual_ramp(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A researcher reads more of their own team's assets every day, many times more at the end."""
    days = recent_days(lab, rng, int(rng.integers(9, 13)), last)
    owners = {f.team for f in lab.families if f.kind == "checkpoint"}
    p = cast(lab, rng, lambda p: research_user(p) and p.team in owners, days)
    if p is None:
        return None
    own = [a for f in lab.families if f.team == p.team for a in available(f.assets, days[0])]
    assets = [a for a in own if a.asset_id not in lab.cast] or own
    factor, base = float(rng.uniform(5, 11)), float(rng.uniform(8, 26))
    todo = [(a, i) for a in assets for i in range(len(a.keys))]
    order, at = rng.permutation(len(todo)), [0]

    def act(feed: Feed, day: int) -> None:
        step = days.index(day) / max(1, len(days) - 1)
        count = int(base * factor**step * rng.lognormal(0, 0.12))
        start = night_start(lab, p, day, p.hour + float(rng.uniform(0, 2)), 25_000)
        who = cloudtrail.sign_in(feed, p, start, home_or(rng, p, "devbox", "vpn"))
        for t in spread(rng, count, start, 24_000):
            asset, i = todo[order[at[0] % len(todo)]]
            at[0] += 1
            cloudtrail.read(feed, t, who, asset, i)

    return Plan(
        case_of(
            "gradual_ramp",
            True,
            [p],
            assets,
            "A researcher slowly reads more of the own team's assets.",
            len(todo),
            factor=factor,
            base_objects=base,
            days=len(days),
        ),
        days,
        act,
    )
