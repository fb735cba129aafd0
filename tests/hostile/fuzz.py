"""Coverage-guided fuzzing of the log parsers: ``make fuzz [FORMAT=sshd] [SECONDS=60]``.

Each input goes through the parts in Python at once. Some inputs are collected, and whole batches go
through the engine as logs of the format. A failure stops the run. libFuzzer writes the input to a
file ``/dev/shm/crash-…``; the message names the folder of a batch's logs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["jobs"]):
    from jobs.stages.ingest import framing
    from jobs.stages.ingest.formats import LOG_FORMATS
    from jobs.stages.ingest.salvage import broken_json

from jobs.platform.engine import engine_session
from jobs.platform.errors import RunError
from schemas.sources import Source
from schemas.tables.events import EVENTS
from tests.hostile.test_hostile_files import PLENTY, check_file, check_text
from tests.hostile.test_hostile_records import broken_rules, count_rows, sound_lines
from tests.worlds.raw_logs import DAY, job_config, rows_of, run_ingest, write_file
from tests.worlds.sample_records import HEADERS, NOON, RECORDS, source_of, text_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BATCH, ONE_IN = 300, 5
"""Inputs in a batch for the engine. One input in as many is collected."""
WHOLE_FILES = 6
MEMORY = "/dev/shm"


def check_batch(spark: SparkSession, format_id: str, inputs: list[bytes]) -> None:
    """Run ``ingest`` on logs of the inputs: every record is counted, every event is sound."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY, prefix="batch-"))
    header = [HEADERS[format_id].encode()] if format_id in HEADERS else []
    good = text_of(RECORDS[format_id](1, NOON)).encode()
    raw = folder / "raw" / format_id
    config = job_config(folder, [source_of(format_id)], late_days=0)
    for number, data in enumerate(inputs[:WHOLE_FILES]):
        write_file(raw / f"{number}.log{'.gz' * (number % 2)}", data)
    by_sort: dict[bool, list[bytes]] = {True: [], False: []}
    for data in inputs[WHOLE_FILES:]:
        by_sort[is_utf8(data)].append(data)
    count = 0
    for sound, found in by_sort.items():
        lines = b"\n".join([*header, good, *found]) + b"\n"
        path = write_file(raw / f"sound-{sound}.log", lines)
        raw_file = framing.inspect(str(path), DAY, config.sources[0], PLENTY)
        if raw_file is None or raw_file.framing != "lines":
            continue
        text = lines.decode("utf-8", errors="replace")
        first = header[0].decode() if header else None
        found_lines = [line for _, line, _ in broken_json.split_lines(text, False) if line != first]
        count += count_rows(format_id, found_lines)
    try:
        sums = run_ingest(spark, config)
        assert sums["records"] >= count, f"{sums} of {count} lines"
        problems = broken_rules(rows_of(spark, config, EVENTS))
        assert not problems, problems
    except (AssertionError, RunError):
        print(f"the batch's logs are in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)


def is_utf8(data: bytes) -> bool:
    try:
        return bool(data.decode())
    except UnicodeDecodeError:
        return False


def seeds(format_id: str, folder: Path) -> Path:
    """A corpus of the format's cases: single lines, and whole files that are one document."""
    folder.mkdir()
    texts = sound_lines(format_id)
    cases = Path(__file__).parents[1] / "stages/ingest/formats" / format_id
    texts += [log.read_text(encoding="utf-8") for log in cases.glob("*/input.json")]
    for number, text in enumerate(texts):
        (folder / str(number)).write_text(text, encoding="utf-8")
    return folder


def fuzz(format_id: str, seconds: int) -> None:
    """Fuzz one format; ends the process."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY, prefix="fuzz-"))
    source = Source(**{**source_of(format_id), "path": str(folder / "*")})
    collected: list[bytes] = []
    tried = batches = 0
    end = time.monotonic() + seconds
    with engine_session("sail") as spark:

        def try_one(data: bytes) -> None:
            nonlocal tried, batches
            tried += 1
            check_text(data.decode("utf-8", errors="replace"))
            check_file(data, source, folder)
            if tried % ONE_IN == 0:
                collected.append(data)
            ended = time.monotonic() > end
            if len(collected) == BATCH or ended:
                check_batch(spark, format_id, collected)
                collected.clear()
                batches += 1
            if ended:
                print(f"{format_id}: {tried:,} inputs, {batches} batches", flush=True)
                shutil.rmtree(folder)
                os._exit(0)  # the engine's threads do not end when libFuzzer does

        arguments = [
            "-max_len=2000",
            "-timeout=300",
            "-rss_limit_mb=0",
            "-verbosity=0",
            f"-artifact_prefix={MEMORY}/",
        ]
        corpus = str(seeds(format_id, folder / "corpus"))
        atheris.Setup([sys.argv[0], corpus, *arguments], try_one)
        atheris.Fuzz()


def main() -> None:
    """Fuzz the given formats one after the other, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=LOG_FORMATS, help="one format; without it all of them")
    parser.add_argument("--seconds", type=int, default=60, help="time for each format")
    options = parser.parse_args()
    if options.format:
        fuzz(options.format, options.seconds)
        return
    for format_id in LOG_FORMATS:
        command = [sys.executable, "-m", "tests.hostile.fuzz", "--format", format_id]
        subprocess.run([*command, "--seconds", str(options.seconds)], check=True, env=os.environ)


if __name__ == "__main__":
    main()
