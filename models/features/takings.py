"""Content taken, weighed: by sensitivity, by what is new, by the usual amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.features.rows import Floats, recent
from models.features.sensitivity import are_other, are_sensitive, sensitivity_shares
from models.features.volumes import WEEK_DAYS

if TYPE_CHECKING:
    from models.features.history import History

USUAL_WORK = 1 / 3
"""Weight of the work on assets touched on many days before, in the usual amounts."""
HALF_NEW_DAYS = 2
"""Days with a touch that make an asset half as new."""
LEADER_SHARE = 0.5
"""Part of the largest amount of a group from which somebody may lead it."""
LEAST_EXCESS, FULL_EXCESS = 1.0, 3.0
"""Doublings beyond the usual amount from which an asset is no usual work, and wholly not."""


def weigh_takings(history: History, taken: pd.DataFrame) -> Floats:
    """What each row of ``taken`` weighs, shape (rows,); higher is riskier.

    ``taken``: ``user_id``, ``asset_id``, ``objects`` of the day. With w = (sensitivity ÷ 5)² and u
    how unusual an asset is, a row weighs u × w × log2(1 + objects). The usual rest of an identity
    weighs USUAL_WORK × log2(1 + Σ (1 − u) × w × objects) together, for it is one day's work.

    u is 1 for an asset that the identity never touched in the 89 days before, and falls with the
    days of a touch, so one cheap look before hardly changes it. It is 1 again where the identity
    takes many times as much as on its usual day.
    """
    pairs = recent(history.pairs, history.day, ["user_id", "asset_id", "days_before"], 1)
    before = pairs.set_index(["user_id", "asset_id"])["days_before"]
    key = pd.MultiIndex.from_frame(taken[["user_id", "asset_id"]])
    days = before.reindex(key).fillna(0).to_numpy(dtype=np.float64)
    unusual = np.maximum(1 / (1 + days / HALF_NEW_DAYS), _excess(history, taken))
    weight = sensitivity_shares(taken, history) ** 2
    objects = taken["objects"].to_numpy(dtype=np.float64)
    usual = pd.Series((1 - unusual) * weight * objects, index=taken.index)
    together = usual.groupby(taken["user_id"]).transform("sum")
    share = usual / together.where(together > 0, 1.0)
    rest = USUAL_WORK * _log2(together) * share.to_numpy()
    amounts: Floats = unusual * weight * np.log2(1 + objects) + rest
    return amounts


def sized_objects(history: History, taken: pd.DataFrame) -> Floats:
    """Objects of each row of ``taken`` (see :func:`weigh_takings`), by size at derived places.

    One file may hold a whole checkpoint. So a row counts as many objects of the place's origin as
    its bytes stand for, if that is more. Without known bytes, and of other content of the place, it
    counts the objects taken.
    """
    if not taken["asset_id"].isin(list(history.context.derived)).any():
        return taken["objects"].to_numpy(dtype=np.float64)
    columns = ["user_id", "asset_id", "objects", "bytes"]
    pairs = recent(history.pairs, history.day, columns, 1).set_index(["user_id", "asset_id"])
    one = pairs["bytes"].astype("float64") / pairs["objects"].astype("float64")
    key = pd.MultiIndex.from_frame(taken[["user_id", "asset_id"]])
    return sized_rows(history, taken, taken["objects"].to_numpy() * one.reindex(key).to_numpy())


def sized_rows(history: History, taken: pd.DataFrame, sizes: Any) -> Floats:
    """See :func:`sized_objects`; ``sizes``: bytes of each row, NaN where no log has them."""
    origins = [history.context.derived.get(str(asset)) for asset in taken["asset_id"]]
    meant = [
        min(of.objects, size / of.object_bytes) if of and of.object_bytes > 0 else 0.0
        for of, size in zip(origins, np.nan_to_num(sizes, posinf=0.0), strict=True)
    ]
    meant_here = np.where(are_other(taken, history), 0.0, meant)
    sized: Floats = np.maximum(taken["objects"].to_numpy(dtype=np.float64), meant_here)
    return sized


def sensitive_of_week(history: History) -> pd.DataFrame:
    """Sensitive assets that each identity took from in the seven days that end with the day.

    Columns: ``user_id``, ``asset_id``, ``objects`` (summed over days, by size at derived places);
    sorted by both keys.
    """
    columns = ["user_id", "asset_id", "taken", "objects", "bytes"]
    rows = recent(history.pairs, history.day, columns, WEEK_DAYS)
    rows = rows[rows["taken"].astype(bool) & are_sensitive(rows, history)]
    sized = sized_rows(history, rows, rows["bytes"].astype("float64").to_numpy())
    rows = rows.assign(objects=sized.round().astype("int64"))
    return rows.groupby(["user_id", "asset_id"])["objects"].sum().reset_index()


def _log2(objects: pd.Series) -> Floats:
    logs: Floats = np.log2(1 + objects.to_numpy(dtype=np.float64))
    return logs


def _excess(history: History, taken: pd.DataFrame) -> Floats:
    """How far each identity's sum of objects is beyond its usual day, 0 to 1."""
    rows = recent(history.entity_days, history.day, ["user_id", "objects"])
    past = rows[(rows["ago"] > 0) & (rows["objects"] > 0)]
    logs = pd.Series(_log2(past["objects"]), index=past.index)
    usual = taken["user_id"].map(logs.groupby(past["user_id"]).mean()).astype("float64").fillna(0)
    today = _log2(taken.groupby("user_id")["objects"].transform("sum"))
    share = (today - usual.to_numpy() - LEAST_EXCESS) / (FULL_EXCESS - LEAST_EXCESS)
    excess: Floats = np.clip(share, 0.0, 1.0)
    return excess


def leader_of(taken: pd.Series) -> str | None:
    """The first by name of those who took LEADER_SHARE of the largest amount or more.

    ``taken``: amounts by identity. The largest itself would be another one each day, and each would
    be a new finding. None where nobody took anything.
    """
    large = taken[taken >= LEADER_SHARE * taken.max()]
    return str(min(large.index)) if len(large) else None


def whole_objects(objects: Floats, statistic: Floats) -> Floats:
    """Objects that a weighed taking stands for, at most those taken: 2^statistic − 1."""
    meant: Floats = np.minimum(objects, np.exp2(np.minimum(statistic, 60.0)) - 1)
    return meant
