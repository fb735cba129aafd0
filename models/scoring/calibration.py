"""From a detector's own scale to a p-value, by comparison with other identities.

Conformal p-values (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World";
Laxhammar & Falkman 2010 for anomalies). A reference holds the statistics of the same detector,
window and settings on recent days and of the others today. Two questions are asked of each value:

*Is it large for anybody?* The reference is one draw of each identity: a day of it, drawn at random.
p = (1 + Σ share of an identity's days with a statistic ≥ x) / (identities + 1), over all others.
Days of one identity are not exchangeable with those of another. Taken singly, the 28 days of one
loud colleague would be the whole top of the reference.

*Is it large for this identity?* The reference is all rows, each less the usual of its identity, and
so is the value. The usual is the median over earlier days. Of an identity with fewer than OWN_DAYS
earlier days it is unknown; then it is taken to be that of the loudest tenth, so that the answer
errs on the quiet side for nine newcomers of ten.

Where fewer than MANY_IDENTITIES have a statistic, the first answer could never be small. There all
rows are draws, and nothing else is asked.

A name that the directory does not know costs nothing: whoever opens an account, a role or a key may
open a hundred. So strangers of fewer than OLD_DAYS earlier days are one identity together, and what
a stranger does on the day is no reference for others. A hundred new names that do the same are as
unlikely as one.

The smaller of the two counts, times LOOKS, because the better of two looks is taken. So nobody's
own history excuses them: whoever is large for anybody is found by the first question.

If x is exchangeable with its reference, P(p ≤ a) ≤ a for every a, whatever the distribution; ties
make p larger, never smaller; a small reference can't give a small p.

Beyond the largest reference the rank says no more than its least p. There the p-value goes on
falling along a tail fitted to the largest references: p = S(x) / S(largest) × least p, with S a
generalised Pareto survival function (Pickands 1975), fitted by probability-weighted moments
(Hosking & Wallis 1987, Technometrics 29), its shape never below LEAST_SHAPE, so that a bounded
scale is not taken at its word. It ends DECADES below the rank's p-value, for an extrapolation is
no observation. If the tail is right, p stays uniform; if the true tail is heavier, values far out
are overstated, at most by those decades and with the probability of the least p.

Fails where an attack is so common that it fills the reference itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import union_categoricals

from models.features.rows import Codes, Floats

MANY_IDENTITIES = 50
"""Identities with a statistic below which every day of each of them is a draw."""
LEAST_IDENTITIES = 20
"""Identities of a kind below which those of all kinds serve as reference together."""
OWN_DAYS = 5
"""Earlier days from which an identity has a usual of its own."""
OLD_DAYS = 7
"""Earlier days from which a stranger to the directory is an identity of its own. Before anybody has
as many, nobody is a stranger."""
LEAST_USUALS = 5
"""Identities with a usual of their own from which the second question is asked."""
UNKNOWN_USUAL = 0.9
"""Quantile of the known usuals that stands for an unknown one."""
TAIL_SHARE, LEAST_TAIL = 0.05, 20
"""Share of the reference that makes the tail, and the fewest distinct values it must have."""
LEAST_SHAPE = 0.1
DECADES = 2.0
LOOKS = 1.5
"""Factor for the better of two looks, which are alike: two would be right if they were not."""
KEYS = ["detector", "window", "settings_hash"]


@dataclass(frozen=True)
class _Reference:
    """Rows of one detector, window and settings, those of the day first.

    ``identity``: that of ``entity``; new strangers are one. ``serves``: whether others are compared
    with the row.
    """

    statistic: Floats
    entity: Codes
    identity: Codes
    serves: NDArray[np.bool_]

    def part(self, kept: NDArray[np.bool_]) -> _Reference:
        """Some of the rows."""
        return _Reference(
            self.statistic[kept], self.entity[kept], self.identity[kept], self.serves[kept]
        )


def calibrate(signals: pd.DataFrame, past: pd.DataFrame, known: Collection[str] = ()) -> Floats:
    """p-value of each row of ``signals``, shape (rows,), in (0, 1]; lower is more unusual.

    Both frames: ``entity``, ``detector``, ``window``, ``settings_hash``, ``user_kind``,
    ``statistic``. Texts may be categories. ``past`` holds the days before only; rows of other
    settings are no reference. ``known``: identities of the directory; without any nobody is a
    stranger. A statistic that is not a number gets p = 1.
    """
    count = len(signals)
    found, frames = np.ones(count), (signals, past)
    statistic = np.concatenate([frame["statistic"].to_numpy(np.float64) for frame in frames])
    strange = np.concatenate([_strangers(frame["entity"], known) for frame in frames])
    entity = _codes(signals["entity"], past["entity"]).astype(np.int64)
    kind = _codes(signals["user_kind"], past["user_kind"])
    key = _keys(signals, past)
    for each in np.unique(key[:count]):
        rows = np.flatnonzero(key == each)
        earlier = _earlier_days(entity[rows], rows >= count)
        # In a new log everybody is new.
        stranger = strange[rows] & (earlier.max(initial=0) >= OLD_DAYS)
        new = stranger & (earlier < OLD_DAYS)
        every = _Reference(
            statistic[rows],
            entity[rows],
            np.where(new, -1, entity[rows]),
            ~new & ~(stranger & (rows < count)),
        )
        few = len(np.unique(every.identity)) < MANY_IDENTITIES
        for its_kind in np.unique(kind[rows[rows < count]]):
            alike = kind[rows] == its_kind
            if len(np.unique(every.identity[alike])) < LEAST_IDENTITIES:
                alike[:] = True
            reference, today = every.part(alike), rows[alike & (rows < count)]
            asked = kind[today] == its_kind
            p = _among_days if few else _among_identities
            found[today[asked]] = p(reference, len(today))[asked]
    return found


def _strangers(entities: pd.Series, known: Collection[str]) -> NDArray[np.bool_]:
    strange = ~entities.isin(list(known)) if known else np.zeros(len(entities))
    return np.asarray(strange, dtype=bool)


def _earlier_days(entity: Codes, earlier: NDArray[np.bool_]) -> Codes:
    """Rows of earlier days that the entity of each row has."""
    days = np.bincount(entity[earlier], minlength=int(entity.max(initial=0)) + 1)
    return np.asarray(days[entity], dtype=np.int64)


def _codes(signals: pd.Series, past: pd.Series) -> NDArray[np.integer]:
    """One number for each distinct text of both columns, those of ``signals`` first."""
    # pandas cannot tell the type of a column without rows.
    columns = [signals, past] if len(past) else [signals]
    return np.asarray(union_categoricals([each.astype("category") for each in columns]).codes)


def _keys(signals: pd.DataFrame, past: pd.DataFrame) -> Codes:
    """One number for each distinct KEYS of both frames, those of ``signals`` first."""
    key = np.zeros(len(signals) + len(past), dtype=np.int64)
    for name in KEYS:
        codes = _codes(signals[name], past[name])
        key *= codes.max(initial=0) + 2
        key += codes + 1
    return key


def _among_days(of: _Reference, count: int) -> Floats:
    """p-value of the first ``count`` rows where every day of each identity is a draw."""
    return _among(of.statistic[:count], of.statistic, of.serves)


def _among_identities(of: _Reference, count: int) -> Floats:
    """p-value of the first ``count`` rows by both questions."""
    for_anybody = anybody_p(of.statistic, pd.factorize(of.identity)[0], count)
    for_itself = own_p(of.statistic, pd.factorize(of.entity)[0], count, of.serves)
    best = np.minimum(for_anybody, np.nan_to_num(for_itself, nan=1.0))
    asked = np.where(np.isnan(for_itself), 1.0, LOOKS)
    p: Floats = np.minimum(1.0, asked * best)
    return p


def anybody_p(statistic: Floats, identity: Codes, count: int) -> Floats:
    """p of the first ``count`` rows against one random day of each other identity; lower is rarer.

    ``statistic``, ``identity``: one row for each identity and day, those of the day first.
    """
    value = np.where(np.isfinite(statistic), statistic, -np.inf)
    weight = 1.0 / np.bincount(identity)[identity]
    order = np.argsort(value, kind="stable")
    ordered, above = value[order], np.cumsum(weight[order][::-1])[::-1]
    place = np.searchsorted(ordered, value[:count], side="left")
    at_least = above[place] - _own_share(value, identity, count)
    p = (1.0 + np.maximum(at_least, 0.0)) / (1.0 + identity.max(initial=0))
    loudest = identity[order[-1]]
    others = identity != loudest
    for row in np.flatnonzero(identity[:count] == loudest):
        if others.any() and value[row] > value[others].max():
            p[row] *= tail_ratio(float(value[row]), value[others], weight[others])
    return np.where(np.isfinite(statistic[:count]), np.minimum(p, 1.0), 1.0)


def _own_share(value: Floats, identity: Codes, count: int) -> Floats:
    """Share of an identity's own days with at least the value of each of its first rows."""
    frame = pd.DataFrame({"identity": identity, "value": value})
    rank = frame.groupby("identity")["value"].rank(method="min", ascending=True).to_numpy()
    days = np.bincount(identity)[identity]
    share: Floats = ((days - rank + 1) / days)[:count]
    return share


