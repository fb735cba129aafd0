"""Everyday activity of people in all sources, one day at a time."""

from __future__ import annotations

import json

import numpy as np

from jobs.trial.lab.case import Case
from jobs.trial.lab.cluster_days import cluster_work
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import address, choose_asset, local_hours, sample_indexes, working
from jobs.trial.lab.names import RESEARCH, TEAMS
from jobs.trial.lab.records import cloudtrail, github, slurm
from jobs.trial.lab.records.cloudtrail import Session
from jobs.trial.lab.timing import spread
from jobs.trial.lab.world import ACCOUNT, DAY, Asset, Lab, Person, pick, utc_offset


def read_task(
    feed: Feed, rng: np.random.Generator, who: Session, asset: Asset, t: float, count: int
) -> None:
    """List, read the small files, then read some objects; a few reads fail."""
    prefix = asset.keys[0].rsplit("/", 1)[0] + "/"
    if rng.random() < 0.6:
        cloudtrail.s3(
            feed, t, who, "ListObjects", asset.bucket, listing=prefix, asset=asset.asset_id
        )
    if rng.random() < 0.4:
        cloudtrail.s3(
            feed, t + 2, who, "HeadObject", asset.bucket, asset.keys[-1], asset=asset.asset_id
        )
    parts = int(rng.choice([1, 2, 3, 4])) if asset.kind == "checkpoint" else 1
    order = sample_indexes(asset, count, rng)
    fails = rng.random(len(order)) < 0.015
    times = spread(rng, len(order), t + 4, 20.0 * len(order) * float(rng.lognormal(0, 0.7)))
    for i, at, fail in zip(order, times, fails, strict=True):
        if fail:
            error = "AccessDenied" if rng.random() < 0.5 else "NoSuchKey"
            cloudtrail.s3(
                feed,
                at,
                who,
                "GetObject",
                asset.bucket,
                asset.keys[i] + ".tmp",
                error=error,
                asset=asset.asset_id,
            )
        else:
            cloudtrail.read(feed, at, who, asset, i, parts)


def write_task(feed: Feed, rng: np.random.Generator, who: Session, p: Person, t: float) -> None:
    """Results into the scratch bucket, small ones in one piece, large ones in several."""
    bucket = f"{feed.lab.name}-scratch"
    stem = f"{p.team}/{p.user_id}/exp-{int(rng.integers(1, 400))}"
    for i in range(int(rng.integers(1, 9))):
        key, size = f"{stem}/out-{i}.pt", int(rng.lognormal(15, 2))
        if size > 30_000_000:
            cloudtrail.s3(feed, t, who, "CreateMultipartUpload", bucket, key)
            cloudtrail.s3(feed, t + 40, who, "CompleteMultipartUpload", bucket, key)
        else:
            cloudtrail.s3(feed, t, who, "PutObject", bucket, key, size=size)
        t += 30 * rng.random()


def account_task(feed: Feed, rng: np.random.Generator, who: Session, t: float) -> None:
    """Management calls: own identity, list of buckets, rarely a policy change."""
    bucket = f"{feed.lab.name}-scratch"
    params = json.dumps({"bucketName": bucket})
    draw = rng.random()
    if draw < 0.55:
        cloudtrail.call(feed, t, who, "GetCallerIdentity", service="sts")
    elif draw < 0.85:
        cloudtrail.call(feed, t, who, "ListBuckets")
    elif draw < 0.97:
        cloudtrail.call(
            feed,
            t,
            who,
            "GetBucketPolicy",
            params=params,
            error="AccessDenied" if rng.random() < 0.4 else "",
        )
    else:
        allowed = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        params = json.dumps({"bucketName": bucket, "bucketPolicy": policy})
        cloudtrail.call(feed, t, who, "PutBucketPolicy", params=params)


def job_task(
    feed: Feed, rng: np.random.Generator, p: Person, asset: Asset | None, t: float
) -> None:
    """A batch job. Some jobs read a whole checkpoint or much of a dataset under a job role."""
    state = str(
        pick(
            rng,
            ["COMPLETED", "FAILED", f"CANCELLED by {p.uid}", "TIMEOUT"],
            [0.72, 0.13, 0.12, 0.03],
        )
    )
    wait, run = float(rng.exponential(1500)), float(rng.lognormal(8.6, 1.4))
    reads = asset is not None and rng.random() < 0.18
    if reads:
        ip = f"10.20.{int(rng.integers(0, 250))}.{int(rng.integers(1, 250))}"
        who = cloudtrail.sign_in(
            feed, p, t + wait, ip, "[Boto3/1.34.51 md/Botocore#1.34 os/linux]", "slurm-job-runner"
        )
    name = str(pick(rng, ["train", "eval", "sweep", "probe", "tokenize"])) + f"-{p.slurm}"
    slurm.job(
        feed,
        p,
        t,
        wait,
        min(run, 2.5 * DAY),
        name,
        state=state,
        steps=int(rng.integers(0, 3)),
        gpus=int(rng.choice([1, 2, 4, 8, 16, 64], p=[0.3, 0.15, 0.15, 0.25, 0.1, 0.05])),
        account=p.team,
        array=int(rng.integers(2, 9)) if rng.random() < 0.06 else 0,
        asset=f"slurm-{p.team}",
    )
    if reads and asset is not None:
        whole = rng.random() < 0.5 and asset.team == p.team and len(asset.keys) < 200
        indexes = (
            range(len(asset.keys))
            if whole
            else sample_indexes(asset, int(rng.lognormal(2.5, 0.8)) + 1, rng)
        )
        for i, at in zip(indexes, spread(rng, len(indexes), t + wait + 60, 900), strict=True):
            cloudtrail.read(feed, at, who, asset, i)


