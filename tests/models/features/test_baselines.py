"""Quantiles, baselines and volumes, against the obvious way."""

from __future__ import annotations

import numpy as np
import pytest

from models.features.baselines import (
    each_block,
    measure_baseline,
    medians_of_parts,
    row_quantile,
    spreads_of_parts,
)
from models.features.volumes import daily_volumes, hourly_volumes, weekly_volumes
from tests.worlds.histories import everyday_world, history_of
from tests.worlds.plants import DAY, back


def test_row_quantile_is_numpys() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 17))
    values[rng.random(values.shape) < 0.4] = np.nan
    values[3] = np.nan
    for q in (0.0, 0.5, 0.9):
        found = row_quantile(values, q)
        assert np.isnan(found[3])
        rest = np.delete(np.arange(40), 3)
        np.testing.assert_allclose(found[rest], np.nanquantile(values[rest], q, axis=1))


def test_parts_are_summed_up_as_numpy_does_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=50)
    circles = [np.sort(rng.choice(50, size, replace=False)) for size in (3, 0, 7, 1, 4, 7, 0, 20)]
    for members in (1, 9, 1000):
        monkeypatch.setattr("models.features.baselines.BLOCK_MEMBERS", members)
        seen = []
        for numbers, owner, mates in each_block(range(len(circles)), circles.__getitem__):
            lengths = np.bincount(owner)
            own = [values[circles[number]] for number in numbers]
            medians = medians_of_parts(values[mates], lengths)
            assert medians.tolist() == [np.median(part) for part in own]
            spreads = spreads_of_parts(values[mates], lengths)
            assert spreads.tolist() == [np.std(part) for part in own]
            seen += numbers.tolist()
        assert seen == [number for number, circle in enumerate(circles) if len(circle)]
    assert np.isnan(medians_of_parts(values[:2], np.array([0, 2, 0]))).tolist() == [
        True,
        False,
        True,
    ]


def test_baseline_is_own_with_days_and_the_peers_without() -> None:
    rng = np.random.default_rng(4)
    past = rng.normal(5.0, 0.5, (30, 60))
    past[0] = rng.normal(9.0, 0.5, 60)  # always takes much
    past[1] = np.nan  # new today
    none = [np.zeros(0, dtype=np.int64)] * 30
    found = measure_baseline(past, past[:, 0], np.zeros(30, dtype=np.int64), none, 7.0)
    assert found.location[0] == pytest.approx(9.0, abs=0.6)
    assert found.location[1] == pytest.approx(5.0, abs=0.3)
    np.testing.assert_allclose(found.spread[2:], 0.5, atol=0.2)


@pytest.mark.slow
def test_volumes_are_sums_of_rows() -> None:
    ordinary = everyday_world()
    history = history_of(ordinary, DAY)
    daily, weekly = daily_volumes(history), weekly_volumes(history)
    hourly = hourly_volumes(history, 28)
    place = int(np.flatnonzero(daily.users == "u010")[0])
    mine = [e for e in ordinary.events if e.user == "u010" and not e.failed
            and e.action_class in ("read", "clone")]  # fmt: skip
    for ago in range(20):
        day = [e for e in mine if e.day == back(ago)]
        week = [e for e in mine if back(ago + 6) <= e.day <= back(ago)]
        sizes = sum(e.size or 0 for e in day)
        by_hour: dict[int, int] = {}
        for event in day:
            by_hour[event.hour] = by_hour.get(event.hour, 0) + (event.size or 0)
        assert np.nan_to_num(daily.amounts["bytes"][place, ago]) == sizes
        assert np.nan_to_num(daily.amounts["assets"][place, ago]) == len({e.asset for e in day})
        assert np.nan_to_num(weekly.amounts["bytes"][place, ago]) == sum(e.size or 0 for e in week)
        if any(e.user == "u010" and e.day == back(ago) for e in ordinary.events):
            assert weekly.amounts["assets"][place, ago] == len({e.asset for e in week})
        assert np.nan_to_num(hourly.amounts["bytes"][place, ago]) == max(
            by_hour.values(), default=0
        )
