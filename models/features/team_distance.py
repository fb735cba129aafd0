"""How far an asset is from the work of an identity's team, whatever the identity itself did.

The circle of an identity is its declared team, else its learned peers. Only what the circle did
without the identity counts: own visits bring nothing nearer, and neither does the day itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.assets import families, listed_assets
from models.features.people import teams
from models.features.rows import recent

if TYPE_CHECKING:
    from models.features.history import History

LEAST_MATES = 2
"""Mates who have to use an asset of the smallest team before it is near."""


@dataclass(frozen=True)
class Nearness:
    """Use that makes an asset near.

    ``mates``: share of the circle that uses it; ``work``: share of the circle's touches that is
    with assets of its owners.
    """

    mates: float
    work: float


def far_takings(history: History, nearness: Nearness) -> pd.DataFrame:
    """What people took today, with the distance of each asset from the circle's work.

    Columns: ``user_id``, ``asset_id``, ``objects`` (distinct ones in 30 days where coverage counts
    them, else today's), ``users`` (mates who used its family before the day), ``circle`` (mates),
    ``share`` (of the circle's work that is with the owners), ``distance``: 0 near to 1 far. An
    asset is as near as the larger of both: the mates who use it ÷ ``nearness.mates`` of the circle,
    and the share ÷ ``nearness.work``. Assets of the own team are at 0. Assets without an owner are
    those of the team whose identities touch them most.
    """
    taken = _taken(history)
    columns = ["users", "circle", "share", "distance"]
    if taken.empty:
        return taken.assign(**dict.fromkeys(columns, 0.0))
    before = _before(history)
    circles = _circles(history, sorted(set(taken["user_id"])))
    owner = _owners(history, before)
    declared = teams(history.context)
    by_user = {str(user): part for user, part in before.groupby("user_id")}
    rows = []
    for user, asset, family in taken[["user_id", "asset_id", "family"]].itertuples(index=False):
        circle, of = circles[user], owner.get(asset, "")
        parts = [by_user[mate] for mate in circle if mate in by_user]
        users = sum((part["family"] == family).any() for part in parts)
        total = sum(float(part["weight"].sum()) for part in parts)
        with_owner = sum(float(part.loc[part["owner"] == of, "weight"].sum()) for part in parts)
        share = with_owner / total if of and total > 0 else 0.0
        needed = max(LEAST_MATES, nearness.mates * len(circle))
        near = max(users / needed, share / nearness.work if nearness.work > 0 else 0.0)
        own = bool(of) and declared.get(user) == of
        rows.append((users, len(circle), share, 0.0 if own else max(0.0, 1.0 - near)))
    found = pd.DataFrame(rows, columns=columns, index=taken.index)
    return pd.concat([taken, found], axis=1)


def _taken(history: History) -> pd.DataFrame:
    """``user_id``, ``asset_id``, ``objects``, ``family`` that identities besides services took."""
    pairs = recent(
        history.pairs, history.day, ["user_id", "user_kind", "asset_id", "taken", "objects"], 1
    )
    kept = pairs["taken"].astype(bool) & (pairs["user_kind"] != "service")
    rows = pairs.loc[kept & (pairs["user_id"] != ""), ["user_id", "asset_id", "objects"]]
    month = history.coverage.loc[
        history.coverage["day"] == history.day, ["user_id", "asset_id", "objects_30"]
    ]
    rows = rows.merge(month, on=["user_id", "asset_id"], how="left")
    rows["objects"] = np.fmax(
        rows["objects"].astype("float64"), rows.pop("objects_30").astype("float64")
    )
    rows = rows.sort_values(["user_id", "asset_id"], ignore_index=True)
    return rows.assign(family=families(rows["asset_id"], history.context))


def _before(history: History) -> pd.DataFrame:
    """Edges of the graph's window that were there before the day, with family and owner."""
    edges = history.edges
    known = (edges["day"] == history.day) & ~edges["is_new"].astype(bool)
    rows = edges.loc[known, ["user_id", "asset_id", "weight"]]
    # Sums of fractions depend on their order.
    rows = rows.sort_values(["user_id", "asset_id"], ignore_index=True)
    owners = listed_assets(history.context)["owner_team"].to_dict()
    return rows.assign(
        family=families(rows["asset_id"], history.context),
        owner=[str(owners.get(asset) or "") for asset in rows["asset_id"]],
    )


def _owners(history: History, before: pd.DataFrame) -> dict[str, str]:
    """Team of each asset: declared, else that of most weight before the day."""
    owners = listed_assets(history.context)["owner_team"]
    found = {str(asset): str(team) for asset, team in owners.items() if team}
    declared = teams(history.context)
    rows = before.assign(team=before["user_id"].map(declared)).dropna(subset=["team"])
    sums = rows.groupby(["asset_id", "team"])["weight"].sum().reset_index()
    sums = sums.sort_values(["asset_id", "weight", "team"], ascending=[True, False, True])
    for asset, team in sums.drop_duplicates("asset_id")[["asset_id", "team"]].itertuples(
        index=False
    ):
        found.setdefault(str(asset), str(team))
    return found


def _circles(history: History, users: list[str]) -> dict[str, list[str]]:
    """Mates of each user: of the declared team, without one the learned peers."""
    nodes = history.nodes
    nodes = nodes[(nodes["node_type"] == "user") & (nodes["day"] == history.day)]
    people = nodes[nodes["kind"] != "service"]
    declared = teams(history.context)
    members: dict[str, list[str]] = {}
    for user in sorted(people["node_id"].astype(str)):
        if user in declared:
            members.setdefault(declared[user], []).append(user)
    peers = dict(zip(nodes["node_id"], nodes["peers"], strict=True))
    found = {}
    for user in users:
        learned = peers.get(user)
        circle = (
            members.get(declared[user], [])
            if user in declared
            else ([] if learned is None else list(learned))
        )
        found[user] = [mate for mate in circle if mate != user]
    return found
