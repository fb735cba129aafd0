"""A stage: the tables it reads and writes, the work of one day, and the outcome of that work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jobs.platform.delta_tables import read_days, replace_day
from jobs.platform.frames import coded_frame, stored_frame
from schemas.config import JobConfig
from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow.compute import Expression
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Read:
    """A table that a stage reads, and the most days it may look back from its own day."""

    table: Table
    days: int = 0


@dataclass(frozen=True)
class Outcome:
    """Result of one day of a stage: rows written by table, and remarks in words."""

    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The notes in one line, as progress lines show them."""
        return "; ".join(note for note in self.notes if note)


@dataclass(frozen=True)
class RunOfDays:
    """A run over several days: its days in order, and a folder that lasts as long as the run.

    A stage may keep temporary files in the folder for later days of the run. It must make the same
    rows without them.
    """

    days: tuple[date, ...]
    folder: str

    def left(self, day: date) -> tuple[date, ...]:
        """``day`` and the days that the run comes to after it."""
        return self.days[self.days.index(day) :]


@dataclass(frozen=True)
class StageTables:
    """The tables of the warehouse as one stage may use them on its day.

    Every method raises ValueError if the stage does not declare the use: a table that is not
    among its reads or writes, or a day further back than its declared look-back. ``run``: the run
    that the day belongs to, None for a run of one day.
    """

    stage: str
    reads: tuple[Read, ...]
    writes: tuple[Table, ...]
    day: date
    storage: str
    engine: SparkSession | None
    run: RunOfDays | None = None

    @property
    def spark(self) -> SparkSession:
        """The engine's session; ValueError where the stage runs without an engine."""
        if self.engine is None:
            raise ValueError(f"stage {self.stage} runs without an engine")
        return self.engine

    def read(self, table: Table, last: date | None = None, look_back: int = 0) -> DataFrame:
        """Rows of the days ``last - look_back`` to ``last`` (None: the stage's day), by the engine.

        No rows if there is no table.
        """
        last = self.day if last is None else last
        self.require_read(table, last, look_back)
        return read_days(self.spark, self.storage, table, last, look_back)

    def frame(
        self,
        table: Table,
        last: date | None = None,
        look_back: int = 0,
        columns: Sequence[str] | None = None,
        where: Expression | None = None,
    ) -> pd.DataFrame:
        """Like :meth:`read`, without the engine: a pandas frame.

        ``columns``: the wanted columns; ``where``: a condition on the rows (None: all).
        """
        last = self.day if last is None else last
        self.require_read(table, last, look_back)
        return stored_frame(self.storage, table, last, look_back, columns, where)

    def coded_frame(
        self, table: Table, last: date, look_back: int, columns: Sequence[str]
    ) -> pd.DataFrame:
        """``columns`` of :meth:`frame`, with texts as categories."""
        self.require_read(table, last, look_back)
        return coded_frame(self.storage, table, last, look_back, columns)

    def replace(
        self, frame: DataFrame | Sequence[DataFrame], table: Table, writing: int | None = None
    ) -> None:
        """Replace the stage's day of ``table``; see :func:`replace_day`."""
        if table not in self.writes:
            raise ValueError(f"stage {self.stage} does not declare that it writes {table.name}")
        replace_day(frame, self.storage, table, self.day, writing)

    def stored(self, table: Table) -> DataFrame:
        """Rows of the stage's day in a table that it writes, read by the engine."""
        if table not in self.writes:
            raise ValueError(f"stage {self.stage} does not declare that it writes {table.name}")
        return read_days(self.spark, self.storage, table, self.day)

    def require_read(self, table: Table, last: date, look_back: int) -> None:
        """Raise ValueError unless the stage declares that it looks back so far in ``table``."""
        allowed = max((read.days for read in self.reads if read.table == table), default=None)
        if allowed is None:
            raise ValueError(f"stage {self.stage} does not declare that it reads {table.name}")
        days = (self.day - last).days + look_back
        if days > allowed:
            raise ValueError(
                f"stage {self.stage} looks back {days} days in {table.name} and declares {allowed}"
            )


@dataclass(frozen=True)
class Stage:
    """One step of a day. It meets the other stages only in tables.

    ``reads``: tables, each with the most days looked back. ``needs``: tables in which earlier
    stages must have written the same day. ``sent``: more tables needed, but only where
    Elasticsearch is set up. ``writes``: tables in which the stage replaces its day.
    """

    name: str
    reads: tuple[Read, ...]
    writes: tuple[Table, ...]
    work: Callable[[StageTables, JobConfig, date], Outcome]
    needs: tuple[Table, ...] = ()
    sent: tuple[Table, ...] = ()

    def run(
        self,
        spark: SparkSession | None,
        config: JobConfig,
        day: date,
        run: RunOfDays | None = None,
    ) -> Outcome:
        """Do the work of ``day``; raises whatever the work raises.

        ``run``: the run of several days that the day belongs to.
        """
        tables = StageTables(self.name, self.reads, self.writes, day, config.storage, spark, run)
        return self.work(tables, config, day)
