"""Graphs for tests: rows of access, context, blocks of users."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from models.graph import build_graph
from models.graph.window import DAYS_PER_MASK, KIND_COLUMNS, PAIR_COLUMNS
from schemas.config import Graph
from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
    Context,
)
from schemas.tables.values import CONTENT_CLASSES

DAY = date(2026, 3, 31)
SETTINGS = Graph(window_days=30, peers=5, factors=10, seed=7)

Touch = tuple[int, str, str]
"""Days before DAY, user, asset."""


def access_of(touches: list[Touch], **columns: Any) -> pd.DataFrame:
    """Rows of ACCESS, each with one successful event unless ``columns`` set other values."""
    rows = pd.DataFrame(
        {
            "day": [DAY - timedelta(days=ago) for ago, _, _ in touches],
            "user_id": [user for _, user, _ in touches],
            "user_kind": "human",
            "asset_id": [asset for _, _, asset in touches],
            "action_class": "read",
            "events": 1,
            "failures": 0,
        }
    )
    return rows.assign(**columns)


def graph_of(
    access: pd.DataFrame, context: Context, day: date, settings: Graph
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes and edges from rows of ACCESS, reduced without the engine."""
    pairs, kinds = reduce_slowly(access, day, settings.window_days)
    return build_graph(pairs, kinds, context, day, settings)


def reduce_slowly(
    access: pd.DataFrame, day: date, window_days: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """PAIR_COLUMNS and KIND_COLUMNS of a window, one access row after the other."""
    days, events, before_events = defaultdict(set), defaultdict(int), defaultdict(int)
    kinds: dict[tuple[str, str], set[int]] = defaultdict(set)
    columns = ["day", "user_id", "user_kind", "asset_id", "action_class", "events", "failures"]
    rows = list(access[columns].itertuples())
    touched = {
        (row.user_id, row.asset_id)
        for row in rows
        if row.day == day and row.events > row.failures and row.action_class in CONTENT_CLASSES
    }
    for row in rows:
        ago, succeeded = (day - row.day).days, row.events - row.failures
        if not 0 <= ago < window_days or succeeded <= 0:
            continue
        kinds[row.user_id, row.user_kind].add(ago)
        look = ago > 0 and row.action_class not in CONTENT_CLASSES
        if look and (row.user_id, row.asset_id) in touched:
            continue
        days[row.user_id, row.asset_id].add(ago)
        events[row.user_id, row.asset_id] += succeeded
        before_events[row.user_id, row.asset_id] += succeeded if ago else 0
    pairs = [
        {
            "user_id": user,
            "asset_id": asset,
            "recent_days": sum(2**ago for ago in agos if ago < DAYS_PER_MASK),
            "earlier_days": sum(2 ** (ago - DAYS_PER_MASK) for ago in agos if ago >= DAYS_PER_MASK),
            "events": events[user, asset],
            "before_events": before_events[user, asset],
        }
        for (user, asset), agos in days.items()
    ]
    logged = [
        {"user_id": user, "user_kind": kind, "ago": min((ago for ago in agos if ago), default=None)}
        for (user, kind), agos in kinds.items()
    ]
    return pd.DataFrame(pairs, columns=PAIR_COLUMNS), pd.DataFrame(logged, columns=KIND_COLUMNS)


def bipartite_graph(edges: pd.DataFrame) -> nx.Graph:
    """Rows of GRAPH_EDGES as a NetworkX graph: nodes ("user", id) and ("asset", id), ``weight``."""
    graph = nx.Graph()
    users = [("user", user) for user in edges["user_id"]]
    assets = [("asset", asset) for asset in edges["asset_id"]]
    graph.add_nodes_from(users, bipartite=0)
    graph.add_nodes_from(assets, bipartite=1)
    graph.add_weighted_edges_from(zip(users, assets, edges["weight"], strict=True))
    return graph


def context_of(
    teams: dict[str, str] | None = None, assets: list[dict[str, str]] | None = None
) -> Context:
    people = [{"user_id": user, "kind": "human", "team": t} for user, t in (teams or {}).items()]
    return Context(
        directory=pd.DataFrame(people, columns=DIRECTORY_COLUMNS).fillna(""),
        assets=pd.DataFrame(assets or [], columns=ASSET_COLUMNS).fillna(""),
        approvals=pd.DataFrame(columns=APPROVAL_COLUMNS),
        networks=pd.DataFrame(columns=NETWORK_COLUMNS),
    )


def two_cliques() -> list[Touch]:
    """Four users on three assets, three users on three others, on five days; one common asset."""
    large = [(ago, f"l{u}", f"x{a}") for ago in range(5) for u in range(4) for a in range(3)]
    small = [(ago, f"s{u}", f"y{a}") for ago in range(5) for u in range(3) for a in range(3)]
    wiki = [(1, user, "wiki") for user in ("l0", "l1", "l2", "l3", "s0", "s1", "s2")]
    return large + small + wiki


def planted_blocks(
    n_users: int, n_assets: int, n_blocks: int, seed: int, habit_shape: float = math.inf
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], dict[str, int]]:
    """Access of 30 days: users touch assets of their own block and a few common ones.

    Users differ in activity, assets in popularity. The rate of a pair is their product times a
    Gamma variable of shape ``habit_shape`` (infinite: no variable). Returns access, the foreign
    touches of DAY (random pairs across blocks, not in access), the blocks of users and the blocks
    of assets (-1: common).
    """
    rng = np.random.default_rng(seed)
    user_blocks = rng.integers(n_blocks, size=n_users)
    asset_blocks = np.where(rng.random(n_assets) < 0.03, -1, rng.integers(n_blocks, size=n_assets))
    activity, popularity = rng.gamma(1.5, 1 / 1.5, n_users), rng.gamma(0.7, 1 / 0.7, n_assets)
    own = (user_blocks[:, None] == asset_blocks) * 0.02 + (asset_blocks == -1) * 0.05
    rates = own * np.outer(activity, popularity)
    if math.isfinite(habit_shape):
        rates *= rng.gamma(habit_shape, 1 / habit_shape, rates.shape)
    chance = 1 - np.exp(-rates)
    touches = [
        (ago, f"u{user:03d}", f"a{asset:03d}")
        for ago in range(30)
        for user, asset in np.argwhere(rng.random(chance.shape) < chance)
    ]
    pairs = zip(rng.integers(n_users, size=300), rng.integers(n_assets, size=300), strict=True)
    foreign = {
        (0, f"u{user:03d}", f"a{asset:03d}")
        for user, asset in pairs
        if asset_blocks[asset] not in (-1, user_blocks[user])
    }
    return (
        access_of(touches),
        access_of(sorted(foreign)),
        {f"u{user:03d}": int(block) for user, block in enumerate(user_blocks)},
        {f"a{asset:03d}": int(block) for asset, block in enumerate(asset_blocks)},
    )


def share_ranked_higher(legitimate: pd.Series, foreign: pd.Series) -> float:
    """AUC by definition: share of pairs whose legitimate value is greater; ties count half."""
    left, right = legitimate.to_numpy()[:, None], foreign.to_numpy()[None, :]
    return float(((left > right) + 0.5 * (left == right)).mean())


def peer_groups(nodes: pd.DataFrame) -> dict[str, list[str]]:
    """user_id → peers, nearest first, from rows of GRAPH_NODES (also as read from a table)."""
    users = nodes[nodes["node_type"] == "user"]
    return {
        user: [str(peer) for peer in peers]
        for user, peers in zip(users["node_id"], users["peers"], strict=True)
    }
