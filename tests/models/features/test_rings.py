"""Rings of API keys: surprise in closed form, ties that count, keys that nothing ties."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.features.api_keys import ApiKeys, api_keys
from models.features.rings import find_rings
from tests.worlds.api_queries import DAY, ask
from tests.worlds.histories import World, history_of


def keys_of(rows: list[dict[str, Any]]) -> ApiKeys:
    """Keys with these attributes; lists: those of ApiKeys, such as ``addresses``.

    A template is new to its key unless the key's ``old`` names it. A moment is expected twice.
    """
    facts = pd.DataFrame(
        [
            {"user_id": f"u{n}", "credential": f"k{n}", "tokens": 100.0,
             "requests": 5, "outside": True, "earlier": 0.0, "model": "m", "parameters": f"p{n}",
             "agent": f"a{n}", "rhythm": f"r{n}"}
            | {key: value for key, value in row.items() if not isinstance(value, list)}
            for n, row in enumerate(rows)
        ]
    )  # fmt: skip

    def values(name: str) -> pd.DataFrame:
        found = [(n, value) for n, row in enumerate(rows) for value in row.get(name, [])]
        return pd.DataFrame(found, columns=["key", "value"])

    templates, moments = values("templates"), values("moments")
    old = [value in rows[key].get("old", []) for key, value in templates.to_numpy()]
    return ApiKeys(
        facts=facts,
        addresses=values("addresses"),
        networks=values("networks"),
        births=values("births"),
        templates=templates,
        new_templates=templates[~np.array(old, dtype=bool)],
        moments=moments,
        by_chance=pd.Series(2.0, index=moments["value"].unique()),
        usual=pd.Series({"office": 0.5, "exit": 0.02}),
        days=29,
    )


def test_surprise_is_the_deviance_of_a_poisson_number() -> None:
    rows = [{"addresses": ["198.18.0.9"]}] * 10 + [
        {"addresses": [f"198.18.1.{n}"]} for n in range(9)
    ]
    (ring,) = find_rings(keys_of(rows), 3, 0.0, 10)
    expected = 19 / 10  # 1/(9 + 1) of 19 keys
    assert ring.tie == "address"
    assert ring.nats == pytest.approx(10 * math.log(10 / expected) - (10 - expected))
    assert list(ring.keys) == list(range(10))


def test_a_program_is_expected_as_often_as_others_have_all_of_it() -> None:
    rows = [{"agent": "one", "parameters": "p"}] * 6 + [{"agent": "one"}] * 4 + [{}] * 10
    (ring,) = find_rings(keys_of(rows), 3, 0.0, 10)
    # Of the 14 others none has the program with these parameters.
    expected = 20 * (0 + 1) / (14 + 1)
    assert ring.tie == "program"
    assert ring.nats == pytest.approx(6 * math.log(6 / expected) - (6 - expected))


def test_birth_and_program_are_expected_as_if_they_were_independent() -> None:
    alike = {"births": ["s1"], "agent": "one"}
    rows = [alike] * 6 + [{"births": ["s1"]}] * 2 + [{"agent": "one"}] * 4 + [{} for _ in range(10)]
    (ring,) = find_rings(keys_of(rows), 3, 0.0, 10)
    expected = 22 * ((2 + 1) / (16 + 1)) * ((4 + 1) / (16 + 1))
    assert ring.tie == "birth_program"
    assert ring.nats == pytest.approx(6 * math.log(6 / expected) - (6 - expected))


def test_a_ring_of_outsiders_is_found_though_all_others_are_inside() -> None:
    rows = [{"addresses": ["198.18.0.9"]}] * 12 + [{"outside": False}] * 20
    (ring,) = find_rings(keys_of(rows), 4, 8.0, 10)
    assert len(ring.keys) == 12


def test_one_program_inside_ties_nobody() -> None:
    rows = [{"outside": False, "agent": "chat", "parameters": "p"}] * 40 + [{}] * 5
    assert find_rings(keys_of(rows), 4, 8.0, 10) == []


def test_a_program_that_insiders_use_alike_ties_nobody_outside() -> None:
    chat = {"agent": "chat", "parameters": "p"}
    rows = [chat] * 10 + [{**chat, "outside": False}] * 20 + [{} for _ in range(20)]
    assert find_rings(keys_of(rows), 4, 8.0, 10) == []
    assert len(find_rings(keys_of(rows[:10] + rows[30:]), 4, 8.0, 10)) == 1


def test_an_owner_of_many_keys_is_a_ring_unless_it_always_had_as_many() -> None:
    rows = [{"user_id": "bo"}] * 9 + [{} for _ in range(12)]
    assert [ring.tie for ring in find_rings(keys_of(rows), 4, 8.0, 10)] == ["owner"]
    before = [{**row, "earlier": 9.0} if row else row for row in rows]
    assert find_rings(keys_of(before), 4, 8.0, 10) == []


def test_a_network_that_our_people_use_in_any_log_ties_nobody() -> None:
    others = [{"networks": [f"isp-{n}"]} for n in range(30)]
    ring = find_rings(keys_of([{"networks": ["exit"]}] * 20 + others), 4, 8.0, 10)
    assert [each.tie for each in ring] == ["network"]
    assert find_rings(keys_of([{"networks": ["office"]}] * 20 + others), 4, 8.0, 10) == []


def test_rings_that_share_a_key_are_one() -> None:
    rows = [{"addresses": ["198.18.0.9"]}] * 8 + [{"addresses": ["198.18.0.9", "198.18.0.7"]}]
    rows += [{"addresses": ["198.18.0.7"]}] * 8 + [
        {"addresses": [f"198.18.5.{n}"]} for n in range(30)
    ]
    (ring,) = find_rings(keys_of(rows), 4, 8.0, 10)
    assert list(ring.keys) == list(range(17))


def test_as_many_keys_as_elsewhere_are_no_ring() -> None:
    rows = [{"addresses": [f"198.18.0.{n // 6}"]} for n in range(60)]
    assert find_rings(keys_of(rows), 4, 8.0, 10) == []


def test_keys_of_a_new_log_were_not_born_together() -> None:
    world = World()
    for number in range(6):
        for ago in (0, 1):
            ask(world, DAY.replace(day=DAY.day - ago), f"u{number}", 30)
    keys = api_keys(history_of(world, DAY))
    assert len(keys.births) == 0


def test_office_and_private_addresses_tie_nobody() -> None:
    world = World()
    places = ((["corp/US/1"], []), (["10.1.2.0/24"], ["10.1.2.3"]), (["vpn/US/1"], []))
    for number, (networks, addresses) in enumerate(places):
        ask(world, DAY, f"u{number}", 30, networks=networks, addresses=addresses)
    keys = api_keys(history_of(world, DAY))
    assert len(keys.addresses) == len(keys.networks) == 0
    assert not keys.facts["outside"].any()


def test_keys_of_one_hand_keep_the_same_hours() -> None:
    world = World()
    for user, hours in (("a", (1, 2, 3)), ("b", (1, 2, 3)), ("c", (13, 14))):
        ask(world, DAY, user, 30, hours=hours)
    a, b, c = api_keys(history_of(world, DAY)).facts["rhythm"]
    assert a == b != c
    assert np.all([a, c])


def test_a_new_template_is_expected_as_often_as_others_have_it() -> None:
    ring, old = {"templates": ["one"]}, {"templates": ["one"], "old": ["one"]}
    rows = [ring] * 20 + [old] + [{} for _ in range(19)]
    (found,) = find_rings(keys_of(rows), 4, 8.0, 10)
    expected = 40 * (1 + 1) / (20 + 1)
    assert found.tie == "template"
    assert found.nats == pytest.approx(20 * math.log(20 / expected) - (20 - expected))
    assert list(found.keys) == list(range(20))


def test_the_template_of_a_product_that_many_used_before_ties_nobody() -> None:
    old = {"templates": ["one"], "old": ["one"]}
    rows = [{"templates": ["one"]}] * 50 + [old] * 1000 + [{} for _ in range(950)]
    assert find_rings(keys_of(rows), 4, 8.0, 10) == []


def test_templates_that_a_ring_adds_do_not_make_its_template_usual() -> None:
    names = [f"t{n}" for n in range(8)]
    rows = [{"templates": names}] * 20 + [{} for _ in range(20)]
    (found,) = find_rings(keys_of(rows), 4, 8.0, 10)
    assert found.tie == "template"


def test_a_template_inside_ties_nobody() -> None:
    rows = [{"templates": ["one"], "outside": False}] * 20 + [{} for _ in range(20)]
    assert find_rings(keys_of(rows), 4, 8.0, 10) == []


def test_minutes_are_expected_as_often_as_by_chance() -> None:
    rows = [{"moments": ["0:7:9"]}] * 20 + [{} for _ in range(10)]
    (found,) = find_rings(keys_of(rows), 4, 8.0, 10)
    assert found.tie == "minutes"
    assert found.nats == pytest.approx(20 * math.log(20 / 3) - (20 - 3))
    keys = keys_of(rows)
    usual = replace(keys, by_chance=keys.by_chance * 6)
    assert find_rings(usual, 4, 8.0, 10) == []
