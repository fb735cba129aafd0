"""Non-negative factors of a sparse matrix of counts.

scikit-learn's ``NMF`` gives the same factors (a test compares them). It reads a transposed view and
builds a new sparse matrix in each step, which takes many times as long.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.graph.window import Codes, Floats

STEPS = 200
"""Most steps."""
CHECK_STEPS = 10
"""Steps between two looks at the loss."""
LEAST_GAIN = 1e-4
"""The steps end if CHECK_STEPS of them lower the loss by less than this share of the first loss."""
SMALLEST_COUNT = float(np.finfo(np.float32).eps)
"""Least expected count that a count is divided by."""
SMALLEST_START = 1e-6
"""Smaller entries of the singular vectors start at the mean count."""
BATCH_PAIRS = 4096
"""Pairs whose factors are multiplied at once; their rows stay in the processor's cache."""


def factorise(counts: sparse.csr_matrix, rank: int, seed: int) -> tuple[Floats, Floats]:
    """Factors (rows, rank) and (rank, columns), ≥ 0, whose product expects the ``counts``.

    Non-negative matrix factorisation with Kullback–Leibler loss (Lee & Seung 2001, "Algorithms for
    non-negative matrix factorization"), which is the maximum likelihood of Poisson factorisation
    (Cemgil 2009; used on access logs by Turcotte et al. 2016, "Poisson factorization for
    peer-based anomaly detection"). ``counts``: all stored entries are > 0; ``rank``: at most the
    smaller side. Each step takes time in proportion to the stored entries times the rank. Fails to
    find the best factors: it ends in a local optimum near its start.
    """
    left, right = _start(counts, rank, seed)
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    first = last = _loss(counts, left, right, row)
    for step in range(1, STEPS + 1):
        ratio = _ratio(counts, left, right, row)
        sums = right.sum(axis=1)
        sums[sums == 0] = SMALLEST_COUNT
        left *= (ratio @ right.T) / sums
        ratio = _ratio(counts, left, right, row)
        sums = left.sum(axis=0)
        sums[sums == 0] = 1.0
        right *= (ratio.T @ left).T / sums[:, None]
        right[right < np.finfo(np.float64).eps] = 0.0
        if step % CHECK_STEPS == 0:
            loss = _loss(counts, left, right, row)
            if last - loss < LEAST_GAIN * first:
                break
            last = loss
    return left, right


def _start(counts: sparse.csr_matrix, rank: int, seed: int) -> tuple[Floats, Floats]:
    """Factors from singular vectors, zeros filled with the mean count.

    NNDSVDa: Boutsidis & Gallopoulos 2008, "SVD based initialization: A head start for nonnegative
    matrix factorization". Of each pair of vectors the larger of the positive and negative parts.
    """
    from sklearn.utils.extmath import randomized_svd

    lefts, scales, rights = randomized_svd(counts, rank, random_state=seed)
    left, right = np.zeros_like(lefts), np.zeros_like(rights)
    left[:, 0] = np.sqrt(scales[0]) * np.abs(lefts[:, 0])
    right[0] = np.sqrt(scales[0]) * np.abs(rights[0])
    for j in range(1, rank):
        parts = []
        for sign in (1, -1):
            u, v = np.maximum(sign * lefts[:, j], 0), np.maximum(sign * rights[j], 0)
            lengths = np.sqrt(np.dot(u, u)), np.sqrt(np.dot(v, v))
            parts.append((lengths[0] * lengths[1], u, v, lengths))
        size, u, v, lengths = parts[0] if parts[0][0] > parts[1][0] else parts[1]
        left[:, j] = np.sqrt(scales[j] * size) * (u / lengths[0])
        right[j] = np.sqrt(scales[j] * size) * (v / lengths[1])
    for factor in (left, right):
        factor[factor < SMALLEST_START] = counts.mean()
    return left, right


def expected_counts(left: Floats, right: Floats, row: Codes, column: Codes) -> Floats:
    """The product of the factors, at each pair of a ``row`` and a ``column`` alone."""
    rows, columns = np.ascontiguousarray(left), np.ascontiguousarray(right.T)
    expected = np.empty(len(row))
    for start in range(0, len(row), BATCH_PAIRS):
        batch = slice(start, start + BATCH_PAIRS)
        each = np.take(rows, row[batch], axis=0), np.take(columns, column[batch], axis=0)
        np.einsum("ij,ij->i", *each, out=expected[batch])
    return expected


def _ratio(counts: sparse.csr_matrix, left: Floats, right: Floats, row: Codes) -> sparse.csr_matrix:
    """Counts divided by their expected values."""
    expected = np.maximum(expected_counts(left, right, row, counts.indices), SMALLEST_COUNT)
    return sparse.csr_matrix((counts.data / expected, counts.indices, counts.indptr), counts.shape)


def _loss(counts: sparse.csr_matrix, left: Floats, right: Floats, row: Codes) -> float:
    """Square root of twice the generalised Kullback–Leibler divergence."""
    expected = np.maximum(expected_counts(left, right, row, counts.indices), SMALLEST_COUNT)
    divergence = np.dot(counts.data, np.log(counts.data / expected))
    total = np.dot(left.sum(axis=0), right.sum(axis=1))
    return float(np.sqrt(2 * max(divergence + total - counts.data.sum(), 0)))
