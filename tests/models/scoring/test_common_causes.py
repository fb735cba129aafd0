"""Colleagues who do the same: they excuse each other, and nobody can borrow their names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scoring.common_causes import colleagues_alike

TEAM = {f"u{number}": "evals" for number in range(8)} | {"x1": "data", "x2": "data"}


def rows(p: Mapping[str, float], detector: str = "burst_self", windows: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"entity": who, "detector": detector, "p_value": value}
            for who, value in p.items()
            for _ in range(windows)
        ]
    )


def test_a_launch_is_shared_by_those_who_work_on_it() -> None:
    busy = dict.fromkeys(["u0", "u1", "u2", "u3"], 0.001) | dict.fromkeys(["u4", "u5"], 0.9)
    found = colleagues_alike(rows(busy), TEAM, (), 0.02)
    assert set(found) == {(who, "burst_self") for who in ("u0", "u1", "u2", "u3")}
    assert found["u0", "burst_self"] == pytest.approx(3 - 5 * 0.001**0.5)


def test_whoever_is_far_more_surprising_than_the_colleagues_shares_with_nobody() -> None:
    thief = {"u0": 1e-6} | dict.fromkeys(["u1", "u2", "u3"], 0.015)
    found = colleagues_alike(rows(thief), TEAM, (), 0.02)
    assert ("u0", "burst_self") not in found
    assert found["u1", "burst_self"] > 2


def test_another_team_and_another_detector_excuse_nobody() -> None:
    alike = pd.concat([rows({"u0": 0.001, "x1": 0.001}), rows({"u1": 0.001}, "mass_clone")])
    assert colleagues_alike(alike, TEAM, (), 0.02) == {}
    strangers = rows({"s1": 0.001, "s2": 0.001})
    assert colleagues_alike(strangers, TEAM, (), 0.02) == {}


def test_a_thief_who_acts_under_colleagues_names_shares_with_nobody() -> None:
    """Sessions opened in the names of the team do what the thief does."""
    team = {who: 0.001 for who in TEAM if who.startswith("u")}
    assert colleagues_alike(rows(team), TEAM, (), 0.02)["u0", "burst_self"] > 5
    others = set(team) - {"u0"}
    assert ("u0", "burst_self") not in colleagues_alike(rows(team), TEAM, others, 0.02)


@settings(max_examples=60, deadline=None)
@given(
    p=st.dictionaries(st.sampled_from(sorted(TEAM)), st.floats(1e-9, 1), min_size=1),
    windows=st.integers(1, 4),
)
def test_the_count_is_that_of_a_slow_loop(p: dict[str, float], windows: int) -> None:
    found = colleagues_alike(rows(p, windows=windows), TEAM, (), 0.05)
    slow = {}
    for who, value in p.items():
        mates = [p[mate] for mate in p if mate != who and TEAM[mate] == TEAM[who]]
        level = value**0.5
        beyond = sum((mate <= level) - min(1.0, windows * level) for mate in mates)
        if value <= 0.05 and beyond > 0:
            slow[who, "burst_self"] = beyond
    assert found.keys() == slow.keys()
    assert all(found[key] == pytest.approx(slow[key]) for key in slow)


@pytest.mark.slow
def test_nothing_is_shared_where_only_chance_acts() -> None:
    """A team of forty with uniform p-values: on average nothing is taken from anybody."""
    rng = np.random.default_rng(7)
    team = {f"m{number}": "large" for number in range(40)}
    beyond = []
    for _ in range(200):
        p = dict(zip(team, rng.uniform(size=40), strict=True)) | {"m0": 0.001}
        found = colleagues_alike(rows(p), team, (), 0.02)
        beyond.append(found.get(("m0", "burst_self"), 0.0))
    assert np.mean(beyond) < 0.6
    assert sum(beyond) > 0
