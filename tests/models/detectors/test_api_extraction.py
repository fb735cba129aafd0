"""api_extraction: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from datetime import timedelta

from tests.worlds.api_queries import (
    DAY,
    extracts_by_one_template,
    new_template_of_a_few_queries,
    one_key_asks_for_probabilities,
)
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


def test_one_template_for_thousands_of_prompts_fires(planted: Planted, usual: Usual) -> None:
    history, user = planted(extracts_by_one_template)
    assert_fires("api_extraction", history, user, usual)
    rows = score_of("api_extraction", history).set_index("entity")
    assert rows["statistic"].idxmax() == user
    assert "with nearly an earlier prompt 2,300 times" in rows.loc[user, "reason"]
    assert rows.loc[user, "statistic"] > 5 * rows.loc["svc-eval", "statistic"]


def test_a_template_for_some_dozen_texts_stays_small(planted: Planted) -> None:
    history, user = planted(new_template_of_a_few_queries)
    few = score_of("api_extraction", history).set_index("entity").loc[user, "statistic"]
    history, user = planted(extracts_by_one_template)
    many = score_of("api_extraction", history).set_index("entity").loc[user, "statistic"]
    assert few < many / 4


def test_prompts_that_nobody_logs_add_nothing(planted: Planted) -> None:
    history, user = planted(extracts_by_one_template)
    rows = history.api_days
    for prompts in (None, 0):
        bare = rows.assign(prompts=prompts, alike_prompts=prompts)
        found = score_of("api_extraction", history.but(api_days=bare)).set_index("entity")
        assert found.loc[user, "statistic"] == 0


def test_the_first_days_of_logged_prompts_are_not_believed(planted: Planted) -> None:
    history, user = planted(extracts_by_one_template)
    rows = history.api_days
    values = []
    for days in (0, 3, 20):
        late = rows["day"] < DAY - timedelta(days=days)
        young = rows.assign(**{n: rows[n].mask(late, None) for n in ("prompts", "alike_prompts")})
        found = score_of("api_extraction", history.but(api_days=young)).set_index("entity")
        values.append(found.loc[user, "statistic"])
    assert values[0] == 0 < values[1] < values[2]
