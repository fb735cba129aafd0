"""Looking around: listings, looks and refused attempts over many assets, beyond one's habit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import leading_assets
from models.features.baselines import measure_baseline
from models.features.novelty import neighbours
from models.features.rows import Floats, active_entities, recent
from models.features.settings import Whole
from models.features.volumes import WEEK_DAYS
from models.reasons.parts import Amount, Count
from models.reasons.reason import Reason
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

LOOK_CLASSES = frozenset({"list", "inspect"})
UNITS = ("assets", "attempts")


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
    columns = ["user_id", "user_kind", "asset_id", "action_class", "events", "failures"]
    rows = recent(history.access, history.day, columns)
    rows = rows[rows["user_id"].isin(active["user_id"])].reset_index(drop=True)
    if rows.empty:
        return []
    users, user = np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)
    kinds = pd.factorize(active.set_index("user_id")["user_kind"].reindex(users), sort=True)[0]
    cell = user * HISTORY_DAYS + rows["ago"].to_numpy()
    amounts = _amounts(rows, cell, len(users))
    circles = neighbours(history, users)
    scores = []
    expected = []
    same = np.arange(WEEK_DAYS, HISTORY_DAYS, WEEK_DAYS)
    present = np.bincount(cell, minlength=len(users) * HISTORY_DAYS).reshape(-1, HISTORY_DAYS) > 0
    for unit, values in zip(UNITS, amounts, strict=True):
        # A day at work without any is a day with none, unlike a day off.
        logs = np.where(present, np.log1p(values), np.nan)
        baseline = measure_baseline(
            logs[:, 1:], logs[:, 0], kinds, circles, settings.prior_days, logs[:, same]
        )
        z = (logs[:, 0] - baseline.location) / baseline.spread
        gate = np.minimum(1.0, values[:, 0] / max(1.0, settings.least(unit)))
        scores.append(np.where(z > 0, z * gate, z))
        expected.append(np.expm1(baseline.location))
    return _describe(history, rows, users, active, np.column_stack(scores), amounts, expected)


def _amounts(rows: pd.DataFrame, cell: Any, count: int) -> tuple[Floats, Floats]:
    """Assets looked at, refused attempts; each (users, days), day first."""
    length, shape = count * HISTORY_DAYS, (count, HISTORY_DAYS)
    looked = rows["action_class"].isin(LOOK_CLASSES).to_numpy()
    pairs = pd.DataFrame({"cell": cell[looked], "asset": rows["asset_id"].to_numpy()[looked]})
    assets = np.bincount(pairs.drop_duplicates()["cell"], minlength=length).reshape(shape)
    refused = rows["failures"].to_numpy(dtype=np.float64)
    # The root of each asset's failures, so that breadth weighs more than repetition.
    attempts = np.bincount(cell, np.sqrt(refused), length).reshape(shape)
    return assets.astype(np.float64), attempts.astype(np.float64)


def _describe(
    history: History,
    rows: pd.DataFrame,
    users: Any,
    active: pd.DataFrame,
    scores: Floats,
    amounts: tuple[Floats, Floats],
    expected: list[Floats],
) -> list[Signal]:
    kinds = active.set_index("user_id")["user_kind"].to_dict()
    today = rows[rows["ago"] == 0]
    looked = today[today["action_class"].isin(LOOK_CLASSES)]
    refused = today[today["failures"] > 0]
    assets = (
        leading_assets(looked.assign(one=1.0), "one", history.context),
        leading_assets(refused, "failures", history.context),
    )
    failures = refused.groupby("user_id")["failures"].sum()
    found: list[Signal] = []
    for number, user in enumerate(users):
        best = int(np.argmax(scores[number]))
        observed, usual = float(amounts[best][number, 0]), float(expected[best][number])
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
                unit=UNITS[best],
                reason=reason,
                asset_ids=assets[best].get(user, []),
            )
        )
    return found
