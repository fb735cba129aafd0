"""poisoning_guard: speaks of amounts that grow over weeks, and not of steady ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from models.detectors.poisoning_guard import PoisoningGuardSettings, compare, growth
from tests.worlds.histories import World, history_of
from tests.worlds.plants import (
    DAY,
    SETTINGS,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    back,
    reads_as_much_as_ever,
    reads_more_every_day,
    score_of,
)

RULES = SETTINGS["poisoning_guard"]
NAN = float("nan")


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("poisoning_guard", *planted(reads_more_every_day), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("poisoning_guard", *planted(reads_as_much_as_ever), usual)


@given(st.lists(st.floats(0, 20), min_size=2, max_size=21, unique=True))
def test_growth_is_kendalls_tau_towards_the_present(newest_first: list[float]) -> None:
    expected = kendalltau(range(len(newest_first)), newest_first[::-1]).statistic
    found = growth(np.array([newest_first]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_days_off_neither_grow_nor_fall() -> None:
    table = np.array([[3.0, NAN, 2.0, NAN, NAN, 1.0], [NAN] * 6, [5.0, *[NAN] * 5]])
    assert growth(table).tolist() == [1.0, 0.0, 0.0]


def test_the_week_is_compared_with_the_frozen_days_alone() -> None:
    assert isinstance(RULES, PoisoningGuardSettings)
    days = np.full((1, 90), NAN)
    days[0, :7], days[0, 7:14], days[0, 14:34] = 4.0, 50.0, [1.0, 3.0] * 10
    level, usual, z = compare(days, RULES)
    # The frozen days: median 2, median deviation 1.
    np.testing.assert_allclose([level[0], usual[0]], [4.0, 2.0])
    np.testing.assert_allclose(z[0], 2.0 / (1.4826 / np.sqrt(7)))


def test_without_a_reference_nothing_is_said() -> None:
    world = World()
    for ago in range(12):
        world.read(back(ago), "new", "s3://any", [f"o{i}" for i in range(2 * (12 - ago))])
    (row,) = score_of("poisoning_guard", history_of(world, DAY)).to_dict("records")
    assert row["statistic"] == 0.0
