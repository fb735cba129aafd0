"""supply_chain: speaks of who changed a pipeline and of the build identity that then reads anew."""

from __future__ import annotations

from functools import partial

import pytest

from tests.worlds.build_plants import (
    CI,
    FRONTIER,
    ci_reads_after_a_changed_workflow,
    engineer_registers_a_runner,
    stays_away_after_a_cheap_look,
)
from tests.worlds.histories import World
from tests.worlds.plants import (
    DAY,
    Plant,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    back,
    score_of,
    statistic_of,
)

value_of = partial(statistic_of, "supply_chain")


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("supply_chain", *planted(ci_reads_after_a_changed_workflow), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("supply_chain", *planted(engineer_registers_a_runner), usual)
    assert value_of(planted, engineer_registers_a_runner) == 0


def test_names_who_changed_what_and_who_read(planted: Planted) -> None:
    history, user = planted(ci_reads_after_a_changed_workflow)
    row = score_of("supply_chain", history).set_index("entity").loc[user]
    assert list(row["related_users"]) == ["svc-ci"]
    assert row["asset_ids"] == [FRONTIER]
    assert row["reason"].startswith(
        "u017 changed a workflow, a pipeline or the rules of a branch in repo-7 3 days ago, and "
        f"svc-ci read 40 objects of {FRONTIER}"
    )


def test_the_reader_is_named_if_the_changer_is_away(planted: Planted) -> None:
    history, user = planted(stays_away_after_a_cheap_look)
    row = score_of("supply_chain", history).set_index("entity").loc[user]
    assert user == "svc-ci" and list(row["related_users"]) == ["u017"]


def reads_with_a_change(days: int, failed: bool = False, repo: str = "repo-7") -> Plant:
    def plant(world: World) -> str:
        world.act(back(days), "u017", repo, "admin", action="hook.create", failed=failed)
        world.read(DAY, "u017", "data-1", ["shard-0001"], 10)
        world.read(DAY, "svc-ci", FRONTIER, world.shards(FRONTIER)[:40], 15, **CI)
        return "u017"

    return plant


@pytest.mark.parametrize(
    "innocent",
    [
        reads_with_a_change(20),
        reads_with_a_change(3, failed=True),
        reads_with_a_change(3, repo="github://elsewhere/tool"),
    ],
    ids=["long ago", "refused", "another repository"],
)
def test_a_reading_without_a_tied_change_counts_nothing(innocent: Plant, planted: Planted) -> None:
    assert value_of(planted, innocent) == 0


def test_what_was_read_as_much_before_the_change_is_known(planted: Planted) -> None:
    def known(world: World) -> str:
        for ago in (8, 10, 15, 17, 22, 24):
            world.read(back(ago), "svc-ci", FRONTIER, world.shards(FRONTIER)[:40], 15, **CI)
        return ci_reads_after_a_changed_workflow(world)

    assert value_of(planted, known) < 0.2 * value_of(planted, ci_reads_after_a_changed_workflow)


def test_reading_since_the_change_makes_nothing_known(planted: Planted) -> None:
    def every_day_since(world: World) -> str:
        for ago in (2, 1):
            world.read(back(ago), "svc-ci", FRONTIER, world.shards(FRONTIER)[:40], 15, **CI)
        return ci_reads_after_a_changed_workflow(world)

    plain = value_of(planted, ci_reads_after_a_changed_workflow)
    assert value_of(planted, every_day_since) == pytest.approx(plain)


def test_a_log_that_has_just_begun_says_nothing(planted: Planted) -> None:
    history, user = planted(ci_reads_after_a_changed_workflow)
    young = history.but(entity_days=history.entity_days[history.entity_days["day"] == DAY])
    rows = score_of("supply_chain", young).set_index("entity")
    assert rows.at[user, "statistic"] == 0
