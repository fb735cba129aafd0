"""staging: chains of steps at one place, in their order, joined by asset or size."""

from __future__ import annotations

import numpy as np
import pytest

from models.features.chains import Chain, chains
from tests.worlds import stagings
from tests.worlds.histories import SHARD_BYTES, World, empty_history, history_of
from tests.worlds.plants import (
    DAY,
    FIRING,
    QUIET,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    back,
    score_of,
    signals_of,
)
from tests.worlds.stagings import CHECKPOINT, SCRATCH, deletes, staged_exit, writes

SHARDS = 128


def small_world(days: int = 30) -> World:
    """One person with a month of quiet days, and a frontier checkpoint of 128 shards."""
    world = World()
    world.directory.append(
        {"user_id": "u010", "email": "u010@example.com", "display_name": "u010", "kind": "human",
         "team": "evals", "manager_id": "", "employment": "", "start_date": None,
         "notice_date": None, "end_date": None, "country": "", "aliases": ()}
    )  # fmt: skip
    world.assets[CHECKPOINT] = {
        "asset_id": CHECKPOINT, "kind": "checkpoint", "name": "checkpoint", "owner_team": "evals",
        "sensitivity": 5, "objects": SHARDS, "bytes": SHARDS * SHARD_BYTES,
        "allowed_countries": (), "pattern": "s3://lab-ckpt/run/*",
    }  # fmt: skip
    for ago in range(1, days):
        world.act(back(ago), "u010", "s3://notes", "read", object="notes")
    return world


def chain(world: World) -> Chain | None:
    found = chains(history_of(world, DAY), 14, 3)
    (one,) = found.get("u010", [None])
    return one


def statistic(world: World) -> float:
    rows = score_of("staging", history_of(world, DAY))
    return float(rows.loc[rows["entity"] == "u010", "statistic"].sum())


def test_fires(planted: Planted, usual: Usual) -> None:
    history, user = planted(FIRING["staging"])
    assert_fires("staging", history, user, usual)
    (row,) = signals_of("staging", history, user).itertuples()
    assert row.asset_ids == [CHECKPOINT, SCRATCH]
    assert "packed in fewer objects, sent on from there, deleted there afterwards" in row.reason


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("staging", *planted(QUIET["staging"]), usual)


def test_all_five_steps() -> None:
    world = small_world()
    staged_exit(world)
    found = chain(world)
    assert found is not None
    assert found.steps == ("collect", "pack", "stage", "send", "clean")
    assert (found.objects, found.weeks, found.assets) == (SHARDS, 0, (CHECKPOINT,))
    assert statistic(world) == pytest.approx(3 * 0.7 * np.log2(1 + SHARDS))


@pytest.mark.parametrize(
    ("compression", "joined"), [(1.0, True), (16.0, True), (40.0, False), (0.5, False)]
)
def test_the_size_joins(compression: float, *, joined: bool) -> None:
    world = small_world()
    staged_exit(world, compression)
    assert (chain(world) is not None) is joined


@pytest.mark.parametrize(
    "days",
    [(1, 4, 2, 0), (15, 14, 1, 0), (9, 8, 7, 6)],
    ids=["written before it was read", "too long ago", "nothing today"],
)
def test_steps_out_of_order_or_time_are_no_chain(days: tuple[int, ...]) -> None:
    world = small_world()
    staged_exit(world, days=days)
    assert chain(world) is None


def test_two_steps_are_no_chain() -> None:
    world = small_world()
    world.read(back(2), "u010", CHECKPOINT, world.shards(CHECKPOINT))
    writes(world, 0, "u010", SCRATCH, SHARDS * SHARD_BYTES, SHARDS)
    assert chain(world) is None
    assert statistic(world) == 0


def test_what_failed_is_no_step() -> None:
    world = small_world()
    world.read(back(2), "u010", CHECKPOINT, world.shards(CHECKPOINT))
    writes(world, 1, "u010", SCRATCH, SHARDS * SHARD_BYTES, SHARDS)
    deletes(world, 0, "u010", SCRATCH, 5, failed=True)
    assert chain(world) is None
    deletes(world, 0, "u010", SCRATCH, 5)
    assert chain(world) is not None


def test_a_copy_joins_whatever_its_size() -> None:
    world = small_world()
    stagings.copies_on_and_cleans_up(world)
    found = chain(world)
    assert found is not None
    assert (found.steps, found.joined) == (("collect", "stage", "send", "clean"), 1.0)


def test_earlier_weeks_with_the_chain_make_it_usual_and_rehearsals_do_not() -> None:
    usual, rehearsed, plain = small_world(), small_world(), small_world()
    for ago in (21, 14, 7):
        staged_exit(usual, days=(ago, ago, ago, ago))
    for world in (usual, plain):
        staged_exit(world, days=(0, 0, 0, 0))
    rehearsed.assets["data-1"] = rehearsed.assets[CHECKPOINT] | {
        "asset_id": "data-1", "sensitivity": 2, "pattern": "s3://data/*",
    }  # fmt: skip
    stagings.rehearses_with_harmless_content(rehearsed)
    assert statistic(plain) == pytest.approx(16 * statistic(usual))
    assert statistic(rehearsed) == pytest.approx(statistic(plain))


def test_a_new_log_says_little() -> None:
    world = small_world(days=6)
    staged_exit(world)
    known = small_world()
    staged_exit(known)
    assert 0 < statistic(world) < 0.4 * statistic(known)
    assert score_of("staging", empty_history()).empty
