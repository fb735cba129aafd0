"""An identity's usual volume, and the assets that lead an unusual one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.assets import leading_assets
from models.features.baselines import Baseline, measure_baseline
from models.features.rows import Codes, Floats
from models.features.volumes import (
    Volumes,
)

if TYPE_CHECKING:
    from models.features.history import History


def own_baseline(
    volumes: Volumes, measure: str, circles: list[Codes], prior_days: float
) -> tuple[Floats, Baseline]:
    """log(1 + amount) of the window that ends today, (users,), and the usual of each user.

    ``prior_days``: see :func:`models.features.baselines.measure_baseline`.
    """
    logs = np.log1p(volumes.amounts[measure])
    same = logs[:, volumes.same_weekday] if len(volumes.same_weekday) else None
    baseline = measure_baseline(
        logs[:, volumes.first_past :],
        logs[:, 0],
        volumes.kinds,
        circles,
        prior_days,
        same,
    )
    return logs[:, 0], baseline


def leading_assets_by_measure(
    history: History, taken: pd.DataFrame, days: int
) -> dict[str, dict[str, list[str]]]:
    """Assets that made most of each measure in the window, by user."""
    near = taken[taken["ago"] < days].assign(assets=1.0)
    columns = {"bytes": "bytes_out", "objects": "objects", "assets": "assets"}
    return {
        measure: leading_assets(near, column, history.context)
        for measure, column in columns.items()
    }
