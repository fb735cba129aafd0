"""leaver: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import pytest

from tests.worlds.lineage_plants import SCRATCH, leaves_with_the_copy
from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    leaver_copies_everything,
    leaver_works_on,
    signals_of,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("leaver", *planted(leaver_copies_everything), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("leaver", *planted(leaver_works_on), usual)


def test_a_leaver_takes_the_copy_as_well(planted: Planted) -> None:
    """A third on each of three days, at a place that assets.csv does not list."""
    history, user = planted(leaves_with_the_copy)
    (row,) = signals_of("leaver", history, user).to_dict("records")
    assert (row["asset_ids"], row["unit"]) == ([SCRATCH], "share")
    assert row["observed"] == pytest.approx(1.0)
