"""Amounts that grow over weeks, measured against a reference that the growth cannot reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.rows import Floats, active_entities, recent
from models.features.sensitivity import leading_assets
from models.features.settings import Number, Whole
from models.features.volumes import WEEK_DAYS
from models.reasons.parts import Amount
from models.reasons.reason import Reason
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

UNITS = {"objects": 1.0, "bytes": 1e9, "assets": 1.0}
"""Measures, which are columns of ``entity_days``, and the amount of each that is like nothing."""
TREND_DAYS = 21
"""Days, the scored day included, over which growth is looked for."""
SPREAD_OF_MAD = 1.4826


class PoisoningGuardSettings(DetectorSettings):
    """Settings of poisoning_guard.yml."""

    frozen_days: Whole
    least_days: Whole
    least_spread: Number
    min_objects: Whole
    min_bytes: Number
    min_assets: Whole


def score(history: History, settings: PoisoningGuardSettings) -> list[Signal]:
    """Robust z of the week's amounts × how steadily they grow; higher is riskier, mostly −3 to 20.

    z compares the mean of log(1 + amount ÷ UNITS) over the week's active days with the median and
    spread (scaled median absolute deviation) of the active days more than ``frozen_days`` days ago.
    So a baseline that was fed slowly is not its own excuse, as far as the kept 90 days reach.
    Steadiness is (1 + Kendall's tau of the amounts of 21 days) ÷ 2. The largest of three measures
    counts: row 7d for everyone, 0 for those with fewer than ``least_days`` active days in the
    reference.
    Fails where the growth is older than the kept days, or the work itself grows.
    Source: Kendall, "A New Measure of Rank Correlation", Biometrika 30 (1938); frozen references
    against poisoned baselines: Rubinstein et al., "ANTIDOTE", IMC 2009.
    """
    active = active_entities(history)
    if active.empty:
        return []
    users = active["user_id"].to_numpy(dtype=object)
    rows = recent(history.entity_days, history.day, ["user_id", *UNITS])
    rows = rows[rows["user_id"].isin(users)].reset_index(drop=True)
    place = np.searchsorted(users, rows["user_id"].to_numpy(dtype=object))
    scores, observed, expected = [], [], []
    for unit, little in UNITS.items():
        table = np.full((len(users), HISTORY_DAYS), np.nan)
        amounts = rows[unit].astype("float64").fillna(0.0).to_numpy(dtype=np.float64)
        table[place, rows["ago"].to_numpy()] = np.log1p(amounts / little)
        level, usual, z = compare(table, settings)
        steady = (1 + growth(table[:, :TREND_DAYS])) / 2
        scores.append(np.where(z > 0, z * steady, z))
        observed.append(np.expm1(level) * little)
        expected.append(np.expm1(usual) * little)
    columns = ["user_id", "asset_id", "taken", "objects"]
    week = recent(history.pairs, history.day, columns, WEEK_DAYS)
    assets = leading_assets(week[week["taken"].astype(bool)], "objects", history)
    best = np.argmax(np.column_stack(scores), axis=1)
    result: list[Signal] = []
    for number, (user, kind) in enumerate(zip(users, active["user_kind"], strict=True)):
        which = int(best[number])
        unit = tuple(UNITS)[which]
        now, before = float(observed[which][number]), float(expected[which][number])
        reason = Reason("grows", now=Amount(now, unit), before=Amount(before, unit))
        value = float(scores[which][number])
        named = assets.get(str(user), [])
        result.append(Signal(str(user), str(kind), "7d", value, now, before, unit, reason, named))
    return result


def compare(table: Floats, settings: PoisoningGuardSettings) -> tuple[Floats, Floats, Floats]:
    """Level of the week, usual level, and z of each identity.

    ``table``: (identities, days) log amounts, the scored day first; NaN: not active. z is 0 without
    enough days of reference.
    """
    week, frozen = table[:, :WEEK_DAYS], table[:, int(settings.frozen_days) :]
    level = _over_days(np.nanmean, week)
    usual = _over_days(np.nanmedian, frozen)
    spread = SPREAD_OF_MAD * _over_days(np.nanmedian, np.abs(frozen - usual[:, None]))
    # The mean of a few days spreads less than a day.
    days = np.maximum(1, np.isfinite(week).sum(axis=1))
    scale = np.maximum(spread, float(settings.least_spread)) / np.sqrt(days)
    enough = np.isfinite(frozen).sum(axis=1) >= settings.least_days
    return level, usual, np.where(enough, (level - usual) / scale, 0.0)


def _over_days(measure: Callable[..., Any], table: Floats) -> Floats:
    """The measure of each row's known days; 0 for a row without any."""
    found = np.zeros(len(table))
    known = np.isfinite(table).any(axis=1)
    if known.any():
        found[known] = measure(table[known], axis=1)
    return found


def growth(table: Floats) -> Floats:
    """Kendall's tau-a of each row towards the present, −1 to 1; 0 for fewer than two known days.

    ``table``: (identities, days), the newest day first; NaN: not active.
    """
    total, pairs = np.zeros(len(table)), np.zeros(len(table))
    for ago in range(1, table.shape[1]):
        steps = np.sign(table[:, :-ago] - table[:, ago:])
        total += np.nansum(steps, axis=1)
        pairs += np.isfinite(steps).sum(axis=1)
    return np.asarray(total / np.maximum(pairs, 1.0), dtype=np.float64)
