"""Evidence that the report draws for a finding: days of the person and the peers, the ego graph.

Pure functions of pandas frames. They read the finding's day and earlier days, never a later day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TRAIL_DAYS = 30
MEASURES = ("bytes", "objects", "events")
"""Measures of a day of activity, the most important first."""
MAX_TOUCHED = 10
MAX_USUAL = 4
MAX_OTHERS = 12
"""Most nodes of the ego graph: assets of the finding, usual assets, other people."""
MAX_MAP_NODES = 1500
"""Most dots on the map of a day; the strongest nodes are drawn."""


@dataclass(frozen=True)
class Trail:
    """One measure over ``TRAIL_DAYS`` days: the person's, and the peers' quartiles of each day.

    None on days without any user, that is on days that were not run.
    """

    measure: str
    days: tuple[date, ...]
    own: tuple[float | None, ...]
    quartiles: tuple[tuple[float, float, float] | None, ...]
    peers: int


@dataclass(frozen=True)
class AssetNode:
    """An asset of the ego graph; ``touched``: part of the finding, else only usual work."""

    asset_id: str
    touched: bool
    is_new: bool
    people: int
    x: float
    y: float


@dataclass(frozen=True)
class PersonNode:
    """Another person who touches assets of the ego graph."""

    user_id: str
    is_peer: bool
    x: float
    y: float


@dataclass(frozen=True)
class EgoGraph:
    """The user of a finding, assets, others; ``edges``: (user_id, asset_id, weight, is_new)."""

    user_id: str
    x: float
    y: float
    assets: tuple[AssetNode, ...]
    others: tuple[PersonNode, ...]
    edges: tuple[tuple[str, str, float, bool], ...]


@dataclass(frozen=True)
class Activity:
    """Activity of all users: measure → array (days, users), from ``first`` without a gap.

    Zero for an unseen user, NaN on days without any user.
    """

    first: date
    users: dict[str, int]
    values: dict[str, NDArray[np.float64]]

    def days(self, last: date, measure: str) -> NDArray[np.float64]:
        """The trailing ``TRAIL_DAYS`` days that end with ``last``, (days, users)."""
        known = self.values[measure]
        begin = (last - self.first).days - TRAIL_DAYS + 1
        rows = np.arange(begin, begin + TRAIL_DAYS)
        window = np.full((TRAIL_DAYS, known.shape[1]), np.nan)
        inside = (rows >= 0) & (rows < len(known))
        window[inside] = known[rows[inside]]
        return window


def collect_activity(totals: pd.DataFrame) -> Activity:
    """One row per day and user with the columns of ``MEASURES`` as an :class:`Activity`."""
    if totals.empty:
        empty = {measure: np.empty((0, 0)) for measure in MEASURES}
        return Activity(date.min + timedelta(days=TRAIL_DAYS), {}, empty)
    first, users = min(totals["day"]), sorted(set(totals["user_id"]))
    columns = {user: number for number, user in enumerate(users)}
    row = np.array([(day - first).days for day in totals["day"]])
    column = np.array([columns[user] for user in totals["user_id"]])
    values = {}
    for measure in MEASURES:
        grid = np.full((row.max() + 1, len(users)), np.nan)
        grid[np.unique(row)] = 0.0
        np.add.at(grid, (row, column), totals[measure].astype(float).fillna(0.0).to_numpy())
        values[measure] = grid
    return Activity(first, columns, values)


def trails(user_id: str, peers: list[str], last: date, activity: Activity) -> tuple[Trail, ...]:
    """The two most important measures of the user's trailing days; empty if never seen."""
    if user_id not in activity.users:
        return ()
    days = tuple(last - timedelta(days=back) for back in range(TRAIL_DAYS - 1, -1, -1))
    others = [activity.users[peer] for peer in peers if peer in activity.users and peer != user_id]
    found = []
    for measure in MEASURES:
        window = activity.days(last, measure)
        own = window[:, activity.users[user_id]]
        if not np.nansum(own) > 0:
            continue
        quartiles: list[tuple[float, float, float] | None] = [None] * TRAIL_DAYS
        if others:
            parts = np.percentile(window[:, others], (25, 50, 75), axis=1).T.tolist()
            quartiles = [None if math.isnan(part[1]) else tuple(part) for part in parts]
        seen = tuple(None if math.isnan(value) else value for value in own.tolist())
        found.append(Trail(measure, days, seen, tuple(quartiles), len(others)))
    return tuple(found[:2])


