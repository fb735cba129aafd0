"""Stage ``signals``: every detector's statistic of the day, calibrated by recent days."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from jobs.context import load_context
from jobs.errors import InputError
from jobs.warehouse import replace_day, stored_frame, table_version, to_frame
from models.history import History
from schemas.tables import ACCESS, GRAPH_EDGES, GRAPH_NODES, OBJECT_ACCESS, SIGNALS

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

LOOK_BACK_DAYS = 89
CALIBRATED = ("detector", "window", "user_kind", "statistic")
"""Columns of earlier signals that calibrate the day's."""
HISTORY_TABLES = {
    ACCESS: LOOK_BACK_DAYS,
    OBJECT_ACCESS: LOOK_BACK_DAYS,
    GRAPH_NODES: 0,
    GRAPH_EDGES: 0,
}
"""Tables of the history and the days looked back in them."""
INPUTS = tuple(HISTORY_TABLES)


def run(spark: SparkSession, config: JobConfig, day: date) -> str:
    """Score the day, replace its rows of ``signals``, tell how many there are."""
    yesterday, days = day - timedelta(days=1), config.scoring.calibration_days
    past = stored_frame(config.storage, SIGNALS, yesterday, days - 1, CALIBRATED)
    rows = make_signals(read_history(config, day), past, config)
    replace_day(to_frame(spark, rows, SIGNALS), config.storage, SIGNALS, day)
    telling = int((rows["p_value"] <= config.scoring.evidence_p).sum())
    return f"{len(rows):,} signals of {rows['entity'].nunique():,} identities, {telling:,} telling"


def make_signals(history: History, past: pd.DataFrame, config: JobConfig) -> pd.DataFrame:
    """Rows of SIGNALS of the history's day; ``past``: statistics of the days before."""
    from models.calibration import calibrate
    from models.detectors import score_all

    rows = score_all(history, settings_of(config))
    rows["p_value"] = calibrate(rows, past)
    rows["day"] = history.day
    return rows[SIGNALS.column_names]


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
