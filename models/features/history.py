"""What a detector may look at: the day scored and the days before it, never a later one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from schemas.context import Context


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
