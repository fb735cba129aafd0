"""api_distillation: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pandas as pd

from tests.worlds.api_queries import DAY, KEYS, keys_behind_one_proxy, keys_of_one_account
from tests.worlds.plants import FIRING, QUIET, Planted, Usual, assert_fires, assert_quiet, score_of


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("api_distillation", *planted(FIRING["api_distillation"]), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("api_distillation", *planted(QUIET["api_distillation"]), usual)


def test_one_finding_names_the_ring_and_the_model(planted: Planted) -> None:
    history, user = planted(keys_behind_one_proxy)
    rows = score_of("api_distillation", history).set_index("entity")
    assert rows.loc[user, "asset_ids"] == ["model-orion"]
    assert set(rows.loc[user, "related_users"]) == {
        f"acct-{number:02d}" for number in range(KEYS)
    } - {user}
    others = rows.loc[[f"acct-{number:02d}" for number in range(1, KEYS)]]
    assert (others["statistic"] == 0).all()
    assert others["reason"].str.contains(f"led by {user}").all()


def test_many_keys_of_one_person_are_a_ring(planted: Planted) -> None:
    history, user = planted(keys_of_one_account)
    rows = score_of("api_distillation", history).set_index("entity")
    assert rows["statistic"].idxmax() == user
    assert "share an owner" in rows.loc[user, "reason"]


def test_a_new_log_is_not_believed_at_once_and_a_week_later_it_is(planted: Planted) -> None:
    history, user = planted(keys_behind_one_proxy)
    values = []
    for days in (0, 3, 7, 29):
        first = DAY - timedelta(days=days)
        young = history.but(api_days=history.api_days[history.api_days["day"] >= first])
        rows = score_of("api_distillation", young).set_index("entity")
        values.append(rows.loc[user, "statistic"])
    assert values[0] == 0
    assert 0 < values[1] < values[2]
    assert values[3] >= values[2] * 0.9


def test_a_log_without_tokens_counts_answers(planted: Planted) -> None:
    history, _ = planted(keys_behind_one_proxy)
    bare = history.but(api_days=history.api_days.assign(completion_tokens=None))
    rows = score_of("api_distillation", bare).set_index("entity")
    leader = rows["statistic"].idxmax()
    assert str(leader).startswith("acct-")
    assert rows.loc[leader, "statistic"] > 1


def test_a_log_without_addresses_and_programs_breaks_nothing(planted: Planted) -> None:
    history, _ = planted(keys_behind_one_proxy)
    count = len(history.api_days)
    none = pd.Series([[]] * count, index=history.api_days.index)
    bare = replace(
        history, api_days=history.api_days.assign(networks=none, addresses=none, agents=none)
    )
    assert len(score_of("api_distillation", bare)) > 0