def own_p(
    statistic: Floats, identity: Codes, count: int, serves: NDArray[np.bool_] | None = None
) -> Floats:
    """p of the first ``count`` rows against all rows, each less its identity's usual.

    ``serves``: rows with which others are compared; None: all. NaN if fewer than LEAST_USUALS have
    a usual of their own. Lower is rarer.
    """
    value = np.where(np.isfinite(statistic), statistic, np.nan)
    serves = np.ones(len(value), dtype=bool) if serves is None else serves
    earlier = pd.Series(value[count:]).groupby(identity[count:])
    usual, days = earlier.median(), earlier.count()
    known = usual[(days >= OWN_DAYS) & usual.index.isin(identity[serves])]
    if len(known) < LEAST_USUALS:
        return np.full(count, np.nan)
    every = known.reindex(range(identity.max(initial=-1) + 1))
    rest: Floats = value - every.fillna(known.quantile(UNKNOWN_USUAL)).to_numpy()[identity]
    there = np.isfinite(rest)
    found = np.full(count, np.nan)
    found[there[:count]] = _among(rest[:count][there[:count]], rest[there], serves[there])
    return found


def _among(value: Floats, every: Floats, serves: NDArray[np.bool_]) -> Floats:
    """Calibrated p of each value among the rows of ``every`` that serve; it is the first of them.

    A value that does not serve is compared with those that do, and with itself.
    """
    pool, own = every[serves], serves[: len(value)]
    found = np.ones(len(value))
    found[own] = p_values(value[own], pool)
    pool = np.sort(np.where(np.isfinite(pool), pool, -np.inf))
    other = np.where(np.isfinite(value[~own]), value[~own], -np.inf)
    at_least = len(pool) - np.searchsorted(pool, other, side="left")
    p = (1 + at_least) / (1 + len(pool))
    for one in np.unique(other[at_least == 0]) if len(pool) else ():
        p[other == one] *= tail_ratio(float(one), pool, np.ones(len(pool)))
    found[~own] = p
    return found


