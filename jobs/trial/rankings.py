"""Trivial rankings of all identities of each day, beside which the review queue is judged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from models.features.rows import each_row

if TYPE_CHECKING:
    import pandas as pd

Queue = dict[date, list[tuple[str, ...]]]
"""Day → entries, best first. An entry is a set of identities."""
COOL_DOWN_DAYS = 7
COUNTS = ["events", "failures", "bytes", "objects", "assets"]


def ranked(scores: pd.DataFrame) -> Queue:
    """Queue of a frame with day, user_id and score: higher scores first, ties by user_id."""
    order = scores.sort_values(["day", "score", "user_id"], ascending=[True, False, True])
    queue: Queue = {}
    for row in each_row(order):
        queue.setdefault(row.day, []).append((row.user_id,))
    return queue


def with_cool_down(queue: Queue, budget: int) -> Queue:
    """The queue without the entries that were among the first ``budget`` of the last 7 days."""
    shown: dict[tuple[str, ...], date] = {}
    rested: Queue = {}
    for day in sorted(queue):
        last = day - timedelta(days=COOL_DOWN_DAYS)
        kept = [entry for entry in queue[day] if shown.get(entry, date.min) < last]
        rested[day] = kept
        shown |= dict.fromkeys(kept[:budget], day)
    return rested


def daily_bytes(access: pd.DataFrame) -> pd.DataFrame:
    """Bytes of the day."""
    daily = access.groupby(["day", "user_id"])["bytes_out"].sum()
    return daily.rename("score").reset_index()


def bytes_z_score(access: pd.DataFrame) -> pd.DataFrame:
    """Bytes of the day against the mean and deviation of the identity's own earlier days."""
    daily = daily_bytes(access).sort_values("day")
    by_user = daily.groupby("user_id")["score"]
    mean = by_user.transform(lambda values: values.shift().expanding().mean())
    deviation = by_user.transform(lambda values: values.shift().expanding().std())
    return daily.assign(score=((daily["score"] - mean) / (deviation + 1.0)).fillna(0.0))


def new_assets(access: pd.DataFrame) -> pd.DataFrame:
    """Number of assets that the identity touched for the first time."""
    firsts = access.groupby(["user_id", "asset_id"], as_index=False)["day"].min()
    counted = firsts.groupby(["day", "user_id"], as_index=False).size()
    active = access[["day", "user_id"]].drop_duplicates()
    merged = active.merge(counted, how="left", on=["day", "user_id"])
    return merged.rename(columns={"size": "score"}).fillna({"score": 0})


def daily_counts(access: pd.DataFrame) -> pd.DataFrame:
    """``day``, ``user_id`` and the logarithms of COUNTS."""
    import numpy as np

    daily = access.groupby(["day", "user_id"], as_index=False).agg(
        events=("events", "sum"),
        failures=("failures", "sum"),
        bytes=("bytes_out", "sum"),
        objects=("objects", "sum"),
        assets=("asset_id", "nunique"),
    )
    daily[COUNTS] = np.log1p(daily[COUNTS].astype(float))
    return daily


def isolation_forest(access: pd.DataFrame) -> pd.DataFrame:
    """Score of scikit-learn's isolation forest on each identity's daily counts."""
    from sklearn.ensemble import IsolationForest

    daily = daily_counts(access)
    forest = IsolationForest(random_state=0).fit(daily[COUNTS])
    return daily.assign(score=-forest.score_samples(daily[COUNTS]))[["day", "user_id", "score"]]


def ecod(access: pd.DataFrame) -> pd.DataFrame:
    """ECOD on each identity's daily counts (Li et al. 2022, IEEE TKDE, algorithm 1)."""
    import numpy as np
    from scipy.stats import rankdata, skew

    daily = daily_counts(access)
    values = daily[COUNTS].to_numpy()
    left = -np.log(rankdata(values, method="max", axis=0) / len(values))
    right = -np.log(rankdata(-values, method="max", axis=0) / len(values))
    chosen = np.where(skew(values, axis=0) < 0, left, right)
    tails = np.stack([left.sum(axis=1), right.sum(axis=1), chosen.sum(axis=1)])
    return daily.assign(score=tails.max(axis=0))[["day", "user_id", "score"]]


RANKINGS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "daily bytes": daily_bytes,
    "z-score of bytes": bytes_z_score,
    "new assets": new_assets,
    "isolation forest": isolation_forest,
    "ECOD": ecod,
}
"""Name → function from ``access`` (known bytes as numbers) to day, user_id and score."""
