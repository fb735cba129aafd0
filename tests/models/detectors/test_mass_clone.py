"""mass_clone: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    known_repositories_again,
    night_of_clones,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("mass_clone", *planted(night_of_clones), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("mass_clone", *planted(known_repositories_again), usual)