def p_values(statistic: Floats, pool: Floats) -> Floats:
    """Calibrated p of each value against ``pool``, which holds the values themselves as well."""
    pool = np.sort(np.where(np.isfinite(pool), pool, -np.inf))
    value = np.where(np.isfinite(statistic), statistic, -np.inf)
    at_least = len(pool) - np.searchsorted(pool, value, side="left")
    p = np.maximum(at_least, 1) / max(1, len(pool))
    if len(pool) > 1 and pool[-1] > pool[-2]:
        beyond = value == pool[-1]
        p[beyond] *= tail_ratio(float(pool[-1]), pool[:-1], np.ones(len(pool) - 1))
    return np.where(np.isfinite(statistic), p, 1.0)


def tail_ratio(value: float, reference: Floats, weight: Floats) -> float:
    """S(value) / S(largest reference), 10^-DECADES to 1; 1 where the tail can't be fitted.

    ``weight``: how much each reference counts.
    """
    order = np.argsort(reference)
    order = order[np.isfinite(reference[order])]
    reference, weight = reference[order], weight[order]
    if len(reference) < 4 * LEAST_TAIL:
        return 1.0
    weighs_less = np.cumsum(weight) <= (1 - TAIL_SHARE) * weight.sum()
    first = max(1, min(int(weighs_less.sum()), len(reference) - LEAST_TAIL))
    threshold = reference[first - 1]
    excess = reference[first:] - threshold
    if len(np.unique(excess[excess > 0])) < LEAST_TAIL:
        return 1.0
    shape, scale = fit_tail(excess, weight[first:])
    log_ratio = _log_survival(value - threshold, shape, scale) - _log_survival(
        float(excess[-1]), shape, scale
    )
    return float(np.clip(np.exp(log_ratio), 10.0**-DECADES, 1.0))


def fit_tail(excess: Floats, weight: Floats) -> tuple[float, float]:
    """Shape (≥ LEAST_SHAPE) and scale of a generalised Pareto distribution of positive excesses.

    ``excess``: ascending; ``weight``: how much each counts.
    """
    whole = weight.sum()
    mean = float((weight * excess).sum() / whole)
    places = (np.cumsum(weight) - 0.35 * weight) / whole
    weighted = float((weight * (1 - places) * excess).sum() / whole)
    gap = mean - 2 * weighted
    shape = 2 - mean / gap if gap > 0 else 1.0
    shape = float(np.clip(shape, LEAST_SHAPE, 0.9))
    # The mean of a generalised Pareto distribution is scale / (1 - shape).
    return shape, max(mean * (1 - shape), 1e-12)


def _log_survival(excess: float, shape: float, scale: float) -> float:
    return float(-np.log1p(shape * excess / scale) / shape)
