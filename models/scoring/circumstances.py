"""What speaks for or against an entity beside its signals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.features.approval import Ticket, asset_patterns, tickets_by_user
from models.features.assets import sensitivities
from models.features.people import leaving, people
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.detectors.settings import DetectorSettings
    from schemas.config import Scoring, Suppression
    from schemas.context import Context

ENTITY_MOST = 0.7
"""Largest share of an entity's evidence that its own earlier entries dull."""


@dataclass(frozen=True)
class Circumstances:
    """What scoring knows beyond one signal: built once a day by :func:`gather`."""

    day: date
    rules: Scoring
    settings: Mapping[str, DetectorSettings]
    families: Mapping[str, str]
    weights: Mapping[str, float]
    patterns: Mapping[str, str]
    approvals: Mapping[str, Sequence[Ticket]]
    approved: Mapping[str, pd.DataFrame]
    leavers: Mapping[str, Reason]
    newcomers: Mapping[str, float]
    suppressions: Sequence[Suppression]
    other: Collection[tuple[str, str]] = ()
    """See :func:`models.features.sensitivity.other_takings`."""
    alike: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Of the day's signals; see :func:`models.scoring.common_causes.colleagues_alike`."""

    @property
    def looked_at(self) -> int:
        """Families of enabled detectors, at least 1."""
        on = {self.families[name] for name, settings in self.settings.items() if settings.enabled}
        return max(1, len(on))


def gather(
    day: date,
    context: Context,
    rules: Scoring,
    settings: Mapping[str, DetectorSettings],
    families: Mapping[str, str],
    suppressions: Sequence[Suppression],
    tenure: Mapping[str, float],
    approved: pd.DataFrame,
) -> Circumstances:
    """Circumstances of a day.

    ``tenure``: days since each identity began. ``approved``: rows of ACCESS of the 90 days that end
    with the day, of the identities that have approvals.
    """
    levels = sorted(rules.sensitivity_weights)
    steps = [rules.sensitivity_weights[level] for level in levels]
    # An inherited sensitivity may lie between two levels.
    weights = {
        asset: float(np.interp(value, levels, steps))
        for asset, value in sensitivities(context).items()
    }
    return Circumstances(
        day=day,
        rules=rules,
        settings=settings,
        families=families,
        weights=weights,
        patterns=asset_patterns(context),
        approvals=tickets_by_user(context, rules),
        approved={str(user): rows for user, rows in approved.groupby("user_id")},
        leavers=leaving(context, day, rules.leaver_days),
        newcomers=_newcomers(context, rules, tenure),
        suppressions=[rule for rule in suppressions if day <= date.fromisoformat(rule.until)],
    )


def _newcomers(context: Context, rules: Scoring, tenure: Mapping[str, float]) -> dict[str, float]:
    """Factor of those who have just begun; of the directory only, as a stranger has no excuse."""
    known = set(people(context).index)
    return {
        user: rules.newcomer_factor + (1 - rules.newcomer_factor) * days / rules.newcomer_days
        for user, days in tenure.items()
        if user in known and days < rules.newcomer_days
    }


def repetition(row: Any, shown: Sequence[Any], facts: Circumstances) -> tuple[float, str]:
    """Share of a signal, 0–1, that only repeats earlier entries of the queue, and their first day.

    It halves every ``half_life_days``. Growth of the statistic and new leading assets are no
    repetition.
    """
    assets = set(row.asset_ids)
    told = []
    for old in shown:
        alike = len(assets & set(old.asset_ids)) / len(assets) if assets else 1.0
        told.append((old.day, alike * _kept(old.statistic, row.statistic)))
    return _faded(told, facts.day, facts.rules.half_life_days)


def told_before(
    raw: float, entries: Sequence[Any], day: date, half_life: float
) -> tuple[float, str]:
    """Share of an entity's evidence ``raw`` that its earlier entries told, and their first day.

    ``entries``: the entity's own rows of the queue, ``day`` and ``evidence``. Who was in the queue
    with as much evidence is known to the reviewer, whatever the new detector or asset is. So at
    most ENTITY_MOST of the evidence is dulled, less for evidence that has grown. The share halves
    every ``half_life`` days. Entries of others that name the entity do not count.
    """
    known = [old for old in entries if old.evidence > 0]
    told = [(old.day, ENTITY_MOST * _kept(old.evidence, raw)) for old in known]
    return _faded(told, day, half_life)


def _kept(old: float, new: float) -> float:
    """How far ``old`` reaches up to ``new``, 0 to 1: what has grown was told in part only."""
    return min(1.0, max(0.0, old) / new) if new > 0 else 1.0


def _faded(told: Iterable[tuple[date, float]], day: date, half_life: float) -> tuple[float, str]:
    """The largest share of what earlier days told, halved every ``half_life`` days; first day."""
    parts = {
        old: 0.5 ** ((day - old).days / half_life) * share
        for old, share in sorted(told)
        if old < day and share > 0
    }
    return max(parts.values(), default=0.0), str(min(parts, default=""))


def suppression(
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
