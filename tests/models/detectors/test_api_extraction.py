"""api_extraction: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from datetime import timedelta

from tests.worlds.api_queries import DAY, one_key_asks_for_probabilities
from tests.worlds.plants import FIRING, QUIET, Planted, Usual, assert_fires, assert_quiet, score_of


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("api_extraction", *planted(FIRING["api_extraction"]), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("api_extraction", *planted(QUIET["api_extraction"]), usual)


def test_a_benchmark_of_every_night_stays_far_below_an_extraction(planted: Planted) -> None:
    history, user = planted(one_key_asks_for_probabilities)
    rows = score_of("api_extraction", history).set_index("entity")
    assert rows.loc[user, "statistic"] > 20 * rows.loc["svc-eval", "statistic"]
    assert rows.loc[user, "asset_ids"] == ["model-orion"]
    assert rows.loc[user, "observed"] == 3000


def test_a_key_without_a_past_is_compared_with_the_others(planted: Planted) -> None:
    history, user = planted(one_key_asks_for_probabilities)
    rows = history.api_days
    new = rows[(rows["user_id"] != user) | (rows["day"] == DAY)]
    found = score_of("api_extraction", history.but(api_days=new)).set_index("entity")
    assert found["statistic"].idxmax() == user


def test_a_new_log_is_not_believed_at_once(planted: Planted) -> None:
    history, user = planted(one_key_asks_for_probabilities)
    rows = history.api_days
    for days, least in ((0, 0.0), (7, 10.0)):
        young = history.but(api_days=rows[rows["day"] >= DAY - timedelta(days=days)])
        found = score_of("api_extraction", young).set_index("entity")
        assert found.loc[user, "statistic"] >= least
        assert days or (found["statistic"] == 0).all()
