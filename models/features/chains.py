"""Content that leaves in steps: collected, brought to another place, packed, sent, cleaned up.

A chain is told of one identity and one place: a container that is no listed asset, into which the
identity wrote or copied after it read sensitive assets. The place gets the content if a log says
that a sensitive asset or a copy of one was copied there, or if as many bytes were written as the
content has when packed 1 to 16 times. Names of files say nothing, because their writer chooses
them. Fails for content that is read at a copy and written anew, because only what was read of
listed assets is a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.assets import listed_assets, sensitive_assets
from models.features.rows import recent
from schemas.tables.values import MOST_COMPRESSION, SLACK, STEP_NAMES

if TYPE_CHECKING:
    from models.features.history import History

WEEK_DAYS = 7
LEAVING = ("send", "clean")
"""Steps without which reading and writing is everybody's work."""
PACKED = 4
"""How many times fewer objects are a pack of them."""
OF_ASSET, OF_SIZE = 1.0, 0.7
"""How surely the place holds the content: a log says it, or the size fits."""


@dataclass(frozen=True)
class Chain:
    """What one identity did with one place, in order.

    ``objects``: objects collected; ``joined``: 0 to 1; ``start``: days ago of the first step;
    ``weeks``: weeks before that one in which the identity did a chain with the place; ``today``:
    whether a step was on the day.
    """

    place: str
    steps: tuple[str, ...]
    assets: tuple[str, ...]
    objects: float
    joined: float
    start: int
    weeks: int
    today: bool


def chains(history: History, days: int, least_steps: int) -> dict[str, list[Chain]]:
    """Chains of ``least_steps`` and more of each identity, within ``days`` days that end today."""
    columns = ["user_id", "step", "place", "source", "objects", "bytes", "first_hour", "last_hour"]
    rows = recent(history.steps, history.day, columns)
    rows["bytes"] = rows["bytes"].astype("float64")
    rows["start"] = rows["first_hour"] - 24 * rows["ago"]
    rows["end"] = rows["last_hour"] - 24 * rows["ago"]
    listed = listed_assets(history.context)
    least = {place: of.least_bytes for place, of in history.context.derived.items()}
    # What is a place of everybody's artefacts is none of one's own.
    rows = rows[(rows["step"].isin(["collect", "pack"])) | ~rows["place"].isin(listed.index)]
    each = (listed["bytes"] / listed["objects"]).replace([np.inf], np.nan)
    estimated = rows["objects"] * rows["place"].map(each).astype("float64")
    rows = rows.assign(
        of_asset=rows["source"].isin(list(sensitive_assets(history.context)))
        & ~(rows["bytes"] < rows["source"].map(least).astype("float64")),
        size=rows["bytes"].fillna(estimated),
    )
    open_places = _open_places(rows[rows["ago"] < days])
    found: dict[str, list[Chain]] = {}
    for user, mine in rows[rows["user_id"].isin(list(open_places))].groupby("user_id"):
        within, places = mine[mine["ago"] < days], open_places[str(user)]
        made = [_shortest(within, place) for place in places]
        kept = [
            chain for chain in made if chain and len(chain.steps) >= least_steps and chain.today
        ]
        if kept:
            found[str(user)] = [_with_weeks(chain, mine, least_steps) for chain in kept]
    return found


