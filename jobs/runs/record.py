"""Writes a row of ``runs`` for each stage of a day, whether it succeeds or fails.

Delta versions, not clocks, put runs in order: a stage read an old version of a table if another run
wrote one of its days with a higher version. A killed run leaves no row. Then a day was written more
often than its last row says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from jobs.inputs.fingerprints import code_hash, config_hash, context_hash
from jobs.platform.delta_tables import last_writing, open_table, table_version
from jobs.platform.errors import GateError, RunError
from jobs.platform.record_tables import append_rows
from jobs.platform.terminal_text import one_line_of
from jobs.stages.ingest.salvage.records import scrub
from jobs.stages.stage import Outcome, Stage
from schemas.config import JobConfig
from schemas.tables import TABLES
from schemas.tables.runs import RUNS

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)
REASON_CHARS = 300


@dataclass
class Recorder:
    """Records the stages of one command. ``run``: its id."""

    run: str

    def recorded(
        self, work: Callable[[], Outcome], stage: Stage, config: JobConfig, day: date
    ) -> Outcome:
        """Outcome of ``work``, the stage's run on the day; its row is added to ``runs``.

        Raises what the work raises. A row that cannot be written is a warning, because the tables
        of the stage are sound.
        """
        began = time.monotonic()
        row: dict[str, Any] = {
            "day": day,
            "stage": stage.name,
            "run": self.run,
            "started": datetime.now(UTC),
            "reason": None,
            "rows": {},
            "inputs": {},
            "writings": {},
        }
        # The stage itself reports a damaged table.
        with _problems_logged(logging.DEBUG, stage, day):
            row["writings"] = self._writings(stage, config, day)
            row["inputs"] = self._inputs(stage, config)
        try:
            outcome = work()
        except RunError as error:
            row["outcome"] = "stopped" if isinstance(error, GateError) else "failed"
            row["reason"] = scrub(one_line_of(str(error).split("\n", 1)[0]), REASON_CHARS)
            # A missing row is a smaller problem than the error.
            with _problems_logged(logging.DEBUG, stage, day):
                seconds = time.monotonic() - began
                self._add(row, seconds, stage, config, getattr(error, "withdrawn", ()))
            raise
        row |= {"outcome": "ok", "rows": dict(outcome.rows)}
        with _problems_logged(logging.WARNING, stage, day):
            self._add(row, time.monotonic() - began, stage, config)
        return outcome

    def _add(
        self,
        row: dict[str, Any],
        seconds: float,
        stage: Stage,
        config: JobConfig,
        withdrawn: Sequence[str] = (),
    ) -> None:
        """Complete the row at the end of the run, and append it."""
        writings = self._writings(stage, config, row["day"])
        row["outputs"] = {
            table.name: open_table(config.storage, table).version()
            for table in stage.writes
            if table.name in writings and writings[table.name] != row["writings"].get(table.name)
        }
        row["outputs"] |= {
            table.name: open_table(config.storage, table).version()
            for table in TABLES
            if table.name in withdrawn
        }
        row |= {
            "seconds": seconds,
            "writings": writings,
            "config": config_hash(config),
            "context": context_hash(config.context, row["day"]),
            "code": code_hash(),
        }
        append_rows(config.storage, RUNS, [row])

    def _inputs(self, stage: Stage, config: JobConfig) -> dict[str, int]:
        """Name of each table that the stage reads → its version."""
        tables = {read.table.name: read.table for read in stage.reads}
        found = {name: table_version(config.storage, tables[name]) for name in sorted(tables)}
        return {name: version for name, version in found.items() if version is not None}

    def _writings(self, stage: Stage, config: JobConfig, day: date) -> dict[str, int]:
        """Name of each table that the stage writes → how often the day was written."""
        found = {}
        for table in stage.writes:
            number = last_writing(config.storage, table, day)
            if number is not None:
                found[table.name] = number
        return found


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
