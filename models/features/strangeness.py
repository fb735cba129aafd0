"""How unusual it is for an identity to read so much of an asset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.assets import listed_assets
from models.features.coverage import Objects
from models.features.people import teams
from models.features.rows import Codes, Floats
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
    history: History,
    objects: Objects,
    pairs: Codes,
    share: Floats,
    days: int,
    settings: HabitSettings,
) -> Floats:
    """How unlike earlier habits a reading of ``share`` within ``days`` is, by pair, 0–1.

    Habits are readings alike (LIKE_SHARE of the share or more, within a window as long) before the
    last ``habit_gap_days``, so that a theft of several artefacts does not excuse itself at once.
    Readers alike are others of the same team and kind, or of the same kind where no team is
    declared. Daily reads by the owners do not excuse a stranger.
    """
    users, assets = objects.user_of(pairs), objects.asset_of(pairs)
    facts = listed_assets(history.context)
    names = facts["group"].reindex(objects.assets).fillna("").to_numpy(dtype=object)
    # Without siblings an artefact is a group of its own.
    labels = [name or f"={asset}" for name, asset in zip(names, objects.assets, strict=True)]
    groups = pd.factorize(np.array(labels, dtype=object))[0]
    circle, team = _circles(history, objects)
    owner = facts["owner_team"].reindex(objects.assets).to_numpy(dtype=object)
    own = _earlier_shares(objects, days, settings.habit_gap_days)
    own_groups, own_shares = groups[own["asset"].to_numpy()], own["share"].to_numpy()
    by_user = _positions(own["user"].to_numpy())
    others = _earlier_shares(objects, days, 1)
    others = others.assign(group=groups[others["asset"].to_numpy()])
    most = others.groupby(["group", "user"])["share"].max()
    readers, reader_shares = most.index.get_level_values("user").to_numpy(), most.to_numpy()
    by_group = _positions(most.index.get_level_values("group").to_numpy())
    nobody = np.zeros(0, dtype=np.int64)
    factor = np.ones(len(pairs))
    for number, (user, asset) in enumerate(zip(users, assets, strict=True)):
        group, like = int(groups[asset]), LIKE_SHARE * share[number]
        mine = by_user.get(int(user), nobody)
        alike, same = own_shares[mine] >= like, own_groups[mine] == group
        habits = (alike & same).sum() + settings.other_habit * (alike & ~same).sum()
        theirs = by_group.get(group, nobody)
        near = (circle[readers[theirs]] == circle[user]) & (readers[theirs] != user)
        colleagues = (near & (reader_shares[theirs] >= like)).sum()
        factor[number] /= (1 + habits) * (1 + settings.other_reader * colleagues)
        if team[user] and team[user] == owner[asset]:
            factor[number] *= settings.own_team
    return factor


def _circles(history: History, objects: Objects) -> tuple[Codes, list[str]]:
    """Code of each user's kind and team, and the declared team (empty: none)."""
    declared = teams(history.context)
    team = [declared.get(str(user), "") for user in objects.users]
    labels = [f"{kind}/{name}" for kind, name in zip(objects.kinds, team, strict=True)]
    return np.asarray(pd.factorize(np.array(labels, dtype=object))[0], dtype=np.int64), team


def _positions(codes: Codes) -> dict[int, Codes]:
    """Positions of each code."""
    if len(codes) == 0:
        return {}
    order = np.argsort(codes, kind="stable")
    distinct, starts = np.unique(codes[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {int(code): part for code, part in zip(distinct, parts, strict=True)}


def _earlier_shares(objects: Objects, days: int, gap: int) -> pd.DataFrame:
    """user, asset and the largest share (distinct objects ÷ total) read in any earlier window.

    Windows of so many days, before the last ``gap`` days; for those of 30 days and more, of which
    a short history holds hardly any, all the days before the gap are one window.
    """
    rows = objects.rows
    ago = rows["ago"].to_numpy()
    before = ago >= gap
    window = ago // days if days < LONG_DAYS else np.zeros(len(ago), dtype=np.int64)
    things, spans = max(1, len(objects.sizes)), HISTORY_DAYS + 1
    # An object's code tells its asset, so user × window × object is a whole key.
    key = (rows["user"].to_numpy() * spans + window) * things + rows["object"].to_numpy()
    _, first = np.unique(key[before], return_index=True)
    cell = rows["pair"].to_numpy()[before][first] * spans + window[before][first]
    cells, counts = np.unique(cell, return_counts=True)
    pair, starts = np.unique(cells // spans, return_index=True)
    most = np.maximum.reduceat(counts, starts) if len(counts) else counts
    asset = objects.asset_of(pair)
    share = np.minimum(1.0, most / np.maximum(1, objects.totals[asset]))
    return pd.DataFrame({"user": objects.user_of(pair), "asset": asset, "share": share})


def facts_names(history: History) -> dict[str, str]:
    """Name of each listed asset that has one."""
    rows = listed_assets(history.context)["name"]
    return {str(asset): str(name) for asset, name in rows.items() if name}
