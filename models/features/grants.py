"""What was opened to others in the last weeks, who of them uses it, and links given away.

A grant that was taken back a minute later stays a grant: its user needs no more than the minute.
Who uses one is a stranger: an identity that the directory does not know and that comes from no
account of ours. Strangers of one account are one party, so that many sessions that take a shard
each are one taker.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.features.assets import assets_below
from models.features.people import people
from models.features.rows import explode, recent
from models.features.sensitivity import are_sensitive
from schemas.tables.values import ANYBODY_SCHEMES, GRANT_DAYS, OUR_ZONES

if TYPE_CHECKING:
    from models.features.history import History
    from models.features.places import OwnPlaces

USING_CLASSES = ("assume", "clone", "copy", "query", "read")
"""Classes by which somebody uses what was opened; opening it further is a grant of its own."""
WITHOUT_ASSET = ("aws://", "gcp://")
"""Beginnings of what is opened without the log's saying which assets lie behind it: a role, a key
of encryption, an access point."""
USED = ["party", "user_id", "user_kind", "asset_id", "objects", "opener", "opener_kind", "opened",
        "to", "strange", "ago"]  # fmt: skip


@dataclass(frozen=True)
class _Grant:
    """One row of ``grants`` in the form in which it is looked up."""

    opener: str
    opener_kind: str
    opened: str
    to: str
    strange: float
    ago: int

    def is_for(self, user: str, accounts: Collection[str], asset: str) -> bool:
        """Whether a stranger of some accounts who took ``asset`` may have used the grant."""
        place, _, account = self.to.partition("#")
        scheme, mark, name = place.partition("://")
        if self.opener == user:
            return False
        if mark and scheme in ANYBODY_SCHEMES:
            # A role that is opened to everybody says nothing of one who reads an asset.
            return not asset.startswith(WITHOUT_ASSET) and not self.opened.startswith(WITHOUT_ASSET)
        if mark and scheme == "domain":
            return user.casefold().endswith(f"@{name.casefold()}")
        if mark and scheme in ("user", "account"):
            # A pattern of the log may be an ARN, which ends in the name.
            return name.casefold() == user.casefold() or name in accounts
        if mark and scheme == "group":
            # Nobody here knows the members.
            return not self.opened.startswith(WITHOUT_ASSET)
        return account != "" and account in accounts


def used_grants(
    history: History, own: OwnPlaces, strange: dict[tuple[str, str], float]
) -> pd.DataFrame:
    """A row for each asset that a stranger took today, and each grant that allows it.

    Columns: USED. ``strange``: strangeness of each grantee by (place, opener); those of 0 are ours.
    ``objects``: those of today, or of the 30 days if these are known to be more. ``ago``: days
    since the grant.
    """
    by_asset, anywhere = _grants(history, strange)
    rows = []
    for row in _takings(history, own):
        found = by_asset.get(row["asset_id"], []) + anywhere
        rows += [
            row | vars(grant)
            for grant in found
            if grant.is_for(row["user_id"], row["accounts"], row["asset_id"])
        ]
    return pd.DataFrame(rows, columns=USED)


def _grants(
    history: History, strange: dict[tuple[str, str], float]
) -> tuple[dict[str, list[_Grant]], list[_Grant]]:
    """Grants to strange places by each asset that they open, and those without an asset."""
    columns = ["user_id", "user_kind", "asset_id", "destination"]
    rows = recent(history.grants, history.day, columns, GRANT_DAYS + 1)
    rows = rows.sort_values(["ago", *columns]).drop_duplicates(["user_id", "asset_id",
                                                                "destination"])  # fmt: skip
    below: dict[str, tuple[str, ...]] = {}
    by_asset: dict[str, list[_Grant]] = {}
    anywhere: list[_Grant] = []
    for row in rows.to_dict("records"):
        opened, to = str(row["asset_id"]), str(row["destination"])
        weight = strange.get((to, str(row["user_id"])), 0.0)
        if weight <= 0:
            continue
        grant = _Grant(
            str(row["user_id"]), str(row["user_kind"]), opened, to, weight, int(row["ago"])
        )
        if opened.startswith(WITHOUT_ASSET):
            anywhere.append(grant)
        if opened not in below:
            below[opened] = assets_below(opened, history.context)
        for asset in {opened, *below[opened]}:
            by_asset.setdefault(asset, []).append(grant)
    return by_asset, anywhere


def _takings(history: History, own: OwnPlaces) -> Iterator[dict[str, Any]]:
    """Each stranger's assets of the day with ``objects``, ``accounts`` and ``party``."""
    columns = ["user_id", "user_kind", "asset_id", "action_class", "events", "failures", "objects",
               "accounts"]  # fmt: skip
    rows = recent(history.access, history.day, columns, 1)
    rows = rows[rows["action_class"].isin(USING_CLASSES) & (rows["events"] > rows["failures"])]
    rows = rows[rows["user_id"] != ""].reset_index(drop=True)
    known = set(people(history.context).index.astype(str))
    place, names = explode(rows["accounts"])
    named: dict[int, list[str]] = {}
    for number, name in zip(place.tolist(), names, strict=True):
        named.setdefault(number, []).append(str(name))
    users = rows["user_id"].astype(str).tolist()
    ours = set(own.accounts) or {
        name for number, found in named.items() if users[number] in known for name in found
    }
    accounts: dict[str, set[str]] = {}
    for number, user in enumerate(users):
        accounts.setdefault(user, set()).update(named.get(number, ()))
    strangers = {
        user
        for user, mine in accounts.items()
        if user not in known and (mine - ours or not mine) and (known or mine)
    }
    month = _month(history)
    keys = ["user_id", "asset_id"]
    sums = rows[rows["user_id"].isin(strangers)].groupby(keys, as_index=False)
    for row in sums.agg({"user_kind": "min", "objects": "sum"}).to_dict("records"):
        user, asset = str(row["user_id"]), str(row["asset_id"])
        mine = accounts[user]
        yield {
            "party": min(mine - ours, default=user),
            "user_id": user,
            "user_kind": str(row["user_kind"]),
            "asset_id": asset,
            "objects": max(1.0, float(row["objects"]), month.get((user, asset), 0.0)),
            "accounts": frozenset(mine),
        }


