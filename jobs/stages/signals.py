"""Stage ``signals``: every detector's statistic of the day, calibrated by recent days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.platform.delta_tables import to_frames
from jobs.stages.history import HISTORY_READS, read_history, settings_of
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from models.features.history import History
from schemas.tables.signals import SIGNALS
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from schemas.config import JobConfig

CALIBRATED = ("entity", "detector", "window", "settings_hash", "user_kind", "statistic")
"""Columns of earlier signals; they calibrate the day's signals."""


def score_day(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Score the day and replace its rows of ``signals``; the note counts them."""
    yesterday, days = day - timedelta(days=1), config.scoring.calibration_days

    def past() -> pd.DataFrame:
        return tables.frame(SIGNALS, yesterday, days - 1, CALIBRATED)

    rows = make_signals(read_history(tables, config), past, config)
    tables.replace(to_frames(tables.spark, rows, SIGNALS), SIGNALS)
    strong = int((rows["p_value"] <= config.scoring.evidence_p).sum())
    said = f"{len(rows):,} signals of {rows['entity'].nunique():,} identities, {strong:,} strong"
    return Outcome({SIGNALS.name: len(rows)}, (said,))


def make_signals(
    history: History, past: Callable[[], pd.DataFrame], config: JobConfig
) -> pd.DataFrame:
    """Rows of SIGNALS for the history's day.

    ``past``: reads the statistics of earlier days. They are the largest table, and needed last.
    """
    from models.detectors import score_all
    from models.scoring.calibration import calibrate

    rows = score_all(history, settings_of(config))
    rows["p_value"] = calibrate(rows, past())
    rows["day"] = history.day
    return rows[SIGNALS.column_names]


STAGE = Stage(
    name="signals",
    reads=(*HISTORY_READS, Read(SIGNALS, HISTORY_DAYS)),
    writes=(SIGNALS,),
    work=score_day,
    needs=tuple(read.table for read in HISTORY_READS),
)
