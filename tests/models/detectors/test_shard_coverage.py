"""shard_coverage: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    leaver_copies_everything,
    sweep_on_its_weekday,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("shard_coverage", *planted(leaver_copies_everything), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("shard_coverage", *planted(sweep_on_its_weekday), usual)
