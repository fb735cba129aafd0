"""first_access: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    new_step_of_the_own_run,
    stranger_reads_frontier_checkpoint,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("first_access", *planted(stranger_reads_frontier_checkpoint), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("first_access", *planted(new_step_of_the_own_run), usual)
