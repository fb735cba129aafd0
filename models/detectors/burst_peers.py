"""More than colleagues take on the same days, and more of a rise than theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.baselines import each_block, medians_of_parts, spreads_of_parts
from models.features.bursts import leading_assets_by_measure, own_baseline
from models.features.rows import Codes, Floats, active_kinds
from models.features.settings import Whole
from models.features.volumes import MEASURES, Volumes, rolling_volumes, weekly_volumes
from models.reasons.parts import Amount, Times, Word
from models.reasons.reason import Reason
from schemas.tables.values import WINDOW_DAYS

if TYPE_CHECKING:
    from models.features.history import History

LEAST_NEIGHBOURS = 3


class BurstPeersSettings(DetectorSettings):
    """Settings of burst_peers.yml."""

    prior_days: Whole
    min_bytes: Whole
    min_objects: Whole
    min_assets: Whole


def score(history: History, settings: BurstPeersSettings) -> list[Signal]:
    """The lesser of two robust z: level above the circle's, and rise above the circle's rise.

    The circle is the learned peers and the declared team (all of the kind where these are fewer
    than three). A crunch of the whole team cancels out in the rise, a habit of taking much in the
    level of those alike. Windows 1d (24 hours that end within the day) and 7d, largest over bytes,
    objects and assets; higher is riskier.
    """
    kinds = active_kinds(history)
    if not kinds:
        return []
    rows: list[Signal] = []
    by_window = {"1d": rolling_volumes(history), "7d": weekly_volumes(history)}
    for window, volumes in by_window.items():
        assets = leading_assets_by_measure(history, WINDOW_DAYS[window])
        compared = [_compare(volumes, measure, settings) for measure in MEASURES]
        scores = np.column_stack([found[0] for found in compared])
        for number in np.flatnonzero(np.isfinite(scores).any(axis=1)):
            user = str(volumes.users[number])
            if user not in kinds:
                continue
            best = int(np.nanargmax(scores[number]))
            measure, expected = MEASURES[best], float(np.expm1(compared[best][1][number]))
            observed = float(volumes.amounts[measure][number, 0])
            reason = Reason(
                "takes_more_than_colleagues",
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


def _compare(volumes: Volumes, measure: str, settings: BurstPeersSettings) -> tuple[Floats, Floats]:
    """Score of each user in one measure, and the circle's level (log)."""
    logs, baseline = own_baseline(volumes, measure, settings.prior_days)
    rise = logs - baseline.location
    today = np.isfinite(rise)
    scores, levels = np.full(len(rise), np.nan), np.full(len(rise), np.nan)
    everyone = {
        int(kind): np.flatnonzero(volumes.kinds == kind) for kind in np.unique(volumes.kinds)
    }

    def circle_of(number: int) -> Codes:
        circle = volumes.circles[number]
        if len(circle) < LEAST_NEIGHBOURS:
            circle = everyone[int(volumes.kinds[number])]
            circle = circle[circle != number]
        return circle

    for numbers, owner, mates in each_block(np.flatnonzero(today).tolist(), circle_of):
        usual, counts = baseline.location[mates], np.bincount(owner)
        active = np.bincount(owner[today[mates]], minlength=len(numbers))
        enough, there = active >= LEAST_NEIGHBOURS, mates[today[mates]]
        level, loud = medians_of_parts(usual, counts), medians_of_parts(logs[there], active)
        level = np.where(enough, np.maximum(level, loud), level)
        shared = np.where(enough, np.maximum(0.0, medians_of_parts(rise[there], active)), 0.0)
        # A circle of unlike people gives a weaker comparison.
        spread = baseline.spread[numbers]
        above = (logs[numbers] - level) / np.hypot(spreads_of_parts(usual, counts), spread)
        scores[numbers] = np.minimum(above, (rise[numbers] - shared) / spread)
        levels[numbers] = level
    gate = np.minimum(1.0, volumes.amounts[measure][:, 0] / max(1.0, settings.least(measure)))
    return np.where(scores > 0, scores * gate, scores), levels
