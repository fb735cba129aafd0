"""cross_team: distance from the team's work, which own visits do not shorten."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.worlds.contexts import context_of
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
from tests.worlds.team_plants import (
    FAR,
    MATES,
    project_of_the_whole_team,
    second_visit_to_a_far_checkpoint,
)

value_of = partial(statistic_of, "cross_team")


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("cross_team", *planted(second_visit_to_a_far_checkpoint), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("cross_team", *planted(project_of_the_whole_team), usual)


def test_names_the_asset_and_how_far_it_is(planted: Planted) -> None:
    history, user = planted(second_visit_to_a_far_checkpoint)
    row = score_of("cross_team", history).set_index("entity").loc[user]
    assert row["asset_ids"][0] == FAR
    assert "which only 0 of 7 colleagues used before" in row["reason"]


def visits(*days: int) -> Plant:
    def plant(world: World) -> str:
        for ago in days:
            world.read(back(ago), "u016", FAR, world.shards(FAR)[:45], 14)
        world.read(DAY, "u016", FAR, world.shards(FAR)[:45], 14)
        return "u016"

    return plant


def test_own_visits_bring_nothing_nearer(planted: Planted) -> None:
    assert value_of(planted, visits(3, 6, 9, 12, 15)) >= value_of(planted, visits())


def test_it_falls_with_each_colleague(planted: Planted) -> None:
    def with_mates(count: int) -> Plant:
        def plant(world: World) -> str:
            for mate in MATES[:count]:
                world.read(back(6), mate, FAR, world.shards(FAR)[:9], 11)
            return second_visit_to_a_far_checkpoint(world)

        return plant

    values = [value_of(planted, with_mates(count)) for count in (0, 1, 3)]
    # Somebody whose work is everywhere keeps a little.
    assert values[0] > values[1] > 4 * values[2]


def test_more_content_weighs_more(planted: Planted) -> None:
    def one_shard(world: World) -> str:
        world.read(back(21), "u016", FAR, ["shard-0000"], 14)
        world.read(DAY, "u016", FAR, ["shard-0000"], 14)
        return "u016"

    assert 0 < value_of(planted, one_shard) < value_of(planted, visits()) / 3


def test_without_a_directory_the_learned_peers_are_the_circle(planted: Planted) -> None:
    history, user = planted(second_visit_to_a_far_checkpoint)
    nameless = replace(history.context, directory=context_of(World()).directory)
    rows = score_of("cross_team", history.but(context=nameless)).set_index("entity")
    assert rows.at[user, "statistic"] == rows["statistic"].max() > 0


def test_a_log_that_has_just_begun_says_nothing(planted: Planted) -> None:
    history, user = planted(second_visit_to_a_far_checkpoint)
    young = history.but(entity_days=history.entity_days[history.entity_days["day"] == DAY])
    assert score_of("cross_team", young).set_index("entity").at[user, "statistic"] == 0
