"""From calibrated signals to one scored finding per entity.

Points of a signal = weight of the detector × surprise × effect × sensitivity × circumstances:

* surprise: min(cap, −log10 of p × number of windows the detector has of the entity), because the
  best of several windows is looked at; only p ≤ ``evidence_p`` is evidence at all;
* effect: observed ÷ the detector's ``min_UNIT``, at most 1: a tiny amount says little;
* sensitivity: the weight of the signal's leading asset;
* circumstances: ``leaver_factor`` in notice and offer windows; ``newcomer_factor`` for those who
  have just begun, fading over ``newcomer_days``; ``approved_factor`` as far as an approval covers
  user, asset and time; 0 where suppressed; less as far as the same evidence (detector, window,
  assets) was in the queue before and has not grown since.

Of a detector the best window counts. Within a family the k-th detector counts 1/k^1.5 (as the
entity risk score of Elastic Security does), since members of a family see the same facts. The score
is 100 × (1 − exp(−points ÷ ``score_scale``)): it never fills up, and below "high" unless two
independent families speak. What the score is made of is then shared out in quarter points, which
binary floats hold exactly, so that contributions sum to the score exactly.

A finding's window is the longest among those that give a tenth of its score or more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pandas as pd

from models.features import each_row, leaving, listed_assets, people
from schemas.tables import WINDOWS

if TYPE_CHECKING:
    from schemas.config import Scoring, Suppression
    from schemas.context import Context

STEP = 0.25
"""Points are multiples of this."""
ONE_FAMILY_MOST = 47.0
"""Highest score (medium) while a single family speaks."""
FAMILY_LEAST = 1.0
"""Raw points from which a family speaks."""
DERIVED_FAMILIES = frozenset({"multivariate"})
"""Families that see the same amounts as others and so are no second witness."""
WINDOW_SHARE = 0.1
SEVERITY_BANDS = ((74.0, 4), (48.0, 3), (22.0, 2))
"""Least score of critical, high and medium; below is low (1)."""


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
    reason: str
    asset_ids: tuple[str, ...]
    related_users: tuple[str, ...]


@dataclass(frozen=True)
class ScoredEntity:
    """An entity's score, 0–100, and what it is made of, most points first."""

    entity: str
    user_kind: str
    window: str
    score: float
    raw: float
    contributions: tuple[Contribution, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Circumstances:
    """What scoring knows beyond the signals: built once a day by :func:`gather`."""

    day: date
    rules: Scoring
    settings: Mapping[str, Mapping[str, Any]]
    families: Mapping[str, str]
    weights: Mapping[str, float]
    patterns: Mapping[str, str]
    approvals: Mapping[str, Sequence[tuple[str, str]]]
    leavers: Mapping[str, str]
    newcomers: Mapping[str, float]
    suppressions: Sequence[Suppression]


def severity(score: float) -> int:
    """1 low, 2 medium, 3 high, 4 critical."""
    return next((level for least, level in SEVERITY_BANDS if score >= least), 1)


def gather(
    day: date,
    context: Context,
    rules: Scoring,
    settings: Mapping[str, Mapping[str, Any]],
    families: Mapping[str, str],
    suppressions: Sequence[Suppression],
    tenure: Mapping[str, float],
) -> Circumstances:
    """Circumstances of a day; ``tenure``: days since each identity began."""
    assets = listed_assets(context)
    weights = {
        str(asset): float(rules.sensitivity_weights[int(value)])
        for asset, value in assets["sensitivity"].dropna().items()
    }
    return Circumstances(
        day=day,
        rules=rules,
        settings=settings,
        families=families,
        weights=weights,
        patterns={str(asset): str(text) for asset, text in assets["pattern"].items()},
        approvals=_approvals(context, day),
        leavers=leaving(context, day, rules.leaver_days),
        newcomers=_newcomers(context, rules, tenure),
        suppressions=[rule for rule in suppressions if day <= date.fromisoformat(rule.until)],
    )


def score_entities(
    signals: pd.DataFrame, shown: pd.DataFrame, facts: Circumstances
) -> list[ScoredEntity]:
    """Every entity with at least ``min_score``, highest first (ties by raw points, then name).

    ``signals``: rows of SIGNALS of the day. ``shown``: those of earlier days whose detector
    contributed to a finding in the queue: day, entity, detector, window, statistic, asset_ids.
    """
    windows = signals.groupby(["entity", "detector"])["window"].transform("size")
    telling = signals.assign(windows=windows)[signals["p_value"] <= facts.rules.evidence_p]
    memory: dict[tuple[str, str, str], list[Any]] = {}
    for row in each_row(shown):
        memory.setdefault((row.entity, row.detector, row.window), []).append(row)
    scored = []
    for entity, rows in telling.groupby("entity", sort=True):
        found = score_entity(str(entity), rows, memory, facts)
        if found.score >= max(facts.rules.min_score, STEP):
            scored.append(found)
    return sorted(scored, key=lambda s: (-s.score, -s.raw, s.entity))


def score_entity(
    entity: str,
    rows: pd.DataFrame,
    memory: Mapping[tuple[str, str, str], Sequence[Any]],
    facts: Circumstances,
) -> ScoredEntity:
    """The score of one entity from its telling signals."""
    best: dict[str, Contribution] = {}
    for row in each_row(rows.sort_values(["detector", "window"])):
        weighed = weigh(row, memory.get((entity, row.detector, row.window), ()), facts)
        if row.detector not in best or weighed.raw > best[row.detector].raw:
            best[row.detector] = weighed
    ranked = _discount_families(best.values())
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
    telling = [c.window for c in contributions if c.points >= WINDOW_SHARE * rounded]
    window = max(telling or [contributions[0].window], key=WINDOWS.index)
    kind = str(rows["user_kind"].iloc[0])
    notes = [facts.leavers[entity]] if entity in facts.leavers else []
    if entity in facts.newcomers:
        notes.append("began only lately")
    return ScoredEntity(entity, kind, window, rounded, total, contributions, tuple(notes))


def weigh(row: Any, shown: Sequence[Any], facts: Circumstances) -> Contribution:
    """Raw points of one signal (a row of SIGNALS with ``windows``)."""
    settings, rules = facts.settings[row.detector], facts.rules
    assets = tuple(str(asset) for asset in row.asset_ids)
    surprise = min(rules.points_cap, -math.log10(min(1.0, row.p_value * row.windows)))
    raw = float(settings["weight"]) * max(0.0, surprise) * _effect(row, settings)
    raw *= facts.weights.get(assets[0] if assets else "", rules.unknown_sensitivity_weight)
    if row.entity in facts.leavers:
        raw *= rules.leaver_factor
    raw *= facts.newcomers.get(row.entity, 1.0)
    reason = str(row.reason)
    share, tickets = approved_share(row.entity, assets, facts)
    if share > 0:
        raw *= 1 - share * (1 - rules.approved_factor)
        reason += f" (approved by {', '.join(tickets)})"
    repeated, since = repetition(row, shown, facts)
    if repeated > 0:
        raw *= 1 - repeated
        reason += f" (in the queue since {since})"
    hidden = _suppression(row.entity, row.detector, assets, facts.suppressions)
    if hidden is not None:
        raw = 0.0
        reason += f" (suppressed until {hidden.until}: {hidden.reason})"
    expected = None if pd.isna(row.expected) else float(row.expected)
    return Contribution(
        row.detector, facts.families[row.detector], row.window, raw, 0.0, float(row.p_value),
        float(row.statistic), float(row.observed), expected, row.unit, reason, assets,
        tuple(str(user) for user in row.related_users),
    )  # fmt: skip


def _effect(row: Any, settings: Mapping[str, Any]) -> float:
    """Observed amount ÷ the least that counts fully, 0 to 1."""
    least = float(settings.get(f"min_{row.unit}", 0))
    return min(1.0, max(0.0, float(row.observed) / least)) if least > 0 else 1.0


def approved_share(
    entity: str, assets: Sequence[str], facts: Circumstances
) -> tuple[float, list[str]]:
    """Part of the evidence that approvals cover (the k-th asset weighs 1/k²), and the tickets."""
    rules = facts.approvals.get(entity, ())
    if not rules or not assets:
        return 0.0, []
    covered, tickets, whole = 0.0, set(), 0.0
    for rank, asset in enumerate(assets, start=1):
        whole += 1 / rank**2
        sample = facts.patterns.get(asset, f"{asset.rstrip('/')}/*" if "://" in asset else asset)
        # A pattern's own text is a sample of what it covers: its stars match the approval's stars.
        fits = [ticket for ticket, pattern in rules if _covers(pattern, sample)]
        if fits:
            covered += 1 / rank**2
            tickets.add(fits[0])
    return covered / whole, sorted(tickets)


def _covers(pattern: str, sample: str) -> bool:
    trimmed = sample.removesuffix("/*")
    return fnmatchcase(sample, pattern) or fnmatchcase(trimmed, pattern)


def _approvals(context: Context, day: date) -> dict[str, list[tuple[str, str]]]:
    """Tickets and patterns in force on the day, by user; not those approved by oneself."""
    begin = datetime.combine(day, time(), tzinfo=UTC)
    end = begin + timedelta(days=1)
    approvals: dict[str, list[tuple[str, str]]] = {}
    rows = context.approvals
    for row in each_row(rows):
        if not row.approver_id or row.approver_id == row.user_id:
            continue
        starts, ends = _instant(row.start), _instant(row.end)
        if (starts is not None and starts >= end) or (ends is not None and ends < begin):
            continue
        approvals.setdefault(row.user_id, []).append((str(row.ticket_id), str(row.pattern)))
    return {user: sorted(found) for user, found in approvals.items()}


def _instant(value: Any) -> datetime | None:
    if value is None or pd.isna(value):
        return None
    moment: datetime = pd.Timestamp(value).to_pydatetime()
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _newcomers(context: Context, rules: Scoring, tenure: Mapping[str, float]) -> dict[str, float]:
    """Factor of those who have just begun; of the directory only, as a stranger has no excuse."""
    known = set(people(context).index)
    return {
        user: rules.newcomer_factor + (1 - rules.newcomer_factor) * days / rules.newcomer_days
        for user, days in tenure.items()
        if user in known and days < rules.newcomer_days
    }


def repetition(row: Any, shown: Sequence[Any], facts: Circumstances) -> tuple[float, str]:
    """Part of a signal, 0–1, that is mere repetition of what the queue held, and since when.

    Half of it is forgotten after ``half_life_days``; as far as the statistic has grown or other
    assets lead, it is not repetition.
    """
    most, since = 0.0, ""
    assets = set(row.asset_ids)
    for old in shown:
        age = (facts.day - old.day).days
        if age <= 0:
            continue
        alike = len(assets & set(old.asset_ids)) / len(assets) if assets else 1.0
        grown = 1.0
        if row.statistic > 0:
            grown = min(1.0, max(0.0, old.statistic) / row.statistic)
        part = 0.5 ** (age / facts.rules.half_life_days) * alike * grown
        most = max(most, part)
        if part > 0 and (not since or str(old.day) < since):
            since = str(old.day)
    return most, since


def _suppression(
    entity: str, detector: str, assets: Sequence[str], rules: Iterable[Suppression]
) -> Suppression | None:
    """The first rule that holds for all of the evidence; one for other assets hides nothing."""
    for rule in rules:
        if not fnmatchcase(entity, rule.user_id) or not fnmatchcase(detector, rule.detector):
            continue
        if rule.asset_id == "*" or (
            assets and all(fnmatchcase(asset, rule.asset_id) for asset in assets)
        ):
            return rule
    return None


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
