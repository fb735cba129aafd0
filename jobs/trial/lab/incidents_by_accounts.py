"""Incidents with credentials of services, tokens, batch jobs and foreign accounts."""

from __future__ import annotations

from dataclasses import replace

from jobs.trial.lab.casting import (
    LAPTOP,
    Plan,
    Rng,
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
from jobs.trial.lab.cluster_days import KUBECTL, exec_in_pod, forward_port, pod_name
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.names import RESEARCH
from jobs.trial.lab.records import cloudtrail, kubernetes, slurm
from jobs.trial.lab.records.cloudtrail import Session
from jobs.trial.lab.service_days import hosts, night_start
from jobs.trial.lab.timing import spread
from jobs.trial.lab.world import DAY, K8S_CLUSTER, OUTSIDE_ACCOUNT, Asset, Lab, pick


def service_creds_outside(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A laptop at a residential or rented address uses a service's role credentials."""
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
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 3) if s else None
    if s is None or asset is None:
        return None
    share, hours = float(rng.uniform(0.2, 1)), float(rng.uniform(0.7, 5))
    where = (
        pick(rng, [ip for ips in lab.residential.values() for ip in ips])
        if rng.random() < 0.6
        else pick(rng, lab.foreign)[1]
    )
    portions = daily_portions(rng, asset, share, days)
    second = float(rng.uniform(0, DAY - 6 * 3600))

    def act(feed: Feed, day: int) -> None:
        t = lab.t0 + day * DAY + second
        who = replace(cloudtrail.sign_in(feed, s, t, hosts(s)[0]), ip=where, agent=LAPTOP)
        cloudtrail.call(feed, t - 40, who, "GetCallerIdentity", service="sts")
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), t, hours * 3600, 1)

    return Plan(
        case_of(
            "service_creds_outside",
            True,
            [s],
            [asset],
            "A laptop outside our networks uses a service's role credentials.",
            len(asset.keys),
            share=share,
            hours=hours,
            address=where,
        ),
        days,
        act,
    )


def probe(feed: Feed, rng: Rng, who: Session, a: Asset, at: float) -> None:
    """One attempt on an asset, mostly refused."""
    denied = "AccessDenied" if rng.random() < 0.7 else ""
    verb = str(pick(rng, ["HeadBucket", "ListObjects", "HeadObject", "GetObject"]))
    if verb == "HeadBucket":
        cloudtrail.s3(feed, at, who, verb, a.bucket, error=denied)
    elif verb == "ListObjects":
        cloudtrail.s3(feed, at, who, verb, a.bucket, listing="", error=denied, asset=a.asset_id)
    else:
        denied = denied or ("AccessDenied" if verb == "GetObject" else "")
        cloudtrail.s3(
            feed, at, who, verb, a.bucket, pick(rng, a.keys), error=denied, asset=a.asset_id
        )


def stolen_token_enumeration(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A thief with a service token lists assets, is refused often, then reads the allowed ones."""
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
    asset = target(lab, rng, days[0], lambda a: True) if s else None
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
        who = replace(cloudtrail.sign_in(feed, s, t, hosts(s)[0]), ip=where, agent=agent)
        cloudtrail.call(feed, t, who, "GetCallerIdentity", service="sts")
        cloudtrail.call(feed, t + 5, who, "ListBuckets")
        assets = [a for f in lab.families for a in available(f.assets, day)]
        for at in spread(rng, probes, t + 10, 2400):
            probe(feed, rng, who, pick(rng, assets), at)
        take(feed, rng, who, asset, some_of(rng, asset, reads / len(asset.keys)), t + 2600, 3600, 1)

    return Plan(
        case_of(
            "stolen_token_enumeration",
            True,
            [s],
            [asset],
            "A stolen service token lists buckets, gets refusals and reads objects.",
            len(asset.keys),
            probes=probes,
            reads=reads,
            address=where,
        ),
        days,
        act,
    )


def exec_into_serving(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """kubectl cp out of serving pods, by a person who never uses exec there."""
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
        kubernetes.request(
            feed, start - 60, p.k8s, "list", "pods", "serving", "", ip, KUBECTL, asset=ns.asset_id
        )
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
            forward_port(feed, p.k8s, "serving", pods[0], start + 3700, ip, ns.asset_id)

    return Plan(
        case_of(
            "exec_into_serving",
            True,
            [p],
            [ns],
            "A person new to kubectl cp copies files out of serving pods.",
            None,
            copies_a_day=count,
            days=len(days),
            port_forward=forward,
        ),
        days,
        act,
    )


def copy_to_foreign_account(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Server-side copies of shards into a foreign account; no bytes come back."""
    days = recent_days(lab, rng, int(rng.integers(1, 4)), last)
    p = cast(lab, rng, research_user, days)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 3) if p else None
    if p is None or asset is None:
        return None
    share, hour = float(rng.uniform(0.3, 1)), p.hour + float(rng.uniform(0, 10))
    stem = pick(rng, ["sync", "tmp", "archive", "staging", "results"])
    bucket = f"{stem}-{int(rng.integers(10_000, 1_000_000))}"
    portions = daily_portions(rng, asset, share, days)
    ip = home_or(rng, p, "devbox", "vpn", "corp")

    def act(feed: Feed, day: int) -> None:
        mine = portions[days.index(day)].tolist()
        start = night_start(lab, p, day, hour, 4000)
        who = cloudtrail.sign_in(feed, p, start, ip)
        for i, t in zip(
            mine, spread(rng, len(mine), start, float(rng.uniform(600, 3600))), strict=True
        ):
            cloudtrail.copy(feed, t, who, asset, i, bucket, OUTSIDE_ACCOUNT)

    return Plan(
        case_of(
            "copy_to_foreign_account",
            True,
            [p],
            [asset],
            "A person copies shards server-side into a foreign account's bucket.",
            len(asset.keys),
            share=share,
            bucket=bucket,
            days=len(days),
        ),
        days,
        act,
    )


def job_cover(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """Batch jobs under the person's own account; their role reads another team's checkpoint."""
    days = recent_days(lab, rng, int(rng.integers(1, 4)), last)
    p = cast(lab, rng, lambda p: p.team in RESEARCH and p.rate > 0.1, days)
    asset = target(lab, rng, days[0], lambda a: a.team != p.team) if p else None
    if p is None or asset is None:
        return None
    forget(lab, p, asset)
    share, hour = float(rng.uniform(0.5, 1)), float(rng.uniform(0, 24))
    portions = daily_portions(rng, asset, share, days)
    account = Asset(f"slurm-{p.team}", "cluster", p.team, p.team, 3, "")

    def act(feed: Feed, day: int) -> None:
        start = night_start(lab, p, day, hour, 9000)
        who = cloudtrail.sign_in(
            feed,
            p,
            start + 120,
            f"10.20.{day % 250}.{int(rng.integers(1, 250))}",
            "[Boto3/1.34.51 md/Botocore#1.34 os/linux]",
            "slurm-job-runner",
        )
        slurm.job(
            feed,
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
            "A person's batch job reads another team's checkpoint.",
            len(asset.keys),
            share=share,
            days=len(days),
        ),
        days,
        act,
    )
