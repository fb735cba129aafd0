"""What detectors and findings read of the days before."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import stored_frame, table_version
from jobs.platform.errors import InputError
from models.features.history import History
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES

if TYPE_CHECKING:
    import pandas as pd

    from schemas.config import JobConfig


LOOK_BACK_DAYS = 89
HISTORY_TABLES = {
    ACCESS: LOOK_BACK_DAYS,
    OBJECT_ACCESS: LOOK_BACK_DAYS,
    GRAPH_NODES: 0,
    GRAPH_EDGES: 0,
}
"""Tables of the history and the days looked back in them."""


def settings_of(config: JobConfig) -> dict[str, dict[str, object]]:
    """Detector settings in force; raises InputError with every problem."""
    from models.detectors import detector_settings

    try:
        settings = detector_settings(config.detectors)
    except ValueError as error:
        raise InputError(str(error).splitlines()) from error
    copies = settings["foreign_copy"]
    copies["own_accounts"] = copies["own_accounts"] or list(config.own_accounts)
    return settings


def read_history(config: JobConfig, day: date) -> History:
    """What detectors may look at: 90 days of access, the day's graph, the context.

    Both stages that look at it run one after the other, so the last one read is kept while its
    tables stay at the version they had.
    """
    versions = tuple(table_version(config.storage, table) for table in HISTORY_TABLES)
    access, object_access, nodes, edges = _read_frames(config.storage, day, versions)
    context = load_context(config.context, day)
    return History(day, access, object_access, nodes, edges, context)


@lru_cache(maxsize=1)
def _read_frames(
    storage: str, day: date, versions: tuple[int | None, ...]
) -> tuple[pd.DataFrame, ...]:
    return tuple(
        stored_frame(storage, table, day, look_back) for table, look_back in HISTORY_TABLES.items()
    )
