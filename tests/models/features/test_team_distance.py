"""Distance from a team's work: the sums are those of a slow count, mate by mate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.features.history import History
from models.features.people import teams
from models.features.team_distance import (
    FEW_MATES,
    LEAST_MATES,
    Nearness,
    _before,
    _owners,
    far_takings,
)
from tests.worlds.histories import World, everyday_world, frames_of, history_of
from tests.worlds.plants import DAY
from tests.worlds.team_plants import second_visit_to_a_far_checkpoint

NEARNESS = Nearness(mates=0.4, work=0.25)


@pytest.fixture(scope="module")
def history() -> History:
    world: World = everyday_world()
    second_visit_to_a_far_checkpoint(world)
    return history_of(world, DAY, frames_of(world))


def circle_of(history: History, user: str) -> list[str]:
    nodes = history.nodes
    nodes = nodes[(nodes["node_type"] == "user") & (nodes["day"] == history.day)]
    declared = teams(history.context)
    if user not in declared:
        peers = nodes.set_index("node_id")["peers"].get(user)
        return [mate for mate in (() if peers is None else peers) if mate != user]
    people = nodes.loc[nodes["kind"] != "service", "node_id"]
    return [mate for mate in people if mate != user and declared.get(mate) == declared[user]]


def slowly(history: History, user: str, asset: str, family: str) -> tuple[float, ...]:
    """Mates who use the family, mates, share of their work with the owners, and the distance."""
    before = _before(history)
    of = _owners(history, before).get(asset, "")
    circle = circle_of(history, user)
    parts = [before[before["user_id"] == mate] for mate in circle]
    users = sum(bool((part["family"] == family).any()) for part in parts)
    total = sum(float(part["weight"].sum()) for part in parts)
    with_owner = sum(float(part.loc[part["owner"] == of, "weight"].sum()) for part in parts)
    share = with_owner / total if of and total > 0 else 0.0
    near = max(users / max(LEAST_MATES, NEARNESS.mates * len(circle)), share / NEARNESS.work)
    told = len(circle) / (len(circle) + FEW_MATES)
    own = bool(of) and teams(history.context).get(user) == of
    return users, len(circle), share, 0.0 if own else max(0.0, 1.0 - near) * told


def without_teams(history: History) -> History:
    nobody = history.context.directory.assign(team="")
    return history.but(context=replace(history.context, directory=nobody))


@pytest.mark.parametrize("declared", [True, False])
def test_the_distance_is_that_of_a_slow_count(history: History, declared: bool) -> None:
    history = history if declared else without_teams(history)
    found = far_takings(history, NEARNESS)
    assert len(found) > 20
    assert (found["distance"] > 0).any()
    expected = [
        slowly(history, user, asset, family)
        for user, asset, family in found[["user_id", "asset_id", "family"]].itertuples(index=False)
    ]
    columns = ["users", "circle", "share", "distance"]
    np.testing.assert_allclose(found[columns].to_numpy(dtype=float), expected, atol=1e-9)


def test_whoever_has_no_mates_is_far_from_nothing(history: History) -> None:
    nodes = history.nodes.assign(peers=[[] for _ in range(len(history.nodes))])
    found = far_takings(replace(without_teams(history), nodes=nodes), NEARNESS)
    assert len(found)
    assert not found["circle"].any()
    assert not found["distance"].any()
