"""More than this identity ever takes: bytes, objects and assets against its own robust baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.baselines import Baseline
from models.features.bursts import leading_assets_by_measure, own_baseline
from models.features.rows import Floats, active_kinds
from models.features.settings import Whole
from models.features.volumes import (
    MEASURES,
    Volumes,
    hourly_volumes,
    rolling_volumes,
    weekly_volumes,
)
from models.reasons.parts import Amount, Times, Word
from models.reasons.reason import Reason
from schemas.tables.values import WINDOW_DAYS

if TYPE_CHECKING:
    from models.features.history import History


class BurstSelfSettings(DetectorSettings):
    """Settings of burst_self.yml."""

    prior_days: Whole
    hour_days: Whole
    min_bytes: Whole
    min_objects: Whole
    min_assets: Whole


def score(history: History, settings: BurstSelfSettings) -> list[Signal]:
    """Robust z of log(1 + amount), the largest over bytes, objects and assets; higher is riskier.

    Windows 1h (the day's largest hour), 1d (24 hours that end within the day) and 7d. Amounts below
    ``min_bytes``, ``min_objects`` and ``min_assets`` weigh less in proportion.
    """
    kinds = active_kinds(history)
    if not kinds:
        return []
    rows: list[Signal] = []
    for window, volumes in volumes_by_window(history, settings).items():
        scores, baselines = score_volumes(volumes, settings)
        rows += _describe(history, window, volumes, scores, baselines, kinds)
    return rows


def volumes_by_window(history: History, settings: BurstSelfSettings) -> dict[str, Volumes]:
    """Volumes of the three windows."""
    return {
        "1h": hourly_volumes(history, settings.hour_days),
        "1d": rolling_volumes(history),
        "7d": weekly_volumes(history),
    }


def score_volumes(
    volumes: Volumes, settings: BurstSelfSettings
) -> tuple[Floats, dict[str, Baseline]]:
    """Robust z of each user (rows) and measure (columns), NaN where nothing is known."""
    scores, baselines = [], {}
    for measure in MEASURES:
        amounts = volumes.amounts[measure]
        today, baseline = own_baseline(volumes, measure, settings.prior_days)
        z = (today - baseline.location) / baseline.spread
        gate = np.minimum(1.0, amounts[:, 0] / max(1.0, settings.least(measure)))
        scores.append(np.where(z > 0, z * gate, z))
        baselines[measure] = baseline
    return np.column_stack(scores), baselines


def _describe(
    history: History,
    window: str,
    volumes: Volumes,
    scores: Floats,
    baselines: dict[str, Baseline],
    kinds: Mapping[str, str],
) -> list[Signal]:
    assets = leading_assets_by_measure(history, WINDOW_DAYS[window])
    rows: list[Signal] = []
    for number in np.flatnonzero(np.isfinite(scores).any(axis=1)):
        user = str(volumes.users[number])
        if user not in kinds:
            continue
        best = int(np.nanargmax(scores[number]))
        measure = MEASURES[best]
        observed = float(volumes.amounts[measure][number, 0])
        expected = float(np.expm1(baselines[measure].location[number]))
        reason = Reason(
            "takes_more_than_usual",
            amount=Amount(observed, measure),
            span=Word("span", window),
            usual=Amount(round(expected), measure),
            times=Times(observed, expected),
        )
        rows.append(
            Signal(
                entity=user,
                user_kind=kinds[user],
                window=window,
                statistic=float(scores[number, best]),
                observed=observed,
                expected=expected,
                unit=measure,
                reason=reason,
                asset_ids=assets[measure].get(user, []),
            )
        )
    return rows
