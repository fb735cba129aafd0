"""cluster_egress: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.plants import (
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    operator_enters_pods,
    researcher_enters_serving_pods,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("cluster_egress", *planted(researcher_enters_serving_pods), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("cluster_egress", *planted(operator_enters_pods), usual)
