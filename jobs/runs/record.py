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
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from jobs.inputs.fingerprints import code_hash, config_hash, context_hash
from jobs.platform.delta_tables import day_writing, open_table, table_exists
from jobs.platform.errors import GateError, RunError
from jobs.platform.record_tables import append_rows
from jobs.platform.terminal_text import one_line_of
from jobs.stages.ingest.salvage.records import scrub
from jobs.stages.stage import Outcome, Stage
from schemas.config import JobConfig
from schemas.tables import TABLES
from schemas.tables.runs import RUNS
from schemas.tables.spec import Table

if TYPE_CHECKING:
    from deltalake import DeltaTable

logger = logging.getLogger(__name__)
REASON_CHARS = 300


@dataclass
class Recorder:
    """Records the stages of one command. ``run``: its id. It keeps each table open between them."""

    run: str
    opened: dict[str, DeltaTable] = field(default_factory=dict)

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
            name: self.opened[name].version()
            for name, number in writings.items()
            if number != row["writings"].get(name)
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
        found = {name: self._open(config.storage, table) for name, table in sorted(tables.items())}
        return {name: stored.version() for name, stored in found.items() if stored is not None}

    def _writings(self, stage: Stage, config: JobConfig, day: date) -> dict[str, int]:
        """Name of each table that the stage writes → how often the day was written."""
        found = {}
        for table in stage.writes:
            stored = self._open(config.storage, table)
            number = None if stored is None else day_writing(stored, day)
            if number is not None:
                found[table.name] = number
        return found

    def _open(self, storage: str, table: Table) -> DeltaTable | None:
        """The latest version of the table; None if there is no table."""
        if table.name in self.opened:
            self.opened[table.name].update_incremental()
        elif table_exists(storage, table):
            self.opened[table.name] = open_table(storage, table)
        return self.opened.get(table.name)


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
