"""A day that the data-quality gate stopped: later stages refuse it, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from jobs.platform.delta_tables import last_writing
from jobs.platform.errors import GateError
from jobs.platform.errors_in_words import one_line
from jobs.platform.frames import stored_frame
from jobs.platform.withdrawal import withdraw_day
from jobs.stages.stage import Stage
from schemas.config import JobConfig
from schemas.expectations import CRITICAL
from schemas.tables.findings import FINDINGS
from schemas.tables.quality import QUALITY


def require_not_stopped(storage: str, day: date) -> None:
    """Raise :class:`GateError` if the gate stopped the day when it last judged it."""
    rows = stored_frame(storage, QUALITY, day, columns=["expectation", "severity", "success"])
    failed = rows[(rows["severity"] == CRITICAL) & ~rows["success"].astype(bool)]
    if len(failed):
        names = ", ".join(sorted(set(failed["expectation"])))
        raise GateError(
            f"the data-quality gate stopped {day} ({names}): mend its logs, then "
            f"`exfilwatch run --config … --day {day}` runs it again"
        )


def withdraw(
    error: GateError, config: JobConfig, day: date, later: Sequence[Stage], publish: Stage
) -> None:
    """Remove the rows and the published findings that an older run of a stopped day left.

    ``later``: the stages after the gate. ``publish`` then publishes the day without findings. The
    message of ``error`` gets a line on it, also if something could not be withdrawn.
    """
    storage = config.storage
    try:
        tables = [table for stage in later for table in stage.writes]
        withdrawn = [table.name for table in tables if withdraw_day(storage, table, day)]
        error.withdrawn = tuple(withdrawn)
        # An older try may have ended before it published.
        if withdrawn or last_writing(storage, FINDINGS, day) is not None:
            publish.run(None, config, day)
    except Exception as problem:  # noqa: BLE001  # the gate's own message matters more
        line = f"the older run of {day} is not wholly withdrawn: {one_line(problem)}"
    else:
        line = f"withdrew the older run of {day}: {', '.join(withdrawn)} and its published findings"
        line = line if withdrawn else ""
    if line:
        error.args = (f"{error}\n{line}",)
