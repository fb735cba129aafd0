"""Stage ``signals``: every detector's statistic of the day, calibrated by recent days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.platform.delta_tables import replace_day, stored_frame, to_frame
from jobs.stages.history import HISTORY_TABLES, read_history, settings_of
from models.features.history import History
from schemas.tables.signals import SIGNALS

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

CALIBRATED = ("detector", "window", "user_kind", "statistic")
"""Columns of earlier signals that calibrate the day's."""
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
    from models.detectors import score_all
    from models.scoring.calibration import calibrate

    rows = score_all(history, settings_of(config))
    rows["p_value"] = calibrate(rows, past)
    rows["day"] = history.day
    return rows[SIGNALS.column_names]
