"""What people take with them while they are leaving, measured without excuses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, repositories
from models.features.copies_read import read_or_copied
from models.features.coverage import measure_coverage
from models.features.people import leaving
from models.features.rows import active_entities, each_group, each_row, recent
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number, Whole
from models.reasons.parts import Amount, Assets, Count, Share
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

Found = tuple[float, float, str, Reason, list[str]]
"""Statistic, observed, unit, reason, assets."""
DAYS = 7
NOTHING: Found = (0.0, 0.0, "share", Reason("leaver_takes_nothing"), [])


class LeaverSettings(DetectorSettings):
    """Settings of leaver.yml."""

    leaver_days: Whole
    many_repositories: Whole
    min_share: Number
    min_repositories: Whole


def score(history: History, settings: LeaverSettings) -> list[Signal]:
    """How much of artefacts or how many repositories somebody who leaves has taken in 7 days.

    Of artefacts read today: (share + share never read before) ÷ 2 × sensitivity ÷ 5. Of private
    repositories, on days with a clone: (cloned + cloned and never touched before) ÷ 2 ÷
    ``many_repositories``. The larger of both; 0 for everybody who is not in a notice or offer
    window. Habit, team and colleagues excuse nothing here: people who leave take their own work.
    Row 7d for everyone. A row 90d is added once for whoever comes to leave, see
    :mod:`models.scoring.notice_replay`.
    """
    active = active_entities(history)
    leavers = leaving(history.context, history.day, settings.leaver_days)
    several = settings.many_repositories
    of_artefacts, of_code = _artefacts(history, set(leavers)), _code(history, set(leavers), several)
    rows: list[Signal] = []
    for user, kind in each_row(active):
        candidates = (of_artefacts.get(user, NOTHING), of_code.get(user, NOTHING))
        statistic, observed, unit, reason, assets = max(candidates, key=lambda found: found[:3])
        if user in leavers and statistic > 0:
            reason = Reason("leaver_takes", notice=leavers[user], taken=reason)
        rows.append(Signal(user, kind, "7d", statistic, observed, None, unit, reason, assets))
    return rows


def _artefacts(history: History, leavers: set[str]) -> dict[str, Found]:
    today = read_or_copied(history)
    today = today[today["user_id"].isin(leavers)].reset_index(drop=True)
    if today.empty:
        return {}
    cover = measure_coverage(today, history, DAYS)
    weight = sensitivity_shares(cover, history)
    cover["value"] = weight * (cover["share"] + cover["fresh"]) / 2
    found = {}
    for user, part in each_group(cover, "user_id"):
        part = part.sort_values(["value", "asset_id"], ascending=[False, True])
        lead = part.iloc[0]
        leading = part.loc[part["value"] > lead["value"] / 2, "asset_id"]
        reason = Reason(
            "leaver_read",
            share=Share(float(lead["share"])),
            asset=Assets((str(lead["asset_id"]),)),
            days=Count(DAYS),
            objects=Count(float(lead["objects"])),
            total=Count(float(lead["total"])),
        )
        assets = [str(asset) for asset in leading.iloc[:EVIDENCE_ASSETS]]
        found[str(user)] = (float(lead["value"]), float(lead["share"]), "share", reason, assets)
    return found


def _code(history: History, leavers: set[str], several: float) -> dict[str, Found]:
    columns = ["user_id", "asset_id", "cloned", "first_day"]
    rows = recent(history.pairs, history.day, columns, DAYS)
    rows = rows[rows["user_id"].isin(leavers) & rows["cloned"].astype(bool)]
    known = repositories(rows["asset_id"].unique(), history.context)
    private = [asset for asset, sensitivity in known.items() if sensitivity > 1]
    window = rows[rows["asset_id"].isin(private)]
    since = history.day - timedelta(days=DAYS - 1)
    window = window.assign(fresh=[first >= since for first in window["first_day"]])
    found = {}
    for user, part in each_group(window, "user_id"):
        if not (part["ago"] == 0).any():
            continue
        each = part.groupby("asset_id")["fresh"].max().sort_index(kind="stable")
        value = float((len(each) + each.sum()) / 2 / several)
        order = np.argsort(~each.to_numpy(dtype=bool), kind="stable")
        assets = [str(asset) for asset in each.index[order][:EVIDENCE_ASSETS]]
        reason = Reason(
            "leaver_cloned",
            count=Amount(len(each), "repositories"),
            days=Count(DAYS),
            new=Count(int(each.sum())),
            assets=Assets(tuple(assets)),
        )
        found[str(user)] = (value, float(len(each)), "repositories", reason, assets)
    return found