def _month(history: History) -> dict[tuple[str, str], float]:
    """Objects of the 30 days by reader and asset, of those read today."""
    rows = recent(history.coverage, history.day, ["user_id", "asset_id", "objects_30"], 1)
    keys = zip(rows["user_id"].astype(str), rows["asset_id"].astype(str), strict=True)
    return dict(zip(keys, rows["objects_30"].astype("float64").tolist(), strict=True))


def links_given(history: History, known_users: int) -> pd.DataFrame:
    """Sensitive assets read by a link from where the identity that signed it never is.

    Columns: ``user_id``, ``user_kind``, ``asset_id``, ``objects``, ``alone`` (whether fewer than
    ``known_users`` others of ours work at the place). A link is a right that stands in the address
    of a request (presigned, shared access signature). A place is the identity's own after a day
    there without a link, for a link given away makes no place its own. An identity that never
    comes without one is the link itself: its places are those of earlier days.
    """
    columns = ["user_id", "user_kind", "place", "zone", "asset_id", "events", "failures",
               "linked", "linked_objects"]  # fmt: skip
    rows = recent(history.place_access, history.day, columns, 1)
    rows = rows.fillna({"linked": 0, "linked_objects": 0})
    signed = (rows["events"] - rows["failures"] > rows["linked"]).groupby(rows["user_id"]).any()
    rows = rows[
        (rows["linked_objects"] > 0) & ~rows["zone"].isin(OUR_ZONES) & are_sensitive(rows, history)
    ]
    habits = recent(
        history.place_days, history.day, ["user_id", "place", "days", "own_days", "others"], 1
    )
    rows = rows.merge(habits, on=["user_id", "place"], how="left")
    own = np.where(
        rows["user_id"].map(signed).fillna(False).to_numpy(dtype=bool),
        rows["own_days"].fillna(rows["days"]),
        rows["days"],
    )
    rows = rows[np.nan_to_num(own.astype(np.float64)) == 0].copy()
    rows["alone"] = rows["others"].fillna(0) < known_users
    rows["objects"] = rows["linked_objects"].astype("float64")
    keys = ["user_id", "asset_id", "alone"]
    sums = rows.groupby(keys).agg({"user_kind": "min", "objects": "sum"})
    return pd.DataFrame(sums).reset_index()
