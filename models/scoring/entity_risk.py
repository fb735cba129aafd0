"""Risk of an identity: one number, 0 to 100, from the scores of its findings.

The rule is the one by which Elastic Security combines a user's alerts into its entity risk score
(described under "Entity risk scoring" in Elastic's documentation). The scores are sorted, highest
first; the score of rank r counts r^-1.5. The sum is divided by ζ(1.5), its limit for endlessly many
equal scores. So the strongest finding dominates, many weak ones saturate, and another finding never
lowers the risk. One finding of 100 alone makes 38.

Findings of the last 30 days count, except those judged benign or duplicate and those that a later
run has superseded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, timedelta

RISK_DAYS = 30
EXPONENT = 1.5
ZETA = 2.612375348685488
"""Riemann's ζ(1.5), the sum of r^-1.5 over all ranks."""
LEVELS = ((90.0, "Critical"), (70.0, "High"), (40.0, "Moderate"), (20.0, "Low"))
"""Least risk of each level; below them the level is ``Unknown``."""


def combine(scores: Iterable[float]) -> float:
    """Risk, 0 to 100, of findings with these ``scores``, 0 to 100 each; of none it is 0."""
    ranked = sorted(scores, reverse=True)
    weighted = [score * float(rank) ** -EXPONENT for rank, score in enumerate(ranked, start=1)]
    return math.fsum(weighted) / ZETA


def risk_on(day: date, findings: Iterable[tuple[date, float]]) -> float:
    """Risk on ``day`` by the findings (day, score) of the 30 days that end with it."""
    first = day - timedelta(days=RISK_DAYS - 1)
    return combine(score for found, score in findings if first <= found <= day)


def level(risk: float) -> str:
    """Name of the level of a risk of 0 to 100."""
    return next((name for least, name in LEVELS if risk >= least), "Unknown")
