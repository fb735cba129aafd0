"""People near a gap in a log: who changed the log before it, and who read then or right before.

Whoever only reads as usual weighs little, and each weighs the less the more people read as much.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.features.assets import listed_assets, sensitive_assets
from models.features.rows import explode_structs, recent
from models.features.silences import WHOLE
from models.features.takings import weigh_takings
from schemas.acts import LOG_ACT
from schemas.tables.sources import SCOPE_PATTERN
from schemas.tables.values import TAKE_CLASSES

if TYPE_CHECKING:
    from models.features.history import History

HOURS_BEFORE = 2
"""Hours before a gap that count as right before it."""
SCOPE = re.compile(SCOPE_PATTERN)
FAMILIES = (("s3", "aws", "arn:aws"), ("gs", "gcp", "bigquery"), ("azure", "https"))
"""Starts of URIs of things whose logs one setting may change together."""


def scope_of(uri: str) -> str:
    """Part of a source that may be logged by itself, as in table ``source_days``."""
    found = SCOPE.match(uri)
    return found.group(0) if found else "-"


def log_changes(history: History, days: int) -> pd.DataFrame:
    """Rows of ``rare_acts`` about logs in the last ``days`` days, with ``ago``."""
    columns = ["user_id", "user_kind", "kind", "action", "asset_id", "effect", "events",
               "failures", "first_time"]  # fmt: skip
    acts = recent(history.rare_acts, history.day, columns, days)
    return acts[acts["kind"] == LOG_ACT].reset_index(drop=True)


def reaches(changed: str, scope: str, scopes: set[str]) -> bool:
    """Whether a change of the log of ``changed`` may silence the scope.

    The log of a bucket is its own. Trails, sinks and policies hold for everything of their vendor.
    ``scopes``: all scopes of the silent source.
    """
    own = scope_of(changed)
    if own in scopes and own.startswith(("s3://", "gs://", "minio://")):
        return scope in (own, WHOLE)
    vendor = _family(changed if own == "-" else own)
    return any(vendor == _family(each) for each in scopes)


def _family(uri: str) -> str:
    for family in FAMILIES:
        if uri.startswith(family):
            return family[0]
    return uri.partition(":")[0]


def readers_of_gap(history: History, gap: Any) -> pd.DataFrame:
    """Who took sensitive content of the gap's scope in or right before it.

    ``gap``: a row of GAP_COLUMNS. Columns: ``user_id``, ``user_kind``, ``asset_id``, ``objects``,
    ``value``: see :func:`models.features.takings.weigh_takings`, × the reader's part of the sum of
    all readers' squared values. In the gap, what other sources tell counts; before it what any
    source does.
    """
    taken = _taken(history, gap)
    if taken.empty:
        return taken.assign(value=0.0)
    taken = taken.groupby(["user_id", "user_kind", "asset_id"])["objects"].sum().reset_index()
    values = weigh_takings(history, taken)
    mine = pd.Series(values).groupby(taken["user_id"]).sum()
    total = float((mine**2).sum())
    shares = taken["user_id"].map(mine**2 / total if total > 0 else mine)
    return taken.assign(value=values * shares.to_numpy(dtype=np.float64))


def _taken(history: History, gap: Any) -> pd.DataFrame:
    """``user_id``, ``user_kind``, ``asset_id``, ``objects`` by row of access."""
    columns = ["user_id", "user_kind", "asset_id"]
    rows = history.access
    rows = rows[
        (rows["day"] == history.day)
        & rows["action_class"].isin(TAKE_CLASSES)
        & rows["asset_id"].isin(_sensitive_below(history, gap))
    ].reset_index(drop=True)
    place, hours = explode_structs(rows["hourly"], ("hour", "objects"))
    elsewhere = np.array(
        [any(source != gap.source for source in found) for found in rows["sources"]], dtype=bool
    )
    inside = (hours[:, 0] >= gap.first) & (hours[:, 0] <= gap.last) & elsewhere[place]
    before = (hours[:, 0] >= gap.first - HOURS_BEFORE) & (hours[:, 0] < gap.first)
    counted = np.where(inside | before, hours[:, 1], 0.0)
    objects = np.bincount(place, counted, minlength=len(rows))
    found = rows[columns].assign(objects=objects)
    if gap.first == 0:
        yesterday = recent(history.pairs, history.day, [*columns, "taken", "objects"], 2)
        yesterday = yesterday[(yesterday["ago"] == 1) & yesterday["taken"].astype(bool)]
        yesterday = yesterday[yesterday["asset_id"].isin(_sensitive_below(history, gap))]
        found = pd.concat([found, yesterday[[*columns, "objects"]]], ignore_index=True)
    return found[found["objects"] > 0]


def _sensitive_below(history: History, gap: Any) -> set[str]:
    """Sensitive assets of the scope; of a whole source, of all scopes it ever had."""
    logged = history.source_days
    scopes = (
        set(logged.loc[logged["source"] == gap.source, "scope"])
        if gap.scope == WHOLE
        else {gap.scope}
    )
    listed = listed_assets(history.context)["pattern"].to_dict()
    return {
        asset
        for asset in sensitive_assets(history.context)
        if scope_of(str(listed.get(asset, asset))) in scopes
    }
