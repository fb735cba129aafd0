"""Queries that lay a model bare: log-probabilities, weighted tokens, sweeps of the next token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.api import ApiAmounts, api_amounts, doublings, usual_amount
from models.features.assets import leading_assets
from models.features.novelty import trust_after
from models.features.rows import Floats, active_entities, each_row, recent
from models.features.settings import Number, Whole
from models.reasons.parts import Amount, Assets, Count
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

TELLING = ("logprob_requests", "biased_requests", "one_token_requests")
"""Columns of ``api_days`` that count queries for a distribution and not for a text."""


class ApiExtractionSettings(DetectorSettings):
    """Settings of api_extraction.yml."""

    logprob_weight: Number
    bias_weight: Number
    one_token_weight: Number
    greedy_weight: Number
    few_requests: Whole
    most_doublings: Number
    settle_days: Whole
    min_requests: Whole


def score(history: History, settings: ApiExtractionSettings) -> list[Signal]:
    """Weighted sum of doublings beyond the usual of four amounts; higher is riskier.

    Amounts: queries with log-probabilities, with weighted tokens, for one to three tokens, of
    temperature 0, summed over an identity's keys and models. Row 1d for everyone, 0 for those who
    queried no model. Carlini et al. (2024), Stealing Part of a Production Language Model, need
    thousands of such queries. Fails for an extraction from sampled texts alone.
    """
    active = active_entities(history)
    if active.empty:
        return []
    table = api_amounts(history)
    total, expected = _beyond_usual(table, settings)
    telling = {name: np.nan_to_num(table.amounts[name][:, 0]) for name in TELLING}
    requests = np.nan_to_num(table.amounts["requests"][:, 0])
    today = recent(history.api_days, history.day, ["user_id", "asset_id", "requests", *TELLING], 1)
    # A query of one of the kinds counts most; a model without any is named last.
    today["amount"] = today[list(TELLING)].sum(axis=1) + 1e-6 * today["requests"]
    assets = leading_assets(today, "amount", history.context)
    place = {user: number for number, user in enumerate(table.users)}
    found = []
    for user, kind in each_row(active):
        number = place.get(user, -1)
        if number < 0 or requests[number] == 0:
            found.append(
                Signal(user, kind, "1d", 0.0, 0.0, 0.0, "requests", Reason("queried_no_model"))
            )
            continue
        counts = {name: float(values[number]) for name, values in telling.items()}
        reason = Reason(
            "asked_for_distributions",
            logprobs=Count(counts["logprob_requests"]),
            biased=Count(counts["biased_requests"]),
            tokens=Count(counts["one_token_requests"]),
            requests=Amount(float(requests[number]), "requests"),
            assets=Assets(tuple(assets[user])),
        )
        found.append(
            Signal(
                entity=user,
                user_kind=kind,
                window="1d",
                statistic=float(total[number]),
                observed=max(counts.values()),
                expected=float(expected[number]),
                unit="requests",
                reason=reason,
                asset_ids=assets[user],
            )
        )
    return found


def _beyond_usual(table: ApiAmounts, settings: ApiExtractionSettings) -> tuple[Floats, Floats]:
    """Statistic of each user, and the largest of the usual amounts of telling queries."""
    weights = {
        "logprob_requests": settings.logprob_weight,
        "biased_requests": settings.bias_weight,
        "one_token_requests": settings.one_token_weight,
        "greedy_requests": settings.greedy_weight,
    }
    total = np.zeros(len(table.users))
    expected = np.zeros(len(table.users))
    for name, weight in weights.items():
        values = table.amounts[name]
        usual = usual_amount(values, table.kinds, table.days)
        total += weight * doublings(values, usual, settings.few_requests, settings.most_doublings)
        expected = np.maximum(expected, usual) if name in TELLING else expected
    return total * float(trust_after(table.days, settings.settle_days)), expected
