"""The history that detectors and findings read: up to 90 days that end with the day."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import stored_frame, table_version
from jobs.platform.errors import InputError
from jobs.stages.stage import Read, StageTables
from models.features.history import History
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from models.detectors.settings import DetectorSettings
    from schemas.config import JobConfig


LOOK_BACK_DAYS = HISTORY_DAYS - 1
HISTORY_READS = (
    Read(ACCESS, LOOK_BACK_DAYS),
    Read(OBJECT_ACCESS, LOOK_BACK_DAYS),
    Read(GRAPH_NODES),
    Read(GRAPH_EDGES),
)
"""Tables of the history and the days looked back in them."""


def settings_of(config: JobConfig) -> dict[str, DetectorSettings]:
    """Detector settings in force; raises InputError with every problem."""
    from models.detectors import detector_settings
    from models.detectors.foreign_copy import ForeignCopySettings

    try:
        settings = detector_settings(config.detectors)
    except ValueError as error:
        raise InputError(str(error).splitlines()) from error
    copies = settings["foreign_copy"]
    if isinstance(copies, ForeignCopySettings) and not copies.own_accounts:
        accounts = {"own_accounts": list(config.own_accounts)}
        settings["foreign_copy"] = copies.model_copy(update=accounts)
    return settings


def read_history(tables: StageTables, config: JobConfig) -> History:
    """The history for detectors: 90 days of access, the day's graph, the context.

    Stages ``signals`` and ``findings`` read it one after the other. So the last history is kept in
    memory while its tables keep their versions.
    """
    storage, day = tables.storage, tables.day
    for read in HISTORY_READS:
        tables.require_read(read.table, day, read.days)
    versions = tuple(table_version(storage, read.table) for read in HISTORY_READS)
    access, object_access, nodes, edges = _read_frames(storage, day, versions)
    context = load_context(config.context, day)
    return History(day, access, object_access, nodes, edges, context)


@lru_cache(maxsize=1)
def _read_frames(
    storage: str, day: date, versions: tuple[int | None, ...]
) -> tuple[pd.DataFrame, ...]:
    return tuple(stored_frame(storage, read.table, day, read.days) for read in HISTORY_READS)
