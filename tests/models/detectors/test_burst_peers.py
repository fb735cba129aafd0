"""burst_peers: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    leaver_copies_everything,
    whole_team_crunches,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("burst_peers", *planted(leaver_copies_everything), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("burst_peers", *planted(whole_team_crunches), usual)
