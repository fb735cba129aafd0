"""Stage ``signals``: every detector's statistic of the day, calibrated by recent days."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.platform.delta_tables import to_frames
from jobs.platform.frames import is_one_of
from jobs.platform.memory import release_memory
from jobs.stages.history import HISTORY_READS, read_history, settings_of
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.tables.signals import SIGNALS
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from models.features.history import History
    from schemas.config import JobConfig

CALIBRATED = ("entity", "detector", "window", "settings_hash", "user_kind", "statistic")
"""Columns of earlier signals; they calibrate the day's signals."""
SETTINGS = ("detector", "settings_hash")
"""Columns of a signal that tell the settings it was made with."""


def score_day(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Score the day and replace its rows of ``signals``; the note counts them."""
    import pandas as pd

    yesterday, days = day - timedelta(days=1), config.scoring.calibration_days
    # The stage needs most memory of all. So what others needed before it goes first, and what the
    # detectors needed goes before the statistics of earlier days come, which are the largest table.
    release_memory()
    rows, replayed, known = _score(tables, config)
    release_memory()
    past = tables.coded_frame(SIGNALS, yesterday, days - 1, CALIBRATED)
    rows = calibrated(rows, past, day, known)
    rows = pd.concat([rows, replayed], ignore_index=True) if len(replayed) else rows
    tables.replace(to_frames(tables.spark, rows, SIGNALS), SIGNALS)
    before = tables.frame(SIGNALS, yesterday, 0, SETTINGS)
    strong = int((rows["p_value"] <= config.scoring.evidence_p).sum())
    said = f"{len(rows):,} signals of {rows['entity'].nunique():,} identities, {strong:,} strong"
    return Outcome({SIGNALS.name: len(rows)}, (said, new_settings_note(rows, before, day, days)))


def _score(
    tables: StageTables, config: JobConfig
) -> tuple[pd.DataFrame, pd.DataFrame, frozenset[str]]:
    """What the detectors say of the day, replayed leavers, and the ids of the directory."""
    from models.detectors import score_all
    from models.features.people import directory_ids

    history = read_history(tables, config)
    rows = score_all(history, settings_of(config))
    replayed = replay_leavers(tables, rows, history, config)
    return rows, replayed, directory_ids(history.context)


def calibrated(
    rows: pd.DataFrame, past: pd.DataFrame, day: date, known: Collection[str] = ()
) -> pd.DataFrame:
    """Rows of SIGNALS; ``rows``: what the detectors say of the day, ``past``: see CALIBRATED.

    ``known``: identities of the directory.
    """
    from models.scoring.calibration import calibrate

    return rows.assign(p_value=calibrate(rows, past, known), day=day)[SIGNALS.column_names]


def new_settings_note(
    rows: pd.DataFrame, before: pd.DataFrame, day: date, calibration_days: int
) -> str:
    """Detectors whose settings differ from those of the day before; empty if there are none.

    ``rows``, ``before``: SETTINGS of the signals of the day and of the day before it. Statistics of
    other settings are no reference. So such a detector has no past to compare with until the days
    are scored anew. A detector that is new itself is not named.
    """
    earlier, now = (set(frame[[*SETTINGS]].itertuples(index=False, name=None))
                    for frame in (before, rows))  # fmt: skip
    known = {name for name, _ in earlier}
    changed = sorted({name for name, _ in now - earlier if name in known})
    if not changed:
        return ""
    return (
        f"NEW SETTINGS of {', '.join(changed)}: no earlier day to compare with; `exfilwatch stage "
        f"signals --config … --start {day - timedelta(days=calibration_days)} --end {day}` "
        "scores the days before anew"
    )


def replay_leavers(
    tables: StageTables, rows: pd.DataFrame, history: History, config: JobConfig
) -> pd.DataFrame:
    """Rows of SIGNALS about the past of those of whom it is new that they leave.

    ``rows``: what the detectors say of the day. New is whoever has no such row in the 89 days
    before.
    """
    import pyarrow.compute as pc

    from models.detectors.leaver import LeaverSettings
    from models.detectors.settings import settings_hash
    from models.features.people import leaving
    from models.scoring.notice_replay import LEAVER, WINDOW, replay

    settings = settings_of(config)[LEAVER]
    if not isinstance(settings, LeaverSettings) or not settings.enabled:
        return rows[:0]
    leavers = leaving(history.context, history.day, settings.leaver_days)
    yesterday, days = history.day - timedelta(days=1), HISTORY_DAYS - 2
    replays = (pc.field("detector") == LEAVER) & (pc.field("window") == WINDOW)
    told = tables.frame(SIGNALS, yesterday, days, ["entity"], replays)["entity"]
    new = {user: leavers[user] for user in leavers.keys() - set(told)}
    if not new:
        return rows[:0]
    strong = (pc.field("p_value") <= config.scoring.evidence_p) & is_one_of("entity", new)
    earlier = tables.frame(SIGNALS, yesterday, days, None, strong)
    before = history.entity_days[history.entity_days["day"] < history.day]
    active = before.groupby("user_id")["day"].nunique()
    windows = rows.groupby("detector")["window"].nunique()
    found = replay(new, earlier, windows, active)
    found = found.assign(day=history.day, detector=LEAVER, settings_hash=settings_hash(settings))
    return found[SIGNALS.column_names]


STAGE = Stage(
    name="signals",
    reads=(*HISTORY_READS, Read(SIGNALS, HISTORY_DAYS)),
    writes=(SIGNALS,),
    work=score_day,
    needs=tuple(read.table for read in HISTORY_READS),
)
