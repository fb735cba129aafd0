"""How much of an artefact one identity has read, from the rows of ``coverage``.

The total of an artefact comes from assets.csv. Else it is learned: the most objects ever written to
it in a day by somebody else, or the distinct objects that anybody has read, whichever is more: who
writes more objects there makes the own share no smaller. A learned total is too small while most of
the artefact is untouched. So detectors ask for a least number of objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.assets import listed_assets
from models.features.memory import remembered
from models.features.rows import Floats

if TYPE_CHECKING:
    from models.features.history import History


@remembered
def read_today(history: History) -> pd.DataFrame:
    """Rows of COVERAGE of the day, sorted by user and asset."""
    rows = history.coverage
    today = rows[(rows["day"] == history.day) & (rows["user_id"] != "")]
    return today.sort_values(["user_id", "asset_id"], ignore_index=True)


def total_objects(rows: pd.DataFrame, history: History) -> Floats:
    """Objects of the artefact of each row of COVERAGE, 1 at least."""
    assets, copies = rows["asset_id"], history.context.derived.items()
    sizes = listed_assets(history.context)["objects"].to_dict()
    sizes |= {place: of.objects for place, of in copies if place not in sizes}
    declared = assets.map(sizes).to_numpy(dtype=np.float64)
    written = _others_wrote(rows, history)
    seen = pd.to_numeric(rows["asset_objects"]).to_numpy(dtype=np.float64)
    learned = np.nan_to_num(np.fmax(seen, written))
    return np.maximum(np.where(declared > 0, declared, learned), 1.0)


def _others_wrote(rows: pd.DataFrame, history: History) -> Floats:
    """Most objects that somebody else than the identity wrote of each row's artefact on a day.

    NaN for an artefact that nobody wrote.
    """
    written = history.assets["written"].reindex(rows["asset_id"]).to_numpy(dtype=np.float64)
    writer = history.assets["writer"].dropna()
    # Few of all artefacts are written.
    place = np.flatnonzero(rows["asset_id"].isin(writer.index))
    there = rows.iloc[place]
    own = writer.reindex(there["asset_id"]).to_numpy(dtype=object) == there["user_id"].to_numpy(
        object
    )
    others = history.assets["others_wrote"].reindex(there["asset_id"]).to_numpy(dtype=np.float64)
    written[place[own]] = others[own]
    return np.asarray(written, dtype=np.float64)


def measure_coverage(rows: pd.DataFrame, history: History, days: int) -> pd.DataFrame:
    """Coverage by each row of COVERAGE in the window of so many days that ends with its day.

    Columns: ``user_id``, ``asset_id``, ``objects`` (distinct), ``share`` (0–1, of objects or of
    bytes, whichever is more), ``fresh`` (the part of the share that the identity had not read in
    the days before the window, 0–share), ``bytes`` (NaN: not known), ``unsized`` (objects, counted
    by parts, that ``bytes`` lacks as their size is not known), ``total`` (objects of the artefact).
    """
    facts = listed_assets(history.context)["bytes"].reindex(rows["asset_id"])
    total_bytes, total = facts.to_numpy(dtype=np.float64), total_objects(rows, history)
    read, new, amounts, unsized = (
        rows[f"{name}_{days}"].to_numpy(dtype=np.float64)
        for name in ("read", "new", "bytes", "unsized")
    )
    by_bytes = np.where(total_bytes > 0, amounts / np.where(total_bytes > 0, total_bytes, 1), 0.0)
    share = np.clip(np.fmax(read / total, by_bytes), 0.0, 1.0)
    return pd.DataFrame(
        {
            "user_id": rows["user_id"].to_numpy(dtype=object),
            "asset_id": rows["asset_id"].to_numpy(dtype=object),
            "objects": rows[f"objects_{days}"].to_numpy(dtype=np.int64),
            "share": share,
            "fresh": share * new / np.maximum(read, 1e-12),
            "bytes": np.where(amounts > 0, amounts, np.nan),
            "unsized": unsized,
            "total": total,
        }
    )
