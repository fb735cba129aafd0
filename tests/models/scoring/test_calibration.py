"""p-values are uniform (or larger) without an attack; the tail beyond all references is sane."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.scoring.calibration import DECADES, calibrate, fit_tail, p_values, tail_ratio


def naive_p(value: float, others: list[float]) -> float:
    """(1 + number of references at least as large) / (n + 1), as the definition says."""
    return (1 + sum(other >= value for other in others)) / (len(others) + 1)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "standard_cauchy", "standard_exponential"])
def test_p_is_uniform_without_an_attack(draw: str) -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(400):
        pool = getattr(rng, draw)(size=300)
        found.append(p_values(pool[:1], pool)[0])
    assert stats.kstest(found, "uniform").pvalue > 0.01
    for level in (0.01, 0.05, 0.2):
        allowed = level + 3 * np.sqrt(level * (1 - level) / len(found))
        assert np.mean(np.array(found) <= level) <= allowed


def test_far_tail_is_no_more_frequent_than_it_says() -> None:
    """Below the least rank only the fitted tail speaks; 200 references, p down to 1/20,100."""
    rng = np.random.default_rng(11)
    found = np.array([p_values(pool[:1], pool)[0] for pool in rng.exponential(size=(8_000, 200))])
    for level in (1 / 200, 1 / 500, 1 / 1000):
        expected = level * len(found)
        assert (found <= level).sum() <= expected + 4 * np.sqrt(expected) + 3


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_rank_equals_the_definition_with_ties(values: list[int]) -> None:
    pool = np.array(values, dtype=float)
    found = p_values(pool, pool)
    for place, value in enumerate(values):
        others = values[:place] + values[place + 1 :]
        assert found[place] == pytest.approx(naive_p(value, others))


def test_a_few_references_give_no_small_p() -> None:
    pool = np.array([1.0, 2.0, 3.0, 1000.0])
    assert p_values(pool, pool)[3] == 0.25


def test_further_out_is_less_likely_and_ends_after_some_decades() -> None:
    reference = np.random.default_rng(3).exponential(size=1000)
    ratios = [tail_ratio(value, reference) for value in (8.0, 9.0, 10.0, 1e6)]
    assert ratios == sorted(ratios, reverse=True)
    assert len(set(ratios)) == 4
    assert ratios[-1] == 10.0**-DECADES


def test_tail_of_ties_is_not_extrapolated() -> None:
    assert tail_ratio(5.0, np.repeat([0.0, 1.0], 500)) == 1.0


def test_fit_recovers_a_pareto_tail() -> None:
    excess = stats.genpareto.rvs(0.4, scale=2.0, size=20_000, random_state=1)
    shape, scale = fit_tail(excess)
    assert shape == pytest.approx(0.4, abs=0.05)
    assert scale == pytest.approx(2.0, rel=0.1)


def frame(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["detector", "window", "user_kind", "statistic"])


def test_only_comparable_windows_count() -> None:
    past = frame(
        [("a", "1d", "human", float(i)) for i in range(200)]
        + [("a", "7d", "human", 999.0)] * 200
        + [("b", "1d", "human", 999.0)] * 200
        + [("a", "1d", "service", 999.0)] * 200
    )
    today = frame([("a", "1d", "human", 500.0), ("a", "1d", "human", -1.0)])
    high, low = calibrate(today, past)
    assert high <= 1 / 202
    assert low == 1.0


def test_rare_kinds_are_compared_with_all() -> None:
    past = frame([("a", "1d", "human", float(i)) for i in range(500)])
    (p,) = calibrate(frame([("a", "1d", "unknown", 498.5)]), past)
    assert p == pytest.approx(2 / 501)


def test_first_day_and_numbers_that_are_none() -> None:
    today = frame([("a", "1d", "human", float("nan")), ("a", "1d", "human", 3.0)])
    missing, only = calibrate(today, frame([]))
    assert missing == 1.0
    assert only == 0.5
    assert len(calibrate(frame([]), frame([]))) == 0