@dataclass(frozen=True)
class GraphDay:
    """The graph of one day, indexed for drawing.

    ``places``: (node_type, node_id) → (x, y, degree); ``by_user``, ``by_asset``: id → rows of
    (other id, weight, is_new), heaviest first; ``dots``: places of users and of assets.
    """

    places: dict[tuple[str, str], tuple[float, float, int]]
    peers: dict[str, list[str]]
    by_user: dict[str, list[tuple[str, float, bool]]]
    by_asset: dict[str, list[tuple[str, float, bool]]]
    dots: dict[str, list[tuple[float, float]]]


def graph_days(nodes: pd.DataFrame, edges: pd.DataFrame) -> dict[date, GraphDay]:
    """Rows of GRAPH_NODES and GRAPH_EDGES of several days as one :class:`GraphDay` for each."""
    links: dict[Any, pd.DataFrame] = dict(iter(edges.groupby("day")))
    places: dict[Any, pd.DataFrame] = dict(iter(nodes.groupby("day")))
    return {day: _graph_day(rows, links.get(day, edges.iloc[:0])) for day, rows in places.items()}


def _graph_day(nodes: pd.DataFrame, edges: pd.DataFrame) -> GraphDay:
    strongest = nodes.sort_values(
        ["strength", "node_type", "node_id"], ascending=[False, True, True]
    ).head(MAX_MAP_NODES)
    by_user: dict[str, list[tuple[str, float, bool]]] = {}
    by_asset: dict[str, list[tuple[str, float, bool]]] = {}
    heaviest = edges.sort_values(["weight", "user_id", "asset_id"], ascending=[False, True, True])
    for user, asset, weight, new in zip(
        heaviest["user_id"],
        heaviest["asset_id"],
        heaviest["weight"],
        heaviest["is_new"],
        strict=True,
    ):
        by_user.setdefault(user, []).append((asset, float(weight), bool(new)))
        by_asset.setdefault(asset, []).append((user, float(weight), bool(new)))
    users = nodes[nodes["node_type"] == "user"]
    return GraphDay(
        places={
            (side, node): (float(x), float(y), int(degree))
            for side, node, x, y, degree in zip(
                nodes["node_type"],
                nodes["node_id"],
                nodes["x"],
                nodes["y"],
                nodes["degree"],
                strict=True,
            )
        },
        peers={
            user: [] if peers is None else [str(peer) for peer in peers]
            for user, peers in zip(users["node_id"], users["peers"], strict=True)
        },
        by_user=by_user,
        by_asset=by_asset,
        dots={
            side: [
                (float(x), float(y))
                for kind, x, y in zip(
                    strongest["node_type"], strongest["x"], strongest["y"], strict=True
                )
                if kind == side
            ]
            for side in ("asset", "user")
        },
    )


def ego_graph(finding: dict[str, Any], graph: GraphDay) -> EgoGraph | None:
    """The finding's user, its assets, some usual assets, and the other people who touch them.

    None if the day's graph does not have the user. Others are the user's peers first, then
    those with the strongest ties to the assets drawn.
    """
    user_id = finding["user"]["id"]
    if ("user", user_id) not in graph.places:
        return None
    mine = {asset: (weight, new) for asset, weight, new in graph.by_user.get(user_id, [])}
    touched = [asset["id"] for asset in finding["exfil"]["assets"]][:MAX_TOUCHED]
    usual = [asset for asset, (_, new) in mine.items() if not new and asset not in touched]
    firsts = {a["id"] for a in finding["exfil"]["assets"] if a.get("first_access")}
    drawn = [*touched, *usual[:MAX_USUAL]]
    assets = []
    for asset in drawn:
        x, y, degree = graph.places.get(("asset", asset), (0.0, 0.0, 1))
        new = asset in firsts or mine.get(asset, (0.0, False))[1]
        assets.append(AssetNode(asset, asset in touched, new, degree, x, y))
    peers = graph.peers.get(user_id, [])
    ties: dict[str, float] = {}
    for asset in drawn:
        for other, weight, _ in graph.by_asset.get(asset, []):
            if other != user_id:
                ties[other] = ties.get(other, 0.0) + weight
    ranked = sorted(ties, key=lambda other: (other not in peers, -ties[other], other))
    others = []
    for other in ranked[:MAX_OTHERS]:
        x, y, _ = graph.places.get(("user", other), (0.0, 0.0, 0))
        others.append(PersonNode(other, other in peers, x, y))
    shown = {other.user_id for other in others}
    edges = [
        (user_id, asset.asset_id, mine.get(asset.asset_id, (1.0, False))[0], asset.is_new)
        for asset in assets
    ]
    for asset in drawn:
        edges += [
            (other, asset, weight, False)
            for other, weight, _ in graph.by_asset.get(asset, [])
            if other in shown
        ]
    x, y, _ = graph.places[("user", user_id)]
    return EgoGraph(user_id, x, y, tuple(assets), tuple(others), tuple(edges))
