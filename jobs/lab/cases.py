"""Planted incidents and legitimate look-alikes: one function each, listed in two tuples.

Every function casts its people, draws its knobs from the generator it is given and returns a
`Plan`: the case, the days it acts on, and what it does on such a day. Functions return None where
the lab is too small to cast them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from jobs.lab.activity import KUBECTL, available, exec_in_pod, hosts, night_start, pod_name
from jobs.lab.feed import Case, Feed, Session, spread
from jobs.lab.world import (
    ACCOUNT,
    BACKUP_ACCOUNT,
    DAY,
    K8S_CLUSTER,
    OUTSIDE_ACCOUNT,
    RESEARCH,
    Asset,
    Lab,
    Person,
    make_service,
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
    """An established person nobody else has cast, at work on the days in question."""
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
    """A service of one of the kinds that no other case uses."""
    free = [s for s in lab.services if s.user_id not in lab.cast and s.title in kinds]
    if not free:
        return None
    service = pick(rng, free)
    lab.cast.add(service.user_id)
    return service


def recent_days(lab: Lab, rng: Rng, span: int, last: bool) -> list[int]:
    """`span` consecutive days among the last ones; ending on the last day if asked to."""
    span = min(span, lab.days - 1)
    low = max(1, lab.days - RECENT)
    begin = lab.days - span if last else int(rng.integers(low, max(low, lab.days - span) + 1))
    begin = min(begin, lab.days - span)
    return list(range(begin, begin + span))


def target(
    lab: Lab, rng: Rng, day: int, want: Callable[[Asset], bool], shards: int = 0
) -> Asset | None:
    """A checkpoint that exists by a day and that no other incident takes."""
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
    """Make sure a person's habits never lead to an asset."""
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
    """Somebody with ordinary object-store access."""
    return p.team in (*RESEARCH, "data", "platform") and p.rate > 0.15


def free_owners(lab: Lab, asset: Asset) -> list[Person]:
    """Members of an asset's team whom no case has cast yet."""
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
        feed.read(t, who, asset, i, parts, seconds / (len(order) + 1) / (parts + 1))


def some_of(rng: Rng, asset: Asset, share: float) -> list[int]:
    """A share of an asset's objects, in order or shuffled."""
    n = len(asset.keys)
    order = rng.permutation(n)[: max(1, round(share * n))].tolist()
    return sorted(order) if rng.random() < 0.5 else order


# ---- incidents -------------------------------------------------------------------------------


def leaver_bulk_copy(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """After giving notice: a whole checkpoint of the own team in an afternoon."""
    days = recent_days(lab, rng, 1, last)
    asset = target(lab, rng, days[0], lambda a: bool(free_owners(lab, a)))
    p = asset and cast(lab, rng, lambda p: p in free_owners(lab, asset), days)
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
        who = feed.sign_in(p, t, ip, chain=chain)
        feed.s3(
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
            "A leaver on notice bulk-reads a whole checkpoint of their own team in an afternoon.",
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
    """Another team's person reads a frontier checkpoint they never touched, two nights running."""
    days = recent_days(lab, rng, int(rng.integers(2, 4)), last)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 4)
    p = asset and cast(lab, rng, lambda p: p.team != asset.team and p.rate > 0.05, days)
    if asset is None or p is None:
        return None
    forget(lab, p, asset)
    share, parts = float(rng.uniform(0.4, 1)), int(rng.integers(1, 4))
    hour, ip = float(rng.uniform(22, 26)) % 24, home_or(rng, p, "vpn", "home", "devbox")
    nights = np.array_split(np.array(some_of(rng, asset, share)), len(days))
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
            feed, rng, feed.sign_in(p, t, ip), asset, mine, t, float(rng.uniform(2000, 8500)), parts
        )

    return Plan(
        case_of(
            "foreign_team_night",
            True,
            [p],
            [asset],
            "Somebody of another team reads a checkpoint they never touched, at night.",
            len(asset.keys),
            share=share,
            nights=len(days),
            ranges=parts,
        ),
        days,
        act,
    )


