"""How unusual it is for an identity to read so much of an asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.assets import families, listed_assets
from models.features.copies_read import copies_read, with_copies
from models.features.coverage import total_objects
from models.features.memory import remembered
from models.features.people import teams
from models.features.rows import Codes, Floats, recent
from models.features.settings import Number, Whole
from schemas.settings import Settings
from schemas.tables.coverage import COVERAGE_DAYS
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
    readings = _readings(history)
    habit, most = _earlier_shares(history, days, settings.habit_gap_days)
    facts, declared = listed_assets(history.context), teams(history.context)
    owners = facts["owner_team"].reindex(cover["asset_id"]).to_numpy(dtype=object)
    groups = _codes(readings.groups, families(cover["asset_id"], history.context))
    users = _codes(readings.users, cover["user_id"])
    factor = np.ones(len(cover))
    keys = zip(users, groups, cover["share"], cover["user_id"], owners, strict=True)
    for number, (user, group, share, name, owner) in enumerate(keys):
        like = LIKE_SHARE * share
        mine = readings.of_user(user)
        alike, same = habit[mine] >= like, readings.group[mine] == group
        habits = (alike & same).sum() + settings.other_habit * (alike & ~same).sum()
        readers, shares = most.of_group(group)
        near = (readings.circle[readers] == readings.circle[user]) & (readers != user)
        colleagues = (near & (shares >= like)).sum()
        factor[number] /= (1 + habits) * (1 + settings.other_reader * colleagues)
        if declared.get(name) and declared.get(name) == owner:
            factor[number] *= settings.own_team
    return factor


@dataclass(frozen=True)
class Readings:
    """Who has read what in the 90 days, in codes.

    ``users``, ``groups``: sorted; ``circle``: code of each user's kind and team. Of pairs (user ×
    artefact, sorted by user): ``user``, ``group``. Of rows of COVERAGE before the day: ``rows``
    (in the order of their pairs), ``starts`` (first row of each pair), ``ago``.
    """

    users: NDArray[Any]
    groups: NDArray[Any]
    circle: Codes
    user: Codes
    group: Codes
    rows: pd.DataFrame
    starts: Codes

    def of_user(self, user: int) -> slice:
        """The pairs of a user."""
        low, high = np.searchsorted(self.user, [user, user + 1])
        return slice(int(low), int(high))


@dataclass(frozen=True)
class MostOfGroup:
    """The largest share that each reader of a group has read; sorted by group."""

    group: Codes
    reader: Codes
    share: Floats

    def of_group(self, group: int) -> tuple[Codes, Floats]:
        """The readers of a group and their shares."""
        low, high = np.searchsorted(self.group, [group, group + 1])
        return self.reader[low:high], self.share[low:high]


@remembered
def _readings(history: History) -> Readings:
    counts = [f"objects_{days}" for days in COVERAGE_DAYS]
    columns = ["user_id", "user_kind", "asset_id", "asset_objects", *counts]
    rows = recent(history.covered, history.day, columns)
    rows = with_copies(rows, copies_read(history))
    rows = rows[rows["user_id"] != ""].reset_index(drop=True)
    user, users = pd.factorize(rows["user_id"], sort=True)
    asset, assets = pd.factorize(rows["asset_id"], sort=True)
    group, groups = pd.factorize(families(assets, history.context), sort=True)
    newest = rows["ago"].to_numpy()
    kinds = np.full(len(users), "unknown", dtype=object)
    newest_last = np.argsort(-newest, kind="stable")
    kinds[user[newest_last]] = rows["user_kind"].to_numpy(dtype=object)[newest_last]
    declared = teams(history.context)
    labels = [
        f"{kind}/{declared.get(str(name), '')}" for kind, name in zip(kinds, users, strict=True)
    ]
    pair = user * max(1, len(assets)) + asset
    earlier = np.flatnonzero(newest > 0)
    order = earlier[np.argsort(pair[earlier], kind="stable")]
    pairs, starts = np.unique(pair[order], return_index=True)
    total = total_objects(rows, history)
    return Readings(
        users=np.asarray(users),
        groups=np.asarray(groups),
        circle=np.asarray(pd.factorize(np.array(labels, dtype=object))[0], dtype=np.int64),
        user=pairs // max(1, len(assets)),
        group=group[pairs % max(1, len(assets))],
        rows=rows[["ago", *counts]].assign(total=total).iloc[order],
        starts=starts,
    )


@remembered
def _earlier_shares(history: History, days: int, gap: int) -> tuple[Floats, MostOfGroup]:
    """The largest share (distinct objects ÷ total) that was read in an earlier window.

    First of each pair of :func:`_readings`, before the last ``gap`` days; then of each reader of a
    group, before the day. Windows have so many days and end on a day with a read. For those of 30
    days and more, of which a short history holds hardly any, all the days up to the read are one
    window.
    """
    readings = _readings(history)
    column = f"objects_{days if days < LONG_DAYS else HISTORY_DAYS}"
    rows = readings.rows
    share = np.minimum(1.0, rows[column].to_numpy(np.float64) / rows["total"].to_numpy())
    before = np.where(rows["ago"].to_numpy() >= gap, share, 0.0)
    if len(share) == 0:
        none = np.zeros(0, dtype=np.int64)
        return np.zeros(0), MostOfGroup(none, none, np.zeros(0))
    habit = np.maximum.reduceat(before, readings.starts)
    most = np.maximum.reduceat(share, readings.starts)
    key = readings.group * len(readings.users) + readings.user
    order = np.argsort(key, kind="stable")
    keys, starts = np.unique(key[order], return_index=True)
    top = np.maximum.reduceat(most[order], starts)
    return habit, MostOfGroup(keys // len(readings.users), keys % len(readings.users), top)


def _codes(known: NDArray[Any], values: Any) -> list[int]:
    """Position of each value in ``known``."""
    return [int(code) for code in pd.Index(known).get_indexer(pd.Index(values))]


def facts_names(history: History) -> dict[str, str]:
    """Name of each listed asset that has one."""
    rows = listed_assets(history.context)["name"]
    return {str(asset): str(name) for asset, name in rows.items() if name}
