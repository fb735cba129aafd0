"""How much of one artefact an identity has read, where it does not usually read whole ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.coverage import Objects, load_objects, measure_coverage
from models.features import (
    EVIDENCE_ASSETS,
    HISTORY_DAYS,
    Codes,
    Floats,
    active_kinds,
    each_group,
    listed_assets,
    log_days,
    settled,
    teams,
)
from models.history import SIGNAL_COLUMNS
from models.wording import say_amount, say_count, say_days, say_share

if TYPE_CHECKING:
    from models.history import History

WINDOWS = {1: "1d", 7: "7d", 30: "30d", 90: "90d"}
FURTHER_ASSETS = 1.5
"""The k-th artefact of an identity counts 1/k^1.5."""
TELLING_SHARE = 0.1
"""Part of the leading artefact's value from which another one is evidence too."""
LONG_DAYS = 30
LIKE_SHARE = 0.8
"""Part of the share in question that makes an earlier reading a reading alike."""


def score(history: History, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Share of artefacts read, times how unlike the identity, its peers and its team that is.

    Over the artefacts read today: (fresh share + ``repeat_share`` × what it had read before) ÷
    (1 + earlier readings alike by the same identity), lessened where others read the same artefact
    or its siblings alike and where it is the own team's. Windows 1d, 7d, 30d, 90d, as far as the
    log reaches back. About 0–1 for one artefact, higher is riskier.
    """
    kinds = active_kinds(history)
    objects = load_objects(history)
    pairs = objects.touched(1)
    if len(pairs) == 0:
        return pd.DataFrame(columns=SIGNAL_COLUMNS)
    reach = log_days(history)
    windows = tuple(days for days, least in ((1, 0), (7, 1), (30, 7), (90, 30)) if reach >= least)
    cover = measure_coverage(objects, pairs, windows)
    trust = float(settled(reach, settings["settle_days"]))
    rows: list[tuple[Any, ...]] = []
    for days in windows:
        part = cover[cover["days"] == days].reset_index(drop=True)
        share, fresh = part["share"].to_numpy(), part["fresh"].to_numpy()
        repeat = float(settings["repeat_share"])
        kept = trust * fresh + repeat * (share - trust * fresh)
        size = part["objects"].to_numpy() / max(1.0, float(settings["least_objects"]))
        unlike = read_strangeness(history, objects, pairs, share, days, settings)
        statistic = kept * np.minimum(1.0, size) * unlike
        rows += _describe(history, objects, part, statistic, days, kinds)
    return pd.DataFrame(rows, columns=SIGNAL_COLUMNS)


def read_strangeness(
    history: History,
    objects: Objects,
    pairs: Codes,
    share: Floats,
    days: int,
    settings: Mapping[str, Any],
) -> Floats:
    """How unlike earlier habits a reading of ``share`` within ``days`` is, by pair, 0–1.

    Habits are readings alike (LIKE_SHARE of the share or more, within a window as long) before the
    last ``habit_gap_days``, so that a theft of several artefacts does not excuse itself at once.
    Readers alike are others of the same team and kind, or of the same kind where no team is
    declared: what its owners do every day excuses no stranger.
    """
    users, assets = objects.user_of(pairs), objects.asset_of(pairs)
    facts = listed_assets(history.context)
    names = facts["group"].reindex(objects.assets).fillna("").to_numpy(dtype=object)
    # Without siblings an artefact is a group of its own.
    labels = [name or f"={asset}" for name, asset in zip(names, objects.assets, strict=True)]
    groups = pd.factorize(np.array(labels, dtype=object))[0]
    circle, team = _circles(history, objects)
    owner = facts["owner_team"].reindex(objects.assets).to_numpy(dtype=object)
    own = _earlier_shares(objects, days, int(settings["habit_gap_days"]))
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
        habits = (alike & same).sum() + float(settings["other_habit"]) * (alike & ~same).sum()
        theirs = by_group.get(group, nobody)
        near = (circle[readers[theirs]] == circle[user]) & (readers[theirs] != user)
        colleagues = (near & (reader_shares[theirs] >= like)).sum()
        factor[number] /= (1 + habits) * (1 + float(settings["other_reader"]) * colleagues)
        if team[user] and team[user] == owner[asset]:
            factor[number] *= float(settings["own_team"])
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


def _describe(
    history: History,
    objects: Objects,
    part: pd.DataFrame,
    statistic: Floats,
    days: int,
    kinds: Mapping[str, str],
) -> list[tuple[Any, ...]]:
    pairs = part["pair"].to_numpy()
    names = facts_names(history)
    part = part.assign(
        statistic=statistic, user=objects.user_of(pairs), asset=objects.asset_of(pairs)
    ).sort_values(["user", "statistic", "asset"], ascending=[True, False, True])
    rows: list[tuple[Any, ...]] = []
    for code, mine in each_group(part, "user"):
        user = str(objects.users[code])
        if user not in kinds:
            continue
        values = mine["statistic"].to_numpy()
        total = float((values / np.arange(1, len(values) + 1) ** FURTHER_ASSETS).sum())
        lead = mine.iloc[0]
        telling = mine[mine["statistic"] >= TELLING_SHARE * lead["statistic"]]
        assets = [str(asset) for asset in objects.assets[telling["asset"].iloc[:EVIDENCE_ASSETS]]]
        size = "" if np.isnan(lead["bytes"]) else f", {say_amount(lead['bytes'], 'bytes')}"
        reason = (
            f"read {say_share(lead['share'])} of {names.get(assets[0], assets[0])} in "
            f"{say_days(days)} ({say_count(lead['objects'])} of {say_count(lead['total'])} objects"
            f"{size}), {say_share(lead['fresh'])} of it never read before"
        )
        rows.append(
            (user, kinds[user], WINDOWS[days], total, float(lead["share"]), None, "share", reason,
             assets, [])
        )  # fmt: skip
    return rows


def facts_names(history: History) -> dict[str, str]:
    """Name of each listed asset that has one."""
    rows = listed_assets(history.context)["name"]
    return {str(asset): str(name) for asset, name in rows.items() if name}
