"""How unusual it is for an identity to read so much of an asset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.assets import listed_assets
from models.features.coverage import total_objects
from models.features.memory import remembered
from models.features.people import teams
from models.features.rows import Floats, recent
from models.features.settings import Number, Whole
from schemas.settings import Settings
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History


LONG_DAYS = 30
LIKE_SHARE = 0.8
"""Part of the share in question that makes an earlier reading a reading alike."""


class HabitSettings(Settings):
    """How far habits excuse a reading; units and effects are in the detectors' yml."""

    habit_gap_days: Whole
    other_habit: Number
    other_reader: Number
    own_team: Number


def read_strangeness(
    history: History, cover: pd.DataFrame, days: int, settings: HabitSettings
) -> Floats:
    """How unlike earlier habits each reading in ``cover`` (``share`` within ``days``) is, 0–1.

    ``cover``: ``user_id``, ``asset_id``, ``share``. Habits are readings alike (LIKE_SHARE of the
    share or more, within a window as long) before the last ``habit_gap_days``, so that a theft of
    several artefacts does not excuse itself at once. Readers alike are others of the same team and
    kind, or of the same kind where no team is declared. Daily reads by the owners do not excuse a
    stranger.
    """
    facts, declared = listed_assets(history.context), teams(history.context)
    earlier = _earlier_shares(history, days)
    habits = earlier[earlier["ago"] >= settings.habit_gap_days]
    own = habits.groupby(["user_id", "asset_id"], sort=False)["share"].max().reset_index()
    own["group"] = _groups(own["asset_id"], facts)
    others = earlier.assign(group=_groups(earlier["asset_id"], facts))
    most = others.groupby(["group", "user_id"], sort=False)["share"].max().reset_index()
    kinds = _kinds(history)
    circle = [_circle(user, kinds, declared) for user in most["user_id"]]
    by_user = dict(iter(own.groupby("user_id")[["group", "share"]]))
    by_group = dict(iter(most.assign(circle=circle).groupby("group")))
    owners = facts["owner_team"].reindex(cover["asset_id"]).to_numpy(dtype=object)
    groups = _groups(cover["asset_id"], facts)
    factor = np.ones(len(cover))
    keys = zip(cover["user_id"], groups, cover["share"], owners, strict=True)
    for number, (user, group, share, owner) in enumerate(keys):
        like = LIKE_SHARE * share
        if user in by_user:
            mine = by_user[user]
            alike = mine["share"].to_numpy() >= like
            same = mine["group"].to_numpy() == group
            habit = (alike & same).sum() + settings.other_habit * (alike & ~same).sum()
            factor[number] /= 1 + habit
        if group in by_group:
            theirs = by_group[group]
            near = theirs["circle"].to_numpy() == _circle(user, kinds, declared)
            near &= theirs["user_id"].to_numpy() != user
            colleagues = (near & (theirs["share"].to_numpy() >= like)).sum()
            factor[number] /= 1 + settings.other_reader * colleagues
        if declared.get(user) and declared.get(user) == owner:
            factor[number] *= settings.own_team
    return factor


def _groups(assets: pd.Series, facts: pd.DataFrame) -> NDArray[Any]:
    """What each artefact has in common with its siblings; without any it stands for itself."""
    names = facts["group"].reindex(assets).fillna("").to_numpy(dtype=object)
    return np.where(names == "", "=" + assets.to_numpy(dtype=object), names)


@remembered
def _kinds(history: History) -> dict[str, str]:
    """The newest kind of each identity that read an artefact."""
    rows = history.coverage[history.coverage["day"] <= history.day].sort_values("day")
    return dict(zip(rows["user_id"], rows["user_kind"], strict=True))


def _circle(user: str, kinds: Mapping[str, str], declared: Mapping[str, str]) -> str:
    return f"{kinds.get(user, 'unknown')}/{declared.get(user, '')}"


@remembered
def _earlier_shares(history: History, days: int) -> pd.DataFrame:
    """``user_id``, ``asset_id``, ``ago`` and ``share`` (distinct objects ÷ total) of earlier days.

    Windows of so many days, each ending on a day with a read. For those of 30 days and more, of
    which a short history holds hardly any, all the days up to the read are one window.
    """
    column = f"objects_{days if days < LONG_DAYS else HISTORY_DAYS}"
    columns = ["user_id", "asset_id", "asset_objects", column]
    rows = recent(history.coverage, history.day, columns)
    rows = rows[(rows["ago"] > 0) & (rows["user_id"] != "")].reset_index(drop=True)
    share = np.minimum(1.0, rows[column].to_numpy(np.float64) / total_objects(rows, history))
    return rows[["user_id", "asset_id", "ago"]].assign(share=share)


def facts_names(history: History) -> dict[str, str]:
    """Name of each listed asset that has one."""
    rows = listed_assets(history.context)["name"]
    return {str(asset): str(name) for asset, name in rows.items() if name}
