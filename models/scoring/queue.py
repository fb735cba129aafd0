"""Which of the ranked identities enter the day's review queue.

Two rules. Proof comes first and stays: a touched decoy, then near-proof. Near-proof is most of an
artefact of the highest sensitivity, read by one identity or by a few together. Neither is ever
pushed out by the volume of other findings. All others
follow by their evidence, and the evidence decides how many there are: an entry has to exceed what
ordinary days show. λ(e) is the number of entries with evidence ≥ e on an average day of the past.
The queue ends where λ reaches ``ordinary_share`` of the budget. So an ordinary day fills that share
of the budget on average, a quiet day less, and a bad day all of it. Before there are LEAST_DAYS
of a past, λ is what chance alone would show, see :func:`entries_by_chance`.

Without an attack all entries are false, so ``ordinary_share`` × budget is the expected number of
false entries a day. Past attacks raise λ, so the queue then errs on the short side.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import numpy as np
import pandas as pd

from models.features.rows import Floats
from models.scoring.points import ScoredEntity

SETTLE_DAYS = 14
"""First days of a log, whose evidence is no reference: in a new log everything is new."""
LEAST_DAYS = 7
"""Past days below which chance, not the past, says how much evidence an entry needs."""


def ranked_for_review(scored: Sequence[ScoredEntity]) -> list[ScoredEntity]:
    """Proof first, then by evidence (``raw``), highest first; ties by name."""
    return sorted(scored, key=lambda entity: (-entity.proof, -entity.raw, entity.entity))


def queue_length(
    ranked: Sequence[ScoredEntity],
    past: pd.DataFrame,
    days: int,
    budget: int,
    ordinary: float,
    identities: int,
) -> int:
    """Number of the first entries of ``ranked`` that are in the day's queue, at most ``budget``.

    ``past``: ``evidence`` of the findings kept of the ``days`` days before; NaN is not counted.
    ``ordinary``: entries of an ordinary day. ``identities``: those that detectors looked at today.
    """
    if days < LEAST_DAYS:
        average = entries_by_chance(identities, ranked)
    else:
        known = past["evidence"].dropna().to_numpy(dtype=np.float64)
        average = entries_a_day(known, days, ranked)
    shown = [
        entity.proof > 0 or usual <= ordinary for entity, usual in zip(ranked, average, strict=True)
    ]
    return min(budget, shown.index(False) if False in shown else len(shown))


def reference_days(log_days: int, calibration_days: int) -> int:
    """Days before the day that are a reference; ``log_days``: days of log before the day."""
    return max(0, min(calibration_days, log_days - SETTLE_DAYS))


def comparable(past: pd.DataFrame, weighed: str, last: date, days: int) -> tuple[pd.DataFrame, int]:
    """The part of ``past`` that was weighed as today's evidence is, and the days that it covers.

    ``past``: ``day``, ``evidence``, ``scoring_hash`` of the ``days`` days that end with ``last``.
    After a change of weights the reference begins anew. Otherwise lower weights would empty the
    queue for a month, and higher ones would fill it.
    """
    same = past[past["scoring_hash"] == weighed]
    known = (last - min(same["day"])).days + 1 if len(same) else 0
    return same, min(days, known)


def entries_by_chance(identities: int, ranked: Sequence[ScoredEntity]) -> Floats:
    """λ for each of ``ranked`` where no ordinary day is known: identities × 10^−evidence.

    A signal's raw points are −log10 of a p-value that pays for all families of detectors, times
    factors around 1. So that many identities reach the evidence if nothing but chance acts.
    """
    evidence = np.array([entity.raw for entity in ranked], dtype=np.float64)
    return np.asarray(identities * 10.0**-evidence, dtype=np.float64)


def entries_a_day(past: Floats, days: int, ranked: Sequence[ScoredEntity]) -> Floats:
    """λ for each of ``ranked``: past entries with at least its evidence, on an average day."""
    ordered = np.sort(past)
    evidence = np.array([entity.raw for entity in ranked], dtype=np.float64)
    return (len(ordered) - np.searchsorted(ordered, evidence, side="left")) / days


def one_stranger_a_day(past: pd.DataFrame, known: Collection[str]) -> pd.DataFrame:
    """``past`` with the evidence of each day's strongest stranger alone, NaN for other strangers.

    Strangers cost nothing. A flood of loud ones would otherwise be what ordinary days show.
    ``past``: ``day``, ``entity``, ``evidence``. ``known``: identities of the directory; without any
    nobody is a stranger.
    """
    strange = ~past["entity"].isin(list(known)) & bool(known)
    most = past["evidence"].where(strange).groupby(past["day"]).rank("first", ascending=False)
    return past.assign(evidence=past["evidence"].mask(strange & (most > 1)))
