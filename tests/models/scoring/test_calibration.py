"""p-values are uniform (or larger) without an attack; the tail beyond all references is sane."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.scoring.calibration import (
    DECADES,
    LOOKS,
    OLD_DAYS,
    anybody_p,
    calibrate,
    fit_tail,
    own_p,
    p_values,
    tail_ratio,
)

USERS, DAYS = 120, 28


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
    ratios = [tail_ratio(value, reference, np.ones(1000)) for value in (8.0, 9.0, 10.0, 1e6)]
    assert ratios == sorted(ratios, reverse=True)
    assert len(set(ratios)) == 4
    assert ratios[-1] == 10.0**-DECADES


def test_tail_of_ties_is_not_extrapolated() -> None:
    assert tail_ratio(5.0, np.repeat([0.0, 1.0], 500), np.ones(1000)) == 1.0


def test_fit_recovers_a_pareto_tail() -> None:
    excess = np.sort(stats.genpareto.rvs(0.4, scale=2.0, size=20_000, random_state=1))
    shape, scale = fit_tail(excess, np.ones(20_000))
    assert shape == pytest.approx(0.4, abs=0.05)
    assert scale == pytest.approx(2.0, rel=0.1)


def test_weights_count_as_copies() -> None:
    excess, copies = np.arange(1.0, 60.0) ** 2, np.arange(59) % 3 + 1
    once = fit_tail(excess, copies.astype(float))
    often = fit_tail(np.repeat(excess, copies), np.ones(copies.sum()))
    assert once == pytest.approx(often, rel=0.05)


def naive_anybody_p(day: dict[str, float], past: dict[str, list[float]], user: str) -> float:
    """(1 + Σ share of the days of each other identity that are as large) / identities."""
    total = 1.0
    names = {*day, *past}
    for other in names - {user}:
        days = past.get(other, []) + ([day[other]] if other in day else [])
        total += sum(value >= day[user] for value in days) / len(days)
    return total / len(names)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 6), min_size=1),
    st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 6), min_size=1)),
)
def test_one_random_day_of_each_other_identity(
    day: dict[str, int], past: dict[str, list[int]]
) -> None:
    names = [*day, *(user for user, days in past.items() for _ in days)]
    values = [*day.values(), *(value for days in past.values() for value in days)]
    identity, _ = pd.factorize(np.array(names))
    found = anybody_p(np.array(values, dtype=float), identity, len(day))
    for place, user in enumerate(day):
        assert found[place] == pytest.approx(naive_anybody_p(day, past, user))


def test_usual_is_the_median_of_earlier_days_or_that_of_the_loudest_tenth() -> None:
    past = {f"u{n}": [float(n), n + 1.0, n + 2.0, n + 3.0, n + 90.0] for n in range(30)}
    past["new"] = [5.0] * 4
    names = [*past, *(user for user, days in past.items() for _ in days)]
    values = [40.0] * 31 + [value for days in past.values() for value in days]
    identity, _ = pd.factorize(np.array(names))
    found = own_p(np.array(values), identity, 31)
    usual = {user: float(np.median(days)) for user, days in past.items() if user != "new"}
    usual["new"] = float(np.quantile(list(usual.values()), 0.9))
    rest = np.array([value - usual[user] for user, value in zip(names, values, strict=True)])
    for place in range(31):
        assert found[place] == pytest.approx(np.mean(rest >= rest[place]), rel=0.5)
    assert found[30] > found[0]
    assert np.isnan(own_p(np.array(values[:5]), identity[:5], 5)).all()


def lab(rng: np.random.Generator, loud: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A day and 28 earlier ones without an attack; ``loud`` colleagues are loud every day."""
    level = rng.normal(size=USERS)
    level[:loud] += 12.0
    values = level[:, None] + rng.exponential(size=(USERS, DAYS + 1))
    kinds = np.where(np.arange(USERS) % 4 == 0, "service", "human")
    frames = [
        pd.DataFrame(
            {
                "entity": [f"u{n}" for n in range(USERS)],
                "detector": "a",
                "window": "1d",
                "settings_hash": "s",
                "user_kind": kinds,
                "statistic": values[:, day],
            }
        )
        for day in range(DAYS + 1)
    ]
    return frames[0], pd.concat(frames[1:])


@pytest.mark.parametrize("loud", [0, 3])
@pytest.mark.parametrize("kind", ["human", "service"])
@pytest.mark.slow
def test_p_is_uniform_for_each_kind_also_beside_loud_colleagues(kind: str, loud: int) -> None:
    """Over 50 labs: no level is undercut more often than it says, and p is not far above it."""
    rng = np.random.default_rng(23)
    found = []
    for _ in range(50):
        day, past = lab(rng, loud)
        p = calibrate(day, past)
        quiet = (day["user_kind"] == kind) & (np.arange(USERS) >= loud)
        found.append(p[quiet])
    for level in (0.01, 0.05, 0.2):
        # Identities of one lab share their reference, so labs are the draws.
        shares = np.array([np.mean(p <= level) for p in found])
        error = shares.std() / np.sqrt(len(shares))
        assert shares.mean() <= level + 4 * error
        assert shares.mean() >= level / 4


