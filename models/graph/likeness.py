"""Likeness of users by the assets that they touch, and the peers of each user."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.graph.window import TEAM_SHARE, Floats, Window, damp

NEIGHBOURS = 20
"""Nearest users that make the projection; all pairs would be millions of weak ties."""
LIKENESS_ROWS = 1000
"""Users compared with all others at once; bounds the memory."""


def weigh_profiles(window: Window, weights: Floats) -> sparse.csr_matrix:
    """What each user usually touches: users × assets, rows of length 1 (or all zero).

    Weights of the days before the day (of the day itself for users without an earlier one), times
    log((1 + users) / users of the asset), so that an asset that everybody touches makes nobody
    alike: tf-idf, Salton & Buckley 1988, "Term-weighting approaches in automatic text retrieval".
    """
    pairs = window.pairs
    seen = window.user_share[pairs["user"].to_numpy()] > 0
    earlier = damp(pairs["before_days"].to_numpy(), pairs["before_events"].to_numpy())
    profiles = window.matrix(np.where(seen, earlier, weights))
    users_of_asset = np.bincount(profiles.indices, minlength=len(window.assets))
    rarity = np.log((1 + len(window.users)) / np.maximum(users_of_asset, 1))
    profiles = sparse.csr_matrix(profiles @ sparse.diags(rarity))
    lengths = np.sqrt(np.asarray(profiles.multiply(profiles).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ profiles)


def nearest_rows(
    profiles: sparse.csr_matrix, teams: list[str], team_share: float, count: int
) -> list[list[tuple[int, float]]]:
    """For each row its nearest other rows with their likeness in (0, 1], most alike first.

    Likeness is (1 - team_share) × cosine, plus team_share where both declare the same team; ties
    go to the smaller row. Time and memory grow with the square of the rows (2,000: a second).
    """
    _, codes = np.unique(np.array(teams, dtype=object), return_inverse=True)
    declared = np.array([team != "" for team in teams])
    nearest: list[list[tuple[int, float]]] = []
    for start in range(0, profiles.shape[0], LIKENESS_ROWS):
        block = slice(start, start + LIKENESS_ROWS)
        likeness = (1 - team_share) * (profiles[block] @ profiles.T).toarray()
        same_team = (codes[block, None] == codes[None, :]) & declared[block, None]
        # Rounded so that equal likeness is equal whatever the order of summation.
        likeness = (likeness + team_share * same_team).round(9)
        rows = np.arange(likeness.shape[0])
        likeness[rows, rows + start] = 0.0
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
        for row, others in zip(likeness, order, strict=True):
            nearest.append([(int(other), float(row[other])) for other in others if row[other] > 0])
    return nearest


def choose_peers(
    window: Window, profiles: sparse.csr_matrix, teams: list[str], count: int
) -> list[list[str]]:
    """Learned peers of each user: at most ``count`` users of the same kind, nearest first.

    Nearest by cosine of profiles, with the declared team as a mild prior (:func:`nearest_rows`);
    users with nothing in common are no peers. Fails for users who touch one or two popular assets:
    all such users look alike, and ids decide.
    """
    peers: list[list[str]] = [[] for _ in window.users]
    for kind in np.unique(window.kinds):
        members = np.flatnonzero(window.kinds == kind)
        nearest = nearest_rows(profiles[members], [teams[m] for m in members], TEAM_SHARE, count)
        for member, others in zip(members, nearest, strict=True):
            peers[member] = [str(window.users[members[other]]) for other, _ in others]
    return peers
