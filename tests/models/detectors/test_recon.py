"""recon: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    backup_as_every_night,
    looks_at_everything_and_is_refused,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("recon", *planted(looks_at_everything_and_is_refused), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("recon", *planted(backup_as_every_night), usual)


def test_recon_does_not_speak_of_no_refusals(usual: Usual) -> None:
    reasons = usual("recon")["reason"]
    assert reasons[reasons.str.contains("refused 0")].tolist() == []
