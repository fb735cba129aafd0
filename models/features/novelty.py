"""What is new to an identity, and who its neighbours are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.memory import remembered
from models.features.people import teams
from models.features.rows import Codes, Floats, recent

if TYPE_CHECKING:
    from models.features.history import History

LIKE_TODAY = 0.1
"""Part of the objects of the day from which an earlier reading is one alike."""


def trust_after(days: float | Floats, settle_days: float) -> Any:
    """Trust in "never seen before" after ``days`` of watching: 0 at once, 1 from settle_days on.

    Without it the first days of a log, when everything is new, would be its loudest, and would
    then dull the calibration of the days that follow.
    """
    return np.clip(np.asarray(days, dtype=np.float64) / max(settle_days, 1e-9), 0.0, 1.0)


def novelty_habit(history: History, column: str, settle_days: int) -> pd.DataFrame:
    """How often an identity does something for the first time: ``novel``, ``days`` by user_id.

    ``column``: number of new values of a day in ``entity_days``. Counted are days with access
    before the day, from ``settle_days`` after the identity's first one on (until then everything is
    new); ``novel`` are those with a value that was never there before.
    """
    rows = recent(history.entity_days, history.day, ["user_id", column])
    past = rows[rows["ago"] > 0]
    oldest = past.groupby("user_id")["ago"].transform("max")
    counted = past[past["ago"] <= oldest - settle_days]
    novel = (counted[column] > 0).groupby(counted["user_id"]).agg(["size", "sum"])
    return novel.set_axis(["days", "novel"], axis=1).astype(np.float64)


def neighbours(history: History, users: NDArray[Any]) -> list[Codes]:
    """For each of the sorted ``users``, positions of its learned peers and declared team-mates."""
    pairs = zip(learned_peers(history, users), team_mates(history, users), strict=True)
    return [np.union1d(learned, declared) for learned, declared in pairs]


def learned_peers(history: History, users: NDArray[Any]) -> list[Codes]:
    """For each of the sorted ``users``, positions of those of ``users`` who use the same assets.

    Whoever knows this code chooses them: they are the peers of what one has read.
    """
    place = {user: number for number, user in enumerate(users)}
    nodes = history.nodes
    nodes = nodes[(nodes["node_type"] == "user") & (nodes["day"] == history.day)]
    learned = dict(zip(nodes["node_id"], nodes["peers"], strict=True))
    circles = []
    for number, user in enumerate(users):
        peers = learned.get(user)
        circle = {place[peer] for peer in (() if peers is None else peers) if peer in place}
        circles.append(_sorted_but(circle, number))
    return circles


def team_mates(history: History, users: NDArray[Any]) -> list[Codes]:
    """For each of the sorted ``users``, positions of the others of its declared team."""
    declared = teams(history.context)
    members: dict[str, list[int]] = {}
    for number, user in enumerate(users):
        if user in declared:
            members.setdefault(declared[user], []).append(number)
    mates = (members.get(declared.get(user, ""), ()) for user in users)
    return [_sorted_but(circle, number) for number, circle in enumerate(mates)]


def _sorted_but(circle: Iterable[int], number: int) -> Codes:
    return np.array(sorted({*circle} - {number}), dtype=np.int64)


@remembered
def readings_before(history: History) -> pd.DataFrame:
    """Objects that each identity read of each artefact: ``now``, the most of an earlier day.

    Index: ``user_id``, ``asset_id``. Columns: ``now``, ``before``, ``days`` (earlier ones with a
    reading).
    """
    rows = recent(history.covered, history.day, ["user_id", "asset_id", "objects_1"])
    user, users = pd.factorize(rows["user_id"])
    asset, assets = pd.factorize(rows["asset_id"])
    pairs, pair = np.unique(user * max(1, len(assets)) + asset, return_inverse=True)
    objects, earlier = rows["objects_1"].to_numpy(np.float64), rows["ago"].to_numpy() > 0
    now, before = np.zeros(len(pairs)), np.zeros(len(pairs))
    np.maximum.at(now, pair[~earlier], objects[~earlier])
    np.maximum.at(before, pair[earlier], objects[earlier])
    days = np.bincount(pair[earlier], minlength=len(pairs))
    names = [
        np.asarray(users, dtype=object)[pairs // max(1, len(assets))],
        np.asarray(assets, dtype=object)[pairs % max(1, len(assets))],
    ]
    index = pd.MultiIndex.from_arrays(names, names=["user_id", "asset_id"])
    return pd.DataFrame({"now": now, "before": before, "days": days}, index=index)


def known_objects(history: History, edges: pd.DataFrame) -> pd.DataFrame:
    """How well each edge of the graph is known by earlier days: ``before`` and ``now``, in objects.

    ``before``: the most that the identity read on an earlier day; endless if it did more with the
    content than read, or if nobody counts the objects; 0 for a new edge. ``now``: read today.
    """
    key = pd.MultiIndex.from_frame(edges[["user_id", "asset_id"]].astype(object))
    read = readings_before(history).reindex(key).fillna(0.0).set_index(edges.index)
    touched = edges["active_days"].astype(np.float64) - edges["today"].astype(np.float64)
    only_read = (read["before"] > 0) & (touched <= read["days"])
    before = read["before"].where(only_read, np.inf)
    return read[["now"]].assign(before=before.mask(edges["is_new"].astype(bool), 0.0))
