"""Who leaves, by any account."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from models.features.people import leaving, tenure_days
from tests.worlds import histories
from tests.worlds.contexts import context_of

DAY = date(2026, 10, 5)
A_DAY = timedelta(days=1)


def leavers(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    made = histories.World()
    for user, facts in (("ana", first), ("ana-adm", second), ("bo", {})):
        histories._add_identity(made, user, "human", "evals")
        made.person(user).update(facts)
    return sorted(leaving(context_of(made), DAY, 30))


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ({"notice_date": DAY}, {"email": "Ana+adm@example.com"}, True),
        ({"notice_date": DAY, "aliases": ("a1",)}, {"aliases": ("A1",)}, True),
        ({"end_date": DAY + A_DAY}, {"email": "ana@example.com", "start_date": DAY - A_DAY}, True),
        ({"end_date": DAY - A_DAY}, {"email": "ana@example.com", "start_date": DAY - 9 * A_DAY},
         True),
        # a namesake, and somebody who left and came back
        ({"notice_date": DAY}, {"display_name": "Name ana"}, False),
        ({"end_date": DAY - A_DAY}, {"email": "ana@example.com", "start_date": DAY}, False),
        ({"end_date": DAY - A_DAY}, {"email": "ana@example.com"}, False),
    ],
)  # fmt: skip
def test_a_second_account_of_somebody_who_leaves_leaves_as_well(
    first: dict[str, Any], second: dict[str, Any], both: bool
) -> None:
    assert leavers(first, second) == (["ana", "ana-adm"] if both else ["ana"])


@pytest.mark.parametrize(
    ("start_of_another", "days"), [({}, 4), ({"start_date": DAY - 9 * A_DAY}, 89)]
)
def test_an_unused_account_is_no_newcomer_where_the_directory_says_who_is(
    start_of_another: dict[str, Any], days: int
) -> None:
    made = histories.World()
    for user, kind in (("svc-old", "service"), ("svc-unused", "service"), ("ana", "human")):
        histories._add_identity(made, user, kind, "evals")
    made.person("svc-old").update(start_of_another)
    seen = [("ana", 60), ("svc-old", 60), ("svc-unused", 4), ("stranger", 4)]
    rows = [{"day": DAY - ago * A_DAY, "user_id": user} for user, ago in seen]
    history = histories.empty_history(DAY).but(
        entity_days=pd.DataFrame(rows), context=context_of(made)
    )
    found = tenure_days(history, ["svc-unused", "ana", "stranger"])
    assert found == {"svc-unused": days, "ana": 89, "stranger": 4}
