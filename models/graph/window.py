"""The days that the graph is made of, as arrays of users and assets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

if TYPE_CHECKING:
    from schemas.context import Context


Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

PAIR_COLUMNS = (
    "user_id",
    "asset_id",
    "recent_days",
    "earlier_days",
    "events",
    "before_events",
)
"""Columns of one row per user and asset: ids, the days with a successful event as two masks (bit n
of ``recent_days``: n days before the day; bit n of ``earlier_days``: DAYS_PER_MASK + n days before
it), successful events in the window, and those of them before the day. Of pairs whose content is
touched on the day only days with content count."""
KIND_COLUMNS = ("user_id", "user_kind", "ago")
"""Columns of one row per user and logged kind: ``ago`` is the number of days between the last touch
under that kind before the day and the day; missing if the kind is logged only on the day."""
DAYS_PER_MASK = 45
"""Days in one mask; two masks hold the longest window."""
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


def make_window(pairs: pd.DataFrame, kinds: pd.DataFrame, context: Context) -> Window | None:
    """The window of PAIR_COLUMNS and KIND_COLUMNS (rows in any order); None if it has no touch."""
    if pairs.empty:
        return None
    users, user = _sorted_codes(pairs["user_id"])
    assets, asset = _sorted_codes(pairs["asset_id"])
    order = np.argsort(user * len(assets) + asset)
    user, asset = user[order], asset[order]
    recent, earlier = (
        pairs[name].to_numpy(dtype=np.uint64)[order] for name in ("recent_days", "earlier_days")
    )
    today = recent & np.uint64(1)
    before = recent - today
    before_days = (np.bitwise_count(before) + np.bitwise_count(earlier)).astype(np.int64)
    user_days = _days_of(user, before, earlier, len(users))
    observed = user_days.any(axis=0)
    return Window(
        users=users,
        assets=assets,
        pairs=pd.DataFrame(
            {
                "user": user,
                "asset": asset,
                "days": before_days + today.astype(np.int64),
                "events": pairs["events"].to_numpy(dtype=np.int64)[order],
                "before_days": before_days,
                "before_events": pairs["before_events"].to_numpy(dtype=np.int64)[order],
                "today": today.astype(bool),
            }
        ),
        kinds=_user_kinds(kinds, users, context),
        observed_days=int(observed.sum()),
        user_share=_seen_share(user_days[:, observed]),
        asset_share=_seen_share(_days_of(asset, before, earlier, len(assets))[:, observed]),
    )


def _sorted_codes(ids: pd.Series) -> tuple[NDArray[Any], Codes]:
    """The sorted distinct ids, and the position of each row's id in them."""
    categories = ids.astype("category").cat
    names = categories.categories.to_numpy(dtype=object)
    order = np.argsort(names)
    places = np.empty(len(names), dtype=np.int64)
    places[order] = np.arange(len(names))
    return names[order], places[categories.codes.to_numpy()]


def _days_of(
    codes: Codes, recent: NDArray[np.uint64], earlier: NDArray[np.uint64], size: int
) -> NDArray[np.bool_]:
    """Users or assets × days, the oldest day first: True where any of their pairs has the day."""
    days = []
    for masks in (earlier, recent):
        merged = np.zeros(size, dtype=np.uint64)
        np.bitwise_or.at(merged, codes, masks)
        bits = np.arange(DAYS_PER_MASK - 1, -1, -1, dtype=np.uint64)
        days.append((merged[:, None] >> bits & np.uint64(1)).astype(bool))
    return np.hstack(days)


def _user_kinds(kinds: pd.DataFrame, users: NDArray[Any], context: Context) -> NDArray[Any]:
    """Kind of each user: the directory's, else that of the last day before the day, else today's.

    The day's own rows come last because a kind decides on the means of others.
    """
    ordered = kinds.astype({"user_id": object, "user_kind": object}).sort_values("user_kind")
    ordered = ordered.sort_values("ago", ascending=False, na_position="first", kind="stable")
    logged = ordered.groupby("user_id")["user_kind"].last().reindex(users)
    listed = context.directory.drop_duplicates("user_id")
    declared = dict(zip(listed["user_id"], listed["kind"], strict=True))
    return np.array(
        [declared.get(user) or kind for user, kind in zip(users, logged, strict=True)], dtype=object
    )


def _seen_share(seen: NDArray[np.bool_]) -> Floats:
    """Part of the observed days on which each user or asset was there; 0: not seen.

    ``seen``: users or assets × observed days, the oldest first. They came before their first touch:
    with k active days in the d days since then, about d / k days before, which is the estimate of a
    range by its maximum (the "German tank problem"). Counting from the first touch alone would make
    whatever was touched once look frequent.
    """
    shares = np.zeros(len(seen))
    known = seen.any(axis=1)
    if not known.any():
        return shares
    since = 1 - seen[known].argmax(axis=1) / seen.shape[1]
    shares[known] = np.minimum(since * (1 + 1 / seen[known].sum(axis=1)), 1)
    return shares


def damp(days: NDArray[Any], events: NDArray[Any]) -> Floats:
    """Weight of a pair, 0 without a touch."""
    damped = np.log2(1.0 + days) + EVENTS_SHARE * np.log10(np.maximum(events, 1))
    return np.asarray(damped, dtype=np.float64)


def declared_teams(users: NDArray[Any], context: Context) -> list[str]:
    """Declared team of each user; empty where not declared."""
    listed = context.directory.drop_duplicates("user_id")
    declared = dict(zip(listed["user_id"], listed["team"], strict=True))
    return [declared.get(user) or "" for user in users]


def codes_of(values: list[Any]) -> Codes:
    """Position of each value in the sorted distinct values."""
    place = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.array([place[value] for value in values], dtype=np.int64)


def indicator(codes: Codes, size: int) -> sparse.csr_matrix:
    """Groups × members, 1 where the member is of the group."""
    ones = np.ones(len(codes))
    return sparse.csr_matrix((ones, (codes, np.arange(len(codes)))), shape=(size, len(codes)))
