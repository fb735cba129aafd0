"""The usual days of services."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available, sample_indexes
from jobs.trial.lab.names import SERVICE_KINDS
from jobs.trial.lab.records import cloudtrail, github, kubernetes
from jobs.trial.lab.records.cloudtrail import Session
from jobs.trial.lab.timing import local_start, spread
from jobs.trial.lab.world import ACCOUNT, BACKUP_ACCOUNT, DAY, Lab, Person, pick, utc_offset

AWS_SERVICES = (
    "replication.s3.amazonaws.com",
    "storage-lens.s3.amazonaws.com",
    "access-analyzer.amazonaws.com",
    "athena.amazonaws.com",
)


# ---- services --------------------------------------------------------------------------------


def hosts(s: Person) -> list[str]:
    """Addresses a service runs on."""
    return list(s.ips.values())


def service_day(lab: Lab, feed: Feed, s: Person, day: int, rng: np.random.Generator) -> None:
    """One UTC day of a service identity."""
    if day < s.start:
        return
    reads, writes, copies, lists, calls, gits = SERVICE_KINDS[s.title][1:]
    scale = s.rate * float(rng.lognormal(0, 0.15)) * (0.75 if lab.date_of(day).weekday() > 4 else 1)
    midnight = lab.t0 + day * DAY
    sessions = [cloudtrail.sign_in(feed, s, midnight, ip) for ip in hosts(s)]
    if reads + writes + copies + lists:
        web_identity(feed, s, midnight + DAY * rng.random(), hosts(s)[0])
    service_reads(lab, feed, s, day, rng, sessions, int(reads * scale))
    service_writes(lab, feed, s, day, rng, sessions, int(writes * scale))
    service_copies(lab, feed, day, rng, sessions, int(copies * scale))
    buckets = sorted({f.bucket for f in lab.families} | {f"{lab.name}-scratch", f"{lab.name}-logs"})
    for t in midnight + rng.random(int(lists * scale)) * DAY:
        fam, who = pick(rng, lab.families), pick(rng, sessions)
        if rng.random() < 0.5:
            cloudtrail.s3(feed, t, who, "ListObjects", pick(rng, buckets), listing=f"{fam.name}/")
        else:
            asset = pick(rng, available(fam.assets, day))
            cloudtrail.s3(
                feed,
                t,
                who,
                "HeadObject",
                asset.bucket,
                pick(rng, asset.keys),
                asset=asset.asset_id,
            )
    service_calls(feed, s, midnight, rng, int(calls * scale))
    for t in midnight + rng.random(int(gits * scale)) * DAY:
        repo, token = pick(rng, lab.repos), "GitHub App server-to-server token"
        bot = s.github if rng.random() < 0.4 else "github-actions[bot]"
        github.event(
            feed,
            float(t),
            bot,
            pick(rng, ["git.clone", "git.fetch", "git.fetch"]),
            repo,
            hosts(s)[0],
            "git/2.43.0",
            token,
        )


def web_identity(feed: Feed, s: Person, t: float, ip: str) -> None:
    """The cluster exchanges a service account token for role credentials."""
    who = Session(
        f'{{"type":"WebIdentityUser","principalId":"oidc:{s.k8s}","userName":"{s.k8s}"}}',
        ip,
        s.agent.strip("[]"),
    )
    params = (
        f'{{"roleArn":"arn:aws:iam::{ACCOUNT}:role/{s.role}","roleSessionName":"eks-{s.name}"}}'
    )
    cloudtrail.call(feed, t, who, "AssumeRoleWithWebIdentity", params=params, service="sts")


def service_reads(
    lab: Lab,
    feed: Feed,
    s: Person,
    day: int,
    rng: np.random.Generator,
    sessions: list[Session],
    count: int,
) -> None:
    """Data services read datasets, the others load the newest checkpoints of their kind."""
    kind = (
        "dataset" if SERVICE_KINDS[s.title][0] in ("datapipes", "notebooks", "ci") else "checkpoint"
    )
    families = [f for f in lab.families if f.kind == kind]
    home = int(s.user_id[3:]) % len(families)  # each service keeps to a few families
    families = (families + families)[home : home + 3]
    midnight = lab.t0 + day * DAY
    while count > 0:
        there = available(pick(rng, families).assets, day)
        if not there:
            continue
        asset, t = there[-1], midnight + float(rng.random()) * (DAY - 4000)
        order = sample_indexes(asset, min(count, int(rng.integers(20, 160))), rng)
        who = pick(rng, sessions)
        for i, at in zip(order, spread(rng, len(order), t, 3000), strict=True):
            cloudtrail.read(feed, at, who, asset, i)
        count -= len(order)


def service_writes(
    lab: Lab,
    feed: Feed,
    s: Person,
    day: int,
    rng: np.random.Generator,
    sessions: list[Session],
    count: int,
) -> None:
    """Writes of new checkpoint steps at their creation; otherwise of logs and results."""
    midnight = lab.t0 + day * DAY
    if s.title == "checkpoint-writer":
        for asset in [a for f in lab.families for a in f.assets if a.born == day]:
            times = spread(rng, len(asset.keys), midnight + 3600 * int(rng.integers(0, 18)), 5400)
            for i, t in enumerate(times):
                who = pick(rng, sessions)
                if asset.sizes[i] > 1 << 20:
                    cloudtrail.s3(
                        feed,
                        t,
                        who,
                        "CreateMultipartUpload",
                        asset.bucket,
                        asset.keys[i],
                        asset=asset.asset_id,
                    )
                    cloudtrail.s3(
                        feed,
                        t + 50,
                        who,
                        "CompleteMultipartUpload",
                        asset.bucket,
                        asset.keys[i],
                        asset=asset.asset_id,
                    )
                else:
                    cloudtrail.s3(
                        feed,
                        t,
                        who,
                        "PutObject",
                        asset.bucket,
                        asset.keys[i],
                        size=asset.sizes[i],
                        asset=asset.asset_id,
                    )
    for n, t in enumerate(midnight + rng.random(count) * DAY):
        cloudtrail.s3(
            feed,
            float(t),
            pick(rng, sessions),
            "PutObject",
            f"{lab.name}-logs",
            f"{s.name}/{day}/{n:05d}.log",
            size=int(rng.lognormal(10, 1)),
        )


def service_copies(
    lab: Lab, feed: Feed, day: int, rng: np.random.Generator, sessions: list[Session], count: int
) -> None:
    """Nightly copies into the backup account, which belongs to the lab, too."""
    t: float = lab.t0 + day * DAY + 2 * 3600
    while count > 0:
        asset = pick(rng, available(pick(rng, lab.families).assets, day) or lab.families[-1].assets)
        for i in sample_indexes(asset, min(count, 90), rng):
            t += 8 * rng.random()
            cloudtrail.copy(feed, t, sessions[0], asset, i, f"{lab.name}-backup", BACKUP_ACCOUNT)
            count -= 1


def service_calls(
    feed: Feed, s: Person, midnight: float, rng: np.random.Generator, count: int
) -> None:
    """API server traffic of a service account in its own namespace."""
    ns, agent = s.k8s.split(":")[2], f"{s.name}/v1.{len(s.name)}.0 (linux/amd64) kubernetes/$Format"
    verbs = rng.choice(6, count, p=[0.34, 0.22, 0.2, 0.1, 0.09, 0.05])
    for t, v in zip(midnight + rng.random(count) * DAY, verbs, strict=True):
        verb, resource, stages = (
            ("get", "configmaps", 1),
            ("list", "pods", 1),
            ("watch", "pods", 2),
            ("update", "leases", 1),
            ("get", "endpoints", 3),
            ("get", "secrets", 1),
        )[v]
        kubernetes.request(
            feed,
            float(t),
            s.k8s,
            verb,
            resource,
            ns,
            s.name if v in (0, 3, 5) else "",
            hosts(s)[0],
            agent,
            stages=stages,
            asset=f"ns-{ns}",
        )


def platform_day(lab: Lab, feed: Feed, day: int, rng: np.random.Generator) -> None:
    """Events without a person: nodes, AWS services, anonymous clones of public repositories."""
    midnight = lab.t0 + day * DAY
    for t in midnight + rng.random(int(rng.integers(700, 900))) * DAY:
        node = f"system:node:ip-10-90-{int(rng.integers(0, 9))}-{int(rng.integers(1, 20))}"
        denied = rng.random() < 0.3
        kubernetes.request(
            feed,
            float(t),
            node,
            "watch" if denied else "get",
            "secrets" if denied else "nodes",
            "kube-system" if denied else "",
            "",
            "10.90.0.7",
            "kubelet/v1.29.3 (linux/amd64)",
            code=403 if denied else 200,
        )
    for t in midnight + rng.random(int(rng.integers(60, 120))) * DAY:
        name = pick(rng, AWS_SERVICES)
        kind = '"type":"AWSService",' if rng.random() < 0.6 else ""
        who = Session(f'{{{kind}"invokedBy":"{name}"}}', name, name)
        asset = pick(rng, lab.families).assets[0]
        cloudtrail.s3(
            feed,
            float(t),
            who,
            pick(rng, ["HeadObject", "GetObject", "ListObjects"]),
            asset.bucket,
            asset.keys[0],
            size=asset.sizes[0] if "replication" in name else 4000,
        )
    open_repos = [r for r in lab.repos if r.sensitivity == 1]
    for t in midnight + rng.random(int(rng.integers(3, 25)) if open_repos else 0) * DAY:
        github.event(
            feed,
            float(t),
            "",
            "git.clone",
            pick(rng, open_repos),
            f"203.0.113.{int(rng.integers(1, 255))}",
            "git/2.40.1",
            "",
        )


def night_start(lab: Lab, p: Person, day: int, hour: float, seconds: float = 0.0) -> float:
    """Epoch of a person's local hour in a UTC day, so that the span ends inside the window."""
    return local_start(lab, day, hour, utc_offset(p.zone, lab.date_of(day)), seconds)
