"""Queries of models by day, and how far an amount lies beyond the usual of oneself and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.baselines import row_quantile
from models.features.memory import remembered
from models.features.rows import Codes, Floats, recent

if TYPE_CHECKING:
    from models.features.history import History

API_DAYS_BACK = 30
GAP_DAYS = 7
"""Last days that are nobody's habit yet, so that an attack does not excuse itself at once."""
LEAST_HABIT_DAYS = 3
HABIT_QUANTILE, PEERS_QUANTILE = 0.75, 0.9
LEAST_PEERS = 5
"""Identities of a kind below which those of all kinds are the peers."""
WEEKDAYS = (7, 14, 21, 28)
COUNTS = ("requests", "failures", "refused", "logprob_requests", "biased_requests",
          "one_token_requests", "greedy_requests")  # fmt: skip

PROMPTS = ("prompts", "alike_prompts")


@dataclass(frozen=True)
class ApiAmounts:
    """Amounts of whoever queried a model in the 30 days.

    ``users``: sorted ids; ``kinds``: code of each one's kind; ``amounts[name]``: (users, 30), NaN
    on days without a query; column j is the day j days before. Names: COUNTS, ``models``, the
    number of distinct models tried, and ``alike_prompts``, NaN on days without a logged prompt.
    ``days``: days between the first query and the day; ``prompt_days``: between the first query
    whose prompt is logged and the day.
    """

    users: NDArray[Any]
    kinds: Codes
    amounts: Mapping[str, Floats]
    days: int
    prompt_days: int


@remembered
def api_amounts(history: History) -> ApiAmounts:
    """Amounts by identity and day, summed over its keys and models."""
    columns = ["user_id", "user_kind", "asset_id", *COUNTS, *PROMPTS]
    rows = recent(history.api_days, history.day, columns, API_DAYS_BACK)
    rows = rows[rows["user_id"] != ""].reset_index(drop=True)
    users, user = np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)
    cell = user * API_DAYS_BACK + rows["ago"].to_numpy(np.int64)
    shape, size = (len(users), API_DAYS_BACK), len(users) * API_DAYS_BACK
    there = np.bincount(cell, minlength=size) > 0

    def table(cells: Codes, values: Floats) -> Floats:
        sums = np.bincount(cells, weights=values, minlength=size)
        return np.asarray(np.where(there, sums, np.nan).reshape(shape), dtype=np.float64)

    amounts = {name: table(cell, rows[name].to_numpy(np.float64)) for name in COUNTS}
    models = pd.factorize(rows["asset_id"])[0].astype(np.int64)
    pairs = np.unique(cell * (models.max(initial=0) + 1) + models)
    amounts["models"] = table(pairs // (models.max(initial=0) + 1), np.ones(len(pairs)))
    # Rows of older versions say nothing about prompts.
    prompts, alike = (
        np.nan_to_num(pd.to_numeric(rows[name]).to_numpy(np.float64, na_value=np.nan))
        for name in PROMPTS
    )
    logged = table(cell, prompts)
    amounts["alike_prompts"] = np.where(logged > 0, table(cell, alike), np.nan)
    kinds = rows.assign(user=user).sort_values(["user", "ago"]).drop_duplicates("user")["user_kind"]
    days = int(rows["ago"].max()) if len(rows) else 0
    prompt_days = int(rows.loc[prompts > 0, "ago"].max()) if (prompts > 0).any() else 0
    codes = np.asarray(pd.factorize(kinds, sort=True)[0])
    return ApiAmounts(users, codes, amounts, days, prompt_days)


def usual_amount(values: Floats, kinds: Codes, days: int) -> Floats:
    """The usual daily amount of each identity: its own habit or that of its peers, the higher.

    ``values``, ``days``: as in :class:`ApiAmounts`. The own habit is the upper quartile of its days
    before the last GAP_DAYS (half of them in a young log), or the median of the same weekdays. That
    of peers is the 0.9 quantile of the upper quartiles of the others of its kind, so that no single
    one of them makes an amount usual. Fails for a rhythm longer than a week.
    """
    past = values[:, min(GAP_DAYS, max(1, days // 2)) :]
    own = row_quantile(past, HABIT_QUANTILE)
    own = np.where(np.isfinite(past).sum(axis=1) >= LEAST_HABIT_DAYS, own, 0.0)
    same = values[:, [ago for ago in WEEKDAYS if ago < values.shape[1]]]
    weekly = np.where(np.isfinite(same).sum(axis=1) >= 2, row_quantile(same, 0.5), 0.0)
    peers = others_quantile(_levels(values), kinds, PEERS_QUANTILE)
    habit = np.maximum(np.nan_to_num(own), np.nan_to_num(weekly))
    return np.asarray(np.maximum(habit, peers), dtype=np.float64)


def doublings(
    values: Floats,
    usual: Floats,
    few: float,
    most_doublings: float,
) -> Floats:
    """Doublings of today's amount beyond the usual, at least 0, shape (users,); higher is riskier.

    ``usual``: :func:`usual_amount` or more; ``few``: an amount that is added to both, so that small
    ones say little. The own habit excuses
    no more than ``most_doublings`` beyond what anybody else does.
    """
    today = np.nan_to_num(values[:, 0])
    beyond = np.log2((few + today) / (few + usual))
    anybody = _largest_other(_levels(values))
    unbounded = np.log2((few + today) / (few + anybody)) - most_doublings
    return np.maximum(0.0, np.maximum(beyond, unbounded))


def by_volume(table: ApiAmounts, values: Floats, most: float) -> Floats:
    """What today's number of queries explains of an amount, at most ``most``; shape (users,).

    By the 0.9 quantile of the others' shares of such queries, of all kinds.
    """
    requests = table.amounts["requests"]
    shares = np.nansum(values, axis=1) / np.maximum(np.nansum(requests, axis=1), 1.0)
    usual = others_quantile(shares, np.zeros(len(shares), dtype=np.int64), PEERS_QUANTILE)
    return np.asarray(np.minimum(usual * np.nan_to_num(requests[:, 0]), most), dtype=np.float64)


def _levels(values: Floats) -> Floats:
    return np.nan_to_num(row_quantile(values, HABIT_QUANTILE))


def others_quantile(levels: Floats, kinds: Codes, q: float) -> Floats:
    """The lower ``q`` quantile of the levels of the others of each one's kind, shape (users,)."""
    found = np.zeros(len(levels))
    everybody = np.arange(len(levels))
    for kind in np.unique(kinds):
        same = np.flatnonzero(kinds == kind)
        group = same if len(same) > LEAST_PEERS else everybody
        order = group[np.argsort(levels[group], kind="stable")]
        if len(order) < 2:
            continue
        rank = np.empty(len(levels), dtype=np.int64)
        rank[order] = np.arange(len(order))
        place = int(q * (len(order) - 2))
        # Without oneself all later ones move up by one place.
        found[same] = levels[order][place + (rank[same] <= place)]
    return found


def _largest_other(levels: Floats) -> Floats:
    if len(levels) < 2:
        return np.zeros(len(levels))
    first, second = np.argsort(-levels, kind="stable")[:2]
    found = np.full(len(levels), levels[first])
    found[first] = levels[second]
    return found
