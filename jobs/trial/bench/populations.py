"""``python -m jobs.trial.bench.populations``: stages after `aggregate`, by number of identities.

For each size it makes a synthetic population with its days of `access` and `object_access`, and
times the stages after `aggregate` up to `findings` on the last day, one after another on 2 cores.

A third of the identities is active on a day. Each of them has 13 rows of `access`. It reads four
checkpoints and datasets, and 12 objects of each: about 50 rows of `object_access`.

The last day finds a warehouse with a past. A stage that needs no more than `access` and its own
earlier days has run for the first seven days, whose rows stand for all earlier ones in turn. The
other tables of which earlier days are read, such as `signals`, hold copies of one day for them.

*peak GB* is the peak memory of the process and its engine up to the end of the stage. *growth* is
the slope of log seconds over log identities, from the size before.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.pipeline import STAGES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.stages.stage import Stage
    from schemas.config import JobConfig
    from schemas.tables.spec import Table

SIZES = (1_000, 5_000, 20_000, 50_000)
LEAST = 10
DAYS = 90
LAST_DAY = date(2026, 10, 30)
MADE_DAYS = 7
"""Earlier days that a stage is really run for; a week has nearly all identities."""
CORES = 2
BEFORE, LAST_STAGE = "aggregate", "findings"
TOTAL = "all"


@dataclass(frozen=True)
class Measured:
    """One stage: wall seconds, and peak GB of the process and its engine up to its end."""

    seconds: float
    peak_gb: float


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 if a size did not come to its end."""
    arguments = _parser().parse_args(argv)
    if arguments.prepare:
        _prepare(Path(arguments.prepare), arguments.identities[0], arguments.days, arguments.seed)
        return 0
    if arguments.measure:
        print(json.dumps(_measure(Path(arguments.measure))))
        return 0
    print(f"{'identities':>10}  {'stage':<10}{'seconds':>9}{'peak GB':>9}{'growth':>8}", flush=True)
    before: tuple[int, dict[str, Measured]] | None = None
    failed = 0
    for size in sorted(set(arguments.identities)):
        with tempfile.TemporaryDirectory(
            prefix="exfilwatch-bench-", dir=arguments.folder
        ) as folder:
            measured = _run_size(Path(folder), size, arguments.days, arguments.seed)
        if measured is None:
            failed = 1
            continue
        _print_rows(size, measured, before)
        before = size, measured
    return failed


def _run_size(folder: Path, size: int, days: int, seed: int) -> dict[str, Measured] | None:
    """Stage → its figures; None if a process ended early. Each step has a process of its own."""
    place = str(folder / "population")
    steps = (
        ["--prepare", place, "--identities", str(size), "--days", str(days), "--seed", str(seed)],
        ["--measure", place],
    )
    said = ""
    for step in steps:
        command = [sys.executable, "-m", "jobs.trial.bench.populations", *step]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if ended.returncode != 0:
            memory = ", as a process without memory does" if ended.returncode == -9 else ""
            print(f"{size:10,}  {step[0][2:]} ended with {ended.returncode}{memory}", flush=True)
            return None
        said = ended.stdout
    measured = {name: Measured(**figures) for name, figures in json.loads(said).items()}
    seconds = sum(each.seconds for each in measured.values())
    peak = max(each.peak_gb for each in measured.values())
    return measured | {TOTAL: Measured(seconds, peak)}


def _print_rows(
    size: int, measured: dict[str, Measured], before: tuple[int, dict[str, Measured]] | None
) -> None:
    for name, each in measured.items():
        first = f"{size:10,}" if name == next(iter(measured)) else " " * 10
        growth = ""
        if before is not None and name in before[1]:
            slope = math.log(each.seconds / before[1][name].seconds) / math.log(size / before[0])
            growth = f"{slope:8.2f}"
        row = f"{first}  {name:<10}{each.seconds:9.1f}{each.peak_gb:9.2f}{growth}"
        print(row, flush=True)


def timed_stages() -> list[Stage]:
    """The stages after `aggregate` up to `findings`, in their order."""
    names = list(STAGES)
    return [STAGES[name]() for name in names[names.index(BEFORE) + 1 : names.index(LAST_STAGE) + 1]]


def _prepare(folder: Path, count: int, days: int, seed: int) -> None:
    """A warehouse whose last day lacks only the timed stages' own rows."""
    from deltalake import write_deltalake

    from jobs.inputs.config import load_config
    from jobs.platform.delta_tables import table_path
    from jobs.trial.bench.population import make_population, write_inputs
    from jobs.trial.bench.population_days import MADE, make_day

    use_two_cores()
    population = make_population(count, seed)
    config = load_config(write_inputs(folder, population))
    rows = dict.fromkeys(MADE, 0)
    for number, day in enumerate(_progress(_days(days), f"{count:,} identities")):
        made = make_day(population, number, day, seed)
        for table, part in zip(rows, made, strict=True):
            rows[table] += part.num_rows
            path = table_path(config.storage, table)
            write_deltalake(path, part, mode="append", partition_by=["day"])
    _note("; ".join(f"{table.name} {number:,} rows" for table, number in rows.items()))
    _fill_the_past(config, days)


