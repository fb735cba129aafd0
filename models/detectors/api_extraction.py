"""Queries that lay a model bare: probabilities, weighted tokens, sweeps of tokens or prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.api import ApiAmounts, api_amounts, by_volume, doublings, usual_amount
from models.features.novelty import trust_after
from models.features.rows import Floats, active_entities, each_row, recent
from models.features.sensitivity import leading_assets
from models.features.settings import Number, Whole
from models.reasons.parts import Amount, Assets, Count
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

TELLING = ("logprob_requests", "biased_requests", "one_token_requests", "alike_prompts")
"""Columns of ``api_days`` that count queries for a distribution and not for a text."""


class ApiExtractionSettings(DetectorSettings):
    """Settings of api_extraction.yml."""

    logprob_weight: Number
    bias_weight: Number
    one_token_weight: Number
    greedy_weight: Number
    alike_weight: Number
    most_by_volume: Whole
    few_requests: Whole
    most_doublings: Number
    settle_days: Whole
    min_requests: Whole


def score(history: History, settings: ApiExtractionSettings) -> list[Signal]:
    """Weighted sum of doublings beyond the usual of five amounts; higher is riskier.

    Amounts: queries with log-probabilities, with weighted tokens, for one to three tokens, of
    temperature 0, and with nearly the prompt of an earlier one, summed over an identity's keys and
    models. Many queries explain some prompts that are alike, by the shares of the others. Queries
    without a logged prompt add nothing. Row 1d for everyone, 0 for those who queried no model.
    Carlini et al. (2024), Stealing Part of a Production Language Model, need thousands of such
    queries. Fails for an extraction from sampled texts of prompts that differ in most words.
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
    # Rows of older versions have no number of prompts.
    today[list(TELLING)] = today[list(TELLING)].apply(pd.to_numeric).fillna(0.0)
    today["amount"] = today[list(TELLING)].sum(axis=1) + 1e-6 * today["requests"]
    assets = leading_assets(today, "amount", history)
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
            alike=Count(counts["alike_prompts"]) if counts["alike_prompts"] else None,
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
        "alike_prompts": settings.alike_weight,
    }
    total = np.zeros(len(table.users))
    expected = np.zeros(len(table.users))
    for name, weight in weights.items():
        values, by_prompts = table.amounts[name], name == "alike_prompts"
        days = table.prompt_days if by_prompts else table.days
        usual = usual_amount(values, table.kinds, days)
        if by_prompts:
            usual = np.maximum(usual, by_volume(table, values, settings.most_by_volume))
        beyond = doublings(values, usual, settings.few_requests, settings.most_doublings)
        total += weight * beyond * float(trust_after(days, settings.settle_days))
        expected = np.maximum(expected, usual) if name in TELLING else expected
    return total, expected
