"""The user–asset graph of one day: communities, learned peers, edge probabilities, places to draw.

A user and an asset have an edge if at least one event of the user on the asset succeeded in the
trailing window. Of an asset whose content the user touches on the day, mere looks at it on earlier
days do not count. Failures alone make no edge: a refused access
says nothing about the user's work. Detectors read failures from ``access`` itself.

Invariants:

* Users and assets are separate namespaces: the same text may name one of each.
* ``probability`` comes from the days before the day alone. Events of the day do not move it: a
  thief cannot make a theft likely, and a crowd cannot make it look usual. So users and assets that
  are first seen on the day stay out of the factorisation and of every mean.
* Likeness of users (peers, communities) comes from the days before the day, too. Users without an
  earlier day are the exception. Otherwise a read of today could choose the peers of today.
* Inputs are sorted before they are used, and random numbers are seeded. The order of the input rows
  does not matter. Louvain runs on whole numbers: their sets iterate alike in every process, and
  sets of text do not.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.graph.communities import find_communities
from models.graph.layout import lay_out
from models.graph.likeness import choose_peers, weigh_profiles
from models.graph.probability import link_probabilities
from models.graph.window import Floats, Window, damp, declared_teams, make_window
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES

if TYPE_CHECKING:
    from schemas.config import Graph
    from schemas.context import Context


def build_graph(
    pairs: pd.DataFrame, kinds: pd.DataFrame, context: Context, day: date, settings: Graph
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Frames with the columns of GRAPH_NODES and GRAPH_EDGES, sorted by their keys.

    ``pairs``: PAIR_COLUMNS and ``kinds``: KIND_COLUMNS, both of the ``settings.window_days`` days
    that end with ``day`` (the day included). Without a touch in the window both frames are empty.

    ``weight`` of an edge is log2(1 + active days) + log10(events) / 4: one event on one day weighs
    1, a month of daily work about 5, and a job's millions of reads no more than a few days.
    ``strength`` is the sum of a node's weights. For the rest see :func:`find_communities`,
    :func:`choose_peers`, :func:`link_probabilities` and :func:`lay_out`.

    Fails to say anything useful on the first day of a warehouse: every edge is new, and all
    probabilities are ROOT_RATE's.
    """
    window = make_window(pairs, kinds, context)
    if window is None:
        return (
            pd.DataFrame(columns=GRAPH_NODES.column_names),
            pd.DataFrame(columns=GRAPH_EDGES.column_names),
        )
    weights = damp(window.pairs["days"].to_numpy(), window.pairs["events"].to_numpy())
    teams = declared_teams(window.users, context)
    probability = link_probabilities(window, teams, context, settings)
    edges = _edges(window, weights, probability, day)
    return _nodes(window, weights, edges, teams, context, day, settings), edges


def _edges(window: Window, weights: Floats, probability: Floats, day: date) -> pd.DataFrame:
    pairs = window.pairs
    edges = pd.DataFrame(
        {
            "day": day,
            "user_id": window.users[pairs["user"]],
            "asset_id": window.assets[pairs["asset"]],
            "weight": weights.round(6),
            "active_days": pairs["days"],
            "today": pairs["today"],
            "is_new": pairs["before_days"] == 0,
            "probability": probability,
        }
    )
    return edges[GRAPH_EDGES.column_names]


def _nodes(
    window: Window,
    weights: Floats,
    edges: pd.DataFrame,
    teams: list[str],
    context: Context,
    day: date,
    settings: Graph,
) -> pd.DataFrame:
    profiles = weigh_profiles(window, weights)
    communities = find_communities(window, weights, profiles, settings.seed)
    places = lay_out(window, weights, communities, settings.seed)
    listed = context.assets.drop_duplicates("asset_id")
    asset_kinds = dict(zip(listed["asset_id"], listed["kind"], strict=True))
    user, asset = window.pairs["user"].to_numpy(), window.pairs["asset"].to_numpy()
    ends = np.concatenate([user, len(window.users) + asset])
    edge_weights = np.tile(edges["weight"].to_numpy(), 2)
    nodes = pd.DataFrame(
        {
            "day": day,
            "node_id": [*window.users, *window.assets],
            "node_type": ["user"] * len(window.users) + ["asset"] * len(window.assets),
            "kind": [
                *window.kinds,
                *(asset_kinds.get(asset) or None for asset in window.assets),
            ],
            "community": communities,
            "degree": np.bincount(ends),
            "strength": np.bincount(ends, edge_weights).round(6),
            "peers": [
                *choose_peers(window, profiles, teams, settings.peers),
                *([] for _ in window.assets),
            ],
            "x": places[:, 0],
            "y": places[:, 1],
        },
        index=range(len(communities)),
    )
    nodes = nodes.sort_values(["node_type", "node_id"], ignore_index=True)
    return nodes[GRAPH_NODES.column_names]