def _fill_the_past(config: JobConfig, days: int) -> None:
    """Earlier days of all tables of which the timed stages read earlier days."""
    from jobs.pipeline import run_stage
    from jobs.platform.engine import engine_session

    stages = timed_stages()
    run, copied = split_stages(stages)
    earlier = _days(days)[:-1]
    made, later = earlier[:MADE_DAYS], earlier[MADE_DAYS:]
    with engine_session(config.engine) as spark:
        for day in _progress(made if run else [], " ".join(stage.name for stage in run)):
            for stage in run:
                run_stage(spark, config, day, stage.name)
        for table in (table for stage in run for table in stage.writes):
            _copy_days(config.storage, table, made, later)
        if copied:
            _run_last_day(spark, config, stages)
    for table, reach in copied.items():
        _copy_days(config.storage, table, [LAST_DAY], earlier[-reach:])


def _run_last_day(spark: SparkSession, config: JobConfig, stages: list[Stage]) -> None:
    from jobs.pipeline import run_stage

    for stage in _progress(stages, f"{LAST_DAY}, to copy it"):
        run_stage(spark, config, LAST_DAY, stage.name)


def split_stages(stages: Sequence[Stage]) -> tuple[list[Stage], dict[Table, int]]:
    """The stages to run for earlier days, and other tables with the earlier days read of them.

    A stage is run for earlier days if some stage reads these days of its tables, and if it reads
    only tables that have these days.
    """
    from jobs.trial.bench.population_days import MADE

    reach: dict[Table, int] = {}
    for stage in stages:
        for read in stage.reads:
            reach[read.table] = max(read.days, reach.get(read.table, 0))
    run: list[Stage] = []
    copied: dict[Table, int] = {}
    held = set(MADE)
    for stage in stages:
        if not any(reach.get(table, 0) for table in stage.writes):
            continue
        if {read.table for read in stage.reads} <= held | set(stage.writes):
            run.append(stage)
            held |= set(stage.writes)
        else:
            copied |= {table: reach[table] for table in stage.writes if reach.get(table, 0)}
    return run, copied


def _copy_days(storage: str, table: Table, made: Sequence[date], days: Sequence[date]) -> None:
    """Give each of ``days`` the rows of one of the ``made`` days in turn, by links to its files."""
    from deltalake.transaction import AddAction, RemoveAction

    from jobs.platform.delta_tables import open_table, table_path

    stored, folder = open_table(storage, table), Path(table_path(storage, table))
    files_of = [
        [Path(uri) for uri in stored.file_uris(file_pruning_predicate=[("day", "=", str(day))])]
        for day in made
    ]
    actions: list[AddAction | RemoveAction] = []
    for turn, day in enumerate(days):
        files = files_of[turn % len(made)]
        (folder / f"day={day}").mkdir(exist_ok=True)
        for number, file in enumerate(files):
            path = f"day={day}/{number}.parquet"
            os.link(file, folder / path)
            size = file.stat().st_size
            now_ms = int(time.time() * 1000)
            actions.append(AddAction(path, size, {"day": str(day)}, now_ms, True, "{}"))
    if actions:
        stored.create_write_transaction(actions, "append", stored.schema(), partition_by=["day"])


def _measure(folder: Path) -> dict[str, dict[str, float]]:
    """Stage → figures of :class:`Measured`, on the last day."""
    from jobs.inputs.config import load_config
    from jobs.pipeline import run_stage
    from jobs.platform.engine import engine_session

    use_two_cores()
    config = load_config(folder / "job.yml")
    measured = {}
    stages = timed_stages()
    with engine_session(config.engine) as spark:
        for stage in stages:
            began = time.monotonic()
            outcome = run_stage(spark, config, LAST_DAY, stage.name)
            seconds = time.monotonic() - began
            measured[stage.name] = {"seconds": seconds, "peak_gb": _peak_gb()}
            _note(f"{stage.name}  {seconds:.1f} s  {outcome}")
    return measured


def _peak_gb() -> float:
    """Peak memory of this process and of its engine's, each at its own highest."""
    if sys.platform != "linux":
        sides = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return max(resource.getrusage(side).ru_maxrss for side in sides) / 1e6
    own = Path("/proc/self")
    children = [child for task in own.glob("task/*/children") for child in task.read_text().split()]
    processes = [own / "status", *(Path("/proc") / child / "status" for child in children)]
    peaks = [re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) for status in processes]
    return sum(int(peak[1]) for peak in peaks if peak) / 1e6


def use_two_cores() -> None:
    """Keep this process and its engine to two cores, where the system can do so."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def _days(count: int) -> list[date]:
    return [LAST_DAY - timedelta(days=n) for n in reversed(range(count))]


def _progress(steps: Sequence[Any], work: str) -> Iterator[Any]:
    """The steps; a tenth of the way is one line."""
    began = time.monotonic()
    for number, step in enumerate(steps, start=1):
        yield step
        if number * 10 // len(steps) > (number - 1) * 10 // len(steps):
            _note(f"{work}  {number} of {len(steps)}  {time.monotonic() - began:.0f} s")


def _note(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.bench.populations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m jobs.trial.bench.populations --identities 1000 5000 --days 90",
    )
    sizes = " ".join(map(str, SIZES))
    parser.add_argument(
        "--identities", type=_size, nargs="+", default=list(SIZES), help=f"default {sizes}"
    )
    parser.add_argument("--days", type=_length, default=DAYS, help=f"default {DAYS}")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--folder", help="where to make the tables (about 2 GB for 50,000)")
    parser.add_argument("--prepare", help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser


def _size(text: str) -> int:
    if int(text) < LEAST:
        raise argparse.ArgumentTypeError(f"at least {LEAST} identities, not {text}")
    return int(text)


def _length(text: str) -> int:
    if not 1 <= int(text) <= DAYS:
        raise argparse.ArgumentTypeError(f"1 to {DAYS} days, not {text}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
