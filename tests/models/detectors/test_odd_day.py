"""odd_day: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import numpy as np

from models.detectors.odd_day import FEATURES, grow_forest
from tests.worlds.plants import (
    SETTINGS,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    backup_as_every_night,
    everything_at_once,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("odd_day", *planted(everything_at_once), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("odd_day", *planted(backup_as_every_night), usual)


def test_forest_ranks_the_far_point_first() -> None:
    past = np.random.default_rng(1).normal(size=(400, len(FEATURES)))
    forest = grow_forest(past, SETTINGS["odd_day"])
    far = np.full((1, len(FEATURES)), 6.0)
    assert -forest.score_samples(far)[0] > (-forest.score_samples(past)).max()
