"""Places that hold content of listed assets, and the sensitivity that they inherit from them.

A place that assets.csv does not list is as sensitive as what was copied there. It is nearly as
sensitive as what may have been converted or packed there, by its size. Copies of 90 days are summed
over all identities, so many small parts count as one large one. Fails for copies of copies, because
nobody knows the whole of a place; for a conversion that is spread over several places, or that
another identity writes than the one that read. A row of access has no objects by destination, so
copies to several places on a day count in full for each.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from models.features.assets import UNKNOWN_SENSITIVITY, listed_assets
from models.features.chains import OF_ASSET, OF_SIZE
from schemas.context import Derived

if TYPE_CHECKING:
    import pandas as pd

    from schemas.context import Context

LEAST_SHARE = 0.05
"""Share of an asset, in objects or bytes, from which its copy makes a place sensitive. A single
object of a checkpoint would else do so for everybody who uses the place."""


def derive(rows: pd.DataFrame, context: Context) -> dict[str, Derived]:
    """What each place holds, by the rows of LINEAGE of up to 90 days.

    Of several origins the one with the highest inherited sensitivity counts; then a logged one,
    then the larger share. Places that inherit no more than UNKNOWN_SENSITIVITY are left out.
    """
    facts = listed_assets(context)
    sums = _sums(rows, facts)
    kept = (sums["share"] >= LEAST_SHARE) & (sums["sensitivity"] > UNKNOWN_SENSITIVITY)
    found = sums[kept & ~sums["place"].isin(facts.index)].sort_values(
        ["place", "sensitivity", "logged", "share", "origin"],
        ascending=[True, False, False, False, True],
    )
    first = found.drop_duplicates("place").set_index("place")
    names = [field.name for field in fields(Derived)]
    values = zip(*(first[name].tolist() for name in names), strict=True)
    return {str(place): Derived(*of) for place, of in zip(first.index, values, strict=True)}


def _sums(rows: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """``place`` and the fields of Derived, of each place, origin and ``logged``."""
    amounts = rows.astype({"logged": bool, "objects": np.float64, "bytes": np.float64})
    groups = amounts.groupby(["place", "origin", "logged"])
    came = groups[["objects", "bytes"]].sum(min_count=1).reset_index()
    whole, logged = facts.reindex(came["origin"]), came["logged"].to_numpy(dtype=bool)
    shares = [
        np.minimum(came[name].to_numpy() / whole[name].to_numpy(), 1.0)
        for name in ("objects", "bytes")
    ]
    # Of an asset of unknown size nobody can say that only little was copied.
    share = np.nan_to_num(np.fmax(*shares), nan=1.0)
    # A conversion of each day writes the whole content anew.
    packed = groups["bytes"].mean().to_numpy()
    size, objects = np.where(logged, whole["bytes"], packed), whole["objects"].to_numpy()
    return came[["place", "origin", "logged"]].assign(
        sensitivity=whole["sensitivity"].to_numpy() * np.where(logged, OF_ASSET, OF_SIZE),
        share=np.where(logged, share, 1.0),
        objects=np.nan_to_num(objects),
        object_bytes=np.nan_to_num(size / np.where(objects > 0, objects, np.nan)),
    )
