"""Which days rest on old inputs, by the rows of ``runs``.

A stage that ran with version v of a table read an old day of it if a commit later than v wrote that
day. Its look-back says which days it read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from jobs.platform.delta_tables import (
    day_writing,
    open_table,
    stored_files,
    table_exists,
)
from jobs.stages.stage import Stage
from schemas.tables.runs import RUNS

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from schemas.config import JobConfig

StoredRun = Mapping[str, Any]
"""One row of ``runs``."""
Kind = Literal["failed", "missing", "unrecorded", "inputs", "config", "context", "code"]
HASHES: tuple[Kind, ...] = ("config", "context", "code")
INPUT_KINDS = ("unrecorded", "inputs")
"""Kinds of problems of a stage whose input was written after it."""


@dataclass(frozen=True)
class Problem:
    """A reason to run a stage of a day again, and its words."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class StageState:
    """A stage of a day: its last run (None: no record), and the reasons to run it again."""

    day: date
    stage: str
    last: StoredRun | None
    problems: tuple[Problem, ...]


def newest_day(storage: str) -> date | None:
    """The newest day with rows in ``runs``; None if there is none."""
    return max(_recorded_days(storage), default=None)


def stage_states(
    storage: str,
    stages: Sequence[Stage],
    first: date,
    last: date,
    now: Callable[[date], Mapping[str, str]] = lambda _: {},
) -> list[StageState]:
    """Every stage of every known day from ``first`` to ``last``, in order.

    A day is known if it is in ``runs`` or in a table of a stage. ``now``: day → the hashes by name
    that a run of that day would have now; a hash that it lacks is not compared.
    """
    warehouse = _read_warehouse(storage, stages, first, last)
    return [
        StageState(day, stage.name, last_run, tuple(problems))
        for day in warehouse.days
        for stage in stages
        for last_run, problems in [_examine(warehouse, stage, day, now(day))]
    ]


def days_to_run(states: Sequence[StageState], stages: Sequence[Stage]) -> list[tuple[date, date]]:
    """First and last day of each unbroken row of days to run again, oldest first.

    These are the days with a problem, and the later days of ``states`` that look back on them.
    """
    look_back = timedelta(days=longest_look_back(stages))
    known = sorted({state.day for state in states})
    bad = {state.day for state in states if state.problems}
    spans: list[tuple[date, date]] = []
    newest: date | None = None
    previous: date | None = None
    for day in known:
        if day in bad or (newest is not None and day - newest <= look_back):
            newest = day
            if spans and previous == spans[-1][1] and day - previous == timedelta(days=1):
                spans[-1] = (spans[-1][0], day)
            else:
                spans.append((day, day))
        previous = day
    return spans


def longest_look_back(stages: Sequence[Stage]) -> int:
    """Most days that any stage looks back."""
    return max((read.days for stage in stages for read in stage.reads), default=0)


@dataclass(frozen=True)
class _Warehouse:
    """The known days in order, the runs of each stage of a day, and each table.

    ``held``: table → days with rows. ``written``: table and day → version of the last recorded
    commit that wrote the day.
    """

    days: list[date]
    runs: Mapping[tuple[date, str], list[StoredRun]]
    tables: Mapping[str, DeltaTable]
    held: Mapping[str, set[date]]
    written: Mapping[tuple[str, date], int]


def _read_warehouse(storage: str, stages: Sequence[Stage], first: date, last: date) -> _Warehouse:
    used = {table.name: table for stage in stages for table in stage.writes}
    used |= {read.table.name: read.table for stage in stages for read in stage.reads}
    tables = {
        name: open_table(storage, table)
        for name, table in sorted(used.items())
        if table_exists(storage, table)
    }
    held = {name: _partition_days(stored) for name, stored in tables.items()}
    days = _recorded_days(storage).union(*held.values())
    known = sorted(day for day in days if first <= day <= last)
    look_back = timedelta(days=longest_look_back(stages))
    rows = _stored_runs(storage, first - look_back, last) if known else []
    runs: dict[tuple[date, str], list[StoredRun]] = defaultdict(list)
    written: dict[tuple[str, date], int] = {}
    for row in rows:
        runs[row["day"], row["stage"]].append(row)
        for name, version in row["outputs"].items():
            written[name, row["day"]] = max(version, written.get((name, row["day"]), -1))
    return _Warehouse(known, runs, tables, held, written)


def _recorded_days(storage: str) -> set[date]:
    return _partition_days(open_table(storage, RUNS)) if table_exists(storage, RUNS) else set()


