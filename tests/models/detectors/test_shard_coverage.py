"""shard_coverage: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import pandas as pd

from tests.worlds.plants import (
    Planted,
    assert_fires,
    assert_quiet,
    leaver_copies_everything,
    sweep_on_its_weekday,
)


def test_fires(planted: Planted, usual: pd.DataFrame) -> None:
    assert_fires("shard_coverage", *planted(leaver_copies_everything), usual)


def test_stays_quiet(planted: Planted, usual: pd.DataFrame) -> None:
    assert_quiet("shard_coverage", *planted(sweep_on_its_weekday), usual)
