"""What roles read for jobs: the submitter's if the tie is sure, else the role's own."""

from __future__ import annotations

import pytest

from models.features.job_readings import read_by_jobs
from tests.worlds.histories import World, history_of
from tests.worlds.job_plants import FRONTIER, reads_by_job
from tests.worlds.job_reads import ROLE
from tests.worlds.plants import DAY, signals_of


@pytest.mark.parametrize("tie", ["own", "address", "account"])
def test_a_sure_tie_makes_the_reading_the_submitters(world: World, tie: str) -> None:
    reads_by_job(world, DAY, "u004", FRONTIER, world.shards(FRONTIER), tie=tie)
    assert read_by_jobs(history_of(world, DAY)) >= {(ROLE, FRONTIER)}


def test_a_session_called_like_a_job_excuses_no_role(world: World) -> None:
    reads_by_job(world, DAY, "u004", FRONTIER, world.shards(FRONTIER), tie="name")
    assert (ROLE, FRONTIER) not in read_by_jobs(history_of(world, DAY))


def test_one_of_several_possible_submitters_excuses_no_role(world: World) -> None:
    reads_by_job(world, DAY, "u004", FRONTIER, world.shards(FRONTIER), candidates=2)
    assert (ROLE, FRONTIER) not in read_by_jobs(history_of(world, DAY))


def test_a_small_job_hides_nothing_that_the_role_reads_beside_it(world: World) -> None:
    """Thieves with the role's credentials submit a job that reads one shard of the artefact."""
    shards = world.shards(FRONTIER)
    reads_by_job(world, DAY, "u004", FRONTIER, shards[:1])
    assert (ROLE, FRONTIER) in read_by_jobs(history_of(world, DAY))
    world.read(DAY, ROLE, FRONTIER, shards[1:], 15, kind="unknown")
    assert (ROLE, FRONTIER) not in read_by_jobs(history_of(world, DAY))


@pytest.mark.parametrize(("detector", "listed"), [("first_access", False), ("cross_team", True)])
def test_a_role_is_no_stranger_where_its_jobs_read(
    world: World, detector: str, listed: bool
) -> None:
    if listed:
        world.directory.append(world.person("u004") | {"user_id": ROLE})
    values = []
    for tie in ("name", "address"):
        case = world.copy()
        reads_by_job(case, DAY, "u004", FRONTIER, world.shards(FRONTIER), tie=tie)
        values.append(signals_of(detector, history_of(case, DAY), ROLE)["statistic"].sum())
    assert values[1] < values[0]
