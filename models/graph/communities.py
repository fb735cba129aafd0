"""Communities of users who touch the same assets."""

from __future__ import annotations

import networkx as nx
import numpy as np
from scipy import sparse

from models.graph.likeness import NEIGHBOURS, nearest_rows
from models.graph.window import Codes, Floats, Window, indicator


def find_communities(
    window: Window, weights: Floats, profiles: sparse.csr_matrix, seed: int
) -> Codes:
    """Community number of each user, then of each asset; 0 has most nodes, ties: smallest user_id.

    Louvain (Blondel et al. 2008, "Fast unfolding of communities in large networks") on the
    projection that ties each user to the NEIGHBOURS most alike ones, weighted by cosine; an asset
    joins the community that holds most of its weight. Fails below its resolution limit (Fortunato
    & Barthélemy 2007): small groups in a large graph are merged; numbers are of the day only.
    """
    projection = nx.Graph()
    projection.add_nodes_from(range(len(window.users)))
    no_teams = [""] * len(window.users)
    nearest = nearest_rows(profiles, no_teams, 0.0, NEIGHBOURS)
    projection.add_weighted_edges_from(zip(*(part.tolist() for part in nearest), strict=True))
    found = nx.community.louvain_communities(projection, weight="weight", seed=seed)
    groups = sorted(sorted(group) for group in found)
    of_user = np.zeros(len(window.users), dtype=np.int64)
    for number, group in enumerate(groups):
        of_user[group] = number
    held = sparse.csr_matrix(window.matrix(weights).T @ indicator(of_user, len(groups)).T)
    of_asset = _largest(held)
    sizes = np.bincount(np.concatenate([of_user, of_asset]), minlength=len(groups))
    numbers = np.empty(len(groups), dtype=np.int64)
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(len(groups))
    return np.concatenate([numbers[of_user], numbers[of_asset]])


def _largest(held: sparse.csr_matrix) -> Codes:
    """Column of the largest value of each row, (rows,); ties: the first. No row is empty."""
    rows = np.repeat(np.arange(held.shape[0]), np.diff(held.indptr))
    order = np.lexsort((held.indices, -held.data.round(9), rows))
    return np.asarray(held.indices[order[held.indptr[:-1]]], dtype=np.int64)
