"""Looking around: listings, looks and refused attempts over many assets, beyond one's habit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.baselines import measure_baseline
from models.features.novelty import neighbours
from models.features.rows import Floats, active_entities, recent
from models.features.sensitivity import leading_assets
from models.features.settings import Whole
from models.features.volumes import WEEK_DAYS
from models.reasons.parts import Amount, Count
from models.reasons.reason import Reason
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

UNITS = {"assets": "looked", "attempts": "attempts"}
"""Units of the two measures, and their columns in ``entity_days``."""


class ReconSettings(DetectorSettings):
    """Settings of recon.yml."""

    prior_days: Whole
    min_assets: Whole
    min_attempts: Whole


def score(history: History, settings: ReconSettings) -> list[Signal]:
    """Robust z of log(1 + amount), the larger of two measures; higher is riskier.

    Measures: distinct assets listed or looked at, and refused attempts (distinct assets × events,
    so that one job that fails again and again at one place weighs little). Row 1d for everyone.
    """
    active = active_entities(history)
    rows = recent(history.entity_days, history.day, ["user_id", *UNITS.values()])
    rows = rows[rows["user_id"].isin(active["user_id"])].reset_index(drop=True)
    if rows.empty:
        return []
    users, user = np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)
    kinds = pd.factorize(active.set_index("user_id")["user_kind"].reindex(users), sort=True)[0]
    amounts, expected, scores = [], [], []
    circles = neighbours(history, users)
    same = np.arange(WEEK_DAYS, HISTORY_DAYS, WEEK_DAYS)
    for unit, column in UNITS.items():
        # A day at work without any is a day with none, unlike a day off.
        values = np.full((len(users), HISTORY_DAYS), np.nan)
        values[user, rows["ago"]] = rows[column].to_numpy(dtype=np.float64)
        logs = np.log1p(values)
        baseline = measure_baseline(
            logs[:, 1:], logs[:, 0], kinds, circles, settings.prior_days, logs[:, same]
        )
        z = (logs[:, 0] - baseline.location) / baseline.spread
        gate = np.minimum(1.0, values[:, 0] / max(1.0, settings.least(unit)))
        scores.append(np.where(z > 0, z * gate, z))
        expected.append(np.expm1(baseline.location))
        amounts.append(values[:, 0])
    return _describe(history, users, active, np.column_stack(scores), amounts, expected)


def _describe(
    history: History,
    users: Any,
    active: pd.DataFrame,
    scores: Floats,
    amounts: list[Floats],
    expected: list[Floats],
) -> list[Signal]:
    kinds = active.set_index("user_id")["user_kind"].to_dict()
    today = recent(history.pairs, history.day, ["user_id", "asset_id", "looked", "failures"], 1)
    looked = today[today["looked"].astype(bool)]
    refused = today[today["failures"] > 0]
    assets = (
        leading_assets(looked.assign(one=1.0), "one", history),
        leading_assets(refused, "failures", history),
    )
    failures = refused.groupby("user_id")["failures"].sum()
    found: list[Signal] = []
    for number, user in enumerate(users):
        best = int(np.argmax(scores[number]))
        observed, usual = float(amounts[best][number]), float(expected[best][number])
        times = float(failures.get(user, 0))
        if best == 0:
            reason = Reason("looked_at", assets=Amount(observed, "assets"), usual=Count(usual))
        elif times == 0:
            reason = Reason("refused_nothing")
        else:
            reason = Reason(
                "refused_more" if observed > usual else "refused_as_usual",
                times=Count(times),
                places=Amount(len(assets[1].get(user, [])), "assets"),
            )
        found.append(
            Signal(
                entity=str(user),
                user_kind=kinds[user],
                window="1d",
                statistic=float(scores[number, best]),
                observed=observed,
                expected=usual,
                unit=tuple(UNITS)[best],
                reason=reason,
                asset_ids=assets[best].get(user, []),
            )
        )
    return found