def person_day(lab: Lab, feed: Feed, p: Person, day: int, rng: np.random.Generator) -> None:
    """One local day of one person in every source."""
    if not working(p, lab, day, rng):
        return
    case = lab.tagged.get((p.user_id, day))
    feed.case = case if isinstance(case, Case) else None
    offset = utc_offset(p.zone, lab.date_of(day))
    midnight = lab.t0 + day * DAY - offset * 3600
    boost = p.surge.get(day, 1.0) * float(rng.lognormal(-0.08, 0.4))
    team = p.new_team[1] if p.new_team and day >= p.new_team[0] else p.team
    object_work(lab, feed, p, day, rng, midnight, boost)
    repo_work(lab, feed, p, day, rng, midnight, boost)
    cluster_work(lab, feed, p, day, rng, midnight, TEAMS[team][3] * boost)
    if team in (*RESEARCH, "data", "platform"):
        for hour in local_hours(p, rng, int(rng.poisson(1.5 * TEAMS[team][4] * boost))):
            job_task(feed, rng, p, choose_asset(p, lab, day, rng, ""), midnight + hour * 3600)
    feed.case = None


def object_work(
    lab: Lab,
    feed: Feed,
    p: Person,
    day: int,
    rng: np.random.Generator,
    midnight: float,
    boost: float,
) -> None:
    """Object-store tasks of a day, each from a session with or without a chained role."""
    count = int(rng.poisson(3.1 * p.rate * boost))
    for hour in np.sort(local_hours(p, rng, count)):
        t = midnight + float(hour) * 3600
        ip = address(p, day, rng, (0.55, 0.25, 0.15, 0.05))
        chain = None
        if rng.random() < p.chain:
            chain = "data-reader" if rng.random() < 0.7 else "go-tools"
        draw = rng.random()
        asset = choose_asset(p, lab, day, rng, ip)
        who = cloudtrail.sign_in(feed, p, t, ip, chain=chain)
        if draw < 0.70 and asset is not None:
            read_task(feed, rng, who, asset, t, 1 + min(600, int(rng.lognormal(1.25, 1.15))))
        elif draw < 0.78 and asset is not None:
            for page in range(int(rng.integers(1, 6))):
                cloudtrail.s3(
                    feed,
                    t + 3 * page,
                    who,
                    "ListObjects",
                    asset.bucket,
                    asset=asset.asset_id,
                    listing=asset.keys[0].split("/")[0] + "/",
                )
        elif draw < 0.92:
            write_task(feed, rng, who, p, t)
        elif draw < 0.955 and asset is not None and asset.kind == "dataset":
            for i in sample_indexes(asset, int(rng.integers(1, 20)), rng):
                t += 2
                cloudtrail.copy(
                    feed, t, who, asset, i, f"{lab.name}-scratch", ACCOUNT, f"{p.team}/"
                )
        else:
            account_task(feed, rng, who, t)


def repo_work(
    lab: Lab,
    feed: Feed,
    p: Person,
    day: int,
    rng: np.random.Generator,
    midnight: float,
    boost: float,
) -> None:
    """Fetches, pushes, clones and pull requests of a day."""
    count = int(rng.poisson(6.5 * p.git_rate * min(boost, 2.5)))
    if not count:
        return
    repos = rng.choice(len(lab.repos), count, p=p.repo_weights)
    ip = address(p, day, rng, (0.2, 0.3, 0.3, 0.2))
    token = "SSH key" if p.uid % 2 else "OAuth access token"
    kinds = rng.choice(8, count, p=[0.44, 0.17, 0.14, 0.12, 0.05, 0.03, 0.005, 0.045])
    for hour, r, kind in zip(np.sort(local_hours(p, rng, count)), repos, kinds, strict=True):
        t, repo = midnight + float(hour) * 3600, lab.repos[int(r)]
        if kind == 0:
            github.event(feed, t, p.github, "git.fetch", repo, ip, p.git_agent, token)
        elif kind in (1, 2):
            github.event(
                feed, t, p.github, ("git.push", "git.clone")[kind - 1], repo, ip, p.git_agent, token
            )
        elif kind in (3, 4):
            verb = ("create", "merge")[kind - 3]
            github.event(
                feed,
                t,
                p.github,
                f"pull_request.{verb}",
                repo,
                ip,
                "Mozilla/5.0",
                "web",
                pull_request_title=pick(rng, ['Fix the "flaky" test', "Größe prüfen", "Bump"]),
            )
        elif kind == 5:
            github.event(
                feed, t, p.github, "pull_request_review.submit", repo, ip, "Mozilla/5.0", "web"
            )
        elif kind == 6:
            github.event(feed, t, p.github, "repo.download_zip", repo, ip, "Mozilla/5.0", "web")
        else:
            github.event(feed, t, p.github, "git.fetch", repo, p.ips["devbox"], p.git_agent, token)
    if p.team == "platform" and rng.random() < 0.15:
        membership_change(lab, feed, p, rng, midnight + 11 * 3600, ip)


def membership_change(
    lab: Lab, feed: Feed, p: Person, rng: np.random.Generator, t: float, ip: str
) -> None:
    """A member of ``platform`` adds a colleague to a team or a repository."""
    actions = ["org.add_member", "team.add_member", "repo.add_member", "org.update_member"]
    action = pick(rng, actions)
    colleague = lab.people[(lab.people.index(p) + 1) % len(lab.people)]
    repo = lab.repos[0] if "repo" in action else None
    login = colleague.github
    github.event(feed, t, p.github, action, repo, ip, "Mozilla/5.0", "web", user=login)
