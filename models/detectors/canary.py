"""Any touch of a planted decoy."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, listed_assets
from models.features.rows import active_or_in, each_row
from models.features.settings import Texts, Whole
from models.reasons.parts import Amount, Assets
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History


class CanarySettings(DetectorSettings):
    """Settings of canary.yml."""

    certain = True
    together = True
    approvable = False

    assets: Texts
    min_touches: Whole
    proof_touches: Whole


def score(history: History, settings: CanarySettings) -> list[Signal]:
    """log2(1 + events on decoys), refused ones included; higher is riskier.

    Decoys are the assets that ``assets`` names: patterns of asset ids, or of the URIs of containers
    that assets.csv does not list. No rows without them, else row 1d for everyone, 0 for those who
    touched none. Nobody has work there, so no habit excuses a touch.
    """
    if not settings.assets:
        return []
    today = history.access[history.access["day"] == history.day]
    today = today[today["user_id"] != ""]
    patterns = listed_assets(history.context)["pattern"].to_dict()
    decoys = {
        asset
        for asset in set(today["asset_id"])
        if any(
            fnmatchcase(asset, decoy) or fnmatchcase(str(patterns.get(asset, "")), decoy)
            for decoy in settings.assets
        )
    }
    touched = today[today["asset_id"].isin(decoys)]
    everyone = active_or_in(history, touched)
    groups = dict(iter(touched.groupby("user_id")))
    rows: list[Signal] = []
    for user, kind in each_row(everyone):
        mine = groups.get(user)
        if mine is None:
            nothing = Reason("touched_no_decoy")
            rows.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "touches", nothing))
            continue
        counts = mine.groupby("asset_id")["events"].sum().sort_values(kind="stable")[::-1]
        assets = [str(asset) for asset in counts.index[:EVIDENCE_ASSETS]]
        touches = float(counts.sum())
        reason = Reason(
            "touched_decoys", touches=Amount(touches, "touches"), assets=Assets(tuple(assets))
        )
        value = float(np.log2(1 + touches))
        rows.append(Signal(user, kind, "1d", value, touches, 0.0, "touches", reason, assets))
    return rows
