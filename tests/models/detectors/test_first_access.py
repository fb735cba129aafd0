"""first_access: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import pytest

from tests.worlds.lineage_plants import (
    reads_after_copies_in_small_parts,
    reads_the_artefact_itself,
    reads_the_export_of_a_colleague,
    reads_the_quantised_variant,
    reads_where_one_object_was_copied,
)
from tests.worlds.plants import (
    Plant,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    new_step_of_the_own_run,
    statistic_of,
    stranger_reads_frontier_checkpoint,
    without_lineage,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("first_access", *planted(stranger_reads_frontier_checkpoint), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("first_access", *planted(new_step_of_the_own_run), usual)


@pytest.mark.parametrize(
    ("plant", "inherited"),
    [
        (reads_the_export_of_a_colleague, 0.7),
        (reads_the_quantised_variant, 0.7),
        (reads_after_copies_in_small_parts, 1.0),
    ],
)
def test_a_copy_is_nearly_as_surprising_as_the_artefact(
    plant: Plant, inherited: float, planted: Planted
) -> None:
    """It counts for what it inherits (of size 3.5 of 5), and not as an unknown place (2 of 5)."""
    found, itself = (
        statistic_of("first_access", planted, plant),
        statistic_of("first_access", planted, reads_the_artefact_itself),
    )
    blind = without_lineage("first_access", planted, plant)
    assert found == pytest.approx(blind * inherited / 0.4)
    assert found / itself == pytest.approx(inherited, abs=0.1)


def test_one_object_of_an_artefact_makes_no_place_sensitive(planted: Planted) -> None:
    plant = reads_where_one_object_was_copied
    blind = without_lineage("first_access", planted, plant)
    assert statistic_of("first_access", planted, plant) == blind
