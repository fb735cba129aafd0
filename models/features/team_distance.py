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
from models.features.job_readings import own_readings
from models.features.people import teams
from models.features.rows import Floats, recent

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from models.features.history import History

LEAST_MATES = 2
"""Mates who have to use an asset of the smallest team before it is near."""
FEW_MATES = 2
"""Mates whose work tells half of what a large team's tells; nobody's tells nothing."""


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
    and the share ÷ ``nearness.work``. The distance shrinks for circles of few, and is 0 for whoever
    has no mates. Assets of the own team are at 0. Assets without an owner are
    those of the team whose identities touch them most.
    """
    taken = _taken(history)
    columns = ["users", "circle", "share", "distance"]
    if taken.empty:
        return taken.assign(**dict.fromkeys(columns, 0.0))
    before = _before(history)
    declared = teams(history.context)
    mates = _mates(history, set(taken["user_id"]))
    owner = _owners(history, before)
    rows = taken.assign(
        owner=[owner.get(asset, "") for asset in taken["asset_id"]],
        of=[_circle_of(user, declared) for user in taken["user_id"]],
        team=[declared.get(user, "") for user in taken["user_id"]],
    )
    own = rows[["user_id", "of"]].drop_duplicates().rename(columns={"user_id": "mate"})
    own = own.merge(mates, on=["of", "mate"]).assign(user_id=lambda found: found["mate"])
    use = before[["user_id", "family"]].drop_duplicates().assign(weight=1.0)
    users = _without_own(rows, mates, own, use, ["family"])
    work = before[["user_id", "owner", "weight"]]
    with_owner = np.where(rows["owner"] != "", _without_own(rows, mates, own, work, ["owner"]), 0.0)
    total = _without_own(rows, mates, own, work, [])
    size = _without_own(rows, mates, own, mates[["mate"]].drop_duplicates().assign(weight=1.0), [])
    share = np.divide(with_owner, total, out=np.zeros(len(rows)), where=total > 0)
    near = np.maximum(
        users / np.maximum(LEAST_MATES, nearness.mates * size),
        share / nearness.work if nearness.work > 0 else 0.0,
    )
    ours = (rows["owner"] != "") & (rows["owner"] == rows["team"])
    told = size / (size + FEW_MATES)
    distance = np.where(ours, 0.0, np.maximum(0.0, 1.0 - near) * told)
    return taken.assign(users=users, circle=size, share=share, distance=distance)


def _without_own(
    rows: pd.DataFrame, mates: pd.DataFrame, own: pd.DataFrame, use: pd.DataFrame, by: list[str]
) -> Floats:
    """Sum of ``use`` of the circle of each row, less the part of the row's own identity; ≥ 0.

    ``use``: ``user_id`` or ``mate``, the columns ``by``, ``weight``. ``mates``, ``own``: ``of``
    (circle) and ``mate``; ``own`` has the identities of ``rows`` that are in their own circle.
    """
    use = use.rename(columns={"user_id": "mate"})
    whole = mates.merge(use, on="mate").groupby(["of", *by])["weight"].sum().rename("whole")
    mine = own.merge(use, on="mate").groupby(["user_id", *by])["weight"].sum().rename("mine")
    sums = rows.join(whole, on=["of", *by])["whole"].fillna(0.0).to_numpy(dtype=np.float64)
    part = rows.join(mine, on=["user_id", *by])["mine"].fillna(0.0).to_numpy(dtype=np.float64)
    rest = np.maximum(0.0, sums - part)
    # What is left of sums of fractions is no use.
    return np.asarray(np.where(rest < 1e-9 * sums, 0.0, rest), dtype=np.float64)


def _taken(history: History) -> pd.DataFrame:
    """``user_id``, ``asset_id``, ``objects``, ``family`` that identities besides services took.

    Without what roles surely read for jobs.
    """
    pairs = recent(
        history.pairs, history.day, ["user_id", "user_kind", "asset_id", "taken", "objects"], 1
    )
    kept = pairs["taken"].astype(bool) & (pairs["user_kind"] != "service")
    rows = pairs.loc[kept & (pairs["user_id"] != ""), ["user_id", "asset_id", "objects"]]
    rows = rows[own_readings(history, rows)]
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


def _circle_of(user: str, declared: Mapping[str, str]) -> str:
    """Name of the circle: that of the declared team, else one of the user's own."""
    return f"team {declared[user]}" if user in declared else f"peers {user}"


def _mates(history: History, users: Set[str]) -> pd.DataFrame:
    """``of`` (circle) and ``mate`` of the circles of ``users``; teams hold the user as well."""
    nodes = history.nodes
    nodes = nodes[(nodes["node_type"] == "user") & (nodes["day"] == history.day)]
    declared = teams(history.context)
    wanted = {declared[user] for user in users if user in declared}
    people = [str(user) for user in nodes.loc[nodes["kind"] != "service", "node_id"]]
    pairs = [(_circle_of(user, declared), user) for user in people if declared.get(user) in wanted]
    alone = nodes[nodes["node_id"].isin([user for user in users if user not in declared])]
    for user, peers in zip(alone["node_id"].astype(str), alone["peers"], strict=True):
        learned = () if peers is None else peers
        pairs += [(_circle_of(user, declared), str(mate)) for mate in learned if mate != user]
    # Sums of fractions depend on their order.
    return pd.DataFrame(sorted(pairs), columns=["of", "mate"])
