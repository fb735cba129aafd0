"""Slurm's accounting export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from jobs.trial.lab.feed import CLOCK, Feed
from jobs.trial.lab.world import DAY, SLURM_CLUSTER, SLURM_ZONE, Person

ZONE = ZoneInfo(SLURM_ZONE)


@dataclass(frozen=True)
class Job:
    """A batch job: times are epoch seconds; the first three fields are columns of its rows."""

    shown: str
    raw: int
    name: str
    account: str
    person: Person
    submit: float
    begin: float
    end: float
    state: str
    gpus: int
    hosts: str
    steps: int


def job(
    feed: Feed,
    p: Person,
    submit: float,
    wait: float,
    run: float,
    name: str,
    *,
    state: str,
    gpus: int,
    account: str,
    array: int = 0,
    steps: int = 0,
    asset: str = "",
    hosts: str = "",
) -> None:
    """A batch job: rows in the accounting export of every local day it spans.

    ``hosts``: its nodes; empty: any of the cluster's.
    """
    if not feed.inside(submit):
        return
    raw = feed.sequence
    feed.sequence += 1 + array + int(4 * next(feed.uniform))
    begin, end = submit + wait, submit + wait + run
    nodes = _nodes(gpus)
    first = int(next(feed.uniform) * 60)
    drawn = f"gpu-[{first:03d}-{first + nodes - 1:03d}]" if nodes > 1 else f"gpu-{first:03d}"
    hosts = hosts or drawn
    for task in range(max(1, array)):
        job_raw = raw + task
        shown = f"{raw}_{task}" if array else str(raw)
        feed.note("slurm_sacct", submit, f"{SLURM_CLUSTER}/{job_raw}", asset, "", 0)
        one = Job(shown, job_raw, name, account, p, submit, begin, end, state, gpus, hosts, steps)
        _export(feed, one)


def _export(feed: Feed, job: Job) -> None:
    """Queue the rows of a job for the export of each local day from its start to its end."""
    for ordinal in range(_local(job.submit).toordinal(), _local(job.end).toordinal() + 1):
        cut = datetime.fromordinal(ordinal + 1).replace(tzinfo=ZONE).timestamp()
        folder = ordinal + 1 - feed.lab.first.toordinal()
        if folder > feed.lab.days + 1:
            break
        rows = _rows(job, cut)
        if next(feed.uniform) < 0.01:
            feed.duplicates["slurm_sacct"] += 1
            rows.append(rows[0])
        feed.rows["slurm_sacct"] += len(rows)
        queue = feed.buffer.setdefault(max(folder, 0), {}).setdefault("slurm_sacct", [])
        queue.extend((job.raw, row) for row in rows)


def _rows(job: Job, cut: float) -> list[str]:
    """The rows that sacct shows for a job and its steps at an epoch time."""
    done, started = job.end <= cut, job.begin <= cut
    state = job.state if done else "RUNNING" if started else "PENDING"
    elapsed = int((job.end if done else cut) - job.begin) if started else 0
    code = {"FAILED": "1:0", "COMPLETED": "0:0"}.get(state, "0:15")
    submit = _local_text(job.submit)
    begin = _local_text(job.begin) if started else "Unknown"
    end = _local_text(job.end) if done else "Unknown"
    span = f"{submit}|{submit}|{begin}|{end}|{_elapsed(elapsed)}|{code}|"
    gpus, cpus, nodes = job.gpus, job.gpus * 8, _nodes(job.gpus)
    tres = f"billing={cpus},cpu={cpus},gres/gpu={gpus},mem={gpus * 64}G,node={nodes}"
    p = job.person
    submitted = f"sbatch --gres=gpu:{min(8, gpus)} {job.name.split('-')[0]}.sbatch"
    rows = [
        f"{job.shown}|{job.raw}|{job.name}|{SLURM_CLUSTER}|gpu|normal|{job.account}|{p.slurm}|"
        f"{p.uid}|{span}{state}|{nodes}|{cpus}|{gpus * 64}G|{tres}|1-00:00:00|"
        f"{job.hosts if started else 'None assigned'}|/home/{p.slurm}|{submitted}"
    ]
    step_state = "CANCELLED" if state.startswith("CANCELLED") else state
    parts = ["batch", "extern", *map(str, range(job.steps))] if started else []
    rows.extend(
        f"{job.shown}.{part}|{job.raw}.{part}|{part}|{SLURM_CLUSTER}|||{job.account}|||"
        f"{span}{step_state}|{nodes}|{cpus}||{tres}||{job.hosts}||"
        for part in parts
    )
    return rows


def _nodes(gpus: int) -> int:
    return max(1, gpus // 8)


def _local(t: float) -> datetime:
    return datetime.fromtimestamp(t, tz=ZONE)


def _local_text(t: float) -> str:
    return datetime.fromtimestamp(int(t), tz=ZONE).strftime("%Y-%m-%dT%H:%M:%S")


def _elapsed(seconds: int) -> str:
    days, rest = divmod(seconds, DAY)
    return (f"{days}-" if days else "") + CLOCK[rest]
