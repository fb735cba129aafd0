"""Writes a row of ``runs`` for each stage of a day, whether it succeeds or fails.

Delta versions, not clocks, put runs in order: a stage read an old version of a table if another run
wrote one of its days with a higher version. A killed run leaves no row. Then a day was written more
often than its last row says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from jobs.inputs.fingerprints import code_hash, config_hash, context_hash
from jobs.platform.delta_tables import last_writing, table_version
from jobs.platform.errors import GateError, RunError
from jobs.platform.record_tables import append_rows
from jobs.platform.terminal_text import one_line_of
from jobs.stages.ingest.salvage.records import scrub
from jobs.stages.stage import Outcome, Stage
from schemas.config import JobConfig
from schemas.tables.runs import RUNS
from schemas.tables.spec import Table

logger = logging.getLogger(__name__)
REASON_CHARS = 300


def recorded(
    work: Callable[[], Outcome], stage: Stage, config: JobConfig, day: date, run: str
) -> Outcome:
    """Outcome of ``work``, the stage's run on the day; its row is added to ``runs``.

    ``run``: id of the command. Raises what the work raises. A row that cannot be written is a
    warning, because the tables of the stage are sound.
    """
    storage, began = config.storage, time.monotonic()
    row: dict[str, Any] = {
        "day": day,
        "stage": stage.name,
        "run": run,
        "started": datetime.now(UTC),
        "reason": None,
        "rows": {},
    }
    row["inputs"], before = {}, {}
    # The stage itself reports a damaged table.
    with _problems_logged(logging.DEBUG, stage, day):
        row["inputs"] = _versions(storage, {read.table for read in stage.reads})
        before = _writings(storage, stage.writes, day)
    try:
        outcome = work()
    except RunError as error:
        row["outcome"] = "stopped" if isinstance(error, GateError) else "failed"
        row["reason"] = scrub(one_line_of(str(error).split("\n", 1)[0]), REASON_CHARS)
        # A missing row is a smaller problem than the error.
        with _problems_logged(logging.DEBUG, stage, day):
            _add(row, began, before, stage, config)
        raise
    row |= {"outcome": "ok", "rows": dict(outcome.rows)}
    with _problems_logged(logging.WARNING, stage, day):
        _add(row, began, before, stage, config)
    return outcome


@contextmanager
def _problems_logged(level: int, stage: Stage, day: date) -> Iterator[None]:
    """Log any error of the block instead of raising it."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  # deltalake's panics are no Exception
        reason = one_line_of(str(error))[:REASON_CHARS]
        logger.log(level, "table runs has no row of this %s of %s: %s", stage.name, day, reason)


def _add(
    row: dict[str, Any], began: float, before: dict[str, int], stage: Stage, config: JobConfig
) -> None:
    """Complete the row at the end of the run, and append it."""
    storage, day = config.storage, row["day"]
    row["seconds"] = time.monotonic() - began
    writings = _writings(storage, stage.writes, day)
    changed = {
        table for table in stage.writes if writings.get(table.name) != before.get(table.name)
    }
    row |= {
        "writings": writings,
        "outputs": _versions(storage, changed),
        "config": config_hash(config),
        "context": context_hash(config.context, day),
        "code": code_hash(),
    }
    append_rows(storage, RUNS, [row])


def _versions(storage: str, tables: Iterable[Table]) -> dict[str, int]:
    """Name of each table that exists → its version."""
    found = {table.name: table_version(storage, table) for table in tables}
    return {name: version for name, version in sorted(found.items()) if version is not None}


def _writings(storage: str, tables: Iterable[Table], day: date) -> dict[str, int]:
    """Name of each table that has the day's mark → how often the day was written."""
    found = {table.name: last_writing(storage, table, day) for table in tables}
    return {name: number for name, number in found.items() if number is not None}
