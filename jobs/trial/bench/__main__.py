"""``python -m jobs.trial.bench``: the speed of all parts.

First it runs ingest and aggregate on a day of CloudTrail, side by side. Contenders, each a whole
process on the same files, one after the other:

floor     unpacking the files on two cores (xargs -P2 zcat), nothing else
duckdb    the same work by hand (jobs/bench/duckdb_baseline.py)
sail      ``ingest`` and ``aggregate`` on Sail
spark     the same on Apache Spark local[2] (left out where there is no Java)

Then ``python -m jobs.trial.bench.formats`` measures how fast each engine parses every log format,
``python -m jobs.trial.bench.populations`` times the stages after aggregate, and
``python -m jobs.trial.bench.whole_lab`` times all days of a large lab.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jobs.trial.bench import formats, populations, whole_lab
from jobs.trial.bench.records import DAY, write_config, write_context, write_records

FRAMINGS = {"envelopes": "gzipped Records envelopes, as delivered", "lines": "one record a line"}
ENGINES = {"sail": "sail", "spark": "local[2]"}
SMALL_SHARE = 5
"""The exponent of growth compares all records with a fifth of them."""


@dataclass(frozen=True)
class Measured:
    """One finished process: wall seconds, CPU seconds, peak memory of its largest process in GB."""

    wall: float
    cpu: float
    peak_gb: float


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    arguments = _parser().parse_args(argv)
    if arguments.stages:
        return _run_stages(Path(arguments.stages))
    with tempfile.TemporaryDirectory(prefix="exfilwatch-bench-", dir=arguments.folder) as folder:
        compare(Path(folder), arguments.records, arguments.seed, arguments.without_spark)
    print()
    options = ["--folder", arguments.folder] if arguments.folder else []
    options += ["--seed", str(arguments.seed)]
    formats.main([*options, *(["--engines", "sail"] if arguments.without_spark else [])])
    print()
    failed = populations.main(options)
    print()
    return whole_lab.main(options) or failed


def compare(folder: Path, records: int, seed: int, without_spark: bool) -> None:
    """Make the files, run every contender on them and print the ratios."""
    print(f"making {records:,} CloudTrail records (seed {seed}) in both framings …", flush=True)
    large, small = folder / "large", folder / "small"
    files = write_records(large, records, seed, workers=2)
    for paths in files.values():
        target = small / paths[0].relative_to(large).parent
        target.mkdir(parents=True)
        for path in paths[: max(1, len(paths) // SMALL_SHARE)]:
            os.link(path, target / path.name)
    write_context(large / "context")
    write_context(small / "context")
    spark = shutil.which("java") is not None and not without_spark
    for framing, title in FRAMINGS.items():
        print(f"\n{title}", flush=True)
        measured = {"floor": _measure(_floor(large, framing))}
        measured["duckdb"] = _measure(_duckdb(large, framing))
        for name in ("sail", "spark") if spark else ("sail",):
            measured[name] = _measure(_stages(large, framing, ENGINES[name]))
        part = _measure(_stages(small, framing, ENGINES["sail"]))
        _print_table(
            measured,
            part,
            records / len(files[framing]) * len(list(small.rglob(f"{framing}/**/*.gz"))),
            records,
        )


def _print_table(measured: dict[str, Measured], part: Measured, few: float, records: int) -> None:
    print(f"{'':8}{'wall s':>9}{'CPU s':>9}{'peak GB':>9}")
    for name, result in measured.items():
        # Spark's process is not waited for, so the system does not report its CPU and memory.
        usage = (
            f"{result.cpu:9.1f}{result.peak_gb:9.2f}" if name != "spark" else f"{'–':>9}{'–':>9}"
        )
        print(f"{name:8}{result.wall:9.1f}{usage}")
    sail = measured["sail"].wall
    print(f"sail / floor   {sail / measured['floor'].wall:6.2f}")
    print(f"sail / duckdb  {sail / measured['duckdb'].wall:6.2f}")
    if "spark" in measured:
        print(f"spark / sail   {measured['spark'].wall / sail:6.2f}")
    growth = math.log(sail / part.wall) / math.log(records / few)
    print(
        f"growth of sail from {few:,.0f} to {records:,} records: exponent {growth:.2f}", flush=True
    )


def _floor(folder: Path, framing: str) -> list[str]:
    unpack = f"find {folder / framing} -name '*.gz' | xargs -P2 -n16 zcat > /dev/null"
    return ["sh", "-c", unpack]


def _duckdb(folder: Path, framing: str) -> list[str]:
    out = folder / f"duckdb-{framing}"
    return [
        sys.executable,
        "-m",
        "jobs.trial.bench.duckdb_baseline",
        str(folder),
        framing,
        str(out),
    ]


def _stages(folder: Path, framing: str, engine: str) -> list[str]:
    config = write_config(folder, framing, engine)
    return [sys.executable, "-m", "jobs.trial.bench", "--stages", str(config)]


def _run_stages(config: Path) -> int:
    """The child process: both stages of the benchmark's day."""
    from jobs.inputs.config import load_config
    from jobs.run_days import run_days

    run_days(
        load_config(config), [date.fromisoformat(DAY)], ["ingest", "aggregate"], progress=_note
    )
    return 0


def _note(line: object) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _measure(command: list[str]) -> Measured:
    """Run a command to its end; raises CalledProcessError if it fails."""
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    wall = time.monotonic() - began
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m jobs.trial.bench --records 1000000 --without-spark",
    )
    parser.add_argument("--records", type=int, default=5_000_000, help="default 5,000,000")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--folder", help="where to make the files (about 2 GB for 5 million)")
    parser.add_argument("--without-spark", action="store_true", help="leave Apache Spark out")
    parser.add_argument("--stages", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
