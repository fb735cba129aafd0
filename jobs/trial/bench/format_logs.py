"""Logs of every format for the benchmark: seeded, realistic in size and mixture, cheap to make.

``<name>`` in a template is a random part, the same everywhere in one record.
"""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jobs.trial.bench.format_records import LOGS
from jobs.trial.bench.record_parts import Record
from jobs.trial.bench.records import pack, trail_record

FILE_BYTES = 5_000_000
"""Unpacked bytes of a file, about as many as in a CloudTrail delivery."""


@dataclass(frozen=True)
class LogFile:
    """A file, its unpacked bytes and the number of its records."""

    path: Path
    size: int
    records: int


def write_logs(
    folder: Path, names: list[str], size: int, seed: int, workers: int
) -> dict[str, list[LogFile]]:
    """Logs of ``size`` unpacked bytes each: one folder of gz files for each name.

    Names are keys of :data:`LOGS`. Any other name makes CloudTrail's envelopes.
    """
    jobs = [
        (folder / name, name, number, min(FILE_BYTES, size - number * FILE_BYTES), seed)
        for name in names
        for number in range(-(-size // FILE_BYTES))
    ]
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        files = list(pool.map(_write_file, jobs))
    return {name: [file for file in files if file.path.parent.name == name] for name in names}


def _write_file(job: tuple[Path, str, int, int, int]) -> LogFile:
    folder, name, number, size, seed = job
    rng = random.Random(f"{seed}-{name}-{number}")
    log = LOGS.get(name)
    lines = []
    length = 0
    while length < size:
        line = trail_record(rng) if log is None else Record(rng).filled(rng.choice(log.lines))
        lines.append(line)
        length += len(line) + 1
    if log is None:
        suffix, text = "json", f'{{"Records":[{",".join(lines)}]}}'
    else:
        header = [] if log.header is None else [log.header]
        suffix, text = log.suffix, "\n".join([*header, *lines]) + "\n"
    path = folder / f"f{number:05d}.{suffix}.gz"
    pack(path, text)
    records = len(lines) + sum(line.count("\n") for line in lines)
    return LogFile(path, len(text), records)


for _name in ("mapped_csv", "mapped_json"):
    LOGS[_name].source["mapping"] = {
        "time": "when",
        "principal": "user",
        "action": "activity",
        "resource": "concat:wiki://{space}/{page}",
        "source_ip": "address",
        "bytes_out": "bytes",
        "user_agent": "browser",
        "action_class": {"view": "read", "export": "copy", "edit": "write", "*": "other"},
    }
