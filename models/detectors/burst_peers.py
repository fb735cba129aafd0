"""More than colleagues take on the same days, and more of a rise than theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.baselines import Baseline, each_block, medians_of_parts, spreads_of_parts
from models.features.bursts import leading_assets_by_measure, own_baseline
from models.features.novelty import learned_peers, team_mates
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

    The circle is the learned peers or the declared team, whichever says more (all of the kind where
    both are fewer than three). So it is of no use to read like others who read much. A crunch of
    the whole team cancels out in the rise, a habit of taking much in the level of those alike.
    Windows 1d (24 hours that end within the day) and 7d, largest over bytes, objects and assets;
    higher is riskier.
    """
    kinds = active_kinds(history)
    if not kinds:
        return []
    rows: list[Signal] = []
    circles = _circles(history, rolling_volumes(history))
    by_window = {"1d": rolling_volumes(history), "7d": weekly_volumes(history)}
    for window, volumes in by_window.items():
        assets = leading_assets_by_measure(history, WINDOW_DAYS[window])
        compared = [_compare(volumes, measure, circles, settings) for measure in MEASURES]
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


def _compare(
    volumes: Volumes, measure: str, circles: Sequence[list[Codes]], settings: BurstPeersSettings
) -> tuple[Floats, Floats]:
    """Score of each user in one measure, and the level (log) of the circle that gave it."""
    logs, baseline = own_baseline(volumes, measure, settings.prior_days)
    found = [_beside(circle, logs, baseline) for circle in circles]
    scores, levels = (np.array(parts) for parts in zip(*found, strict=True))
    best = np.argmax(np.nan_to_num(scores, nan=-np.inf), axis=0)[None]
    score, level = (np.take_along_axis(part, best, axis=0)[0] for part in (scores, levels))
    gate = np.minimum(1.0, volumes.amounts[measure][:, 0] / max(1.0, settings.least(measure)))
    return np.where(score > 0, score * gate, score), level


def _beside(circles: list[Codes], logs: Floats, baseline: Baseline) -> tuple[Floats, Floats]:
    """Score of each user beside its circle, and the circle's level (log); NaN without a circle.

    ``logs``: (users,) log(1 + amount) of today, NaN for nothing.
    """
    rise = logs - baseline.location
    today = np.isfinite(rise)
    scores, levels = np.full(len(rise), np.nan), np.full(len(rise), np.nan)
    asked = [number for number in np.flatnonzero(today).tolist() if len(circles[number])]
    for numbers, owner, mates in each_block(asked, circles.__getitem__):
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
    return scores, levels


def _circles(history: History, volumes: Volumes) -> list[list[Codes]]:
    """The circles of each user: learned peers, team-mates; those of the kind for want of both.

    A circle of fewer than LEAST_NEIGHBOURS is none.
    """
    none = np.zeros(0, dtype=np.int64)
    learned, mates = (
        [circle if len(circle) >= LEAST_NEIGHBOURS else none for circle in circles]
        for circles in (learned_peers(history, volumes.users), team_mates(history, volumes.users))
    )
    alike = {int(kind): np.flatnonzero(volumes.kinds == kind) for kind in np.unique(volumes.kinds)}
    kind = [
        none if len(peers) or len(team) else np.setdiff1d(alike[int(volumes.kinds[number])], number)
        for number, (peers, team) in enumerate(zip(learned, mates, strict=True))
    ]
    return [learned, mates, kind]
