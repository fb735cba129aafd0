"""From a detector's own scale to a p-value, by comparison with similar identities.

Conformal p-values (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World";
Laxhammar & Falkman 2010 for anomalies): p = (1 + #{reference ≥ x}) / (n + 1), where the reference
is the statistics of the same detector, window and kind of identity on recent days and of the others
today. If x is exchangeable with them, P(p ≤ a) ≤ a for every a, whatever the distribution; ties
make p larger, never smaller; a small reference can't give a small p.

Beyond the largest reference the rank says no more than 1 / (n + 1). There the p-value goes on
falling along a tail fitted to the largest references: p = S(x) / S(largest) / (n + 1), with S a
generalised Pareto survival function (Pickands 1975), fitted by probability-weighted moments
(Hosking & Wallis 1987, Technometrics 29), its shape never below LEAST_SHAPE, so that a bounded
scale is not taken at its word. It ends DECADES below the rank's p-value, for an extrapolation is
no observation. If the tail is right, p stays uniform; if the true tail is heavier, values far out
are overstated, at most by those decades and with probability 1 / (n + 1).

Fails where an attack is so common that it fills the reference itself.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.features.rows import Floats

LEAST_REFERENCE = 50
"""References of an identity's own kind below which those of all kinds serve together."""
TAIL_SHARE, LEAST_TAIL = 0.05, 20
"""Share of the reference that makes the tail, and the fewest distinct values it must have."""
LEAST_SHAPE = 0.1
DECADES = 2.0
KEYS = ["detector", "window"]


def calibrate(signals: pd.DataFrame, past: pd.DataFrame) -> Floats:
    """p-value of each row of ``signals``, shape (rows,), in (0, 1]; lower is more unusual.

    Both frames: ``detector``, ``window``, ``user_kind``, ``statistic``; ``past`` holds the days
    before only. A statistic that is not a number gets p = 1.
    """
    found = np.ones(len(signals))
    earlier = dict(iter(past.groupby(KEYS))) if len(past) else {}
    for key, rows in signals.reset_index(drop=True).groupby(KEYS):
        before = earlier.get(key)
        statistic, kind = rows["statistic"].to_numpy(dtype=np.float64), rows["user_kind"].to_numpy()
        old = np.zeros(0) if before is None else before["statistic"].to_numpy(dtype=np.float64)
        old_kind = kind[:0] if before is None else before["user_kind"].to_numpy()
        for name in sorted(set(kind)):
            mine = kind == name
            reference = np.concatenate([old[old_kind == name], statistic[mine]])
            if len(reference) <= LEAST_REFERENCE:
                reference = np.concatenate([old, statistic])
            found[rows.index.to_numpy()[mine]] = p_values(statistic[mine], reference)
    return found


def p_values(statistic: Floats, pool: Floats) -> Floats:
    """Calibrated p of each value against ``pool``, which holds the values themselves as well."""
    pool = np.sort(np.where(np.isfinite(pool), pool, -np.inf))
    value = np.where(np.isfinite(statistic), statistic, -np.inf)
    at_least = len(pool) - np.searchsorted(pool, value, side="left")
    p = np.maximum(at_least, 1) / max(1, len(pool))
    if len(pool) > 1 and pool[-1] > pool[-2]:
        beyond = value == pool[-1]
        p[beyond] *= tail_ratio(float(pool[-1]), pool[:-1])
    return np.where(np.isfinite(statistic), p, 1.0)


def tail_ratio(value: float, reference: Floats) -> float:
    """S(value) / S(largest reference), 10^-DECADES to 1; 1 where the tail can't be fitted."""
    reference = np.sort(reference[np.isfinite(reference)])
    size = max(LEAST_TAIL, int(TAIL_SHARE * len(reference)))
    if len(reference) < 4 * LEAST_TAIL:
        return 1.0
    threshold = reference[-size - 1]
    excess = reference[-size:] - threshold
    if len(np.unique(excess[excess > 0])) < LEAST_TAIL:
        return 1.0
    shape, scale = fit_tail(excess)
    log_ratio = _log_survival(value - threshold, shape, scale) - _log_survival(
        float(excess[-1]), shape, scale
    )
    return float(np.clip(np.exp(log_ratio), 10.0**-DECADES, 1.0))


def fit_tail(excess: Floats) -> tuple[float, float]:
    """Shape (≥ LEAST_SHAPE) and scale of a generalised Pareto distribution of positive excesses."""
    ordered = np.sort(excess)
    count = len(ordered)
    mean = float(ordered.mean())
    places = (np.arange(1, count + 1) - 0.35) / count
    weighted = float(((1 - places) * ordered).mean())
    gap = mean - 2 * weighted
    shape = 2 - mean / gap if gap > 0 else 1.0
    shape = float(np.clip(shape, LEAST_SHAPE, 0.9))
    # The mean of a generalised Pareto distribution is scale / (1 - shape).
    return shape, max(mean * (1 - shape), 1e-12)


def _log_survival(excess: float, shape: float, scale: float) -> float:
    return float(-np.log1p(shape * excess / scale) / shape)
