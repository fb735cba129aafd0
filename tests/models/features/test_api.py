"""Amounts of queries: sums, the usual of oneself and of others, doublings beyond it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from models.features.api import (
    API_DAYS_BACK,
    ApiAmounts,
    api_amounts,
    by_volume,
    doublings,
    others_quantile,
    usual_amount,
)
from tests.worlds.api_queries import DAY, ask
from tests.worlds.histories import World, history_of

KINDS = np.zeros(8, dtype=np.int64)


def quiet_table(users: int = 8) -> np.ndarray:
    table = np.full((users, API_DAYS_BACK), 5.0)
    table[:, 0] = 5.0
    return table


def beyond(table: np.ndarray) -> np.ndarray:
    usual = usual_amount(table, np.zeros(len(table), dtype=np.int64), 29)
    return doublings(table, usual, 20, 10)


def test_amounts_are_sums_over_keys_and_models_of_a_day() -> None:
    world = World()
    world.assets = {name: {"asset_id": name, "kind": "model", "pattern": f"model://{name}",
                           "sensitivity": 3, "objects": None, "bytes": None}
                    for name in ("model-orion", "model-vega")}  # fmt: skip
    for key, model in (("k1", "model-orion"), ("k2", "model-orion"), ("k1", "model-vega")):
        ask(world, DAY, "ana", 10, credential=key, asset_id=model, logprob_requests=3)
    ask(world, DAY - timedelta(days=4), "bo", 7, refused=2)
    found = api_amounts(history_of(world, DAY))
    assert list(found.users) == ["ana", "bo"]
    assert found.days == 4
    assert found.amounts["requests"][0, 0] == 30
    assert found.amounts["logprob_requests"][0, 0] == 9
    assert found.amounts["models"][0, 0] == 2
    assert found.amounts["refused"][1, 4] == 2
    assert np.isnan(found.amounts["refused"][1, 0])


@pytest.mark.parametrize("seed", range(3))
def test_quantile_of_the_others_is_that_of_a_slow_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels, kinds = rng.integers(0, 9, 30).astype(float), rng.integers(0, 3, 30)
    kinds[:2] = 7  # a kind of two is compared with everybody
    found = others_quantile(levels, kinds, 0.9)
    for one in range(30):
        same = [n for n in range(30) if kinds[n] == kinds[one]]
        group = same if len(same) > 5 else list(range(30))
        others = sorted(levels[n] for n in group if n != one)
        assert found[one] == others[int(0.9 * (len(others) - 1))]


def test_last_week_is_no_habit_yet() -> None:
    table = quiet_table()
    table[0, :7] = 5000
    assert usual_amount(table, KINDS, 29)[0] == 5
    table[0] = 5000
    assert usual_amount(table, KINDS, 29)[0] == 5000


def test_a_weekly_rhythm_is_a_habit() -> None:
    table = quiet_table()
    table[0, [0, 7, 14, 21, 28]] = 4000
    assert beyond(table)[0] == 0


def test_one_loud_colleague_makes_nothing_usual_for_others() -> None:
    table = quiet_table(30)
    table[1] = 9000
    table[0, 0] = 9000
    found = beyond(table)
    assert found[0] == pytest.approx(np.log2(9020 / 25))
    assert found[1] == 0


def test_own_habit_excuses_no_more_than_so_many_doublings() -> None:
    table = quiet_table()
    table[0] = 1e6
    assert beyond(table)[0] == pytest.approx(np.log2((1e6 + 20) / 25) - 10)


def test_an_identity_without_a_past_is_compared_with_its_peers() -> None:
    table = quiet_table()
    table[0, 1:] = np.nan
    table[0, 0] = 1000
    assert beyond(table)[0] == pytest.approx(np.log2(1020 / 25))


def test_many_queries_explain_some_refusals_and_no_more() -> None:
    requests, refused = np.full((9, API_DAYS_BACK), 100.0), np.full((9, API_DAYS_BACK), 2.0)
    requests[0, 0] = 500
    requests[1, 0] = 90_000
    amounts = {"requests": requests, "refused": refused}
    table = ApiAmounts(np.arange(9), np.zeros(9, dtype=np.int64), amounts, 29, 0)
    found = by_volume(table, refused, 20)
    assert found[0] == pytest.approx(10)
    assert found[1] == 20
    assert found[2] == pytest.approx(2)


def test_in_a_young_log_the_first_half_is_the_habit() -> None:
    table = np.full((8, API_DAYS_BACK), np.nan)
    table[:, :5] = 5.0
    table[0, :5] = 4000
    assert usual_amount(table, KINDS, 4)[0] == 4000
