"""The graph in pictures, one for each identity: its assets, its peers, and the assets they share.

Nodes keep the places of the stored layout. A picture is small enough to be drawn. Nodes and edges
outside all pictures are not published.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pandas as pd

from jobs.stages.publish.elasticsearch.entities import Entity, display_names
from jobs.stages.publish.elasticsearch.inputs import Tables

PICTURE_ASSETS = 30
PICTURE_PEERS = 10


def graph_documents(tables: Tables, rated: Mapping[str, Entity]) -> list[dict[str, Any]]:
    """Nodes, then edges, each with the users whose pictures show it."""
    of_node, of_edge = _pictures(tables)
    names = display_names(tables)
    listed = tables.context.assets
    names |= {
        asset: name for asset, name in zip(listed["asset_id"], listed["name"], strict=True) if name
    }
    ties: dict[tuple[str, str], set[str]] = defaultdict(set)
    for user, asset in of_edge:
        ties["user", user].add(asset)
        ties["asset", asset].add(asset)
    documents = []
    for row in tables.nodes.sort_values(["node_type", "node_id"]).to_dict("records"):
        key = (row["node_type"], row["node_id"])
        if key not in of_node:
            continue
        is_user = row["node_type"] == "user"
        node = {
            "id": row["node_id"],
            "type": row["node_type"],
            "name": names.get(row["node_id"], row["node_id"]),
            "kind": row["kind"],
            "community": int(row["community"]),
            "risk": round(rated[row["node_id"]].risk, 2)
            if is_user and row["node_id"] in rated
            else 0.0,
            "x": float(row["x"]),
            "y": float(row["y"]),
        }
        documents.append(_document(tables, "node", {"node": node}, of_node[key], ties[key]))
    for row in tables.edges.sort_values(["user_id", "asset_id"]).to_dict("records"):
        user, asset = row["user_id"], row["asset_id"]
        if (user, asset) not in of_edge:
            continue
        edge = {
            "user": user,
            "asset": asset,
            "weight": float(row["weight"]),
            "is_new": bool(row["is_new"]),
            "today": bool(row["today"]),
        }
        documents.append(_document(tables, "edge", {"edge": edge}, of_edge[user, asset], {asset}))
    return documents


def _document(
    tables: Tables, element: str, body: dict[str, Any], ego: set[str], assets: set[str]
) -> dict[str, Any]:
    """``user.id`` is ``ego`` and the assets are those it is tied to, nodes and edges alike.

    So a dashboard's filter on a person or an asset shows a whole picture, not its edges alone.
    """
    shared = {"day": tables.day.isoformat(), "element": element, **body}
    of = {"ego": sorted(ego), "asset": {"id": sorted(assets)}}
    return {"@timestamp": tables.end, "exfil": {**shared, **of}, "user": {"id": sorted(ego)}}


def _pictures(
    tables: Tables,
) -> tuple[dict[tuple[str, str], set[str]], dict[tuple[str, str], set[str]]]:
    """(type, id) of each node and (user, asset) of each edge → users whose pictures show it.

    A picture shows the user, up to 30 of its assets, and up to 10 peers who touch any of these, the
    nearest first.
    """
    of_node: dict[tuple[str, str], set[str]] = defaultdict(set)
    of_edge: dict[tuple[str, str], set[str]] = defaultdict(set)
    touched = {user: set(rows["asset_id"]) for user, rows in tables.edges.groupby("user_id")}
    peers = {
        user: [] if known is None else list(known)
        for user, known in zip(tables.nodes["node_id"], tables.nodes["peers"], strict=True)
    }
    for user, assets in _own_assets(tables.edges).items():
        drawn = [user]
        for peer in peers.get(user, []):
            if len(drawn) <= PICTURE_PEERS and not touched.get(peer, set()).isdisjoint(assets):
                drawn.append(peer)
        for other in drawn:
            of_node["user", other].add(user)
            for asset in assets & touched[other]:
                of_edge[other, asset].add(user)
        for asset in assets:
            of_node["asset", asset].add(user)
    return of_node, of_edge


def _own_assets(edges: pd.DataFrame) -> dict[str, set[str]]:
    """Each user's assets to draw: new ones first, then those of the day, then by weight."""
    ranked = edges.sort_values(
        ["is_new", "today", "weight", "asset_id"], ascending=[False, False, False, True]
    )
    first = ranked.groupby("user_id").head(PICTURE_ASSETS)
    return {str(user): set(rows["asset_id"]) for user, rows in first.groupby("user_id")}
