"""egress_budget: speaks of bytes outside that could hold an artefact read in the week."""

from __future__ import annotations

import numpy as np

from models.detectors.egress_budget import EgressBudgetSettings, bytes_out, left
from tests.worlds.histories import CORP, DATACENTER, HOME, SHARD_BYTES, World, history_of
from tests.worlds.place_plants import reads_it_in_the_office, sends_a_checkpoint_home
from tests.worlds.plants import DAY, SETTINGS, Planted, Usual, assert_fires, assert_quiet, score_of

RULES = SETTINGS["egress_budget"]


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("egress_budget", *planted(sends_a_checkpoint_home), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("egress_budget", *planted(reads_it_in_the_office), usual)


def test_the_part_that_may_have_left_is_a_weighted_mean_over_the_compressions() -> None:
    assert isinstance(RULES, EgressBudgetSettings)
    sent = np.array([1.0, 0.5, 1 / 16, 1 / 100, 1 / 1000, 0.0])
    weights = (1.0, RULES.of_16, RULES.of_100)
    expected = [
        sum(
            weight * min(1.0, part * compression)
            for weight, compression in zip(weights, (1, 16, 100), strict=True)
        )
        / sum(weights)
        for part in sent
    ]
    np.testing.assert_allclose(left(sent * 7e9, np.full(6, 7e9), RULES), expected)


def test_only_bytes_to_addresses_outside_our_networks_count() -> None:
    world = World()
    for user, network in (("a", HOME), ("b", CORP), ("c", DATACENTER), ("d", "cloud/US/64700")):
        world.read(DAY, user, "s3://any", ["one", "two"], network=network)
    found = bytes_out(history_of(world, DAY)).set_index("user_id")["bytes"].to_dict()
    assert found == {"a": 2 * SHARD_BYTES, "d": 2 * SHARD_BYTES}


def test_without_sizes_nothing_is_said(planted: Planted) -> None:
    world = World()
    world.read(DAY, "new", "s3://any", ["one"], network=HOME, kind="unknown")
    rows = score_of("egress_budget", history_of(world, DAY))
    assert rows["statistic"].tolist() == [0.0]
