"""Stage ``signals``: every detector's statistic of the day, calibrated by recent days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.context import load_context
from jobs.errors import InputError
from jobs.warehouse import read_days, replace_day, to_frame
from schemas.tables import ACCESS, GRAPH_EDGES, GRAPH_NODES, OBJECT_ACCESS, SIGNALS, Table

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

    from models.history import History
    from schemas.config import JobConfig

LOOK_BACK_DAYS = 89


def run(spark: SparkSession, config: JobConfig, day: date) -> str:
    """Score the day, replace its rows of ``signals``, tell how many there are."""
    past = read_days(
        spark, config.storage, SIGNALS, day - timedelta(days=1), config.scoring.calibration_days - 1
    ).select("detector", "window", "user_kind", "statistic")
    rows = make_signals(read_history(spark, config, day), past.toPandas(), config)
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


def read_history(spark: SparkSession, config: JobConfig, day: date) -> History:
    """What detectors may look at: 90 days of access, the day's graph, the context."""
    from models.history import History

    def rows(table: Table, look_back: int) -> pd.DataFrame:
        return read_days(spark, config.storage, table, day, look_back).toPandas()

    return History(
        day=day,
        access=rows(ACCESS, LOOK_BACK_DAYS),
        object_access=rows(OBJECT_ACCESS, LOOK_BACK_DAYS),
        nodes=rows(GRAPH_NODES, 0),
        edges=rows(GRAPH_EDGES, 0),
        context=load_context(config.context, day),
    )
