"""Probing: queries that guardrails stop, refusals, many models tried, beyond the usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.api import ApiAmounts, api_amounts, by_volume, doublings, usual_amount
from models.features.novelty import trust_after
from models.features.rows import Floats, active_entities, each_row, recent
from models.features.sensitivity import leading_assets
from models.features.settings import Number, Whole
from models.reasons.parts import Count
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History


class ProbingSettings(DetectorSettings):
    """Settings of probing.yml."""

    refused_weight: Number
    failed_weight: Number
    models_weight: Number
    most_by_volume: Whole
    few_attempts: Whole
    few_models: Whole
    most_doublings: Number
    settle_days: Whole
    min_attempts: Whole


def score(history: History, settings: ProbingSettings) -> list[Signal]:
    """Weighted sum of doublings beyond the usual of three amounts; higher is riskier.

    Amounts: queries that a guardrail or content policy stopped or marked, other failed queries,
    distinct models tried. Many queries explain some refusals. Row 1d for everyone, 0 for those who
    queried no model. Fails for probes that the model answers and no guardrail marks.
    """
    active = active_entities(history)
    if active.empty:
        return []
    table = api_amounts(history)
    refused, failures = table.amounts["refused"], table.amounts["failures"]
    # A marked query may have succeeded, so the difference may be negative.
    failed = np.maximum(failures - refused, 0.0)
    total, expected = _beyond_usual(table, failed, settings)
    attempts = np.nan_to_num(refused[:, 0]) + np.nan_to_num(failed[:, 0])
    columns = ["user_id", "asset_id", "requests", "refused", "failures"]
    today = recent(history.api_days, history.day, columns, 1)
    today["amount"] = today["refused"] + today["failures"] + 1e-6 * today["requests"]
    assets = leading_assets(today, "amount", history)
    place = {user: number for number, user in enumerate(table.users)}
    found = []
    for user, kind in each_row(active):
        number = place.get(user, -1)
        if number < 0 or np.isnan(refused[number, 0]):
            found.append(
                Signal(user, kind, "1d", 0.0, 0.0, 0.0, "attempts", Reason("queried_no_model"))
            )
            continue
        reason = Reason(
            "probed",
            refused=Count(float(refused[number, 0])),
            failed=Count(float(failed[number, 0])),
            models=Count(float(table.amounts["models"][number, 0])),
            usual=Count(float(expected[number])),
        )
        found.append(
            Signal(
                entity=user,
                user_kind=kind,
                window="1d",
                statistic=float(total[number]),
                observed=float(attempts[number]),
                expected=float(expected[number]),
                unit="attempts",
                reason=reason,
                asset_ids=assets[user],
            )
        )
    return found


def _beyond_usual(
    table: ApiAmounts, failed: Floats, settings: ProbingSettings
) -> tuple[Floats, Floats]:
    """Statistic of each user, and the usual number of its refused and failed queries."""
    models, few = table.amounts["models"], settings.few_attempts
    usual = usual_amount(models, table.kinds, table.days)
    total = doublings(models, usual, settings.few_models, settings.most_doublings)
    total = settings.models_weight * total
    expected = np.zeros(len(table.users))
    for weight, values in (
        (settings.refused_weight, table.amounts["refused"]),
        (settings.failed_weight, failed),
    ):
        usual = usual_amount(values, table.kinds, table.days)
        usual = np.maximum(usual, by_volume(table, values, settings.most_by_volume))
        total += weight * doublings(values, usual, few, settings.most_doublings)
        expected += usual
    return total * float(trust_after(table.days, settings.settle_days)), expected
