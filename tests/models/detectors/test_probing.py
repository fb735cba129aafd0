"""probing: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import pandas as pd

from tests.worlds.plants import FIRING, QUIET, Planted, assert_fires, assert_quiet


def test_fires(planted: Planted, usual: pd.DataFrame) -> None:
    assert_fires("probing", *planted(FIRING["probing"]), usual)


def test_stays_quiet(planted: Planted, usual: pd.DataFrame) -> None:
    assert_quiet("probing", *planted(QUIET["probing"]), usual)
