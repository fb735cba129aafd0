"""An identity's usual volume, and the assets that lead an unusual one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.features.baselines import Baseline, measure_baseline
from models.features.memory import remembered
from models.features.rows import Floats, recent
from models.features.sensitivity import leading_assets
from models.features.volumes import MEASURES, Volumes

if TYPE_CHECKING:
    from models.features.history import History


@remembered
def own_baseline(volumes: Volumes, measure: str, prior_days: float) -> tuple[Floats, Baseline]:
    """log(1 + amount) of the window that ends today, (users,), and the usual of each user.

    ``prior_days``: see :func:`models.features.baselines.measure_baseline`.
    """
    logs = np.log1p(volumes.amounts[measure])
    same = logs[:, volumes.same_weekday] if len(volumes.same_weekday) else None
    baseline = measure_baseline(
        logs[:, volumes.first_past :],
        logs[:, 0],
        volumes.kinds,
        volumes.circles,
        prior_days,
        same,
    )
    return logs[:, 0], baseline


@remembered
def leading_assets_by_measure(history: History, days: int) -> dict[str, dict[str, list[str]]]:
    """Assets that made most of each measure in the last ``days`` (at most 7) days, by user."""
    columns = ["user_id", "asset_id", "taken", "bytes", "objects"]
    rows = recent(history.pairs, history.day, columns, days)
    near = rows[rows["taken"].astype(bool)].assign(assets=1.0)
    return {measure: leading_assets(near, measure, history) for measure in MEASURES}