def slow_drip(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A checkpoint drained over many days, a small and regular portion a day."""
    days = recent_days(lab, rng, int(rng.integers(8, 13)), last)
    p = cast(lab, rng, research_user, days)
    asset = p and target(lab, rng, days[0], lambda a: a.sensitivity >= 3, 40)
    if p is None or asset is None:
        return None
    share, ip = float(rng.uniform(0.55, 1)), home_or(rng, p, "devbox", "vpn")
    hour = p.hour + float(rng.uniform(0, 8))
    portions = np.array_split(np.array(some_of(rng, asset, share)), len(days))
    chain = "data-reader" if rng.random() < 0.5 else None
    if rng.random() < 0.5:
        forget(lab, p, asset)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour + float(rng.normal(0, 0.15)), 3000)
        mine = portions[days.index(day)].tolist()
        take(feed, rng, feed.sign_in(p, t, ip, chain=chain), asset, mine, t, 2400, 1)

    return Plan(
        case_of(
            "slow_drip",
            True,
            [p],
            [asset],
            "A checkpoint is drained in small daily portions.",
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
            who = feed.sign_in(p, t, home_or(rng, p, "devbox", "vpn"))
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
            "Colleagues read nearly disjoint parts that together complete a checkpoint.",
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
            feed.git(t, p.github, "git.clone", chosen[i], ip, p.git_agent, token)

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
            feed.git(
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
            "ZIP downloads of repositories never visited, around notice.",
            len(chosen),
            repos=len(chosen),
            notice_days_before=before,
        ),
        days,
        act,
    )


def service_creds_outside(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A service's role credentials used from a residential or rented address on a laptop."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    s = cast_service(
        lab,
        rng,
        (
            "data-loader",
            "serving",
            "safety-filter",
            "redteam-runner",
            "dedup-worker",
            "checkpoint-writer",
            "tokenizer-build",
        ),
    )
    asset = s and target(lab, rng, days[0], lambda a: a.sensitivity >= 3)
    if s is None or asset is None:
        return None
    share, hours = float(rng.uniform(0.2, 1)), float(rng.uniform(0.7, 5))
    where = (
        pick(rng, [ip for ips in lab.residential.values() for ip in ips])
        if rng.random() < 0.6
        else pick(rng, lab.foreign)[1]
    )
    portions = np.array_split(np.array(some_of(rng, asset, share)), len(days))
    second = float(rng.uniform(0, DAY - 6 * 3600))

    def act(feed: Feed, day: int) -> None:
        t = lab.t0 + day * DAY + second
        who = replace(feed.sign_in(s, t, hosts(s)[0]), ip=where, agent=LAPTOP)
        feed.aws(t - 40, who, "GetCallerIdentity", service="sts")
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), t, hours * 3600, 1)

    return Plan(
        case_of(
            "service_creds_outside",
            True,
            [s],
            [asset],
            "Role credentials of a service used from outside with a laptop's client.",
            len(asset.keys),
            share=share,
            hours=hours,
            address=where,
        ),
        days,
        act,
    )


def stolen_token_enumeration(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A stolen service token looks around, is refused a lot, then reads what it can."""
    days = recent_days(lab, rng, 1, last)
    s = cast_service(
        lab,
        rng,
        (
            "metrics-exporter",
            "model-registry",
            "notebook-hub",
            "ci-bot",
            "log-shipper",
            "cost-reporter",
            "image-builder",
            "gc-cleaner",
            "checkpoint-writer",
        ),
    )
    asset = s and target(lab, rng, days[0], lambda a: True)
    if s is None or asset is None:
        return None
    probes, reads = int(rng.integers(25, 160)), int(rng.integers(10, 70))
    inside = rng.random() < 0.3  # from another machine of ours rather than from abroad
    where = (
        f"10.21.{int(rng.integers(250))}.{int(rng.integers(1, 250))}"
        if inside
        else pick(rng, lab.foreign)[1]
    )
    agent = pick(rng, [LAPTOP, "[Boto3/1.28.5 md/Botocore#1.31.5 os/linux lang/python#3.9.2]"])
    second = float(rng.uniform(0, DAY - 3 * 3600))

    def act(feed: Feed, day: int) -> None:
        t = lab.t0 + day * DAY + second
        who = replace(feed.sign_in(s, t, hosts(s)[0]), ip=where, agent=agent)
        feed.aws(t, who, "GetCallerIdentity", service="sts")
        feed.aws(t + 5, who, "ListBuckets")
        assets = [a for f in lab.families for a in available(f.assets, day)]
        for at in spread(rng, probes, t + 10, 2400):
            a, denied = pick(rng, assets), "AccessDenied" if rng.random() < 0.7 else ""
            verb = str(pick(rng, ["HeadBucket", "ListObjects", "HeadObject", "GetObject"]))
            if verb == "HeadBucket":
                feed.s3(at, who, verb, a.bucket, error=denied)
            elif verb == "ListObjects":
                feed.s3(at, who, verb, a.bucket, listing="", error=denied, asset=a.asset_id)
            else:
                denied = denied or ("AccessDenied" if verb == "GetObject" else "")
                feed.s3(at, who, verb, a.bucket, pick(rng, a.keys), error=denied, asset=a.asset_id)
        take(feed, rng, who, asset, some_of(rng, asset, reads / len(asset.keys)), t + 2600, 3600, 1)

    return Plan(
        case_of(
            "stolen_token_enumeration",
            True,
            [s],
            [asset],
            "A service token used elsewhere enumerates buckets, is refused, then reads.",
            len(asset.keys),
            probes=probes,
            reads=reads,
            address=where,
        ),
        days,
        act,
    )


def exec_into_serving(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """kubectl cp out of serving pods by somebody who never execs there."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    p = cast(
        lab, rng, lambda p: p.team not in ("platform", "inference", "security", "policy"), days
    )
    if p is None:
        return None
    count, forward = int(rng.integers(3, 16)), bool(rng.random() < 0.5)
    hour, ip = float(rng.uniform(0, 24)), home_or(rng, p, "vpn", "devbox", "corp")
    ns = Asset("ns-serving", "namespace", "serving", "inference", 5, f"k8s://{K8S_CLUSTER}/serving")

    def act(feed: Feed, day: int) -> None:
        start = night_start(lab, p, day, hour, 4000)
        feed.k8s(start - 60, p.k8s, "list", "pods", "serving", "", ip, KUBECTL, asset=ns.asset_id)
        pods = [pod_name(rng, "serving") for _ in range(1 + count // 4)]
        for n, t in enumerate(spread(rng, count, start, 3600)):
            item = f"models/part-{n:03d}.{day}"
            exec_in_pod(
                feed,
                rng,
                p.k8s,
                "serving",
                pick(rng, pods),
                ["tar", "cf", "-", f"/{item}"],
                t,
                ip,
                ns.asset_id,
                item,
            )
        if forward:
            feed.k8s(
                start + 3700,
                p.k8s,
                "create",
                "pods",
                "serving",
                pods[0],
                ip,
                KUBECTL,
                sub="portforward",
                code=101,
                stages=2,
                asset=ns.asset_id,
            )

    return Plan(
        case_of(
            "exec_into_serving",
            True,
            [p],
            [ns],
            "kubectl cp out of serving pods by somebody who never does that.",
            None,
            copies_a_day=count,
            days=len(days),
            port_forward=forward,
        ),
        days,
        act,
    )


def gradual_ramp(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A researcher's reading of the own team's assets grows day by day to many times its start."""
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
        who = feed.sign_in(p, start, home_or(rng, p, "devbox", "vpn"))
        for t in spread(rng, count, start, 24_000):
            asset, i = todo[order[at[0] % len(todo)]]
            at[0] += 1
            feed.read(t, who, asset, i)

    return Plan(
        case_of(
            "gradual_ramp",
            True,
            [p],
            assets,
            "A researcher's reading of their team's own assets ramps up slowly.",
            len(todo),
            factor=factor,
            base_objects=base,
            days=len(days),
        ),
        days,
        act,
    )


def copy_to_foreign_account(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Server-side copies of shards into somebody else's account: no bytes come back."""
    days = recent_days(lab, rng, int(rng.integers(1, 4)), last)
    p = cast(lab, rng, research_user, days)
    asset = p and target(lab, rng, days[0], lambda a: a.sensitivity >= 3)
    if p is None or asset is None:
        return None
    share, hour = float(rng.uniform(0.3, 1)), p.hour + float(rng.uniform(0, 10))
    stem = pick(rng, ["sync", "tmp", "archive", "staging", "results"])
    bucket = f"{stem}-{int(rng.integers(10_000, 1_000_000))}"
    portions = np.array_split(np.array(some_of(rng, asset, share)), len(days))
    ip = home_or(rng, p, "devbox", "vpn", "corp")

    def act(feed: Feed, day: int) -> None:
        mine = portions[days.index(day)].tolist()
        start = night_start(lab, p, day, hour, 4000)
        who = feed.sign_in(p, start, ip)
        for i, t in zip(
            mine, spread(rng, len(mine), start, float(rng.uniform(600, 3600))), strict=True
        ):
            feed.copy(t, who, asset, i, bucket, OUTSIDE_ACCOUNT)

    return Plan(
        case_of(
            "copy_to_foreign_account",
            True,
            [p],
            [asset],
            "Shards copied server-side into a foreign account's bucket.",
            len(asset.keys),
            share=share,
            bucket=bucket,
            days=len(days),
        ),
        days,
        act,
    )


def job_cover(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Batch jobs under the own account whose role reads another team's checkpoint."""
    days = recent_days(lab, rng, int(rng.integers(1, 4)), last)
    p = cast(lab, rng, lambda p: p.team in RESEARCH and p.rate > 0.1, days)
    asset = p and target(lab, rng, days[0], lambda a: a.team != p.team)
    if p is None or asset is None:
        return None
    forget(lab, p, asset)
    share, hour = float(rng.uniform(0.5, 1)), float(rng.uniform(0, 24))
    portions = np.array_split(np.array(some_of(rng, asset, share)), len(days))
    account = Asset(f"slurm-{p.team}", "cluster", p.team, p.team, 3, "")

    def act(feed: Feed, day: int) -> None:
        start = night_start(lab, p, day, hour, 9000)
        who = feed.sign_in(
            p,
            start + 120,
            f"10.20.{day % 250}.{int(rng.integers(1, 250))}",
            "[Boto3/1.34.51 md/Botocore#1.34 os/linux]",
            "slurm-job-runner",
        )
        feed.job(
            p,
            start,
            110,
            7200,
            f"eval-{p.slurm}",
            state="COMPLETED",
            gpus=1,
            account=p.team,
            asset=account.asset_id,
        )
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), start + 180, 6000, 1)

    return Plan(
        case_of(
            "job_cover",
            True,
            [p],
            [asset, account],
            "A batch job under the own account reads another team's checkpoint.",
            len(asset.keys),
            share=share,
            days=len(days),
        ),
        days,
        act,
    )


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


def any_days(lab: Lab, rng: Rng, span: int) -> list[int]:
    """Consecutive days in the later two thirds of the window."""
    span = min(span, lab.days - 1)
    begin = (
        int(rng.integers(lab.days // 3, lab.days - span + 1))
        if lab.days > 3 * span
        else lab.days - span
    )
    return list(range(begin, begin + span))


def migration(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """With a ticket: everything under a run is copied into a new bucket of ours."""
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
        who = feed.sign_in(p, start, p.ips["devbox"])
        mine = todo[days.index(day)]
        for (n, i), t in zip(mine, spread(rng, len(mine), start, 20_000), strict=True):
            feed.copy(t, who, assets[n], int(i), f"{lab.name}-ckpt-cold", ACCOUNT)

    return Plan(
        case_of(
            "migration",
            False,
            [p],
            assets,
            "A ticketed migration of whole runs into a new own bucket.",
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
            feed.git(t, p.github, "git.clone", lab.repos[int(i)], p.ips["corp"], p.git_agent)

    return Plan(
        case_of(
            "onboarding",
            False,
            [p],
            [lab.repos[int(i)] for i in chosen],
            "A new joiner clones the repositories of the handbook.",
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
        t = lab.t0 + day * DAY + begin * 3600
        who = [feed.sign_in(s, t, ip) for ip in hosts(s)]
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
            "The evaluation service sweeps every checkpoint weekly.",
            None,
            weekday=weekday,
            ranges=parts,
        ),
        days,
        act,
    )


def team_transfer(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Somebody changes team (a later directory says so) and works on the new team's things."""
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
        "team_transfer", False, [p], [], f"A transfer from {p.team} to {team}.", None, new_team=team
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
        f"Ordinary work from a conference in {country}.",
        None,
        country=country,
    )
    for d in days:
        p.trip[d] = ip
        lab.tagged[p.user_id, d] = case
    return Plan(case, days)


def incident_response(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """With a ticket, security reads a bit of everything within hours."""
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
        who = feed.sign_in(p, start, p.ips["vpn"], chain="data-reader")
        assets = [a for f in lab.families for a in available(f.assets, day)]
        for asset in assets:
            chosen = rng.permutation(len(asset.keys))[: int(rng.integers(1, 40))].tolist()
            take(feed, rng, who, asset, chosen, start + float(rng.uniform(0, 10_000)), 3000, 1)
        for i, t in zip(repos, spread(rng, len(repos), start, 12_000), strict=True):
            feed.git(t, p.github, "git.clone", lab.repos[int(i)], p.ips["vpn"], p.git_agent)

    return Plan(
        case_of(
            "incident_response",
            False,
            [p],
            [],
            "Ticketed incident response reads widely.",
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
        "release_crunch", False, teams[team], [], f"Release crunch of {team}.", None, factor=factor
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
        t = lab.t0 + day * DAY + 1800
        who = feed.sign_in(s, t, hosts(s)[0])
        for asset in assets[days.index(day) :: len(days)]:
            for i in range(len(asset.keys)):
                t = min(t + 20 * rng.random(), lab.t0 + (day + 1) * DAY - 1)
                feed.copy(t, who, asset, i, f"{lab.name}-backup-2", BACKUP_ACCOUNT)

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
    """Somebody who always works at night."""
    days = list(range(lab.days))
    p = cast(lab, rng, lambda p: p.rate > 0.2, days[-3:])
    if p is None:
        return None
    p.hour = float(rng.uniform(18, 22))
    case = case_of("night_owl", False, [p], [], "Always works at night.", None, start_hour=p.hour)
    for d in days:
        lab.tagged[p.user_id, d] = case
    return Plan(case, days)


INCIDENTS = (
    leaver_bulk_copy,
    foreign_team_night,
    slow_drip,
    collusion,
    mass_clone,
    zip_before_leaving,
    service_creds_outside,
    stolen_token_enumeration,
    exec_into_serving,
    gradual_ramp,
    copy_to_foreign_account,
    job_cover,
)
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


def plan_cases(lab: Lab) -> list[Plan]:
    """Cast all incidents and look-alikes, in an order drawn from the seed."""
    rng = np.random.default_rng([lab.seed, 3])
    plans: list[Plan] = []
    final = set(rng.permutation(len(INCIDENTS))[:3].tolist())  # these reach the last day
    limit = max(4, len(lab.people) * 2 // 5)  # leave most people without a case
    for group in (INCIDENTS, LOOK_ALIKES):
        for n in rng.permutation(len(group)):
            if group is LOOK_ALIKES or len(lab.cast) < 2 * limit:
                plan = group[n](lab, rng.spawn(1)[0], group is INCIDENTS and int(n) in final)
                if plan is not None:
                    plans.append(plan)
    add_decoys(lab, rng)
    return sorted(plans, key=lambda plan: (not plan.case.is_incident, plan.case.case_id))


def add_decoys(lab: Lab, rng: Rng) -> None:
    """Ordinary tickets, and a few people whose GitHub login the directory does not know."""
    for _ in range(max(2, len(lab.people) // 12)):
        p, fam, day = (
            pick(rng, lab.people),
            pick(rng, lab.families),
            int(rng.integers(-20, lab.days)),
        )
        ticket(
            lab,
            rng,
            p,
            f"s3://{fam.bucket}/{fam.prefix}/*",
            day,
            day + int(rng.integers(1, 14)),
            pick(rng, ["ablation study", "quarterly audit", "debugging", "paper figures"]),
        )
    for p in lab.people:
        if p.user_id not in lab.cast and rng.random() < 0.03:
            p.hide_github = True
