"""burst_self: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    leaver_copies_everything,
    score_of,
    signals_of,
    sweep_on_its_weekday,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("burst_self", *planted(leaver_copies_everything), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("burst_self", *planted(sweep_on_its_weekday), usual)


def test_unknown_bytes_are_not_zero(planted: Callable[..., Any]) -> None:
    """Where no bytes are logged, objects speak: the thief stays on top."""
    history, user = planted(leaver_copies_everything)
    blind = replace(
        history,
        entity_days=history.entity_days.assign(bytes=np.nan, hour_bytes=np.nan),
        pairs=history.pairs.assign(bytes=np.nan),
        coverage=history.coverage.assign(bytes_1=0, bytes_7=0, bytes_30=0, bytes_90=0),
    )
    rows = score_of("burst_self", blind)
    people = rows[(rows["user_kind"] == "human") & (rows["window"] == "1d")]
    assert people.sort_values("statistic")["entity"].iloc[-1] == user
    assert set(people["unit"]) <= {"objects", "assets"}
    mine = signals_of("shard_coverage", blind, user).set_index("window")
    assert mine.loc["1d", "observed"] == 1.0