def _partition_days(stored: DeltaTable) -> set[date]:
    """The days with rows in an open table."""
    return {date.fromisoformat(partition["day"]) for partition in stored.partitions()}


def _stored_runs(storage: str, first: date, last: date) -> list[StoredRun]:
    """Rows of ``runs`` of the days, by start."""
    import pyarrow.compute as pc

    if not table_exists(storage, RUNS):
        return []
    day = pc.field("day")
    rows = stored_files(storage, RUNS).to_table(
        filter=(day >= pc.scalar(first)) & (day <= pc.scalar(last))
    )
    found: list[StoredRun] = rows.to_pylist(maps_as_pydicts="strict")
    return sorted(found, key=lambda row: (row["started"], row["stage"], row["run"]))


def _examine(
    warehouse: _Warehouse, stage: Stage, day: date, now: Mapping[str, str]
) -> tuple[StoredRun | None, list[Problem]]:
    """The last run of a stage of a day, and the reasons to run it again."""
    runs = warehouse.runs.get((day, stage.name), [])
    if unrecorded := _unrecorded(warehouse, stage, day, runs):
        return runs[-1] if runs else None, [unrecorded]
    if not runs:
        return None, [Problem("missing", "not run")]
    last = runs[-1]
    if last["outcome"] != "ok":
        return last, [Problem("failed", f"{last['outcome']}: {last['reason']}")]
    # The row of the last writing counts, whatever the clocks of two machines say.
    base = max(runs, key=lambda row: (row["outcome"] == "ok", sum(row["writings"].values())))
    if not stage.writes:
        base = last
    problems = [
        Problem("inputs", text) for text in _newer_inputs(warehouse, stage, day, base["inputs"])
    ]
    problems += [
        Problem(kind, f"another {kind} now")
        for kind in HASHES
        # Publish takes the context files of now, for every day.
        if kind in now and base[kind] != now[kind] and (stage.writes or kind != "context")
    ]
    return last, problems


def _unrecorded(
    warehouse: _Warehouse, stage: Stage, day: date, runs: Sequence[StoredRun]
) -> Problem | None:
    """A problem if the day was written more often than the rows of its runs say."""
    for table in stage.writes:
        stored = warehouse.tables.get(table.name)
        if stored is None:
            continue
        recorded = max((row["writings"].get(table.name, 0) for row in runs), default=0)
        # Older versions left rows without a mark.
        unmarked = int(day in warehouse.held[table.name])
        if recorded < (day_writing(stored, day) or unmarked):
            return Problem("unrecorded", f"{table.name} was written by a run without a record")
    return None


def _newer_inputs(
    warehouse: _Warehouse, stage: Stage, day: date, inputs: Mapping[str, int]
) -> list[str]:
    """One text for each table of which the stage read an old day."""
    texts = []
    for read in stage.reads:
        name, version = read.table.name, inputs.get(read.table.name, -1)
        stored = warehouse.tables.get(name)
        if stored is not None and stored.version() < version:
            texts.append(f"{name} was replaced by an older table")
        span = [day - timedelta(days=n) for n in range(read.days, -1, -1)]
        newer = [
            each
            for each in span
            if warehouse.written.get((name, each), -1) > version
            and not (each == day and read.table in stage.writes)
        ]
        if newer:
            texts.append(f"newer {name} of {_days(newer, day)}")
    return texts


def _days(days: Sequence[date], own: date) -> str:
    """Days in words, such as "its day", "2026-10-01" or "5 days from 2026-10-01"."""
    if list(days) == [own]:
        return "its day"
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days from {days[0]}"


def stale_note(config: JobConfig, stages: Sequence[Stage], days: Sequence[date]) -> str:
    """One line that names later days whose scores rest on the old version of ``days``."""
    last = max(days)
    newest = last + timedelta(days=longest_look_back(stages))
    states = stage_states(config.storage, stages, last + timedelta(days=1), newest)
    stale = [
        state for state in states if any(problem.kind in INPUT_KINDS for problem in state.problems)
    ]
    if not stale:
        return ""
    first, end = stale[0].day, max(state.day for state in stale)
    old = f"{days[0]}" if len(days) == 1 else f"{min(days)} to {last}"
    later = f"{first} was" if first == end else f"{first} to {end} were"
    return (
        f"{later} scored from the old {old}: run {'it' if first == end else 'them'} again with "
        f"`exfilwatch run --config … --start {first} --end {end}`"
    )
