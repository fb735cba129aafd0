"""Those for whom nobody vouches, and by what they belong together."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from models.features.addresses import end_site
from models.features.strangers import parties, strangers
from tests.worlds import histories
from tests.worlds.contexts import context_of

DAY = date(2026, 10, 5)
HERE, THERE = "2001:db8:1:2::", "2001:db8:1:3::"


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (f"{HERE}1", f"{HERE}/64"),
        ("2001:DB8:1:2:ffff::9", f"{HERE}/64"),
        (f"{THERE}1", f"{THERE}/64"),
        ("host:9", "host:9"),
        ("", ""),
    ],
)
def test_a_device_has_all_addresses_of_its_network(address: str, site: str) -> None:
    assert end_site(address) == site


def row(user: str, *addresses: str, by: str = "", chosen: int = 0) -> dict[str, Any]:
    return {"day": DAY, "user_id": user, "addresses": list(addresses), "events": 2,
            "chosen_names": chosen, "acting_as": [by] if by else []}  # fmt: skip


def history(*rows: dict[str, Any], directory: bool = True) -> Any:
    made = histories.World()
    if directory:
        for user, kind in (("ana", "human"), ("eve", "human"), ("ci", "service")):
            histories._add_identity(made, user, kind, "evals")
        made.person("ci")["email"] = "EVE@example.com"
    access = pd.DataFrame(list(rows))
    return histories.empty_history(DAY).but(access=access, context=context_of(made))


def test_strangers_come_with_their_addresses_of_the_day() -> None:
    rows = (row("k1", f"{HERE}1"), row("k1", f"{HERE}2", "192.0.2.7"), row("ana", "192.0.2.7"))
    found = strangers(history(*rows), ["k1", "k2", "ana"])
    assert found == {"k1": {f"{HERE}/64", "192.0.2.7"}, "k2": frozenset()}
    assert strangers(history(*rows, directory=False), ["k1", "ana"]) == {}


def test_people_whom_a_service_alone_names_come_with_the_service() -> None:
    named = row("ana", "192.0.2.7", by="ci", chosen=2)
    assert strangers(history(named), ["ana"]) == {"ana": {"ci"}}
    assert strangers(history(named, row("ana", "192.0.2.9")), ["ana"]) == {}
    assert strangers(history(row("ana", by="role/x", chosen=2)), ["ana"]) == {}


def test_service_accounts_of_a_namespace_or_project_belong_together() -> None:
    accounts = [
        "system:serviceaccount:mining:a", "cloud:system:serviceaccount:mining:b",
        "system:serviceaccount:other:a", "a@lab-1.iam.gserviceaccount.com",
        "lab-1@appspot.gserviceaccount.com", "a@lab-2.iam.gserviceaccount.com",
    ]  # fmt: skip
    first, second, third, of_lab, own_of_lab, of_other = accounts
    found = parties(
        history(*(row(name, f"192.0.2.{n}") for n, name in enumerate(accounts))), accounts
    )
    assert found[first] == found[second] and found[of_lab] == found[own_of_lab]
    assert len({found[each] for each in (first, third, of_lab, of_other)}) == 4


def test_sessions_that_one_service_opens_under_free_names_belong_together() -> None:
    rows = (
        row("s1", "192.0.2.1", by="ci"),
        row("s2", "192.0.2.2", by="ci"),
        row("s3", by="role/x"),
    )
    found = parties(history(*rows, row("s4", by="role/x")), ["s1", "s2", "s3", "s4"])
    assert found == {"s1": "s1", "s2": "s1", "s3": "s3", "s4": "s4"}


def test_one_with_two_sites_unites_those_who_have_either() -> None:
    rows = (row("k1", "192.0.2.1"), row("k2", "192.0.2.2"), row("k3", "192.0.2.1", "192.0.2.2"))
    assert set(parties(history(*rows), ["k1", "k2", "k3"]).values()) == {"k1"}


def test_a_party_is_an_owner_with_services_or_strangers_of_one_address() -> None:
    rows = (row("k1", f"{HERE}1"), row("k2", f"{HERE}2"), row("k3", f"{THERE}2"))
    found = parties(history(*rows), ["k1", "k2", "k3", "ana", "ci"])
    assert found == {"k1": "k1", "k2": "k1", "k3": "k3", "ana": "ana", "ci": "eve"}
