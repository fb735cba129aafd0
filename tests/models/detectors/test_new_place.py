"""new_place: speaks of its case, and not of its look-alikes."""

from __future__ import annotations

import dataclasses

import pytest

from models.features.history import History
from tests.worlds.histories import HOME, World, empty_history, history_of
from tests.worlds.office import SHARDS, small_world
from tests.worlds.place_plants import ABROAD, moves_house, session_from_abroad, works_from
from tests.worlds.plants import (
    DAY,
    SETTINGS,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    back,
    score_of,
    signals_of,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("new_place", *planted(session_from_abroad), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("new_place", *planted(moves_house), usual)


def test_a_conference_trip_with_ordinary_work_weighs_little(planted: Planted) -> None:
    def conference(world: World) -> str:
        return works_from(world, "u012", "external/PT/64710")

    theft = signals_of("new_place", *planted(session_from_abroad)).iloc[0]
    trip = signals_of("new_place", *planted(conference)).iloc[0]
    least = SETTINGS["new_place"].least("objects")
    assert trip["observed"] < 0.3 * least < 0.8 * least < theft["observed"]
    assert "external/PT/64710" in trip["reason"]


def test_an_unlisted_network_is_as_strange_as_a_country(planted: Planted) -> None:
    def unlisted(world: World) -> str:
        world.read(DAY, "u006", "ckpt-pretraining-1", SHARDS, 3, network="203.0.113.0/24")
        return "u006"

    theft = signals_of("new_place", *planted(session_from_abroad)).iloc[0]
    found = signals_of("new_place", *planted(unlisted)).iloc[0]
    assert found["statistic"] == pytest.approx(theft["statistic"])
    # The block of an address may belong to a person.
    assert "a network that is not listed" in found["reason"]
    assert "203.0.113" not in found["reason"]


def statistic(world: World, user: str = "u0") -> float:
    rows = score_of("new_place", history_of(world, DAY))
    return float(rows.set_index("entity")["statistic"][user])


def stolen(world: World, network: str = ABROAD, **more: object) -> World:
    world.read(DAY, "u0", "ckpt", SHARDS, 3, network=network, **more)
    return world


def test_team_mates_make_a_place_less_strange_than_others_do() -> None:
    values = [statistic(stolen(small_world()))]
    for other in ("u1", "u2"):  # of the other team, of the team
        world = stolen(small_world())
        world.read(back(9), other, "ckpt", SHARDS[:2], 9, network=ABROAD)
        values.append(statistic(world))
    alone, another, mate = values
    assert alone > another > mate > 0


def test_refused_attempts_and_own_looks_make_no_place_known() -> None:
    world = stolen(small_world())
    for ago in (2, 9, 16, 23):
        world.read(back(ago), "u0", "ckpt", SHARDS, 3, network=ABROAD, failed=True)
        world.act(back(ago), "u0", "ckpt", "list", network=ABROAD)
    assert statistic(world) == pytest.approx(statistic(stolen(small_world())))


def test_weeks_of_work_make_a_place_known() -> None:
    values = []
    for weeks in range(4):
        world = stolen(small_world())
        for week in range(weeks):
            world.read(back(3 + 7 * week), "u0", "ckpt", SHARDS, 3, network=ABROAD)
        values.append(statistic(world))
    assert values[0] > values[1] > values[2] > values[3] == 0


def test_cheap_content_of_many_weeks_makes_no_place_known() -> None:
    """The thief reads one harmless file a week there, and then the checkpoint."""
    fresh, patient, bold = (stolen(small_world()) for _ in range(3))
    for week in range(4):
        patient.read(back(3 + 7 * week), "u0", "s3://notes", ["a"], 3, network=ABROAD)
        bold.read(back(3 + 7 * week), "u0", "ckpt", SHARDS[:1], 3, network=ABROAD)
    assert statistic(patient) > 0.8 * statistic(fresh)
    assert statistic(bold) > 0.5 * statistic(fresh)


def test_a_busy_day_at_home_after_months_of_small_ones_is_ordinary() -> None:
    """Twenty times as much as on the usual day there."""
    world = small_world(85)
    for week in range(11):
        world.read(back(3 + 7 * week), "u0", "ckpt", SHARDS[:2], 19, network="external/US/64650")
    assert statistic(stolen(world, "external/US/64650")) == 0


def test_rows_of_older_versions_count_their_weeks_alone() -> None:
    world = stolen(small_world())
    for week in range(3):
        world.read(back(3 + 7 * week), "u0", "s3://notes", ["a"], 3, network=ABROAD)
    history = history_of(world, DAY)
    older = history.place_days.assign(worth=None, week_worths=None, country_week_worths=None)
    rows = score_of("new_place", history.but(place_days=older)).set_index("entity")
    assert rows["statistic"]["u0"] == 0 < statistic(world)


def test_the_country_of_the_directory_is_known() -> None:
    world = stolen(small_world())
    world.person("u0")["country"] = "RO"
    assert 0 < statistic(world) < 0.5 * statistic(stolen(small_world()))


def test_our_own_networks_and_services_are_left_out() -> None:
    assert statistic(stolen(small_world(), "vpn/RO/64512")) == 0
    world = small_world()
    world.read(DAY, "svc", "ckpt", SHARDS, 3, network=ABROAD, kind="service")
    assert "svc" not in set(score_of("new_place", history_of(world, DAY))["entity"])


def test_two_countries_at_once_weigh_more() -> None:
    together, later = small_world(), small_world()
    for world, hour in ((together, 3), (later, 20)):
        world.read(DAY, "u0", "ckpt", SHARDS[:1], hour, network=HOME)
        stolen(world)
    assert statistic(together) > statistic(later) > 0
    rows = score_of("new_place", history_of(together, DAY)).set_index("entity")
    assert "9,000 km from another place in 1 h" in rows["reason"]["u0"]


def test_the_first_days_of_a_log_are_quiet() -> None:
    world = stolen(small_world())
    world.events = [event for event in world.events if event.day >= back(3)]
    assert 0 < statistic(world) < 0.3 * statistic(stolen(small_world()))
    world.events = [event for event in world.events if event.day == DAY]
    assert statistic(world) == 0


def test_no_places_at_all(planted: Planted) -> None:
    history, _ = planted(session_from_abroad)
    nothing: History = dataclasses.replace(
        history,
        place_access=empty_history().place_access,
        place_days=empty_history().place_days,
    )
    assert set(score_of("new_place", nothing)["statistic"]) == {0.0}