def test_a_loud_colleague_does_not_hide_a_thief() -> None:
    """With single days as draws, 28 loud days would make this p 29 / 3,500."""
    day, past = lab(np.random.default_rng(3), loud=1)
    thief = day["entity"] == "u5"
    day.loc[thief, "statistic"] += 11.0
    assert calibrate(day, past)[thief.to_numpy()][0] < 1e-3


def test_a_long_history_of_theft_excuses_nobody() -> None:
    """Who has been loud on all days has no large residual, and is large for anybody."""
    day, past = lab(np.random.default_rng(3), loud=1)
    assert calibrate(day, past)[0] <= LOOKS * 2 / USERS


def test_of_few_identities_every_day_is_a_draw() -> None:
    past = frame([("a", "1d", "human", float(n)) for n in range(60)])
    past["entity"] = [f"u{n % 6}" for n in range(60)]
    today = frame([("a", "1d", "human", 58.5)]).assign(entity="u5")
    assert calibrate(today, past)[0] == pytest.approx(2 / 61)


def test_rows_of_other_settings_are_no_reference() -> None:
    """A setting that doubles the statistic changes overnight; the past says nothing then."""
    shares = []
    for seed in range(20):
        day, past = lab(np.random.default_rng(seed))
        day = day.assign(statistic=2 * day["statistic"], settings_hash="t")
        shares.append(np.mean(calibrate(day, past) <= 0.05))
    assert np.mean(shares) <= 0.06


def frame(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=["detector", "window", "user_kind", "statistic"])
    return found.assign(entity=[f"u{n}" for n in range(len(rows))], settings_hash="s")


def test_only_comparable_windows_count() -> None:
    past = frame(
        [("a", "1d", "human", float(i)) for i in range(200)]
        + [("a", "7d", "human", 999.0)] * 200
        + [("b", "1d", "human", 999.0)] * 200
        + [("a", "1d", "service", 999.0)] * 200
    )
    today = frame([("a", "1d", "human", 500.0), ("a", "1d", "human", -1.0)])
    high, low = calibrate(today.assign(entity=["x", "y"]), past)
    assert high <= 1 / 202
    assert low == 1.0


def test_rare_kinds_are_compared_with_all() -> None:
    past = frame([("a", "1d", "human", float(i)) for i in range(500)])
    (p,) = calibrate(frame([("a", "1d", "unknown", 498.5)]).assign(entity="x"), past)
    assert p == pytest.approx(2 / 501)


def test_first_day_and_numbers_that_are_none() -> None:
    today = frame([("a", "1d", "human", float("nan")), ("a", "1d", "human", 3.0)])
    missing, only = calibrate(today, frame([]))
    assert missing == 1.0
    assert only == 0.5
    assert len(calibrate(frame([]), frame([]))) == 0


def with_strangers(count: int, days: int, known: int = USERS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A lab beside which strangers, quiet on ``days`` days before, all do the same."""
    day, past = lab(np.random.default_rng(3))
    day, past = (each[each["entity"].isin([f"u{n}" for n in range(known)])] for each in (day, past))
    thieves = [
        day.iloc[:1].assign(entity=f"key-{n}", user_kind="unknown", statistic=14.0)
        for n in range(count)
    ]
    before = [each.assign(statistic=0.0) for each in thieves for _ in range(days)]
    return pd.concat([*thieves, day]), pd.concat([past, *before])


@pytest.mark.parametrize("known", [30, USERS])
@pytest.mark.parametrize("days", [0, 6, 20])
def test_a_hundred_strangers_who_do_the_same_are_as_unlikely_as_one(days: int, known: int) -> None:
    """A second name costs nothing, so it excuses nobody: neither itself nor anybody else."""
    names = {f"u{n}" for n in range(known)}
    alone, crowd = (with_strangers(count, days, known) for count in (1, 100))
    (one, *others), (first, *rest) = calibrate(*alone, names), calibrate(*crowd, names)
    assert max(first, one) < 1e-3
    if days < OLD_DAYS:
        assert rest[99:] == pytest.approx(others, rel=0.5)
    assert calibrate(*crowd)[0] > 0.01


def test_in_a_new_log_strangers_are_a_reference_like_others() -> None:
    """Customers of an API are strangers, and make most of its identities."""
    day, past = with_strangers(100, 0)
    short = past.groupby("entity").head(OLD_DAYS - 1)
    names = {f"u{n}" for n in range(USERS)}
    assert calibrate(day, short, names) == pytest.approx(calibrate(day, short))


def test_strangers_of_the_days_before_are_no_reference() -> None:
    """Each day another name does it."""
    day, past = with_strangers(1, 0)
    earlier = [day.iloc[:1].assign(entity=f"key-{n}") for n in range(1, 28)]
    names = {f"u{n}" for n in range(USERS)}
    alone = calibrate(day, past, names)[0]
    assert calibrate(day, pd.concat([past, *earlier]), names)[0] <= 2 * alone
