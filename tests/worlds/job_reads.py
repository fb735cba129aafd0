"""Rows of ``job_access``: what the roles of jobs read in a world."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from schemas.tables.jobs import JOB_ACCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.worlds.histories import World

ROLE = "arn:aws:sts::111122223333:assumed-role/cluster-node"
RUNNER = "arn:aws:iam::111122223333:role/job-runner"


def ordinary_jobs(world: World, rng: np.random.Generator) -> None:
    """A third of what people read they read in a job, whose role they assume themselves."""
    read: dict[tuple[date, str, str], set[str]] = {}
    for event in world.events:
        if event.action_class == "read" and event.kind == "human" and "repo" not in event.asset:
            read.setdefault((event.day, event.user, event.asset), set()).add(event.object)
    for (day, user, asset), objects in sorted(read.items()):
        if rng.random() < 1 / 3:
            world.jobs.append(row(day, user, RUNNER, asset, len(objects), "own"))


def row(day: date, user: str, role: str, asset: str, objects: int, tie: str = "address",
        candidates: int = 1) -> dict[str, Any]:  # fmt: skip
    """A row of JOB_ACCESS."""
    return {
        "day": day, "user_id": user, "user_kind": "human", "role": role, "asset_id": asset,
        "tie": tie, "job": f"slurm://a100/team/{70_000 + objects}", "candidates": candidates,
        "events": objects, "objects": objects, "bytes": objects * 2_000_000_000,
        "first_time": pd.Timestamp(day) + pd.Timedelta(hours=14),
        "last_time": pd.Timestamp(day) + pd.Timedelta(hours=15), "addresses": ["10.20.3.7"],
    }  # fmt: skip


def job_frame(rows: Sequence[dict[str, Any]], first: date, last: date) -> pd.DataFrame:
    """The rows of the days ``first`` to ``last``."""
    kept = [each for each in rows if first <= each["day"] <= last]
    frame = pd.DataFrame(kept, columns=JOB_ACCESS.column_names)
    return frame.sort_values(["day", *JOB_ACCESS.key], ignore_index=True)
