"""Cases of jobs whose roles read artefacts, each with random numbers of its own.

They are cast after all other cases, so that these stay as they are. The people's own accounts show
the submission alone.
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
    recent_days,
    research_user,
    some_of,
    take,
    target,
)
from jobs.trial.lab.cluster_days import KUBECTL
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.names import RESEARCH, SERVICE_KINDS
from jobs.trial.lab.records import cloudtrail, kubernetes, slurm
from jobs.trial.lab.service_days import night_start
from jobs.trial.lab.world import Asset, Lab, Person, pick

NODE_ROLE, JOB_ROLE = "cluster-node", "batch-runner"
BOTO = "[Boto3/1.34.51 md/Botocore#1.34 os/linux]"
KUBELET = "kubelet/v1.29.3 (linux/amd64) kubernetes/$Format"
NODE_PROXY = "10.90.0.7"
USUAL_JOBS = 3
"""Jobs a day that read under the role of their node, besides those of the cases."""
NAMED = 6
"""Submitters of usual jobs whom the truth names. All of them would be half of the lab."""


def _node(rng: Rng) -> str:
    """Address of a node of the batch cluster, which its name holds."""
    return f"10.80.{int(rng.integers(1, 6))}.{int(rng.integers(1, 40))}"


def _run(
    feed: Feed, rng: Rng, p: Person, asset: Asset, order: list[int], t: float, ip: str
) -> None:
    """A job on a node that reads some objects under the node's role."""
    _submit(feed, p, t, f"ip-{ip.replace('.', '-')}")
    who = cloudtrail.role_session(feed, NODE_ROLE, f"i-0{ip.replace('.', '')}", t, ip, BOTO)
    take(feed, rng, who, asset, order, t + 200, 5000, 1)


def _submit(feed: Feed, p: Person, t: float, hosts: str) -> None:
    slurm.job(
        feed, p, t, 110, 7200, f"eval-{p.slurm}", state="COMPLETED", gpus=1, account=p.team,
        asset=f"slurm-{p.team}", hosts=hosts,
    )  # fmt: skip


def _thief(lab: Lab, rng: Rng, last: bool) -> tuple[Person, Asset, list[int]] | None:
    """A person, a sensitive checkpoint of another team, and the days."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    p = cast(lab, rng, lambda p: p.team in RESEARCH and p.rate > 0.1, days)
    asset = (
        target(lab, rng, days[0], lambda a: a.team != p.team and a.sensitivity >= 4) if p else None
    )
    if p is None or asset is None:
        return None
    for mate in (each for each in lab.people if each.team == p.team):
        forget(lab, mate, asset)
    return p, asset, days


def _theft(kind: str, text: str, p: Person, asset: Asset, share: float, days: list[int]) -> Plan:
    case = case_of(kind, True, [p], [asset], text, len(asset.keys), share=share, days=len(days))
    return Plan(case, days)


def job_on_a_node(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A Slurm job reads another team's checkpoint under the role of its node."""
    found = _thief(lab, rng, last)
    if found is None:
        return None
    p, asset, days = found
    share, hour, ip = float(rng.uniform(0.4, 1)), float(rng.uniform(0, 24)), _node(rng)
    portions = daily_portions(rng, asset, share, days)
    text = "A person's job reads another team's checkpoint under the node's role."
    plan = _theft("job_on_a_node", text, p, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 7200)
        _run(feed, rng, p, asset, portions[days.index(day)].tolist(), t, ip)

    plan.act = act
    return plan


