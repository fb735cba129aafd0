"""Risk of an identity out of its findings."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import zeta

from models.scoring.entity_risk import ZETA, combine, level, risk_on

DAY = date(2026, 10, 5)
SCORES = st.lists(st.floats(0, 100), max_size=30)


def slow_combine(scores: list[float]) -> float:
    """The rule step by step: take the highest left, weigh it by its rank, go on."""
    left, rank, total = list(scores), 0, 0.0
    while left:
        highest = max(left)
        left.remove(highest)
        rank += 1
        total += highest / (rank * rank**0.5)
    return total / float(zeta(1.5))


@given(SCORES)
def test_it_is_the_rule(scores: list[float]) -> None:
    assert combine(scores) == pytest.approx(slow_combine(scores))


@given(SCORES, st.floats(0, 100))
def test_another_finding_never_lowers_it(scores: list[float], another: float) -> None:
    assert combine([*scores, another]) >= combine(scores) - 1e-9


@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(scores: list[float], random: object) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert combine(shuffled) == combine(scores)


def test_bounds() -> None:
    assert pytest.approx(float(zeta(1.5))) == ZETA
    assert combine([]) == 0
    assert combine([100]) == pytest.approx(38.28, abs=0.01)
    # Endlessly many of the highest score are 100; what is left out after n is about 2/√n of ζ.
    assert 99 < combine([100.0] * 10_000) < 100


def test_one_strong_finding_outweighs_many_weak_ones() -> None:
    assert combine([80]) > combine([20] * 30)


def test_only_thirty_days_count() -> None:
    def at(back: int) -> tuple[date, float]:
        return DAY - timedelta(days=back), 50.0

    assert risk_on(DAY, [at(29)]) == combine([50])
    assert risk_on(DAY, [at(30)]) == 0
    assert risk_on(DAY, [at(-1)]) == 0
    assert risk_on(DAY, [at(0), at(12), at(40)]) == combine([50, 50])


@pytest.mark.parametrize(
    ("risk", "name"),
    [
        (0, "Unknown"),
        (19.99, "Unknown"),
        (20, "Low"),
        (40, "Moderate"),
        (70, "High"),
        (90, "Critical"),
        (100, "Critical"),
    ],
)
def test_levels(risk: float, name: str) -> None:
    assert level(risk) == name
