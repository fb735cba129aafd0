"""Minutes that keys share: expected ones against a count of drawn keys, and which of them count."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from models.features.moments import shared_moments
from tests.worlds.api_queries import moments_of

MONDAY = 3


def rows_of(minutes: list[list[int]], hours: list[list[float]]) -> pd.DataFrame:
    """Rows of one day, each of a key of its own; ``hours``: queries of each hour."""
    rows: list[dict[str, Any]] = [
        {
            "key": key,
            "ago": MONDAY,
            "minutes": len(used),
            "moments": moments_of(used),
            "hours": each,
        }
        for key, (used, each) in enumerate(zip(minutes, hours, strict=True))
    ]
    return pd.DataFrame(rows)


def by_chance(rng: np.random.Generator, rates: list[float]) -> list[int]:
    """Minutes with a query, if those of an hour are spread evenly over it."""
    return [
        60 * hour + minute
        for hour, rate in enumerate(rates)
        for minute in range(60)
        if rng.random() < 1 - np.exp(-rate / 60)
    ]


def test_keys_without_a_common_clock_share_no_more_than_expected() -> None:
    rng = np.random.default_rng(3)
    rates = [[float(rng.integers(5, 40)) if 8 <= hour < 14 else 0.0 for hour in range(24)]
             for _ in range(400)]  # fmt: skip
    found, expected = shared_moments(rows_of([by_chance(rng, each) for each in rates], rates))
    sizes = Counter(found["value"])
    assert len(sizes) > 100
    assert all(
        size <= expected[value] + 4 * np.sqrt(expected[value]) + 3 for value, size in sizes.items()
    )


def test_the_expected_number_is_the_sum_over_keys() -> None:
    rng = np.random.default_rng(4)
    rates = [[float(rng.integers(0, 60)) for _ in range(24)] for _ in range(30)]
    found, expected = shared_moments(rows_of([by_chance(rng, each) for each in rates], rates))
    assert len(found)
    for value, number in expected.items():
        _, first, second = map(int, str(value).split(":"))
        total = 0.0
        for each in rates:
            one, other = (1 - np.exp(-each[minute // 60] / 60) for minute in (first, second))
            if one <= 0.5 and other <= 0.5:
                total += one if first == second else one * other
        assert np.isclose(number, total)


def test_keys_of_one_clock_share_most_pairs() -> None:
    used = [61, 7 * 60 + 11, *range(605, 615), *range(905, 915)]
    hours = [[0.0] * 24 for _ in range(12)]
    for each in hours:
        each[1], each[7], each[10], each[15] = 1.0, 1.0, 10.0, 10.0
    found, expected = shared_moments(rows_of([used] * 12, hours))
    sizes = Counter(found["value"])
    assert set(sizes.values()) == {12}
    assert all(expected[value] < 1 for value in sizes)


def test_clocks_busy_keys_and_few_minutes_say_nothing() -> None:
    starts = [60 * hour + quarter + late for hour in (1, 2) for quarter in (0, 15, 30, 45)
              for late in (0, 4)]  # fmt: skip
    sparse, busy = [1.0] * 24, [500.0] * 24
    odd = list(range(65, 75))
    assert shared_moments(rows_of([starts] * 9, [sparse] * 9))[0].empty
    assert shared_moments(rows_of([odd] * 9, [busy] * 9))[0].empty
    assert shared_moments(rows_of([odd[:9]] * 9, [sparse] * 9))[0].empty
    assert not shared_moments(rows_of([odd] * 9, [sparse] * 9))[0].empty


def test_rows_of_an_older_version_share_nothing() -> None:
    rows = rows_of([[70]] * 3, [[1.0] * 24] * 3).assign(moments=None)
    found, expected = shared_moments(rows)
    assert len(found) == len(expected) == 0
