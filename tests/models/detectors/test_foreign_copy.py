"""foreign_copy: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import pandas as pd

from tests.worlds.plants import (
    Planted,
    assert_fires,
    assert_quiet,
    backup_as_every_night,
    copies_to_a_strange_bucket,
)


def test_fires(planted: Planted, usual: pd.DataFrame) -> None:
    assert_fires("foreign_copy", *planted(copies_to_a_strange_bucket), usual)


def test_stays_quiet(planted: Planted, usual: pd.DataFrame) -> None:
    assert_quiet("foreign_copy", *planted(backup_as_every_night), usual)
