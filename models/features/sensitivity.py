"""How sensitive an asset is for the identity that touched it.

A place that assets.csv does not list may hold content of a listed asset beside other content, and
no table tells which objects of a place somebody took. So the bytes decide. An identity took other
content if it only looked, or if its bytes of the week that ends with the day are fewer than one
object of the sensitive content has, and than 5 % of all of it. Days with less than that add up over
90 days, and then 5 % of all and one object are too much. For it the place is one that nobody
lists. Where no log has the bytes, and for whoever copied or shared something there,
every taking counts. Fails for whoever takes as many bytes of other content, and for content that
was packed at the place itself, more than its objects are large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.assets import (
    EVIDENCE_ASSETS,
    UNKNOWN_SENSITIVITY,
    sensitive_assets,
    sensitivities,
)
from models.features.memory import remembered
from models.features.rows import Floats, recent
from models.features.volumes import WEEK_DAYS

if TYPE_CHECKING:
    from models.features.history import History


@remembered
def other_takings(history: History) -> frozenset[tuple[str, str]]:
    """Identities, each with a place of which it took other content than the sensitive one."""
    derived = history.context.derived
    columns = ["user_id", "asset_id", "taken", "bytes", "given"]
    rows = recent(history.pairs, history.day, columns)
    rows = rows[rows["asset_id"].isin(list(derived))]
    taken, size = rows["taken"].astype(bool), rows["bytes"].astype("float64").fillna(0.0)
    untold = (taken & rows["bytes"].isna()) | (rows["given"] > 0)
    one = rows["asset_id"].map({place: of.least_bytes for place, of in derived.items()})
    week = rows["ago"] < WEEK_DAYS
    rows = rows.assign(
        size=size.where(week, 0.0), untold=untold & week, drip=size.where(size < one, 0.0)
    )
    sums = rows.groupby(["user_id", "asset_id"], as_index=False).agg(
        {"size": "sum", "untold": "max", "drip": "sum"}
    )
    one, share = (
        sums["asset_id"].map({place: getattr(of, name) for place, of in derived.items()})
        for name in ("least_bytes", "share_bytes")
    )
    few = (sums["size"] < one.astype("float64")) & (sums["drip"] < share.astype("float64"))
    sums = sums[few & ~sums["untold"].astype(bool)]
    users, places = sums["user_id"].astype(str), sums["asset_id"].astype(str)
    return frozenset(zip(users, places, strict=True))


def sensitivity_shares(rows: pd.DataFrame, history: History) -> Floats:
    """Sensitivity ÷ 5 of each row's ``asset_id`` for its ``user_id``, 0.2 to 1; shape (rows,)."""
    known = sensitivities(history.context)
    values = [known.get(asset, UNKNOWN_SENSITIVITY) for asset in rows["asset_id"]]
    shares = np.array(values, dtype=np.float64) / 5
    shares[are_other(rows, history)] = UNKNOWN_SENSITIVITY / 5
    return shares


def are_sensitive(rows: pd.DataFrame, history: History) -> NDArray[np.bool_]:
    """Whether each row's ``user_id`` came to sensitive content of its ``asset_id``."""
    found = rows["asset_id"].isin(list(sensitive_assets(history.context))).to_numpy(dtype=bool)
    mask: NDArray[np.bool_] = found & ~are_other(rows, history)
    return mask


def are_other(rows: pd.DataFrame, history: History) -> NDArray[np.bool_]:
    """Whether each row's ``user_id`` took other content of its ``asset_id``."""
    other = other_takings(history)
    if not other:
        return np.zeros(len(rows), dtype=bool)
    pairs: Any = zip(rows["user_id"], rows["asset_id"], strict=True)
    return np.fromiter((pair in other for pair in pairs), dtype=bool, count=len(rows))


def leading_assets(
    rows: pd.DataFrame, amount: str, history: History, count: int = EVIDENCE_ASSETS
) -> dict[str, list[str]]:
    """Assets of each user, by ``amount`` × sensitivity, most first; ties by name."""
    sums = rows.groupby(["user_id", "asset_id"], sort=True)[amount].sum().reset_index()
    sums["rank"] = -sums[amount].fillna(0) * sensitivity_shares(sums, history)
    sums = sums.sort_values(["user_id", "rank", "asset_id"])
    users, starts = np.unique(sums["user_id"].to_numpy(dtype=object), return_index=True)
    parts = np.split(sums["asset_id"].to_numpy(dtype=object), starts[1:])
    return {str(user): list(part[:count]) for user, part in zip(users, parts, strict=False)}
