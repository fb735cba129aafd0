"""When a finding says that its name may be somebody else's choice."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from models.findings.doubts import doubts
from tests.worlds.histories import empty_history

DAY = date(2026, 10, 5)
ROLE = "role/Trainer"


def row(ago: int, events: int, objects: int, chosen: int, *roles: str) -> dict[str, Any]:
    return {"ago": ago, "events": events, "objects": objects, "chosen_names": chosen,
            "acting_as": list(roles)}  # fmt: skip


def said(*rows: dict[str, Any], users: tuple[str, ...] = ()) -> list[str]:
    used = [{"day": DAY, "user_id": user, "kind": "role", "value": ROLE} for user in users]
    novelty = pd.DataFrame(used, columns=["day", "user_id", "kind", "value"])
    history = empty_history(DAY).but(novelty=novelty)
    return [reason.say() for reason in doubts(pd.DataFrame(list(rows)), "u1", history)]


OWN_WORK = row(9, 10_000, 10_000, 0)
CHOSEN = "only the name of a session says so, which whoever may assume role/Trainer can choose"


def test_a_chosen_name_is_doubted_and_its_users_are_named() -> None:
    assert said(row(0, 4, 4, 4, ROLE)) == [CHOSEN]
    both = said(row(0, 4, 4, 4, ROLE), users=("u1", "u7"))
    assert both == [f"{CHOSEN}; u7 acted by the same today"]
    assert said(row(0, 4, 4, 0, ROLE)) == []


def test_a_borrowed_name_is_doubted_beside_the_own_work_of_its_bearer() -> None:
    """The thief takes the name of somebody who works with the assets every day."""
    assert said(OWN_WORK, row(0, 60, 60, 60, ROLE)) == [CHOSEN]
    assert said(row(0, 500, 5, 0), row(0, 60, 60, 60, ROLE)) == [CHOSEN]
    assert said(OWN_WORK, row(0, 60, 60, 0), row(0, 6, 6, 6, ROLE)) == []


def test_a_name_that_was_merely_typed_is_doubted() -> None:
    assert said(row(0, 4, 0, 4)) == ["only a name says so, which whoever acted could choose"]
