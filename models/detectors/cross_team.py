"""Content of assets that are far from the work of one's team, on every visit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS
from models.features.novelty import trust_after
from models.features.rows import active_entities, each_part, each_row, log_days
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number, Whole
from models.features.takings import whole_objects
from models.features.team_distance import Nearness, far_takings
from models.reasons.parts import Amount, Assets, Count, Share
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from models.features.history import History


class CrossTeamSettings(DetectorSettings):
    """Settings of cross_team.yml."""

    near_mates: Number
    near_work: Number
    settle_days: Whole
    min_objects: Number


def score(history: History, settings: CrossTeamSettings) -> list[Signal]:
    """Sum over families of distance × (sensitivity ÷ 5)² × log2(1 + objects of 30 days); ≥ 0.

    Higher is riskier. Of a family the asset of the largest value counts. The distance, 0 near to
    1 far, is that of :func:`models.features.team_distance.far_takings`: it falls when the rest of
    the team comes to use the family, or works with its owners, and never by own visits. Row 1d for
    everyone, 0 for services and for those who took near assets alone.

    The graph's communities stand behind the learned peers, who make the circle of whoever has no
    declared team. Fails for people whose work differs from that of their whole team: they keep a
    statistic, which calibration compares with their own days.
    """
    active = active_entities(history)
    if active.empty:
        return []
    rows = far_takings(history, Nearness(float(settings.near_mates), float(settings.near_work)))
    rows["value"] = (
        rows["distance"].to_numpy(dtype=np.float64)
        * sensitivity_shares(rows, history) ** 2
        * np.log2(1 + rows["objects"].to_numpy(dtype=np.float64))
        * float(trust_after(log_days(history), settings.settle_days))
    )
    rows = rows[rows["value"] > 0]
    rows = rows.sort_values(["user_id", "value", "asset_id"], ascending=[True, False, True])
    rows = rows.drop_duplicates(["user_id", "family"])
    columns = ["value", "objects", "asset_id", "users", "circle", "share"]
    groups = dict(each_part(rows, "user_id", columns))
    nothing = Reason("stayed_near")
    return [
        _signal(user, kind, groups[user])
        if user in groups
        else Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", nothing)
        for user, kind in each_row(active)
    ]


def _signal(user: str, kind: str, mine: Mapping[str, NDArray[Any]]) -> Signal:
    statistic = float(mine["value"].sum())
    objects = float(mine["objects"].sum())
    meant = float(whole_objects(np.array([objects]), np.array([statistic]))[0])
    assets = tuple(str(asset) for asset in mine["asset_id"])[:EVIDENCE_ASSETS]
    reason = Reason(
        "went_far",
        objects=Amount(objects, "objects"),
        assets=Assets(assets),
        users=Count(float(mine["users"][0])),
        circle=Count(float(mine["circle"][0])),
        share=Share(float(mine["share"][0])),
    )
    return Signal(user, kind, "1d", statistic, meant, 0.0, "objects", reason, assets)
