"""The queue that stored days would have under other settings: nothing is written, no engine starts.

The days are scored from the stored signals. A detector whose statistic depends on a changed
setting makes its signals anew from the feature tables. The days before that serve as reference and
memory are scored as well, so that the queue's length rests on the new weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from jobs.platform.delta_tables import written_days
from jobs.platform.errors import InputError
from jobs.platform.frames import stored_frame
from jobs.platform.progress import advance
from jobs.stages.findings import (
    PAST_COLUMNS,
    SHOWN_COLUMNS,
    STAGE,
    DayQueue,
    approved_access,
    decide,
    memory_days,
    told_signals,
)
from jobs.stages.history import read_history, settings_of
from jobs.stages.signals import CALIBRATED
from jobs.stages.stage import StageTables
from schemas.tables.findings import FINDINGS
from schemas.tables.signals import SIGNALS

if TYPE_CHECKING:
    import pandas as pd

    from models.detectors.settings import DetectorSettings
    from models.features.history import History
    from schemas.config import JobConfig

STEPS = "days"


@dataclass(frozen=True)
class Entry:
    """One identity in the queue of one day, before or after the change; None: not in the queue."""

    day: date
    user: str
    rank_before: int | None
    rank_after: int | None
    score_before: float | None
    score_after: float | None
    detector: str
    """The leading detector, after the change where the identity is in the queue then."""

    @property
    def change(self) -> str:
        """``enters``, ``leaves`` or ``stays``."""
        if self.rank_before is None:
            return "enters"
        return "leaves" if self.rank_after is None else "stays"


def preview(config: JobConfig, days: Sequence[date]) -> Iterator[Entry]:
    """The entries of the queues of the stored ``days``, before and after, by day and rank.

    Before: as the table ``findings`` holds it. Raises :class:`InputError` if a day has no signals.
    """
    scored = _days_to_score(config, days)
    settings = settings_of(config)
    changed = _changed(config, settings, scored)
    off = [name for name, each in settings.items() if not each.enabled]
    shown: list[pd.DataFrame] = []
    past: list[pd.DataFrame] = []
    made: dict[date, pd.DataFrame] = {}
    for number, day in enumerate(scored):
        advance(STEPS, 0 if number == 0 else 1, len(scored))
        tables = StageTables(STAGE.name, STAGE.reads, (), day, config.storage, None)
        history = read_history(tables, config)
        signals = tables.frame(SIGNALS)
        signals = signals[~signals["detector"].isin([*off, *changed])]
        if changed:
            oldest = day - timedelta(days=config.scoring.calibration_days)
            earlier = [rows for of_day, rows in made.items() if of_day >= oldest]
            anew = _made_anew(history, settings, changed, _joined(earlier, list(CALIBRATED)))
            made[day] = anew[list(CALIBRATED)]
            signals = _joined([signals, anew], SIGNALS.column_names)
        approved = approved_access(tables, signals, history)
        recent = day - timedelta(days=memory_days(config))
        queue = decide(
            signals,
            _joined([rows[rows["day"] >= recent] for rows in shown], SHOWN_COLUMNS),
            _joined(past, PAST_COLUMNS),
            approved,
            history,
            config,
        )
        shown.append(told_signals(signals, _spoke(queue, day)))
        past.append(_evidence(queue, day))
        if day in days:
            yield from _entries(day, _before(config, day), queue)


def _days_to_score(config: JobConfig, days: Sequence[date]) -> list[date]:
    """Stored days that the preview scores, the reference and memory of the first one included."""
    reach = max(config.scoring.calibration_days, memory_days(config))
    before = min(days) - timedelta(days=reach + 1)
    known = written_days(config.storage, SIGNALS, before, (max(days) - before).days)
    missing = sorted(set(days).difference(known))
    if missing:
        where = f"table signals in {config.storage} does not hold it; `exfilwatch run` makes it"
        raise InputError([f"{day}: {where}" for day in missing])
    return known


def _changed(
    config: JobConfig, settings: Mapping[str, DetectorSettings], days: Sequence[date]
) -> list[str]:
    """Enabled detectors whose stored signals were made with other settings, or not at all."""
    from models.detectors.settings import settings_hash

    read = partial(stored_frame, config.storage, SIGNALS)
    last = read(days[-1], 0, ["detector", "settings_hash"]).drop_duplicates()
    stored = dict(zip(last["detector"], last["settings_hash"], strict=True))
    return [
        name
        for name, each in settings.items()
        if each.enabled and stored.get(name) != settings_hash(each)
    ]


def _made_anew(
    history: History,
    settings: Mapping[str, DetectorSettings],
    changed: Sequence[str],
    earlier: pd.DataFrame,
) -> pd.DataFrame:
    """Rows of SIGNALS of the ``changed`` detectors; ``earlier``: their CALIBRATED before."""
    from models.detectors import score_all
    from models.features.people import directory_ids
    from models.scoring.calibration import calibrate

    only = {
        name: each if name in changed else each.model_copy(update={"enabled": False})
        for name, each in settings.items()
    }
    rows = score_all(history, only)
    rows["p_value"] = calibrate(rows, earlier, directory_ids(history.context))
    rows["day"] = history.day
    return rows[SIGNALS.column_names]


def _spoke(queue: DayQueue, day: date) -> set[tuple[date, str, str]]:
    """Day, entity and detector of each contribution with points to an entry."""
    return {
        (day, entity.entity, contribution.detector)
        for entity in queue.ranked[: queue.length]
        for contribution in entity.contributions
        if contribution.points > 0
    }


def _evidence(queue: DayQueue, day: date) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (day, entity.entity, entity.raw, queue.weighed, place < queue.length)
        for place, entity in enumerate(queue.ranked)
        if entity.entity not in queue.leader_of
    ]
    return pd.DataFrame(rows, columns=PAST_COLUMNS)


def _joined(frames: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _before(config: JobConfig, day: date) -> dict[str, tuple[int, float, str]]:
    """Rank, score and leading detector of each entry of the stored queue."""
    import pyarrow.compute as pc

    columns = ["entity", "queue_rank", "risk_score", "document"]
    rows = stored_frame(config.storage, FINDINGS, day, 0, columns, pc.field("in_budget"))
    rows = rows.sort_values("queue_rank")
    leading = [str(json.loads(text)["rule"]["name"]) for text in rows["document"]]
    cells = zip(rows["entity"], rows["queue_rank"], rows["risk_score"], leading, strict=True)
    return {str(user): (int(rank), float(score), led) for user, rank, score, led in cells}


def _entries(
    day: date, before: Mapping[str, tuple[int, float, str]], queue: DayQueue
) -> list[Entry]:
    after = {
        entity.entity: (rank, entity.score, entity.contributions[0].detector)
        for rank, entity in enumerate(queue.ranked[: queue.length], start=1)
    }
    entries = []
    for user in {**after, **before}:
        rank_before, score_before, led = before.get(user, (None, None, ""))
        rank_after, score_after, leads = after.get(user, (None, None, led))
        entries.append(Entry(day, user, rank_before, rank_after, score_before, score_after, leads))
    return entries
