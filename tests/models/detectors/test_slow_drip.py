"""slow_drip: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    drip_of_five_shards_a_day,
    reads_the_same_shards_daily,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("slow_drip", *planted(drip_of_five_shards_a_day), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("slow_drip", *planted(reads_the_same_shards_daily), usual)
