"""api_distillation: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.worlds.api_queries import (
    DAY,
    KEYS,
    NEWEST,
    customers_of_a_known_product,
    customers_of_a_launch,
    keys_behind_one_proxy,
    keys_in_the_same_minutes,
    keys_of_one_account,
    keys_of_one_template,
    launch,
    ring_of_keys,
)
from tests.worlds.histories import World
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


def test_keys_of_one_template_and_of_the_same_minutes_are_rings(planted: Planted) -> None:
    for plant, tie in (
        (keys_of_one_template, "share a new template of prompts"),
        (keys_in_the_same_minutes, "share the minutes of their queries"),
    ):
        history, user = planted(plant)
        rows = score_of("api_distillation", history).set_index("entity")
        assert rows["statistic"].idxmax() == user
        assert tie in rows.loc[user, "reason"]


def test_customers_of_a_known_product_are_no_ring(planted: Planted, usual: Usual) -> None:
    assert_quiet("api_distillation", *planted(customers_of_a_known_product), usual)


def test_templates_of_their_own_leave_the_other_ties(planted: Planted) -> None:
    history, user = planted(keys_behind_one_proxy)
    rows = history.api_days
    names = rows["user_id"].str.startswith("acct-")
    own = pd.Series([[f"u-{name}"] for name in rows["user_id"]], index=rows.index)
    worded = history.but(api_days=rows.assign(templates=rows["templates"].mask(names, own)))
    before, after = (
        score_of("api_distillation", each).set_index("entity") for each in (history, worded)
    )
    assert after.loc[user, "statistic"] == before.loc[user, "statistic"] > 1


def test_who_copies_a_template_does_not_draw_its_old_user_into_the_ring(planted: Planted) -> None:
    history, user = planted(keys_of_one_template)
    alone = score_of("api_distillation", history).set_index("entity").loc[user]
    rows = history.api_days
    big = rows[rows["user_id"] == "acct-01"].assign(
        user_id="a-customer", credential="sk-customer", completion_tokens=9_000_000
    )
    n = len(big)
    apart = {
        "networks": [["198.19.9.0/24"]] * n, "addresses": [["198.19.9.9"]] * n,
        "agents": [["own/1"]] * n, "parameters": ["0.1/9/-/-/-/-"] * n,
        "moments": [[]] * n, "templates": [["u0000000d1571"]] * n,
    }  # fmt: skip
    joined = history.but(api_days=pd.concat([rows, big.assign(**apart)], ignore_index=True))
    row = score_of("api_distillation", joined).set_index("entity").loc[user]
    assert "a-customer" not in row["related_users"]
    assert row["statistic"] > 0.8 * alone["statistic"]


def test_templates_alone_say_nothing_while_prompts_are_logged_for_few_days(
    planted: Planted,
) -> None:
    history, user = planted(keys_of_one_template)
    rows = history.api_days
    late = rows["day"] < DAY - timedelta(days=6)
    for name in ("templates", "prompts", "alike_prompts"):
        rows = rows.assign(**{name: rows[name].mask(late, None)})
    found = score_of("api_distillation", history.but(api_days=rows)).set_index("entity")
    assert found.loc[user, "statistic"] == 0


def test_days_of_an_older_version_are_read(planted: Planted) -> None:
    history, user = planted(keys_behind_one_proxy)
    added = ["templates", "prompts", "alike_prompts", "moments"]
    rows = history.api_days
    old = history.but(api_days=rows.assign(**dict.fromkeys(added)))
    for name in ("api_distillation", "api_extraction"):
        assert len(score_of(name, old)) > 0
    found = score_of("api_distillation", old).set_index("entity")
    assert found["statistic"].idxmax() == user


def test_customers_who_begin_with_a_launch_are_no_ring(planted: Planted, usual: Usual) -> None:
    assert_quiet("api_distillation", *planted(customers_of_a_launch), usual)


@pytest.mark.parametrize(
    "evidence",
    [
        {"addresses": ["192.0.2.77"]},
        {"agents": ["harvest/0.1"]},
        {"user": "acct-00"},
        {"prompts": 60, "alike_prompts": 40, "templates": ["u0000000d1571"]},
    ],
)
def test_a_ring_that_begins_with_a_launch_is_found_without_customers(
    planted: Planted, evidence: dict[str, Any]
) -> None:
    """The keys begin with the customers, by the same program, and share one thing beyond that."""

    def thieves(world: World) -> str:
        launch(world, 42)
        return ring_of_keys(world, **(NEWEST | {"asset_id": "model-nova"} | evidence))

    history, user = planted(thieves)
    rows = score_of("api_distillation", history).set_index("entity")
    assert rows["statistic"].idxmax() == user and rows.loc[user, "statistic"] > 1
    named = [name for names in rows["related_users"] for name in names]
    assert not [name for name in named if name.startswith("customer")]


def test_a_model_that_the_lab_does_not_list_is_no_launch(planted: Planted) -> None:
    """A thief gives a name of their own to a model, say by tuning it."""

    def thieves(world: World) -> str:
        return ring_of_keys(world, **NEWEST, asset_id="model://tuned")

    history, user = planted(thieves)
    rows = score_of("api_distillation", history).set_index("entity")
    assert rows["statistic"].idxmax() == user and rows.loc[user, "statistic"] > 1
