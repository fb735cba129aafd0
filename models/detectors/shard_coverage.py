"""How much of one artefact an identity has read, where it does not usually read whole ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS
from models.features.copies_read import read_or_copied
from models.features.coverage import measure_coverage
from models.features.novelty import trust_after
from models.features.rows import Floats, active_kinds, each_part, log_days
from models.features.settings import Number, Whole
from models.features.strangeness import HabitSettings, facts_names, read_strangeness
from models.reasons.parts import Amount, Assets, Count, Days, Share
from models.reasons.reason import Reason
from schemas.tables.values import WINDOW_DAYS

if TYPE_CHECKING:
    from models.features.history import History

LEAST_REACH = {"1d": 0, "7d": 1, "30d": 7, "90d": 30}
"""Windows, and the days that a log must reach back for each."""
FURTHER_ASSETS = 1.5
"""The k-th artefact of an identity counts 1/k^1.5."""
LEADING_SHARE = 0.1
"""Part of the leading artefact's value from which another one is evidence too."""


class ShardCoverageSettings(DetectorSettings, HabitSettings):
    """Settings of shard_coverage.yml."""

    repeat_share: Number
    least_objects: Whole
    settle_days: Whole
    min_share: Number
    proof_share: Number


def score(history: History, settings: ShardCoverageSettings) -> list[Signal]:
    """Share of artefacts read, times how unlike the identity, its peers and its team that is.

    Over the artefacts read today: (fresh share + ``repeat_share`` × what it had read before) ÷
    (1 + earlier readings alike by the same identity), lessened where others read the same artefact
    or its siblings alike and where it is the own team's. Windows 1d, 7d, 30d, 90d, as far as the
    log reaches back. About 0–1 for one artefact, higher is riskier.
    """
    kinds = active_kinds(history)
    today = read_or_copied(history)
    if today.empty:
        return []
    reach = log_days(history)
    windows = [window for window, least in LEAST_REACH.items() if reach >= least]
    trust = float(trust_after(reach, settings.settle_days))
    rows: list[Signal] = []
    for window in windows:
        days = WINDOW_DAYS[window]
        part = measure_coverage(today, history, days)
        share, fresh = part["share"].to_numpy(), part["fresh"].to_numpy()
        repeat = settings.repeat_share
        kept = trust * fresh + repeat * (share - trust * fresh)
        size = part["objects"].to_numpy() / max(1.0, settings.least_objects)
        unlike = read_strangeness(history, part, days, settings)
        statistic = kept * np.minimum(1.0, size) * unlike
        rows += _describe(history, part, statistic, window, kinds)
    return rows


def _describe(
    history: History,
    part: pd.DataFrame,
    statistic: Floats,
    window: str,
    kinds: Mapping[str, str],
) -> list[Signal]:
    names = facts_names(history)
    part = part.assign(statistic=statistic).sort_values(
        ["user_id", "statistic", "asset_id"], ascending=[True, False, True]
    )
    rows: list[Signal] = []
    columns = ["statistic", "asset_id", "bytes", "share", "objects", "total", "fresh"]
    for user, mine in each_part(part, "user_id", columns):
        if user not in kinds:
            continue
        values = mine["statistic"]
        total = float((values / np.arange(1, len(values) + 1) ** FURTHER_ASSETS).sum())
        leading = mine["asset_id"][values >= LEADING_SHARE * values[0]]
        assets = [str(asset) for asset in leading[:EVIDENCE_ASSETS]]
        size = float(mine["bytes"][0])
        share = float(mine["share"][0])
        reason = Reason(
            "read_share",
            share=Share(share),
            asset=Assets((names.get(assets[0], assets[0]),)),
            days=Days(WINDOW_DAYS[window]),
            objects=Count(float(mine["objects"][0])),
            total=Count(float(mine["total"][0])),
            size=None if np.isnan(size) else Amount(size, "bytes"),
            fresh=Share(float(mine["fresh"][0])),
        )
        rows.append(Signal(user, kinds[user], window, total, share, None, "share", reason, assets))
    return rows
