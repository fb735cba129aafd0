"""Edges, communities and peers against their definitions and slow obvious versions."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from models.graph.likeness import nearest_rows
from models.graph.window import TEAM_SHARE
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from tests.worlds.graphs import (
    DAY,
    SETTINGS,
    Touch,
    access_of,
    bipartite_graph,
    context_of,
    graph_of,
    peer_groups,
    planted_blocks,
    two_cliques,
)

# What an edge is.


def test_weight_days_and_newness_follow_their_definitions() -> None:
    touches = [(0, "ann", "new"), (0, "ann", "old"), (3, "ann", "old"), (29, "ann", "edge")]
    access = access_of([*touches, (30, "ann", "gone")], events=[10, 50, 50, 1, 1])
    _, edges = graph_of(access, context_of(), DAY, SETTINGS)
    assert list(edges.columns) == GRAPH_EDGES.column_names
    found = edges.drop(columns=["day", "user_id", "probability"]).to_dict("records")
    assert found == [
        # The first day of the window counts, the day before it does not.
        {"asset_id": "edge", "weight": 1.0, "active_days": 1, "today": False, "is_new": False},
        {"asset_id": "new", "weight": 1.25, "active_days": 1, "today": True, "is_new": True},
        {
            "asset_id": "old",
            "weight": round(math.log2(3) + 0.5, 6),
            "active_days": 2,
            "today": True,
            "is_new": False,
        },
    ]


def test_failures_alone_make_no_edge() -> None:
    touches = [(0, "ann", "shut"), (1, "ann", "mixed"), (1, "bob", "shut")]
    access = access_of(touches, events=[7, 7, 1], failures=[7, 6, 1])
    nodes, edges = graph_of(access, context_of(), DAY, SETTINGS)
    assert edges[["user_id", "asset_id"]].to_numpy().tolist() == [["ann", "mixed"]]
    # One event of seven did not fail, and only it counts.
    assert edges["weight"].tolist() == [1.0]
    assert nodes["node_id"].tolist() == ["mixed", "ann"]


def test_later_days_are_not_looked_at() -> None:
    access = access_of(two_cliques())
    later = access_of([(-1, "l0", "y0"), (-2, "zoe", "x0")])
    before = graph_of(access, context_of(), DAY, SETTINGS)
    after = graph_of(pd.concat([access, later]), context_of(), DAY, SETTINGS)
    for left, right in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.parametrize("touches", [[], [(40, "ann", "old")]])
def test_no_touch_gives_empty_frames(touches: list[Touch]) -> None:
    nodes, edges = graph_of(access_of(touches), context_of(), DAY, SETTINGS)
    assert nodes.empty
    assert list(nodes.columns) == GRAPH_NODES.column_names
    assert edges.empty
    assert list(edges.columns) == GRAPH_EDGES.column_names


def test_users_and_assets_may_share_their_names() -> None:
    access = access_of([(1, "x", "x"), (0, "x", "y"), (0, "y", "x")])
    nodes, edges = graph_of(access, context_of(), DAY, SETTINGS)
    assert nodes[["node_type", "node_id", "degree"]].to_numpy().tolist() == [
        ["asset", "x", 2],
        ["asset", "y", 1],
        ["user", "x", 2],
        ["user", "y", 1],
    ]
    graph = bipartite_graph(edges)
    assert sorted(graph.neighbors(("user", "x"))) == [("asset", "x"), ("asset", "y")]


def test_degree_and_strength_are_those_of_the_drawn_graph() -> None:
    access, foreign, _, _ = planted_blocks(25, 40, 3, seed=11)
    access = pd.concat([access, foreign])
    access = access.assign(events=np.arange(len(access)) % 40 + 1)
    nodes, edges = graph_of(access, context_of(), DAY, SETTINGS)
    graph = bipartite_graph(edges)
    keys = list(zip(nodes["node_type"], nodes["node_id"], strict=True))
    assert nodes["degree"].tolist() == [graph.degree(key) for key in keys]
    strength = [graph.degree(key, weight="weight") for key in keys]
    assert nodes["strength"].tolist() == pytest.approx(strength, abs=1e-6)


# Communities and peers.


def test_two_cliques_are_two_communities_of_peers() -> None:
    nodes, _ = graph_of(access_of(two_cliques()), context_of(), DAY, SETTINGS)
    community = nodes.set_index(["node_type", "node_id"])["community"]
    for node_type, node_id in community.index:
        # The common asset has more users in the larger clique.
        expected = 1 if node_id[0] in "sy" else 0
        assert community[node_type, node_id] == expected, (node_type, node_id)
    peers = peer_groups(nodes)
    assert set(peers) == set(nodes.loc[nodes["node_type"] == "user", "node_id"])
    assert {user: others[:3] for user, others in peers.items() if user[0] == "l"} == {
        "l0": ["l1", "l2", "l3"],
        "l1": ["l0", "l2", "l3"],
        "l2": ["l0", "l1", "l3"],
        "l3": ["l0", "l1", "l2"],
    }
    assert peers["s2"][:2] == ["s0", "s1"]
    assert all(not peers for peers in nodes.loc[nodes["node_type"] == "asset", "peers"])


def test_unconnected_users_are_communities_of_their_own() -> None:
    access = access_of([(1, f"u{n}", f"a{n}") for n in range(5)])
    nodes, _ = graph_of(access, context_of(), DAY, SETTINGS)
    assert nodes.loc[nodes["node_type"] == "user", "community"].tolist() == [0, 1, 2, 3, 4]
    assert nodes.loc[nodes["node_type"] == "asset", "community"].tolist() == [0, 1, 2, 3, 4]
    assert nodes["peers"].map(len).sum() == 0


def test_peers_equal_a_naive_loop() -> None:
    access, foreign, user_blocks, _ = planted_blocks(25, 40, 3, seed=3)
    access = pd.concat([access, foreign, access_of([(0, "zoe", "a001"), (0, "zoe", "a002")])])
    kinds = ["service" if user in ("u003", "u004", "u010") else "human" for user in access.user_id]
    access = access.assign(user_kind=kinds, events=np.arange(len(access)) % 40 + 1)
    teams = {user: f"t{block}" for user, block in user_blocks.items() if user < "u015"}
    # The directory knows the kinds that the log tells.
    context = context_of(teams)
    context.directory.loc[context.directory["user_id"].isin(["u003", "u004", "u010"]), "kind"] = (
        "service"
    )
    nodes, _ = graph_of(access, context, DAY, SETTINGS)

    earlier = access[access["day"] < DAY]
    seen = set(earlier["user_id"])
    rows = pd.concat([earlier, access[(access["day"] == DAY) & ~access["user_id"].isin(seen)]])
    days, events = defaultdict(int), defaultdict(int)
    for user, asset, count in zip(rows["user_id"], rows["asset_id"], rows["events"], strict=True):
        days[user, asset] += 1
        events[user, asset] += count
    users = sorted(set(access["user_id"]))
    fans = defaultdict(set)
    for user, asset in days:
        fans[asset].add(user)
    profile: dict[str, dict[str, float]] = {user: {} for user in users}
    for user, asset in days:
        weight = math.log2(1 + days[user, asset]) + math.log10(events[user, asset]) / 4
        profile[user][asset] = weight * math.log((1 + len(users)) / len(fans[asset]))
    kind = dict(zip(access["user_id"], access["user_kind"], strict=True))

    def likeness(left: str, right: str) -> float:
        common = set(profile[left]) & set(profile[right])
        dot = sum(profile[left][asset] * profile[right][asset] for asset in common)
        lengths = math.hypot(*profile[left].values()) * math.hypot(*profile[right].values())
        team = left in teams and teams[left] == teams.get(right)
        cosine = dot / lengths if dot else 0.0
        return round((1 - TEAM_SHARE) * cosine + TEAM_SHARE * team, 9)

    for user, peers in peer_groups(nodes).items():
        others = [other for other in users if other != user and kind[other] == kind[user]]
        alike = sorted((-likeness(user, other), other) for other in others)
        assert peers == [other for score, other in alike if score < 0][: SETTINGS.peers], user


@pytest.mark.parametrize("team_share", [0.0, TEAM_SHARE])
def test_nearest_rows_are_those_of_comparing_all_pairs(team_share: float) -> None:
    """Some rows are decided by rare columns, some are alike, some have popular columns only."""
    rng = np.random.default_rng(4)
    size, count = 900, 12
    rare = (rng.random((size, 300)) < 0.02) * (np.arange(size) % 6 > 0)[:, None]
    popular = rng.random((size, 150)) < 0.7
    weights = np.hstack([rng.integers(1, 4, rare.shape) * rare, 0.05 * popular])
    weights[5::30] = weights[5]
    weights[17] = 0
    profiles = weights / np.maximum(np.linalg.norm(weights, axis=1), 1e-9)[:, None]
    # One large team, some small ones, and users without.
    teams = [str(rng.choice(["large", "", f"small{n // 9}"])) for n in range(size)]
    row, other, likeness = nearest_rows(sparse.csr_matrix(profiles), teams, team_share, count)

    same = np.array([[left != "" and left == right for right in teams] for left in teams])
    expected = ((1 - team_share) * profiles @ profiles.T + team_share * same).round(9)
    np.fill_diagonal(expected, 0.0)
    nearest = np.argsort(-expected, axis=1, kind="stable")[:, :count]
    close = np.take_along_axis(expected, nearest, axis=1)
    assert row.tolist() == np.repeat(np.arange(size), (close > 0).sum(axis=1)).tolist()
    assert other.tolist() == nearest[close > 0].tolist()
    assert likeness.tolist() == close[close > 0].tolist()


def test_todays_conduct_does_not_choose_ones_peers() -> None:
    before = access_of(two_cliques())
    raid = access_of([(0, "l0", f"y{n}") for n in range(3)], events=100_000)
    calm, _ = graph_of(before[before["day"] < DAY], context_of(), DAY, SETTINGS)
    nodes, _ = graph_of(pd.concat([before, raid]), context_of(), DAY, SETTINGS)
    assert peer_groups(nodes) == peer_groups(calm)
