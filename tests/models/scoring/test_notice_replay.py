"""Leavers: what they did before the notice is weighed once more, and pays for the choice."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.reasons.parts import Day
from models.reasons.reason import Reason, dump_reasons
from models.scoring.notice_replay import replay

NOTICE = {"u1": Reason("gave_notice", day=Day("2026-10-05"))}
WINDOWS = pd.Series({"shard_coverage": 4, "first_access": 1})
DAYS = pd.Series({"u1": 20, "u2": 30})


def row(
    p: float, detector: str = "shard_coverage", entity: str = "u1", **more: Any
) -> dict[str, Any]:
    return {
        "day": date(2026, 9, 12), "entity": entity, "user_kind": "human", "detector": detector,
        "window": "1d", "statistic": 1.0, "p_value": p, "observed": 0.9, "expected": None,
        "unit": "share", "reason": "", "asset_ids": ["ckpt-1"], "related_users": [],
        "reason_parts": dump_reasons([Reason("refused_nothing")]),
    } | more  # fmt: skip


def replayed(*rows: dict[str, Any]) -> dict[str, Any]:
    columns = list(row(1.0))
    found = replay(NOTICE, pd.DataFrame(list(rows), columns=columns), WINDOWS, DAYS)
    (one,) = found.to_dict("records")
    return one


def test_the_strongest_signal_is_told_with_its_day() -> None:
    weak = row(1e-3, asset_ids=["other"])
    found = replayed(weak, row(1e-5), row(1e-6, entity="u2"))
    assert (found["entity"], found["window"], found["asset_ids"]) == ("u1", "90d", ["ckpt-1"])
    assert found["reason"] == ("gave notice on 2026-10-05; on 2026-09-12 had no refused attempts")


def test_the_p_value_pays_for_windows_and_days() -> None:
    found = replayed(row(1e-5))
    assert found["p_value"] == pytest.approx(1e-5 * 4 * 20)
    assert found["statistic"] == pytest.approx(-np.log10(found["p_value"]))
    # One of a single window is chosen before one of four that is no more than twice as unlikely.
    assert replayed(row(1e-5), row(2e-5, "first_access", asset_ids=["repo"]))["asset_ids"] == [
        "repo"
    ]


def test_an_ordinary_past_says_nothing() -> None:
    for rows in ((), (row(0.04),)):
        found = replayed(*rows)
        assert (found["statistic"], found["p_value"], found["asset_ids"]) == (0.0, 1.0, [])


def test_what_the_leaver_detector_said_is_not_said_twice() -> None:
    assert replayed(row(1e-6, "leaver"))["statistic"] == 0


def test_whoever_was_never_active_has_no_row() -> None:
    nobody = {"u3": NOTICE["u1"]}
    assert replay(nobody, pd.DataFrame([row(1e-5)]), WINDOWS, DAYS).empty


def test_order_of_rows_does_not_matter() -> None:
    rows = [row(1e-5), row(1e-5, day=date(2026, 9, 11)), row(1e-5, window="7d")]
    for given in (rows, rows[::-1]):
        assert "2026-09-11" in replayed(*given)["reason"]
