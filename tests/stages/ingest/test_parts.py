"""A run over several days parses each file once, and writes the rows of days run one by one."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.run_days import Done, run_days
from jobs.stages import ingest
from schemas.config import JobConfig
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.day_logs import DATED, DAYS, at, lines, put
from tests.worlds.raw_logs import envelope, job_config, rows_of, write_context, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BEFORE, AFTER = "aws-cli/2.15.0", "aws-cli/9.99.9"
RUN = DAYS[:3]
GROWN = f"raw/{DAYS[1]:%Y/%m/%d}/a.json"
"""A file that the runs of the first two days read; it grows between them."""


def write_logs(folder: Path) -> JobConfig:
    """Late and early records, bad and damaged ones, and an undated source."""
    for n, day in enumerate(DAYS):
        around = (at(day + timedelta(days=offset), f"{n} {offset}") for offset in range(-2, 2))
        put(folder, day, lines(*around))
    # Only records that the salvage path reads again must say the same all the time.
    bad = {"userAgent": None}
    late = at(DAYS[1], "nameless", eventName=None, **bad)
    ahead = at(DAYS[3] + timedelta(days=1), "ahead", **bad)
    timeless = at(DAYS[1], "timeless", eventTime="soon", **bad)
    put(folder, DAYS[2], lines("{bad", late, timeless, ahead, at(DAYS[1], "beside")), "bad.json")
    damaged = "\ufeff" + lines(*(at(day, f"damaged {day}", **bad) for day in RUN), "{bad")
    put(folder, DAYS[2], damaged, "damaged.json")
    write_file(folder / "all/all.json", envelope(*(at(day, f"all {day}") for day in RUN)))
    write_context(folder / "context", directory=[{"user_id": "ana", "kind": "human"}])
    sources = [{"path": DATED}, {"name": "all", "path": "all/*"}]
    return job_config(folder, sources, late_days=1)


def grow(folder: Path) -> None:
    """The file gets more records, and its old ones say something else."""
    file = folder / GROWN
    text = file.read_text(encoding="utf-8").replace(BEFORE, AFTER)
    file.write_text(text + lines(at(DAYS[1], "grown"), "{bad as well"), encoding="utf-8")


def rewrite(path: Path) -> None:
    """Change what a file says, but neither its size nor its time."""
    found = path.stat()
    path.write_text(path.read_text(encoding="utf-8").replace(BEFORE, AFTER), encoding="utf-8")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def stored(spark: SparkSession, config: JobConfig) -> dict[str, Any]:
    """The rows of each table and day."""
    return {
        f"{table.name} of {day}": rows_of(spark, config, table, day)
        for table in (EVENTS, REJECTS)
        for day in RUN
    }


def test_each_file_is_parsed_once(sail: SparkSession, tmp_path: Path) -> None:
    """The later days do not see that a parsed file says something else; they do if it grew."""
    config = write_logs(tmp_path)
    alone = config.model_copy(update={"storage": str(tmp_path / "alone")})
    notes = []
    for day in RUN:
        notes.append(str(ingest.STAGE.run(sail, alone, day)))
        if day == RUN[0]:
            grow(tmp_path)

    write_logs(tmp_path)
    found, parts = list[str](), list[int]()

    def after(done: Done | str) -> None:
        assert isinstance(done, Done), done
        found.append(str(done.outcome))
        (of_run,) = (tmp_path / "warehouse/_scratch/run").iterdir()
        parts.append(sum(path.is_dir() for path in of_run.iterdir()))
        rewrite(tmp_path / "all/all.json")
        for day in DAYS:
            for path in tmp_path.glob(f"raw/{day:%Y/%m/%d}/*.json"):
                read = day <= done.day + timedelta(days=1)
                if read and path.name != "damaged.json" and path != tmp_path / GROWN:
                    rewrite(path)
        if done.day == RUN[0]:
            grow(tmp_path)

    run_days(config, RUN, ["ingest"], after)
    expected = stored(sail, alone)
    for name, rows in stored(sail, config).items():
        assert rows == expected[name], name
    assert found == notes
    said = {row["event_id"]: row["user_agent"] for row in expected[f"events of {RUN[1]}"]}
    assert said["id-grown"] == f"[{BEFORE}]"
    # Its file was parsed again; the file of the next day was not, nor the undated file.
    assert said["id-1 0"] == f"[{AFTER}]"
    assert said["id-2 -1"] == said[f"id-all {RUN[1]}"] == f"[{BEFORE}]"
    # One of the next day's files and one of the undated file, as long as a later day needs them.
    assert parts == [2, 2, 0]
    assert list((tmp_path / "warehouse/_scratch/run").iterdir()) == []