def pod_of_a_service(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A pod under a service's account reads a checkpoint that the service never does."""
    found = _thief(lab, rng, last)
    spaces = ("evals", "notebooks", "ci", "gateway", "datapipes", "training")
    services = [s for s in lab.services if SERVICE_KINDS[s.title][0] in spaces
                and s.title not in ("eval-sweeper", "backup")]  # fmt: skip
    if found is None or not services:
        return None
    p, asset, days = found
    s, share, hour = pick(rng, services), float(rng.uniform(0.4, 1)), float(rng.uniform(0, 24))
    portions = daily_portions(rng, asset, share, days)
    name, ip = f"debug-{int(rng.integers(1000, 9999))}", f"10.90.5.{int(rng.integers(1, 20))}"
    text = "A person's pod reads another team's checkpoint under a service's account."
    plan = _theft("pod_of_a_service", text, p, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 7200)
        space = s.k8s.split(":")[2]
        pod, own = f"{name}-{day}", p.ips["vpn"]
        kubernetes.request(feed, t, p.k8s, "create", "pods", space, pod, own, KUBECTL,
                           asset=f"ns-{space}", code=201)  # fmt: skip
        node = f"system:node:ip-{ip.replace('.', '-')}"
        kubernetes.request(feed, t + 20, node, "patch", "pods", space, pod, NODE_PROXY, KUBELET,
                           sub="status", asset=f"ns-{space}")  # fmt: skip
        who = cloudtrail.sign_in(feed, s, t + 60, ip)
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), t + 180, 5000, 1)
        kubernetes.request(feed, t + 6000, p.k8s, "delete", "pods", space, pod, own, KUBECTL,
                           asset=f"ns-{space}")  # fmt: skip

    plan.act = act
    return plan


def session_of_a_job(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """The scheduler's role reads, in a session that is called like the job."""
    found = _thief(lab, rng, last)
    if found is None:
        return None
    p, asset, days = found
    share, hour = float(rng.uniform(0.4, 1)), float(rng.uniform(0, 24))
    portions = daily_portions(rng, asset, share, days)
    text = "A person's job reads another team's checkpoint in a session named after the job."
    plan = _theft("session_of_a_job", text, p, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 7200)
        name, ip = f"job-{feed.sequence}", f"10.20.9.{int(rng.integers(1, 250))}"
        _submit(feed, p, t, "")
        who = cloudtrail.role_session(feed, JOB_ROLE, name, t + 120, ip, BOTO)
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), t + 200, 5000, 1)

    plan.act = act
    return plan


def jobs_as_usual(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """People's jobs read their own teams' artefacts under the role of their node."""
    days = list(range(lab.days))
    people = [p for p in lab.people if research_user(p) and p.user_id not in lab.cast]
    people = [p for p in people if any(f.team == p.team for f in lab.families)]
    if not people:
        return None
    text = "Jobs read their teams' artefacts; the first of their submitters are named."
    case = case_of("jobs_as_usual", False, people[:NAMED], [], text)

    def act(feed: Feed, day: int) -> None:
        for _ in range(int(rng.poisson(USUAL_JOBS))):
            p = pick(rng, people)
            own = [a for f in lab.families if f.team == p.team for a in available(f.assets, day)]
            if own and p.start <= day and (p.end is None or day <= p.end):
                asset = pick(rng, own)
                order = some_of(rng, asset, float(rng.uniform(0.1, 1)))
                t = night_start(lab, p, day, p.hour + float(rng.uniform(0, 8)), 7200)
                _run(feed, rng, p, asset, order, t, _node(rng))

    return Plan(case, days, act)


def evaluation_job(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A team evaluates another team's released checkpoint, one member after the other."""
    days = any_days(lab, rng, 6)
    teams = [t for t in RESEARCH if sum(p.team == t for p in lab.people) >= 3]
    if not teams:
        return None
    team = pick(rng, teams)
    others = [a for f in lab.families if f.kind == "checkpoint" and f.team != team
              for a in available(f.assets, days[0]) if a.asset_id not in lab.cast]  # fmt: skip
    people = [p for p in lab.people if p.team == team and p.user_id not in lab.cast
              and p.start < -14 and p.notice is None][: len(days)]  # fmt: skip
    if not others or len(people) < 3:
        return None
    asset, share = pick(rng, others), float(rng.uniform(0.5, 1))
    lab.cast |= {p.user_id for p in people}
    text = "Members of a team evaluate another team's released checkpoint by jobs."
    case = case_of("evaluation_job", False, people, [asset], text, share=share)

    def act(feed: Feed, day: int) -> None:
        p = people[days.index(day) % len(people)]
        t = night_start(lab, p, day, p.hour + 1, 7200)
        _run(feed, rng, p, asset, some_of(rng, asset, share), t, _node(rng))

    return Plan(case, days, act)


JOB_INCIDENTS = (job_on_a_node, pod_of_a_service, session_of_a_job)
JOB_LOOK_ALIKES = (jobs_as_usual, evaluation_job)
