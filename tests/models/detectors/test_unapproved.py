"""unapproved: speaks of sensitive content that no approval covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worlds.histories import World, approval, history_of
from tests.worlds.histories import _add_assets as add_assets
from tests.worlds.histories import _add_identity as add_identity
from tests.worlds.lineage_plants import copies
from tests.worlds.plants import (
    DAY,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    reads_as_the_ticket_says,
    reads_beside_the_ticket,
    score_of,
)

PATTERN = "s3://ckpt/pretraining/run/step-2/*"


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("unapproved", *planted(reads_beside_the_ticket), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("unapproved", *planted(reads_as_the_ticket_says), usual)


def world_with(*approvals: dict[str, object], team: str = "evals") -> World:
    world = World()
    add_assets(world)
    add_identity(world, "reader", "human", team)
    add_identity(world, "boss", "human", "evals")
    world.approvals = list(approvals)
    world.read(DAY, "reader", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:31], 14)
    return world


def value(world: World) -> float:
    rows = score_of("unapproved", history_of(world, DAY)).set_index("entity")
    return float(rows.at["reader", "statistic"])


@pytest.mark.parametrize(
    "ticket",
    [
        approval("reader", PATTERN, DAY - timedelta(days=9), DAY - timedelta(days=1), "boss"),
        approval("reader", "s3://ckpt/evals/*", DAY, DAY, "boss"),
        approval("reader", PATTERN, DAY, DAY, "reader"),
    ],
    ids=["over", "another asset", "given by oneself"],
)
def test_an_approval_that_says_something_else_counts_more_than_none(
    ticket: dict[str, object],
) -> None:
    other = approval("somebody", PATTERN, DAY, DAY, "boss")
    assert value(world_with(ticket)) > value(world_with(other)) == 5.0


def test_an_approval_that_covers_the_reading_leaves_nothing() -> None:
    assert value(world_with(approval("reader", PATTERN, DAY, DAY, "boss"))) == 0.0


def test_an_approval_of_everything_covers_little() -> None:
    wide = approval("reader", "s3://*", DAY - timedelta(days=300), DAY, "boss")
    assert value(world_with(wide)) > 4.0


def test_the_own_teams_artefacts_need_no_approval() -> None:
    other = approval("somebody", PATTERN, DAY, DAY, "boss")
    assert value(world_with(other, team="pretraining")) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("pattern", "covered"), [(PATTERN, True), ("s3://scratch/*", True), ("s3://other/*", False)]
)
def test_an_approval_of_the_origin_covers_the_copy(pattern: str, covered: bool) -> None:
    world = world_with(approval("reader", pattern, DAY, DAY, "boss"))
    world.events.clear()
    shards = world.shards("ckpt-pretraining-2")
    for name in shards:
        copies(world, 1, "svc-load", name)
    world.read(DAY, "reader", "s3://scratch", shards[:31], 14)
    assert (value(world) == 0.0) is covered


def test_a_copy_belongs_to_the_team_of_its_origin() -> None:
    world = world_with(approval("somebody", PATTERN, DAY, DAY, "boss"), team="pretraining")
    world.events.clear()
    for name in world.shards("ckpt-pretraining-2"):
        copies(world, 1, "svc-load", name)
    world.read(DAY, "reader", "s3://scratch", world.shards("ckpt-pretraining-2")[:31], 14)
    assert value(world) == pytest.approx(0.5)


def test_a_lab_without_approvals_gets_no_rows(planted: Planted) -> None:
    history, _ = planted(reads_beside_the_ticket)
    nobody = replace(history.context, approvals=history.context.approvals.iloc[:0])
    assert score_of("unapproved", history.but(context=nobody)).empty
