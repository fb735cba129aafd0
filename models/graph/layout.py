"""Places of users and assets for drawing the graph."""

from __future__ import annotations

import hashlib

import numpy as np
from scipy import sparse

from models.graph.window import Codes, Floats, Window, indicator

LAYOUT_STEPS = 40
"""Steps of the layout; more change little."""
NEIGHBOUR_STEPS = 4
"""Steps after which the nearest nodes are searched anew; in between they hardly change."""


def lay_out(window: Window, weights: Floats, communities: Codes, seed: int) -> Floats:
    """Places of users, then assets, shape (nodes, 2), in [-1, 1].

    Communities are laid out as discs, then nodes within them; each time by springs along the edges
    and a push between the nearest (Fruchterman & Reingold 1991 with repulsion of neighbours only,
    which stays near-linear). Nodes start from a hash of their id, communities from the mean of
    their members, so a place changes little from day to day while the communities do. Fails to
    untangle one dense community: inside it places mean little.
    """
    n_users, n_nodes = len(window.users), len(communities)
    user = window.pairs["user"].to_numpy()
    asset = n_users + window.pairs["asset"].to_numpy()
    labels = [f"{seed}/user/{name}" for name in window.users]
    hashed = _hash_points(labels + [f"{seed}/asset/{name}" for name in window.assets])
    sizes = np.bincount(communities).astype(np.float64)
    radii = np.sqrt(sizes)
    members = indicator(communities, len(sizes))
    outside = communities[user] != communities[asset]
    ties = _springs(
        communities[user][outside], communities[asset][outside], weights[outside], len(sizes)
    )
    spread = radii.sum()
    centres = _relax((members @ hashed) / sizes[:, None] * spread, ties, radii, 0.05)
    start = centres[communities] + hashed * radii[communities][:, None]
    # What everybody touches would draw everybody to the middle.
    popularity = np.bincount(asset)[asset]
    springs = _springs(user, asset, weights / popularity, n_nodes)
    places = _relax(start, springs, np.full(n_nodes, 0.5), 0.2)
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    return np.asarray((places / np.abs(places).max()).round(4) + 0.0, dtype=np.float64)


def _hash_points(labels: list[str]) -> Floats:
    """A fixed point of the unit disc for each label."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in labels)
    uniform = np.frombuffer(digests, dtype="<u4").reshape(-1, 2) / 2.0**32
    angles = 2 * np.pi * uniform[:, 0]
    radius = np.sqrt(uniform[:, 1])
    return np.column_stack([radius * np.cos(angles), radius * np.sin(angles)])


def _springs(left: Codes, right: Codes, weights: Floats, size: int) -> sparse.csr_matrix:
    """Symmetric size × size matrix whose rows sum to 1; a row without a spring sums to 0."""
    both = np.concatenate([left, right]), np.concatenate([right, left])
    springs = sparse.csr_matrix((np.concatenate([weights, weights]), both), shape=(size, size))
    sums = np.asarray(springs.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1 / np.where(sums > 0, sums, 1)) @ springs)


def _relax(start: Floats, springs: sparse.csr_matrix, radii: Floats, pull: float) -> Floats:
    """Places after LAYOUT_STEPS of springs and pushes; discs of ``radii`` end hardly overlapping.

    Each step moves a node towards the mean of its neighbours by ``pull``, cooling to 0 at the end,
    back towards its start by half of that, and away from each disc it overlaps.
    """
    from scipy.spatial import cKDTree

    places = start.copy()
    near = min(len(places), 16)
    if near < 2:
        return places
    tied = np.asarray(springs.sum(axis=1)).ravel()[:, None]
    for step in range(LAYOUT_STEPS):
        heat = pull * (1 - step / LAYOUT_STEPS)
        places = places + heat * (springs @ places - tied * places) + heat / 2 * (start - places)
        if step % NEIGHBOUR_STEPS == 0:
            others = cKDTree(places).query(places, k=near, workers=-1)[1]
        apart = places[:, None, :] - places[others]
        distances = np.linalg.norm(apart, axis=2)
        overlap = np.maximum(radii[:, None] + radii[others] - distances, 0.0)
        overlap[distances == 0] = 0.0
        push = 0.25 * overlap / np.maximum(distances, 1e-9)
        places = places + (apart * push[:, :, None]).sum(axis=1)
    return places
