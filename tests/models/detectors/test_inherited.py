"""Detectors see content at the places to which it was copied, and no other content there."""

from __future__ import annotations

import pytest

from tests.worlds.lineage_plants import (
    has_the_copy_copied,
    opens_the_copy,
    pipeline_reads_the_copy,
    reads_notes_beside_the_copy,
    reads_the_copy_abroad,
    reads_the_copy_and_sends_a_pack,
    silences_the_log_of_the_copy,
    takes_the_copy_home,
)
from tests.worlds.plants import Plant, Planted, statistic_of, without_lineage


@pytest.mark.parametrize(
    ("name", "thief"),
    [
        ("cross_team", takes_the_copy_home),
        ("egress_budget", takes_the_copy_home),
        ("egress_budget", reads_the_copy_and_sends_a_pack),
        ("first_access", has_the_copy_copied),
        ("foreign_copy", opens_the_copy),
        ("residency", reads_the_copy_abroad),
        ("supply_chain", pipeline_reads_the_copy),
        ("telemetry_gap", silences_the_log_of_the_copy),
        ("unapproved", has_the_copy_copied),
        ("unapproved", takes_the_copy_home),
    ],
)
def test_a_copy_counts_for_more_than_an_unknown_place(
    name: str, thief: Plant, planted: Planted
) -> None:
    found, blind = statistic_of(name, planted, thief), without_lineage(name, planted, thief)
    assert found > 1.2 * blind


@pytest.mark.parametrize("name", ["cross_team", "first_access", "unapproved"])
def test_other_content_of_the_place_is_that_of_an_unknown_place(
    name: str, planted: Planted
) -> None:
    found, blind = (
        statistic(name, planted, reads_notes_beside_the_copy)
        for statistic in (statistic_of, without_lineage)
    )
    assert found == pytest.approx(blind)
