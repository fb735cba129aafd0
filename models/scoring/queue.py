"""Which of the ranked identities enter the day's review queue.

Two rules. Near-proof comes first and stays: most of an artefact of the highest sensitivity, read by
one identity or by a few together, is never pushed out by the volume of other findings. All others
follow by their evidence, and the evidence decides how many there are: an entry has to exceed what
ordinary days show. λ(e) is the number of entries with evidence ≥ e on an average day of the past.
The queue ends where λ reaches ``ordinary_share`` of the budget. So an ordinary day fills that share
of the budget on average, a quiet day less, and a bad day all of it.

Without an attack all entries are false, so ``ordinary_share`` × budget is the expected number of
false entries a day. Past attacks raise λ, so the queue then errs on the short side.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from models.features.rows import Floats
from models.scoring.points import ScoredEntity

LEAST_DAYS = 14
"""Past days with findings before which the whole budget is shown."""


def ranked_for_review(scored: Sequence[ScoredEntity]) -> list[ScoredEntity]:
    """Near-proof first, then by evidence (``raw``), highest first; ties by name."""
    return sorted(scored, key=lambda entity: (not entity.proof, -entity.raw, entity.entity))


def queue_length(
    ranked: Sequence[ScoredEntity],
    past: pd.DataFrame,
    day: date,
    budget: int,
    ordinary_share: float,
) -> int:
    """Number of the first entries of ``ranked`` that are in the day's queue, at most ``budget``.

    ``past``: ``day`` and ``evidence`` of the findings kept of earlier days. The days count from the
    first of them; a day without findings counts as well.
    """
    known = past[past["evidence"].notna()]
    days = (day - min(known["day"])).days if len(known) else 0
    if days < LEAST_DAYS:
        return min(budget, len(ranked))
    average = entries_a_day(known["evidence"].to_numpy(dtype=np.float64), days, ranked)
    shown = [
        entity.proof or usual <= ordinary_share * budget
        for entity, usual in zip(ranked, average, strict=True)
    ]
    return min(budget, shown.index(False) if False in shown else len(shown))


def entries_a_day(past: Floats, days: int, ranked: Sequence[ScoredEntity]) -> Floats:
    """λ for each of ``ranked``: past entries with at least its evidence, on an average day."""
    ordered = np.sort(past)
    evidence = np.array([entity.raw for entity in ranked], dtype=np.float64)
    return (len(ordered) - np.searchsorted(ordered, evidence, side="left")) / days
