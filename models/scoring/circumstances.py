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
from models.features.assets import listed_assets, sensitivities
from models.features.people import leaving, people
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.detectors.settings import DetectorSettings
    from schemas.config import Scoring, Suppression
    from schemas.context import Context

ENTRY_MOST = 0.7
"""Largest share of a signal that an entity's own earlier entries dull beside its repetition."""


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
    groups: Mapping[str, str] = field(default_factory=dict)
    """Listed assets that have siblings, by what they have in common."""
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
        groups={
            str(asset): group for asset, group in listed_assets(context)["group"].items() if group
        },
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

    ``shown``: signals of its detector and window in these entries. The share halves every
    ``half_life_days``. Growth of the statistic and new assets are no repetition, see :func:`_told`.
    """
    told = [
        (old.day, _told(row, old, {}, facts) * _kept(old.statistic, row.statistic)) for old in shown
    ]
    return _faded(told, facts.day, facts.rules.half_life_days)


def told_before(
    part: Any, whole: float, shown: Sequence[Any], entries: Sequence[Any], facts: Circumstances
) -> tuple[float, str]:
    """Share of a contribution that the entity's own entries dull besides, and their first day.

    ``shown``: as for :func:`repetition`. ``entries``: the entity's own rows of the queue, ``day``
    and ``evidence``. ``whole``: all of the entity's evidence. A sibling of an asset counts as the
    asset. At most ENTRY_MOST is dulled, less for evidence or a statistic that has grown. Another
    detector or asset was not told, so that loud harmless acts hide no theft that comes later.
    Entries of others that name the entity do not count.
    """
    evidence = {old.day: old.evidence for old in entries if old.evidence > 0}
    told = [
        (
            old.day,
            ENTRY_MOST
            * _told(part, old, facts.groups, facts)
            * _kept(old.statistic, part.statistic)
            * _kept(evidence[old.day], whole),
        )
        for old in shown
        if old.day in evidence
    ]
    return _faded(told, facts.day, facts.rules.half_life_days)


def _told(new: Any, old: Any, groups: Mapping[str, str], facts: Circumstances) -> float:
    """Share of the assets of a ``new`` signal that an ``old`` one names or has in their ``groups``.

    Nothing if the leading asset was not told, or one that weighs more than each of the old ones.
    """
    if len(new.asset_ids) == 0:
        return 1.0
    known = {groups.get(asset, asset) for asset in old.asset_ids}
    untold = {asset for asset in new.asset_ids if groups.get(asset, asset) not in known}
    if new.asset_ids[0] in untold or len(old.asset_ids) == 0:
        return 0.0
    unknown = facts.rules.unknown_sensitivity_weight
    most = max(facts.weights.get(asset, unknown) for asset in old.asset_ids)
    if any(facts.weights.get(asset, unknown) > most for asset in untold):
        return 0.0
    return 1 - len(untold) / len(set(new.asset_ids))


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
