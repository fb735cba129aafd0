"""What a detector may look at: the day scored and the days before it, never a later one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from schemas.context import Context

SIGNAL_COLUMNS = (
    "entity",
    "user_kind",
    "window",
    "statistic",
    "observed",
    "expected",
    "unit",
    "reason",
    "asset_ids",
    "related_users",
)
"""Columns of the frame that every detector returns: one row per (entity, window) that was active.

``statistic`` is on the detector's own scale, higher is riskier; it is calibrated afterwards
against the statistics of recent days, so a detector returns a row for every active entity, not
only for suspicious ones.
"""


@dataclass(frozen=True)
class History:
    """Inputs of the detectors for one day.

    ``access``, ``object_access``: rows of schemas.tables.ACCESS / OBJECT_ACCESS of the trailing 90
    days, the day itself included; ``nodes``, ``edges``: the graph of the day. ``day`` columns are
    ``datetime.date``.
    """

    day: date
    access: pd.DataFrame
    object_access: pd.DataFrame
    nodes: pd.DataFrame
    edges: pd.DataFrame
    context: Context
