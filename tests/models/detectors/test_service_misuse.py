"""service_misuse: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    backup_as_every_night,
    service_key_on_a_laptop,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("service_misuse", *planted(service_key_on_a_laptop), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("service_misuse", *planted(backup_as_every_night), usual)
