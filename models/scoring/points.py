"""From calibrated signals to one scored finding per entity.

Points of a signal = weight of the detector × surprise × effect × sensitivity × circumstances:

* surprise: min(cap, −log10 of p × looks), at least 0. Looks are the windows that the detector has
  of the entity × the families of enabled detectors, because the best of all is looked at
  (Bonferroni). So among twenty families a p of 0.05 is no surprise, and the many small surprises
  of a busy day do not add up to a strong one. Only p ≤ ``evidence_p`` is evidence at all;
* effect: observed ÷ the detector's ``min_UNIT``, at most 1: a tiny amount says little;
* sensitivity: the weight of the signal's leading asset;
* circumstances: less for what colleagues do likewise on the day (see
  models.scoring.common_causes); ``leaver_factor`` in notice and offer windows; ``newcomer_factor``
  for those who have just begun, fading over ``newcomer_days``; ``approved_factor`` as far as
  approvals forgive the evidence (see models.features.approval) of detectors that they can forgive,
  for whoever steals credentials steals their approvals, too; 0 where suppressed; less as far as
  the same evidence (detector, window, assets) was in the queue before and has not grown since.

What repeats an entity's own entries counts less once more, see
:func:`models.scoring.circumstances.told_before`. Nothing else does.

Of a detector the best window counts. Within a family the k-th detector counts 1/k^1.5 (as the
entity risk score of Elastic Security does), since members of a family see the same facts. So may
detectors of several families: one whose assets k stronger ones tell of counts 1/√(1 + k). The score
is 100 × (1 − exp(−points ÷ ``score_scale``)): it never fills up, and below "high" unless two
independent families speak. What the score is made of is then shared out in quarter points, which
binary floats hold exactly, so that contributions sum to the score exactly.

A finding's window is the longest among those that give a tenth of its score or more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pandas as pd

from models.detectors.settings import DetectorSettings
from models.features.approval import approved_share
from models.features.rows import each_row
from models.reasons.finding import signal_reason
from models.reasons.parts import Count, Day, FreeText, Tickets
from models.reasons.reason import Reason
from models.scoring.circumstances import Circumstances, repetition, suppression, told_before
from schemas.tables.values import WINDOW_DAYS, WINDOWS

STEP = 0.25
"""Points are multiples of this."""
ONE_FAMILY_MOST = 47.0
"""Highest score (medium) while a single family speaks."""
FAMILY_LEAST = 0.5
"""Raw points from which a family speaks."""
DERIVED_FAMILIES = frozenset({"multivariate"})
"""Families that see the same amounts as others and so are no second witness."""
WINDOW_SHARE = 0.1
TOLD_MATES = 0.5
"""Colleagues beyond chance from which a finding names their number."""
PROOF_P = 1e-3
"""Highest p-value, times the number of windows, of near-proof."""
NEAR_PROOF, CERTAIN = 1, 2
"""Degrees of proof above 0, which is none: an unlikely amount of the most sensitive assets, and a
fact that needs no likelihood."""


@dataclass(frozen=True)
class Contribution:
    """What one detector adds: ``raw`` before, ``points`` after the score's scale."""

    detector: str
    family: str
    window: str
    raw: float
    points: float
    p_value: float
    statistic: float
    observed: float
    expected: float | None
    unit: str
    reason: Reason
    asset_ids: tuple[str, ...]
    related_users: tuple[str, ...]
    proof: int = 0


@dataclass(frozen=True)
class ScoredEntity:
    """An entity's score, 0–100, and its contributions, most points first.

    ``raw``: its evidence, the raw points of all contributions, by which the queue is ranked.
    """

    entity: str
    user_kind: str
    window: str
    score: float
    raw: float
    contributions: tuple[Contribution, ...]
    notes: tuple[Reason, ...]

    @property
    def proof(self) -> int:
        """The highest degree of proof of a contribution, 0 to CERTAIN."""
        return max((contribution.proof for contribution in self.contributions), default=0)


