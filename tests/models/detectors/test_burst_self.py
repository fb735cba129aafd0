"""burst_self: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.worlds.histories import World
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
from tests.worlds.scored_day import DAY, back


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("burst_self", *planted(leaver_copies_everything), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("burst_self", *planted(sweep_on_its_weekday), usual)


def test_unknown_bytes_are_not_zero(planted: Callable[..., Any]) -> None:
    """Where no bytes are logged, objects speak: the thief stays on top."""
    history, user = planted(leaver_copies_everything)
    blind = replace(
        history,
        entity_days=history.entity_days.assign(
            bytes=np.nan, hour_bytes=np.nan, rolling_bytes=np.nan
        ),
        pairs=history.pairs.assign(bytes=np.nan),
        coverage=history.coverage.assign(bytes_1=0, bytes_7=0, bytes_30=0, bytes_90=0),
    )
    rows = score_of("burst_self", blind)
    people = rows[(rows["user_kind"] == "human") & (rows["window"] == "1d")]
    assert people.sort_values("statistic")["entity"].iloc[-1] == user
    assert set(people["unit"]) <= {"objects", "assets"}
    mine = signals_of("shard_coverage", blind, user).set_index("window")
    assert mine.loc["1d", "observed"] == 1.0


@pytest.mark.parametrize("detector", ["burst_self", "burst_peers"])
def test_a_night_around_midnight_weighs_like_a_day(
    detector: str, planted: Callable[..., Any]
) -> None:
    """Two half days are one whole, and a day that is over is not told again."""
    cases = (copies_at_night, copies_around_midnight, copied_yesterday)
    whole, parted, over = (
        signals_of(detector, *planted(case)).set_index("window").at["1d", "statistic"]
        for case in cases
    )
    assert parted > 0.9 * whole
    assert over < 0.6 * whole


def copies_at_night(world: World) -> str:
    return copies(world, [(DAY, hour) for hour in range(6)])


def copies_around_midnight(world: World) -> str:
    return copies(
        world, [*((back(1), hour) for hour in (21, 22, 23)), *((DAY, hour) for hour in range(3))]
    )


def copied_yesterday(world: World) -> str:
    user = copies(world, [(back(1), hour) for hour in range(18, 24)])
    world.read(DAY, user, "ckpt-pretraining-1", world.shards("ckpt-pretraining-1")[:2], 9)
    return user


def copies(world: World, hours: Sequence[tuple[date, int]]) -> str:
    """A shard of each of two checkpoints is copied in every hour in turn."""
    shards = [
        (f"ckpt-pretraining-{step}", shard)
        for step in (1, 2)
        for shard in world.shards(f"ckpt-pretraining-{step}")
    ]
    for number, (asset, shard) in enumerate(shards):
        day, hour = hours[number % len(hours)]
        world.read(day, "u010", asset, [shard], hour)
    return "u010"
