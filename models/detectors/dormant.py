"""Content taken by an identity or a credential that was idle for a long time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS
from models.features.idleness import Break, breaks, credential_idle_days
from models.features.rows import active_entities, each_row, explode, recent
from models.features.settings import Number, Whole
from models.features.takings import sized_objects, weigh_takings, whole_objects
from models.reasons.parts import Amount, Assets, Count
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

HALF_LOOKS = 2
"""Active days within a break that halve its weight."""


class DormantSettings(DetectorSettings):
    """Settings of dormant.yml."""

    idle_days: Whole
    unseen_days: Whole
    full_days: Whole
    return_days: Whole
    credential_days: Whole
    of_credential: Number
    min_objects: Whole


def score(history: History, settings: DormantSettings) -> list[Signal]:
    """Idleness × weighed content taken, summed over assets; higher is riskier.

    Idleness is 0 to 1 (:func:`_idleness`); of an active identity's asset it is that of the longest
    idle credential that reached it, × ``of_credential``. The content is weighed by
    :func:`models.features.takings.weigh_takings`: log2(1 + objects), by sensitivity; of usual work
    a third. A file at a place with content of a listed asset counts by its size. Row 1d for
    everyone, 0 for those who were at work.
    """
    active = active_entities(history)
    if active.empty:
        return []
    users = active["user_id"].astype(str).tolist()
    least = min(settings.idle_days, settings.unseen_days)
    ended = breaks(history, users, max(1, int(settings.return_days)), int(least))
    idle = {user: _longest(found, settings) for user, found in ended.items()}
    taken = _taken(history, users)
    own = taken["user_id"].map({user: weight for user, (weight, _) in idle.items()}).fillna(0.0)
    woken = _credentials(history, taken, settings)
    taken["idle"] = np.maximum(own, woken["idle"])
    taken["of_credential"] = woken["idle"] > own
    taken["unused"] = woken["unused"]
    taken = taken[taken["idle"] > 0].reset_index(drop=True)
    taken["sized"] = sized_objects(history, taken)
    weighed = weigh_takings(history, taken.assign(objects=taken["sized"]))
    taken["value"] = taken["idle"].to_numpy() * weighed
    order = ["user_id", "value", "asset_id"]
    taken = taken.sort_values(order, ascending=[True, False, True])
    parts = dict(iter(taken.groupby("user_id")))
    return [
        _describe(user, kind, parts.get(user), idle.get(user)) for user, kind in each_row(active)
    ]


def _longest(found: list[Break], settings: DormantSettings) -> tuple[float, Break]:
    """The most idleness among breaks, and the break."""
    return max(((_idleness(each, settings), each) for each in found), key=lambda pair: pair[0])


def _idleness(ended: Break, settings: DormantSettings) -> float:
    """Days ÷ ``full_days``, at most 1; 0 below the least; less on the way back.

    The least is ``idle_days``; ``unseen_days`` where the log proves a part of the break only. Looks
    within the break and earlier breaks like it make it less idle.
    """
    least = settings.idle_days if ended.whole else settings.unseen_days
    if ended.days < least:
        return 0.0
    length = min(1.0, ended.days / max(1, settings.full_days))
    return length * ended.share / (1 + ended.looks / HALF_LOOKS) / (1 + ended.alike)


def _taken(history: History, users: list[str]) -> pd.DataFrame:
    """``user_id``, ``asset_id``, ``objects``: taken objects and entries into containers today."""
    columns = ["user_id", "asset_id", "objects", "entries"]
    rows = recent(history.pairs, history.day, columns, 1)
    rows = rows[rows["user_id"].isin(users)]
    rows = rows.assign(objects=(rows["objects"] + rows["entries"]).astype("int64"))
    kept = rows.loc[rows["objects"] > 0, ["user_id", "asset_id", "objects"]]
    return kept.reset_index(drop=True)


def _credentials(history: History, taken: pd.DataFrame, settings: DormantSettings) -> pd.DataFrame:
    """Of each row of ``taken`` the ``unused`` days of its longest idle credential, and ``idle``."""
    idle = credential_idle_days(history)
    idle = idle[idle["idle"] >= max(1, settings.credential_days)]
    access = recent(history.access, history.day, ["user_id", "asset_id", "credentials"], 1)
    row, values = explode(access["credentials"])
    used = access[["user_id", "asset_id"]].iloc[row].assign(value=np.array(values, dtype=object))
    found = used.merge(idle, on=["user_id", "value"])
    longest = found.groupby(["user_id", "asset_id"])["idle"].max()
    key = pd.MultiIndex.from_frame(taken[["user_id", "asset_id"]])
    unused = longest.reindex(key).fillna(0.0).to_numpy(dtype=np.float64)
    weight = settings.of_credential * np.minimum(1.0, unused / max(1, settings.full_days))
    return pd.DataFrame({"idle": weight, "unused": unused}, index=taken.index)


def _describe(
    user: str, kind: str, taken: pd.DataFrame | None, ended: tuple[float, Break] | None
) -> Signal:
    if taken is None:
        return Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", Reason("was_at_work"))
    assets = tuple(str(asset) for asset in taken["asset_id"])[:EVIDENCE_ASSETS]
    value, objects = float(taken["value"].sum()), float(taken["objects"].sum())
    first = taken.iloc[0]
    sentence, days = "credential_woke", float(first["unused"])
    if ended is not None and not first["of_credential"]:
        sentence, days = "woke" if ended[1].whole else "woke_unseen", float(ended[1].days)
    reason = Reason(
        sentence,
        objects=Amount(objects, "objects"),
        assets=Assets(assets),
        days=Count(days),
    )
    observed = float(whole_objects(np.array([taken["sized"].sum()]), np.array([value]))[0])
    return Signal(user, kind, "1d", value, observed, 0.0, "objects", reason, assets)
