"""The days that the graph is made of, as arrays of users and assets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

if TYPE_CHECKING:
    from schemas.context import Context


Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ACCESS_COLUMNS = ("day", "user_id", "user_kind", "asset_id", "events", "failures")
"""Columns of ACCESS that make the graph."""
EVENTS_SHARE = 0.25
"""Weight of ten times the events, where doubling the active days weighs about 1."""
TEAM_SHARE = 0.2
"""Share of the declared team in the likeness of two users; the rest: their assets."""


@dataclass(frozen=True)
class Window:
    """The window in codes: ``users`` and ``assets`` are sorted ids, frames hold their positions.

    ``pairs``: one row per user and asset, sorted: user, asset, days, events, before_days,
    before_events (without the day), today. ``kinds``: user_kind of each user. ``observed_days``:
    days before the day with any touch at all. ``user_share``, ``asset_share``: part of those days
    since the user's or asset's first one, 0 (not seen before the day) to 1.
    """

    users: NDArray[Any]
    assets: NDArray[Any]
    pairs: pd.DataFrame
    kinds: NDArray[Any]
    observed_days: int
    user_share: Floats
    asset_share: Floats

    def matrix(self, values: NDArray[Any]) -> sparse.csr_matrix:
        """``values`` of the pairs as users × assets; zeros are left out."""
        user, asset = self.pairs["user"].to_numpy(), self.pairs["asset"].to_numpy()
        kept = values != 0
        return sparse.csr_matrix(
            (values[kept].astype(np.float64), (user[kept], asset[kept])),
            shape=(len(self.users), len(self.assets)),
        )


def read_window(
    access: pd.DataFrame, context: Context, day: date, window_days: int
) -> Window | None:
    """The window's touches in codes; None if there is none."""
    last = pd.Timestamp(day)
    first = last - timedelta(days=window_days - 1)
    touches = pd.DataFrame(
        {
            "day": pd.to_datetime(access["day"]),
            "user_id": access["user_id"],
            "asset_id": access["asset_id"],
            "user_kind": access["user_kind"],
            "events": access["events"] - access["failures"],
        }
    )
    touches = touches[touches["day"].between(first, last) & (touches["events"] > 0)]
    if touches.empty:
        return None
    users, assets = np.sort(touches["user_id"].unique()), np.sort(touches["asset_id"].unique())
    touches["user"] = np.searchsorted(users, touches["user_id"].to_numpy())
    touches["asset"] = np.searchsorted(assets, touches["asset_id"].to_numpy())
    daily = touches.groupby(["user", "asset", "day"], as_index=False)["events"].sum()
    daily["today"] = daily["day"] == last
    daily["before_days"] = (~daily["today"]).astype(np.int64)
    daily["before_events"] = daily["events"] * daily["before_days"]
    pairs = daily.groupby(["user", "asset"]).agg(
        days=("day", "size"),
        events=("events", "sum"),
        before_days=("before_days", "sum"),
        before_events=("before_events", "sum"),
        today=("today", "any"),
    )
    before = daily[~daily["today"]]
    observed = np.sort(before["day"].unique())
    return Window(
        users=users,
        assets=assets,
        pairs=pd.DataFrame(pairs).reset_index(),
        kinds=_user_kinds(touches, users, context, last),
        observed_days=len(observed),
        user_share=_seen_share(before, "user", len(users), observed),
        asset_share=_seen_share(before, "asset", len(assets), observed),
    )


def _user_kinds(
    touches: pd.DataFrame, users: NDArray[Any], context: Context, last: pd.Timestamp
) -> NDArray[Any]:
    """Kind of each user: the directory's, else that of the last day before the day, else today's.

    The day's own rows come last because a kind decides on the means of others.
    """
    ordered = touches.assign(before=touches["day"] < last).sort_values(
        ["before", "day", "user_kind"]
    )
    logged = ordered.groupby("user")["user_kind"].last().reindex(range(len(users)))
    declared = context.directory.drop_duplicates("user_id").set_index("user_id")["kind"]
    return np.array(
        [declared.get(user) or kind for user, kind in zip(users, logged, strict=True)], dtype=object
    )


def _seen_share(before: pd.DataFrame, side: str, size: int, observed: NDArray[Any]) -> Floats:
    """Part of the observed days on which each user or asset was there; 0: not seen.

    They came before their first touch: with k active days in the d days since then, about d / k
    days before, which is the estimate of a range by its maximum (the "German tank problem").
    Counting from the first touch alone would make whatever was touched once look frequent.
    """
    shares = np.zeros(size)
    if len(observed) == 0:
        return shares
    days = before.groupby(side)["day"].agg(["min", "nunique"])
    since = 1 - np.searchsorted(observed, days["min"].to_numpy()) / len(observed)
    shares[days.index.to_numpy()] = np.minimum(since * (1 + 1 / days["nunique"].to_numpy()), 1)
    return shares


def damp(days: NDArray[Any], events: NDArray[Any]) -> Floats:
    """Weight of a pair, 0 without a touch."""
    damped = np.log2(1.0 + days) + EVENTS_SHARE * np.log10(np.maximum(events, 1))
    return np.asarray(damped, dtype=np.float64)


def declared_teams(users: NDArray[Any], context: Context) -> list[str]:
    """Declared team of each user; empty where not declared."""
    declared = context.directory.drop_duplicates("user_id").set_index("user_id")["team"]
    return [declared.get(user) or "" for user in users]


def codes_of(values: list[Any]) -> tuple[Codes, list[Any]]:
    """Position of each value in the sorted distinct values, and those."""
    distinct = sorted(set(values))
    place = {value: number for number, value in enumerate(distinct)}
    return np.array([place[value] for value in values], dtype=np.int64), distinct