def score_entities(
    signals: pd.DataFrame, shown: pd.DataFrame, entries: pd.DataFrame, facts: Circumstances
) -> list[ScoredEntity]:
    """Every entity with at least ``min_score`` or a certain fact, sorted by name.

    ``signals``: rows of SIGNALS of the day. ``shown``: signals of earlier days whose detector
    contributed to a finding in the queue: day, entity, detector, window, statistic, asset_ids.
    ``entries``: those findings, as far as today's settings weighed them: day, entity, evidence.
    """
    windows = signals.groupby(["entity", "detector"])["window"].transform("size")
    certain = [name for name, settings in facts.settings.items() if settings.certain]
    fact = signals["detector"].isin(certain) & (signals["statistic"] > 0)
    looks = windows * facts.looked_at
    strong = signals.assign(windows=windows, looks=looks)
    strong = strong[fact | (signals["p_value"] <= facts.rules.evidence_p)]
    memory: dict[tuple[str, str, str], list[Any]] = {}
    for row in each_row(shown):
        memory.setdefault((row.entity, row.detector, row.window), []).append(row)
    own: dict[str, list[Any]] = {}
    for row in each_row(entries):
        own.setdefault(str(row.entity), []).append(row)
    scored = []
    for entity, rows in strong.groupby("entity", sort=True):
        found = score_entity(str(entity), rows, memory, own.get(str(entity), ()), facts)
        if found.score >= max(facts.rules.min_score, STEP) or found.proof == CERTAIN:
            scored.append(found)
    return scored


def score_entity(
    entity: str,
    rows: pd.DataFrame,
    memory: Mapping[tuple[str, str, str], Sequence[Any]],
    entries: Sequence[Any],
    facts: Circumstances,
) -> ScoredEntity:
    """The score of one entity from its strong signals; ``entries``: its own earlier ones."""
    best: dict[str, Contribution] = {}
    for row in each_row(rows.sort_values(["detector", "window"])):
        weighed = weigh(row, memory.get((entity, row.detector, row.window), ()), facts)
        if row.detector not in best or weighed.raw > best[row.detector].raw:
            best[row.detector] = weighed
    ranked = _discount_told_assets(_discount_families(best.values()))
    whole = sum(contribution.raw for contribution in ranked)
    told = [
        told_before(
            part, whole, memory.get((entity, part.detector, part.window), ()), entries, facts
        )
        for part in ranked
    ]
    ranked = [
        replace(part, raw=part.raw * (1 - share))
        for part, (share, _) in zip(ranked, told, strict=True)
    ]
    ranked = sorted(ranked, key=lambda part: (-part.raw, part.detector))
    total = sum(contribution.raw for contribution in ranked)
    score = 100 * (1 - math.exp(-total / facts.rules.score_scale))
    if not _two_families(ranked):
        score = min(score, ONE_FAMILY_MOST)
    shared = share_points(score, [contribution.raw for contribution in ranked])
    contributions = tuple(
        replace(contribution, points=points)
        for contribution, points in zip(ranked, shared, strict=True)
    )
    rounded = sum(shared)
    strong = [c.window for c in contributions if c.points >= WINDOW_SHARE * rounded]
    window = max(strong or [contributions[0].window], key=WINDOWS.index)
    kind = str(rows["user_kind"].iloc[0])
    notes = [facts.leavers[entity]] if entity in facts.leavers else []
    if entity in facts.newcomers:
        notes.append(Reason("began_lately"))
    days = [since for share, since in told if share > 0]
    if days:
        notes.append(Reason("told_before", since=Day(min(days))))
    return ScoredEntity(entity, kind, window, rounded, total, contributions, tuple(notes))


def weigh(row: Any, shown: Sequence[Any], facts: Circumstances) -> Contribution:
    """Raw points of one signal (a row of SIGNALS with ``windows`` and ``looks``)."""
    settings, rules = facts.settings[row.detector], facts.rules
    assets = tuple(str(asset) for asset in row.asset_ids)
    surprise = min(rules.points_cap, -math.log10(min(1.0, row.p_value * row.looks)))
    surprise = rules.points_cap if settings.certain else surprise
    raw = settings.weight * max(0.0, surprise) * _effect(row, settings)
    leading = assets[0] if assets else ""
    unknown = rules.unknown_sensitivity_weight
    inherited = (row.entity, leading) not in facts.other
    sensitivity = facts.weights.get(leading, unknown) if inherited else unknown
    raw *= sensitivity
    mates = 0.0 if settings.together else facts.alike.get((row.entity, row.detector), 0.0)
    raw /= 1 + mates
    if row.entity in facts.leavers:
        raw *= rules.leaver_factor
    raw *= facts.newcomers.get(row.entity, 1.0)
    share, tickets = _approved(row, assets, facts) if settings.approvable else (0.0, [])
    if share > 0:
        raw *= 1 - share * (1 - rules.approved_factor)
    repeated, since = repetition(row, shown, facts)
    if repeated > 0:
        raw *= 1 - repeated
    hidden = suppression(row.entity, row.detector, assets, facts.suppressions)
    if hidden is not None:
        raw = 0.0
    expected = None if pd.isna(row.expected) else float(row.expected)
    return Contribution(
        detector=row.detector,
        family=facts.families[row.detector],
        window=row.window,
        raw=raw,
        points=0.0,
        p_value=float(row.p_value),
        statistic=float(row.statistic),
        observed=float(row.observed),
        expected=expected,
        unit=row.unit,
        reason=_discounted(
            signal_reason(row, expected),
            mates=Count(round(mates)) if mates >= TOLD_MATES else None,
            tickets=Tickets(tuple(tickets)) if share > 0 else None,
            since=Day(since) if repeated > 0 else None,
            until=Day(hidden.until) if hidden else None,
            why=FreeText(hidden.reason) if hidden else None,
        ),
        asset_ids=assets,
        related_users=tuple(str(user) for user in row.related_users),
        proof=_proof(row, raw, sensitivity, facts),
    )