def _open_places(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Places of each identity that may end a chain today: staged, sent on or cleaned, one today.

    Every chain of :func:`_chain` that went on today has such a place. Most identities have none.
    """
    columns = ["user_id", "step", "place", "ago"]
    of_place = rows.loc[rows["step"].isin(["stage", *LEAVING]), columns]
    copied = rows[(rows["step"] == "stage") & (rows["source"] != "")]
    onwards = copied.assign(place=copied["source"], step="send")[columns]
    steps = pd.concat([of_place, onwards])
    steps = steps.assign(staged=steps["step"] == "stage", left=steps["step"].isin(LEAVING))
    sums = steps.groupby(["user_id", "place"], as_index=False).agg(
        {"staged": "max", "left": "max", "ago": "min"}
    )
    kept = sums[sums["staged"] & sums["left"] & (sums["ago"] == 0)]
    found: dict[str, list[str]] = {}
    for user, place in zip(kept["user_id"].astype(str), kept["place"].astype(str), strict=True):
        found.setdefault(user, []).append(place)
    return found


def _shortest(rows: pd.DataFrame, place: str) -> Chain | None:
    """The chain of the last week, unless the whole time shows more steps."""
    whole, week = (_chain(part, place) for part in (rows, rows[rows["ago"] < WEEK_DAYS]))
    return week if week and whole and len(week.steps) >= len(whole.steps) else whole


def _chain(rows: pd.DataFrame, place: str) -> Chain | None:
    """The chain of one identity with a place; None if the place has nothing of the content.

    ``rows``: rows of STEPS with ``of_asset`` (copied from a sensitive asset) and ``size`` (bytes,
    estimated where no log has them).

    None, too, if nothing was sent or deleted there after that.
    """
    collected = rows[rows["step"].isin(["collect", "pack"])]
    staged = rows[(rows["step"] == "stage") & (rows["place"] == place)]
    copied = staged[staged["of_asset"]]
    start = min([*collected["start"], *copied["start"]], default=np.inf)
    staged = staged[staged["end"] >= start]
    if staged.empty:
        return None
    collected = collected[collected["start"] <= staged["end"].max()]
    if len(copied):
        taken, joined = copied.assign(place=copied["source"]), OF_ASSET
    else:
        taken, joined = _fitting(collected, staged), OF_SIZE
    if taken.empty:
        return None
    objects = float(taken.groupby("place")["objects"].sum().sum())
    arrived = float(staged["start"].min())
    steps = {"collect", "stage"}
    files = float(staged.loc[staged["source"] == "", "objects"].sum())
    if (taken["step"] == "pack").any() or 0 < files * PACKED <= objects:
        steps.add("pack")
    sent = _sent(rows, place, arrived)
    if len(sent):
        steps.add("send")
        arrived = float(sent["start"].min())
    cleaned = rows[(rows["step"] == "clean") & (rows["place"] == place) & (rows["end"] >= arrived)]
    if len(cleaned):
        steps.add("clean")
    if not steps & {"send", "clean"}:
        # Reading and writing alone is everybody's work.
        return None
    latest = min([*staged["ago"], *sent["ago"], *cleaned["ago"]])
    sums = taken.groupby("place")["objects"].sum().sort_values(ascending=False, kind="stable")
    return Chain(
        place=place,
        steps=tuple(step for step in STEP_NAMES if step in steps),
        assets=tuple(str(asset) for asset in sums.index),
        objects=objects,
        joined=joined,
        start=int(max([*taken["ago"], *staged["ago"]])),
        weeks=0,
        today=latest == 0,
    )


def _fitting(collected: pd.DataFrame, staged: pd.DataFrame) -> pd.DataFrame:
    """Rows of the assets of which the bytes written may be a pack: each alone, else all."""
    written = float(staged["bytes"].sum())
    sizes = collected.groupby("place")["size"].sum()
    alone = sizes[sizes.map(lambda size: _may_be(written, size))]
    if len(alone):
        return collected[collected["place"].isin(alone.index)]
    return collected if _may_be(written, float(sizes.sum())) else collected.iloc[:0]


def _may_be(written: float, size: float) -> bool:
    """Whether so many bytes may be content of ``size`` bytes, packed or not."""
    return written > 0 and size / MOST_COMPRESSION / SLACK <= written <= size * SLACK


def _sent(rows: pd.DataFrame, place: str, since: float) -> pd.DataFrame:
    """Steps by which the content of the place went on: outside, to others or to another place."""
    outside = (rows["step"] == "send") & (rows["place"] == place)
    onwards = (rows["step"] == "stage") & (rows["source"] == place)
    return rows[(outside | onwards) & (rows["end"] >= since)]


def _with_weeks(chain: Chain, rows: pd.DataFrame, least_steps: int) -> Chain:
    """The chain with the earlier weeks in which the identity did one with the place, too.

    A rehearsal counts only if it was a chain itself, with sensitive content.
    """
    weeks = 0
    week = rows["ago"] // WEEK_DAYS
    for number in range(chain.start // WEEK_DAYS + 1, int(week.max()) + 1):
        earlier = _chain(rows[week == number], chain.place)
        weeks += bool(earlier and len(earlier.steps) >= least_steps)
    return replace(chain, weeks=weeks)
