"""collusion: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.detectors.collusion import disjointness
from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    signals_of,
    team_reads_in_parallel,
    three_read_a_third_each,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("collusion", *planted(three_read_a_third_each), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("collusion", *planted(team_reads_in_parallel), usual)


def test_two_unknown_teams_are_not_one_team(planted: Callable[..., Any]) -> None:
    history, user = planted(three_read_a_third_each)

    def statistic(team: str, owner: str) -> float:
        context = replace(
            history.context,
            directory=history.context.directory.assign(team=team),
            assets=history.context.assets.assign(owner_team=owner),
        )
        rows = signals_of("collusion", history.but(context=context), user)
        return float(rows["statistic"].iloc[0])

    assert statistic("evals", "evals") < statistic("evals", "serving")
    assert statistic("", "") == statistic("evals", "serving")


def test_disjointness_is_standard_normal_for_chance_readers() -> None:
    """z of independent random parts has mean 0 and spread below 1 (a 1 is added under the root)."""
    rng = np.random.default_rng(9)
    values = []
    for _ in range(400):
        reads = np.zeros((3, 120), dtype=bool)
        for row in reads:
            row[rng.choice(120, 40, replace=False)] = True
        values.append(disjointness(reads, 120))
    assert np.mean(values) == pytest.approx(0, abs=0.2)
    assert 0.7 < np.std(values) < 1.1
    apart = np.kron(np.eye(3, dtype=bool), np.ones((1, 40), dtype=bool))
    assert disjointness(apart, 120) > 5