def _proof(row: Any, raw: float, sensitivity: float, facts: Circumstances) -> int:
    """The degree of proof of a signal with ``raw`` points: 0, NEAR_PROOF or CERTAIN."""
    settings = facts.settings[row.detector]
    if raw <= 0 or not settings.proves(row.unit, float(row.observed)):
        return 0
    if settings.certain:
        return CERTAIN
    if raw < FAMILY_LEAST:
        return 0
    most = sensitivity >= max(facts.weights.values(), default=0.0)
    return NEAR_PROOF if most and row.p_value * row.windows <= PROOF_P else 0


def _approved(row: Any, assets: Sequence[str], facts: Circumstances) -> tuple[float, list[str]]:
    """Part of a signal's evidence that approvals forgive, 0 to 1, and their ids."""
    evidence = facts.approved.get(row.entity)
    if evidence is None:
        return 0.0, []
    first = facts.day - timedelta(days=WINDOW_DAYS[row.window] - 1)
    tickets = facts.approvals.get(row.entity, ())
    return approved_share(assets, tickets, facts.patterns, evidence, first)


def _discounted(
    said: Reason,
    mates: Count | None,
    tickets: Tickets | None,
    since: Day | None,
    until: Day | None,
    why: FreeText | None,
) -> Reason:
    """The sentence with the discounts that apply."""
    discounts = {"mates": mates, "tickets": tickets, "since": since, "until": until}
    if not any(discounts.values()):
        return said
    return Reason("discounted", said=said, **discounts, why=why)


def _effect(row: Any, settings: DetectorSettings) -> float:
    """Observed amount ÷ the least that counts fully, 0 to 1."""
    least = settings.least(row.unit)
    return min(1.0, max(0.0, float(row.observed) / least)) if least > 0 else 1.0


def _discount_families(contributions: Iterable[Contribution]) -> list[Contribution]:
    """Each detector's raw points ÷ rank^1.5 within its family; most points first."""
    families: dict[str, list[Contribution]] = {}
    for contribution in sorted(contributions, key=lambda c: (-c.raw, c.detector)):
        families.setdefault(contribution.family, []).append(contribution)
    discounted = [
        replace(contribution, raw=contribution.raw / rank**1.5)
        for members in families.values()
        for rank, contribution in enumerate(members, start=1)
    ]
    return sorted(discounted, key=lambda c: (-c.raw, c.detector))


def _discount_told_assets(ranked: Sequence[Contribution]) -> list[Contribution]:
    """Raw points ÷ √(1 + stronger ones about the same assets); most points first.

    Two are about the same assets if they share half of the assets of the one with fewer.
    """
    assets = [set(contribution.asset_ids) for contribution in ranked]
    discounted = []
    for place, contribution in enumerate(ranked):
        own = assets[place]
        told = sum(
            bool(own and other) and 2 * len(own & other) >= min(len(own), len(other))
            for other in assets[:place]
        )
        discounted.append(replace(contribution, raw=contribution.raw / math.sqrt(1 + told)))
    return sorted(discounted, key=lambda c: (-c.raw, c.detector))


def _two_families(contributions: Iterable[Contribution]) -> bool:
    sums: dict[str, float] = {}
    for contribution in contributions:
        sums[contribution.family] = sums.get(contribution.family, 0.0) + contribution.raw
    speaking = {family for family, raw in sums.items() if raw >= FAMILY_LEAST}
    return len(speaking - DERIVED_FAMILIES) >= 2


def share_points(score: float, raw: Sequence[float]) -> list[float]:
    """``score``, to the nearest STEP, shared out in proportion to ``raw`` by largest remainders.

    The parts are multiples of STEP and their float sum, in any order, is exactly the rounded score.
    """
    steps, total = math.floor(score / STEP + 0.5), sum(raw)
    if total <= 0 or steps == 0:
        return [0.0] * len(raw)
    exact = [steps * part / total for part in raw]
    whole = [math.floor(part) for part in exact]
    order = sorted(range(len(raw)), key=lambda i: (whole[i] - exact[i], i))
    for place in order[: steps - sum(whole)]:
        whole[place] += 1
    return [count * STEP for count in whole]
