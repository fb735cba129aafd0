"""residency: speaks of its case, and not of its look-alike."""

from __future__ import annotations

import numpy as np
import pytest

from tests.worlds.histories import World
from tests.worlds.place_plants import (
    ABROAD,
    allow,
    reads_from_a_country_that_is_not_allowed,
    reads_from_an_allowed_country,
)
from tests.worlds.plants import DAY, Planted, Usual, assert_fires, assert_quiet, signals_of


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("residency", *planted(reads_from_a_country_that_is_not_allowed), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("residency", *planted(reads_from_an_allowed_country), usual)


def test_is_log2_of_the_objects_of_the_most_sensitive_asset(planted: Planted) -> None:
    found = signals_of("residency", *planted(reads_from_a_country_that_is_not_allowed)).iloc[0]
    assert found["statistic"] == pytest.approx(0.1 + np.log2(41))
    assert found["asset_ids"] == ["ckpt-pretraining-1"]


def test_looks_weigh_little_and_refused_reads_nothing(planted: Planted) -> None:
    def looks(world: World) -> str:
        allow(world, "ckpt-pretraining-1", "US")
        world.act(DAY, "u006", "ckpt-pretraining-1", "list", network=ABROAD)
        return "u006"

    def refused(world: World) -> str:
        allow(world, "ckpt-pretraining-1", "US")
        shards = world.shards("ckpt-pretraining-1")
        world.read(DAY, "u006", "ckpt-pretraining-1", shards, network=ABROAD, failed=True)
        return "u006"

    look, failed = (signals_of("residency", *planted(case)).iloc[0] for case in (looks, refused))
    assert look["statistic"] == pytest.approx(0.1)
    assert failed["statistic"] == look["observed"] == failed["observed"] == 0


@pytest.mark.parametrize("network", ["192.0.2.0/24", "external/-/64800", "vpn/RO/64512"])
def test_an_unknown_country_is_no_violation(planted: Planted, network: str) -> None:
    def unknown(world: World) -> str:
        allow(world, "ckpt-pretraining-1", "US")
        shards = world.shards("ckpt-pretraining-1")
        world.read(DAY, "u006", "ckpt-pretraining-1", shards, network=network)
        return "u006"

    assert signals_of("residency", *planted(unknown)).iloc[0]["statistic"] == 0


def test_needs_no_look_back(planted: Planted) -> None:
    def newcomer(world: World) -> str:
        allow(world, "ckpt-pretraining-1", "US")
        world.read(DAY, "new", "ckpt-pretraining-1", ["shard-0000"], network=ABROAD)
        return "new"

    assert signals_of("residency", *planted(newcomer)).iloc[0]["statistic"] > 1
