"""api_extraction: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import pandas as pd

from tests.worlds.plants import FIRING, QUIET, Planted, assert_fires, assert_quiet


def test_fires(planted: Planted, usual: pd.DataFrame) -> None:
    assert_fires("api_extraction", *planted(FIRING["api_extraction"]), usual)


def test_stays_quiet(planted: Planted, usual: pd.DataFrame) -> None:
    assert_quiet("api_extraction", *planted(QUIET["api_extraction"]), usual)
