"""Signals that an earlier queue told of: they lower the place of their repetition."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from jobs.stages.findings import SHOWN_COLUMNS, told_signals

DAY = date(2026, 10, 5)


def signal(entity: str, detector: str, *related: str, day: date = DAY) -> dict[str, Any]:
    return {"day": day, "entity": entity, "detector": detector, "window": "1d", "statistic": 1.0,
            "asset_ids": ["ckpt"], "related_users": list(related)}  # fmt: skip


def told(*signals: dict[str, Any], spoke: set[tuple[date, str, str]]) -> list[tuple[str, str]]:
    found = told_signals(pd.DataFrame(list(signals), columns=SHOWN_COLUMNS), spoke)
    return [*zip(found["entity"], found["detector"], strict=True)]


def test_a_story_is_told_of_everybody_whom_it_names() -> None:
    rows = (
        signal("u1", "collusion", "u2"),
        signal("u2", "collusion", "u1"),
        signal("u3", "collusion", "u4"),
        signal("u1", "recon"),
    )
    spoke = {(DAY, "u1", "collusion")}
    assert told(*rows, spoke=spoke) == [("u1", "collusion"), ("u2", "collusion")]


def test_a_decoy_does_not_dull_another_theft_of_somebody_whom_it_names() -> None:
    """The decoy clones loudly, and another detector names the thief, who then clones as well."""
    rows = (
        signal("decoy", "mass_clone"),
        signal("decoy", "collusion", "thief"),
        signal("thief", "mass_clone"),
    )
    spoke = {(DAY, "decoy", "mass_clone"), (DAY, "decoy", "collusion")}
    assert ("thief", "mass_clone") not in told(*rows, spoke=spoke)


def test_another_day_is_another_story() -> None:
    rows = (signal("u1", "recon", day=date(2026, 10, 4)), signal("u2", "recon"))
    assert told(*rows, spoke={(DAY, "u1", "recon")}) == []
    assert told(spoke={(DAY, "u1", "recon")}) == []
