"""``python -m jobs.trial.bench.whole_lab``: all days of a large lab, from raw logs to the report.

It makes a sample lab and runs every stage of every day in one ``exfilwatch run``, on 2 cores. The
default is 300 people and 100 services over 60 days: about 5 million records, most of them of
CloudTrail.

*seconds* are wall clock; those of a stage are for one day, on average. The first stages of a day
run beside the later ones of the day before, so the stages add up to more than *all*. *peak GB* is
the highest sum of the resident memory of the command and its engine, seen every half second.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from jobs.trial.bench.populations import LAST_DAY, use_two_cores

LOOK_SECONDS = 0.5


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 if the run fails."""
    arguments = _parser().parse_args(argv)
    use_two_cores()
    with tempfile.TemporaryDirectory(prefix="exfilwatch-bench-", dir=arguments.folder) as folder:
        lab = Path(folder) / "lab"
        _print_records(_make(lab, arguments), lab)
        command = [sys.executable, "-m", "jobs.cli.app", "run", "--config", str(lab / "config.yml")]
        first = LAST_DAY - timedelta(days=arguments.days - 1)
        days = ["--start", str(first), "--end", str(LAST_DAY)]
        status, seconds, peak_gb = measured([*command, *days])
        if status != 0:
            print(f"the run ended with {status}", file=sys.stderr)
            return 1
        _print_stages(lab, arguments.days)
        print(f"{'all':<10}{seconds / arguments.days:9.2f}")
        print(f"{seconds:.0f} seconds from start to report, peak {peak_gb:.2f} GB")
    return 0


def measured(command: list[str]) -> tuple[int, float, float]:
    """Exit code, wall seconds, and peak GB of the command with all its children."""
    began, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=sys.stderr) as process:
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(LOOK_SECONDS)
    return process.returncode, time.monotonic() - began, peak / 1e9


def _resident(pid: int) -> int:
    """Bytes of resident memory of a process and its children; 0 if it has ended."""
    total = 0
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for each in processes:
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _make(lab: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    from jobs.trial.lab import make_lab

    return make_lab(
        lab,
        seed=arguments.seed,
        people=arguments.people,
        services=arguments.services,
        days=arguments.days,
        end=LAST_DAY,
        progress=lambda line: print(f"  {line}", file=sys.stderr, flush=True),
    )


def _print_records(truth: dict[str, Any], lab: Path) -> None:
    records = truth["records"]
    by_format = ", ".join(f"{name} {count:,}" for name, count in sorted(records.items()))
    files = sum(1 for path in (lab / "raw").rglob("*") if path.is_file())
    print(f"{sum(records.values()):,} records in {files:,} files: {by_format}", flush=True)


def _print_stages(lab: Path, days: int) -> None:
    from jobs.inputs.config import load_config
    from jobs.pipeline import STAGES
    from jobs.platform.delta_tables import open_table
    from schemas.tables.runs import RUNS

    rows = open_table(load_config(lab / "config.yml").storage, RUNS).to_pyarrow_table().to_pylist()
    seconds: dict[str, float] = defaultdict(float)
    for row in rows:
        seconds[row["stage"]] += row["seconds"]
    print(f"{'stage':<10}{'seconds':>9}  of one day")
    for name in STAGES:
        print(f"{name:<10}{seconds[name] / days:9.2f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.bench.whole_lab",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m jobs.trial.bench.whole_lab --people 120 --services 20 --days 10",
    )
    parser.add_argument("--people", type=int, default=300, help="default 300")
    parser.add_argument("--services", type=int, default=100, help="default 100")
    parser.add_argument("--days", type=int, default=60, help="default 60")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--folder", help="where to make the lab and its tables (about 6 GB)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
