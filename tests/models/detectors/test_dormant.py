"""dormant: speaks of its case, and not of its look-alikes."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.worlds.histories import World, history_of
from tests.worlds.office import SHARDS, small_world
from tests.worlds.place_plants import comes_back_from_holiday, rest, wakes_and_reads
from tests.worlds.plants import DAY, Planted, Usual, assert_fires, assert_quiet, back, score_of


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("dormant", *planted(wakes_and_reads), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("dormant", *planted(comes_back_from_holiday), usual)


def row(world: World, user: str = "u0") -> pd.Series:
    rows = score_of("dormant", history_of(world, DAY))
    return rows.set_index("entity").loc[user]


def woken(days: int, log: int = 80) -> World:
    """u0 rests for ``days`` - 1 days and then reads forty shards."""
    world = small_world(log)
    rest(world, "u0", days - 1)
    world.read(DAY, "u0", "ckpt", SHARDS, 14)
    return world


def test_grows_with_the_break_up_to_sixty_days() -> None:
    values = {days: row(woken(days))["statistic"] for days in (15, 22, 29, 30, 45, 60, 75)}
    assert values[15] == values[22] == values[29] == 0
    assert 0 < values[30] < values[45] < values[60]
    assert values[60] == pytest.approx(values[75], rel=0.05)
    assert row(woken(45))["reason"] == "took 40 objects (ckpt) after 45 days without work"


def test_the_usual_work_after_a_long_leave_weighs_little() -> None:
    leave = small_world(80)
    rest(leave, "u0", 34)
    assert row(leave)["statistic"] < 0.25 * row(woken(35))["statistic"]
    assert row(leave)["observed"] < 1


def test_looks_and_a_small_read_before_do_not_end_the_break() -> None:
    world = woken(60)
    for ago in (12, 6, 5):
        world.act(back(ago), "u0", "ckpt", "list")
    assert row(world)["statistic"] == pytest.approx(row(woken(60))["statistic"])
    world.read(back(1), "u0", "ckpt", SHARDS[:1])
    assert 0.5 < row(world)["statistic"] / row(woken(60))["statistic"] < 1


def test_days_of_work_end_the_break() -> None:
    values = []
    for worked in range(6):
        world = woken(60)
        for ago in range(worked):
            world.read(back(ago + 1), "u0", "ckpt", SHARDS[:2])
        values.append(row(world)["statistic"])
    assert values == sorted(values, reverse=True)
    assert values[0] > values[4] > values[5] == 0


def test_who_comes_every_month_is_not_idle() -> None:
    """As a job does that runs on the first of the month."""
    world, once = small_world(80), small_world(80)
    for each in (world, once):
        rest(each, "u0", 80)
        each.read(DAY, "u0", "ckpt", SHARDS)
        each.read(back(70), "u0", "ckpt", SHARDS)
    world.read(back(35), "u0", "ckpt", SHARDS)
    assert row(world)["statistic"] < 0.5 * row(once)["statistic"]


def test_an_account_that_the_log_never_showed() -> None:
    values = []
    for log in (15, 25, 45, 61):
        world = small_world(log)
        rest(world, "u0", 80)
        world.read(DAY, "u0", "ckpt", SHARDS)
        values.append(row(world)["statistic"])
    assert 0 == values[0] < values[1] < values[2] < values[3]


def test_newcomers_and_strangers_are_not_dormant() -> None:
    world = small_world(61)
    rest(world, "u0", 80)
    world.person("u0")["start_date"] = back(3)
    for user in ("u0", "stranger"):
        world.read(DAY, user, "ckpt", SHARDS)
        assert row(world, user)["statistic"] == 0


def test_an_old_credential_of_an_active_identity() -> None:
    def used(*days: int) -> pd.Series:
        world = small_world(80)
        for ago in days:
            world.read(back(ago), "u0", "ckpt", SHARDS[:2], 3, credential="old")
        world.read(DAY, "u0", "ckpt", SHARDS, 3, credential="old")
        return row(world)

    woke = used(70)
    assert woke["statistic"] > 0
    assert "with a credential that was unused for 70 days" in woke["reason"]
    # A try this week does not make it used.
    assert used(70, 3)["statistic"] == woke["statistic"]
    assert used(70, 20)["statistic"] == used(40)["statistic"] == used()["statistic"] == 0


def test_the_first_day_of_a_log() -> None:
    assert row(small_world(1))["statistic"] == 0
