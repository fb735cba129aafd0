"""Cases of jobs whose roles read artefacts, and their look-alikes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tests.worlds.job_reads import ROLE, row
from tests.worlds.scored_day import DAY, back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.worlds.histories import World

FRONTIER = "ckpt-pretraining-2"
"""A checkpoint of sensitivity 5 and 64 objects that its team alone reads."""


def reads_by_job(world: World, day: date, user: str, asset: str, objects: Sequence[str],
                 role: str = ROLE, **more: Any) -> str:  # fmt: skip
    """The role reads the objects in a job of ``user``; returns ``user``."""
    kind = "service" if role.startswith("svc") else "unknown"
    world.read(day, role, asset, list(objects), 14, kind=kind)
    world.jobs.append(row(day, user, role, asset, len(objects), **more))
    return user


def job_reads_a_strange_checkpoint(world: World) -> str:
    """The person's own account does an ordinary day's work."""
    world.read(DAY, "u016", "ckpt-evals-1", ["shard-0001"], 11)
    return reads_by_job(world, DAY, "u016", FRONTIER, world.shards(FRONTIER))


def first_job_on_the_own_artefact(world: World) -> str:
    """A new member of the team reads by job what colleagues read."""
    world.directory.append(world.person("u006") | {"user_id": "u900", "start_date": back(3)})
    world.read(DAY, "u900", "data-1", ["shard-0001"], 11)
    return reads_by_job(world, DAY, "u900", FRONTIER, world.shards(FRONTIER))


def jobs_in_small_parts_under_false_names(world: World) -> str:
    """A third on each of three days, after a shard two weeks before; so does an accomplice.

    Another person's number stands in the name of the session.
    """
    shards = world.shards(FRONTIER)
    reads_by_job(world, back(15), "u016", FRONTIER, shards[:1])
    reads_by_job(world, back(9), "u022", FRONTIER, shards[:1])
    for ago in (2, 1, 0):
        reads_by_job(world, back(ago), "u016", FRONTIER, shards[ago::3])
    world.jobs.append(row(DAY, "u006", ROLE, FRONTIER, 21, "name"))
    world.read(DAY, "u016", "ckpt-evals-1", ["shard-0001"], 11)
    return "u016"
