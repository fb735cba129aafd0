"""Places that hold content of listed assets, and the sensitivity that they inherit from them.

A place that assets.csv does not list is as sensitive as what was copied there, directly or by way
of other places. It is nearly as sensitive as what may have been converted or packed there, by its
size; a copy of that is so, too. Copies of 90 days count together over all identities, so many small
parts count as one large one; the same object counts once (:mod:`jobs.stages.features.lineage`).

Fails for a conversion that is spread over several places, that another identity writes than the one
that read, or that is made of a copy; for more than MOST_HOPS places one after the other. A row of
access has no objects by destination, so copies to several places on a day count in full for each.
Nobody knows which objects of a place were copied on: by their bytes, else by their number, they may
be any of its content. So somebody who copies as many of their own objects marks a place.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.assets import UNKNOWN_SENSITIVITY, listed_assets
from models.features.chains import OF_ASSET, OF_SIZE
from schemas.context import Derived
from schemas.tables.values import LEAST_SHARE

if TYPE_CHECKING:
    from models.features.rows import Floats
    from schemas.context import Context

MOST_HOPS = 10
"""Places after the first one by way of which content is followed."""
EDGE = ["place", "origin", "logged"]
CONTENT = ["place", "entry", "origin", "logged"]
"""Content is followed from its first place, ``entry``: what came by two ways counts once."""


def derive(rows: pd.DataFrame, context: Context) -> dict[str, Derived]:
    """What each place holds, by the rows of LINEAGE of up to 90 days.

    Of several origins the one with the highest inherited sensitivity counts; then a logged one,
    then the larger share. Places that inherit no more than UNKNOWN_SENSITIVITY are left out.
    """
    facts = listed_assets(context)
    came = _came(rows[~rows["place"].isin(facts.index)])
    listed = came["origin"].isin(facts.index)
    held = _spread(_first_places(came[listed], facts), came[~listed & came["logged"]])
    sums = held.groupby(EDGE, as_index=False).agg(
        {"share": "sum", "sensitivity": "max", "objects": "max", "object_bytes": "min"}
    )
    sums["share"] = np.minimum(sums["share"], 1.0)
    kept = (sums["share"] >= LEAST_SHARE) & (sums["sensitivity"] > UNKNOWN_SENSITIVITY)
    found = sums[kept].sort_values(
        ["place", "sensitivity", "logged", "share", "origin"],
        ascending=[True, False, False, False, True],
    )
    first = found.drop_duplicates("place").set_index("place")
    names = [field.name for field in fields(Derived)]
    values = zip(*(first[name].tolist() for name in names), strict=True)
    return {str(place): Derived(*of) for place, of in zip(first.index, values, strict=True)}


def _came(rows: pd.DataFrame) -> pd.DataFrame:
    """EDGE, ``first`` and ``last`` (days), ``objects``, ``bytes``: the most that came in 90 days.

    Of conversions the smallest counts, for each writes the whole content anew.
    """
    amounts = rows.astype({"logged": bool, "objects": np.float64, "bytes": np.float64})
    came = amounts.groupby(EDGE, as_index=False).agg(
        first=("day", "min"),
        last=("day", "max"),
        objects=("objects", "max"),
        bytes=("bytes", "max"),
        packed=("bytes", "min"),
    )
    came["bytes"] = came["bytes"].where(came["logged"], came["packed"])
    return came.drop(columns="packed")


def _first_places(came: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """CONTENT of the places to which listed assets came, with its amounts; ``since``: a day."""
    whole, logged = facts.reindex(came["origin"]), came["logged"].to_numpy(dtype=bool)
    shares = [
        np.minimum(came[name].to_numpy() / whole[name].to_numpy(), 1.0)
        for name in ("objects", "bytes")
    ]
    # Of an asset of unknown size nobody can say that only little was copied.
    share = np.nan_to_num(np.fmax(*shares), nan=1.0)
    size, objects = np.where(logged, whole["bytes"], came["bytes"]), whole["objects"].to_numpy()
    return came[EDGE].assign(
        entry=came["place"],
        since=came["first"],
        sensitivity=whole["sensitivity"].to_numpy() * np.where(logged, OF_ASSET, OF_SIZE),
        share=np.where(logged, share, 1.0),
        objects=np.nan_to_num(objects),
        object_bytes=np.nan_to_num(size / np.where(objects > 0, objects, np.nan)),
    )


def _spread(held: pd.DataFrame, copies: pd.DataFrame) -> pd.DataFrame:
    """``held`` at all places to which it was copied on; a copy has no more than its source.

    ``copies``: rows of :func:`_came` from place to place. Of several ways from the first place
    the one counts by which most came, so that places that copy each other gain nothing.
    """
    copies = copies.drop(columns="logged").rename(
        columns={"place": "to", "origin": "place", "objects": "files"}
    )
    for _ in range(MOST_HOPS):
        onward = held.merge(copies, on="place")
        onward = onward[onward["last"] >= onward["since"]]
        onward = onward.assign(
            place=onward["to"],
            since=np.maximum(onward["since"], onward["first"]),
            share=np.minimum(onward["share"], _part(onward)),
        )
        more = pd.concat([held, onward[held.columns]]) if len(onward) else held
        more = more.sort_values(
            [*CONTENT, "share", "since"], ascending=[True] * len(CONTENT) + [False, True]
        ).drop_duplicates(CONTENT, ignore_index=True)
        if len(more) == len(held) and more["share"].sum() == held["share"].sum():
            break
        held = more
    return held


def _part(onward: pd.DataFrame) -> Floats:
    """The most that a copy (``files``, ``bytes``) may be of the content of its source, 0 to 1.

    Of converted content the number of files says nothing.
    """
    whole = onward["objects"].where(onward["objects"] > 0)
    by_bytes = onward["bytes"] / (whole * onward["object_bytes"]).where(lambda size: size > 0)
    by_files = (onward["files"] / whole).where(onward["logged"])
    part: Floats = by_bytes.fillna(by_files).fillna(1.0).clip(upper=1.0).to_numpy(np.float64)
    return part
