"""``python -m jobs.trial.bench.formats``: parsing speed of each log format, beside CloudTrail.

It times only parsing, from raw gz files to the staging table, by wall clock. The engine is warm: it
has parsed a file of the same format before. Every format takes turns with CloudTrail (Records
envelopes, as delivered). On either side the fastest round counts. MB are unpacked bytes. The ratio
is a format's MB/s to CloudTrail's on the same engine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.trial.bench.format_logs import LogFile, write_logs
from jobs.trial.bench.format_records import LOGS
from jobs.trial.bench.records import DAY, write_context

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

TRAIL = "aws_cloudtrail"
ENGINES = {"sail": "sail", "spark": "local[2]"}
"""Printed name → engine in a job config."""
MEGABYTES = 100
ROUNDS = 3
WANTED = 0.5


def main(argv: list[str] | None = None) -> int:
    """Print the speeds of all formats on all engines."""
    arguments = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="exfilwatch-bench-", dir=arguments.folder) as folder:
        compare(
            Path(folder),
            arguments.format or list(LOGS),
            arguments.engines,
            arguments.megabytes,
            arguments.rounds,
            arguments.seed,
        )
    return 0


def compare(
    folder: Path,
    formats: list[str],
    engines: list[str],
    megabytes: int,
    rounds: int,
    seed: int,
) -> None:
    """Make ``megabytes`` of every log and time ``formats`` on all engines."""
    from jobs.inputs.config import load_config
    from jobs.platform.engine import engine_session

    if "spark" in engines and shutil.which("java") is None:
        print("spark is left out, as there is no java")
        engines = [name for name in engines if name != "spark"]
    print(f"making {megabytes} MB of every log format (seed {seed}) …", flush=True)
    logs = write_logs(folder, [TRAIL, *formats], megabytes * 1_000_000, seed, workers=2)
    write_context(folder / "context")
    config = load_config(_write_config(folder, list(logs)))
    for engine in engines:
        print(
            f"\n{engine:17}{'MB/s':>8}{'records/s':>12}{'CloudTrail':>12}{'ratio':>7}", flush=True
        )
        with engine_session(ENGINES[engine]) as spark:
            for name in logs:
                _seconds(spark, config, name, logs[name][:1])
            for name in formats:
                _print_one(spark, config, name, logs, rounds)


def _print_one(
    spark: SparkSession, config: JobConfig, name: str, logs: dict[str, list[LogFile]], rounds: int
) -> None:
    turns = [
        [_seconds(spark, config, each, logs[each]) for each in (TRAIL, name)] for _ in range(rounds)
    ]
    trail, own = (
        sum(file.size for file in logs[each]) / 1e6 / min(seconds)
        for each, seconds in zip((TRAIL, name), zip(*turns, strict=True), strict=True)
    )
    records = sum(file.records for file in logs[name]) / min(turn[1] for turn in turns)
    remark = "" if own / trail >= WANTED else f"  below {WANTED} of CloudTrail"
    print(f"{name:17}{own:8.1f}{records:12,.0f}{trail:12.1f}{own / trail:7.2f}{remark}", flush=True)


def _seconds(spark: SparkSession, config: JobConfig, name: str, files: list[LogFile]) -> float:
    """Parse files of one log. Raises RuntimeError unless every record is good and of the day."""
    from jobs.platform.scratch import staging_folder
    from jobs.stages.ingest.find_files import files_of_source
    from jobs.stages.ingest.parse import BAD
    from jobs.stages.ingest.staging import Parsing, SourceFiles, parse_good_files, read_staged

    day = date.fromisoformat(DAY)
    (source,) = (each for each in config.sources if each.name == name)
    wanted = {str(file.path) for file in files}
    found = [
        raw_file
        for raw_file in files_of_source(source, day, 0, config.ingest)
        if raw_file.path in wanted
    ]
    with staging_folder(config.storage, "bench") as staging:
        began = time.monotonic()
        parse_good_files(Parsing(spark, config, day, staging), [SourceFiles(source, found)])
        seconds = time.monotonic() - began
        rows = read_staged(spark, staging).where(f"in_day and not {BAD}").count()
    records = sum(file.records for file in files)
    if rows != records:
        raise RuntimeError(f"{name}: {rows} good rows of {records} records")
    return seconds


def _write_config(folder: Path, names: list[str]) -> Path:
    sources = [{"name": name, "format": name, "path": f"{name}/*"} for name in names]
    for source in sources:
        source |= LOGS[source["name"]].source if source["name"] in LOGS else {}
    path = folder / "job.yml"
    config = {"sources": sources, "context": "context", "storage": "warehouse"}
    path.write_text(json.dumps(config))  # JSON is YAML
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.bench.formats",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m jobs.trial.bench.formats --format sshd --engines sail",
    )
    parser.add_argument("--format", action="append", choices=LOGS, help="default: all of them")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument(
        "--megabytes", type=int, default=MEGABYTES, help=f"of each log, unpacked ({MEGABYTES})"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--folder", help="where to make the files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
