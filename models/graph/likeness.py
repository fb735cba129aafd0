"""Likeness of users by the assets that they touch, and the peers of each user."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from models.graph.window import TEAM_SHARE, Codes, Floats, Window, codes_of, damp, indicator

NEIGHBOURS = 20
"""Nearest users that make the projection; all pairs would be millions of weak ties."""
LIKENESS_DIGITS = 9
"""Likeness is rounded, so that equal likeness is equal whatever the order of summation."""
SLACK = 2e-9
"""More than rounding and the order of summation change a likeness."""
NO_LIKENESS = 4e-10
"""Likeness below is 0 after rounding."""
RARE_PRODUCTS = (4_000, 40_000)
"""Products per row in the first and second look, on the average of all rows. Higher leaves fewer
rows undecided."""
MOST_CANDIDATES = 500
"""A row with more candidates is undecided."""
BLOCK_PRODUCTS = 8_000_000
"""Products made at once (a single row may take more); bounds the memory."""
BLOCK_PAIRS = 100_000
"""Pairs of rows multiplied at once; bounds the memory."""


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
) -> tuple[Codes, Codes, Floats]:
    """The ``count`` nearest other rows of each row: row, other row, likeness in (0, 1].

    Sorted by row, most alike first. Likeness is (1 - team_share) × cosine, plus team_share where
    both declare the same team; ties go to the smaller row. Likeness 0 is left out.

    The result is that of comparing all pairs, in less time: two looks decide most rows by their
    rare columns, and their time grows with the rows; a last look compares an undecided row with all
    others that share a column. Fails to be quick where most rows have fewer than ``count``
    others with a rare column in common: then time (never memory) grows with the square of the rows,
    a minute for 50,000.
    """
    features = _with_teams(profiles, teams, team_share)
    looks, undecided = [], np.arange(features.shape[0])
    for products in RARE_PRODUCTS:
        row, other, undecided = _look(features, undecided, products, count)
        looks.append((row, other, _likeness(features, row, other)))
    for row_number, others, sums in _products(features, undecided):
        kept = np.flatnonzero(sums >= _greatest(sums, count) - SLACK)
        others, sums = others[kept], sums[kept].round(LIKENESS_DIGITS)
        kept = np.lexsort((others, -sums))[:count]
        looks.append((np.full(len(kept), row_number), others[kept], sums[kept]))
    row, other, likeness = (np.concatenate(part) for part in zip(*looks, strict=True))
    order = np.lexsort((other, -likeness, row))
    row, other, likeness = row[order], other[order], likeness[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    near = (rank < count) & (likeness > 0)
    return row[near], other[near], likeness[near]


def _with_teams(
    profiles: sparse.csr_matrix, teams: list[str], team_share: float
) -> sparse.csr_matrix:
    """Rows whose products are the likeness: a declared team is one more column."""
    if team_share == 0:
        return profiles
    declared = np.array([team != "" for team in teams])
    in_team = indicator(codes_of(teams), len(set(teams))).T.tocsr()
    in_team = sparse.diags(declared.astype(np.float64)) @ in_team
    parts = [np.sqrt(1 - team_share) * profiles, np.sqrt(team_share) * in_team]
    features = sparse.csr_matrix(sparse.hstack(parts))
    features.eliminate_zeros()
    return features


def _look(
    features: sparse.csr_matrix, rows: Codes, products: int, count: int
) -> tuple[Codes, Codes, Codes]:
    """Pairs (row, other) that may be among the nearest of ``rows``, and those still undecided.

    The rare columns are multiplied, as many as make ``products`` per row. The other columns add at
    most the product of their lengths to a pair (Cauchy–Schwarz). So a pair whose bound is below the
    ``count``-th greatest product of the row is out, as in MaxScore (Turtle & Flood 1995, "Query
    evaluation: strategies and optimizations"). A row is undecided where a pair without a common
    rare column might be in.
    """
    users = np.bincount(features.indices, minlength=features.shape[1]).astype(np.float64)
    order = np.argsort(users, kind="stable")
    rare = np.zeros(len(users), dtype=bool)
    rare[order] = np.cumsum(users[order] ** 2) <= products * features.shape[0]
    rest = features[:, ~rare]
    rest = np.sqrt(np.asarray(rest.multiply(rest).sum(axis=1)).ravel())
    longest = rest.max(initial=0.0)
    sizes, found, undecided = np.zeros(len(rest), dtype=np.int64), [], []
    for row, others, sums in _products(features[:, rare], rows):
        least = _greatest(sums, count) - SLACK
        kept = others[sums + rest[row] * rest[others] >= least]
        unseen = rest[row] * longest
        if len(kept) > MOST_CANDIDATES or unseen >= max(least, NO_LIKENESS):
            undecided.append(row)
        else:
            sizes[row] = len(kept)
            found.append(kept)
    other = np.concatenate([np.zeros(0, dtype=np.int64), *found])
    return np.repeat(np.arange(len(rest)), sizes), other, np.array(undecided, dtype=np.int64)


def _greatest(values: Floats, count: int) -> float:
    """The ``count``-th greatest value, 0 if there are fewer."""
    return float(np.partition(values, -count)[-count]) if len(values) >= count else 0.0


def _products(features: sparse.csr_matrix, rows: Codes) -> Iterator[tuple[int, Codes, Floats]]:
    """Each of ``rows`` with the other rows that share a column, and their scalar products."""
    columns = features.T.tocsr()
    work = sparse.csr_matrix(
        (np.diff(columns.indptr)[features.indices], features.indices, features.indptr),
        shape=features.shape,
    )
    work = np.asarray(work[rows].sum(axis=1)).ravel()
    number = np.cumsum(work) // BLOCK_PRODUCTS
    for block in np.split(rows, np.flatnonzero(np.diff(number)) + 1):
        product = features[block] @ columns
        for place, row in enumerate(block):
            part = slice(product.indptr[place], product.indptr[place + 1])
            others, sums = product.indices[part], product.data[part]
            apart = others != row
            yield int(row), others[apart].astype(np.int64), sums[apart]


def _likeness(features: sparse.csr_matrix, row: Codes, other: Codes) -> Floats:
    """Rounded scalar product of each pair of rows."""
    sums = [np.zeros(0)]
    for start in range(0, len(row), BLOCK_PAIRS):
        block = slice(start, start + BLOCK_PAIRS)
        products = features[row[block]].multiply(features[other[block]])
        sums.append(np.asarray(products.sum(axis=1)).ravel())
    return np.concatenate(sums).round(LIKENESS_DIGITS)


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
        of_member = [teams[member] for member in members]
        rows, others, _ = nearest_rows(profiles[members], of_member, TEAM_SHARE, count)
        for row, other in zip(members[rows], members[others], strict=True):
            peers[row].append(str(window.users[other]))
    return peers
