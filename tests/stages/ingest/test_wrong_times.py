"""Records whose time is too early or too late to be right are rejected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.stages import ingest
from schemas.tables.events import REJECTS
from tests.worlds.day_logs import DATED, DAYS, lines, put
from tests.worlds.raw_logs import (
    DAY,
    job_config,
    rows_of,
    run_ingest,
    sums_of,
    trail_record,
    write_file,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.parametrize(
    ("engine", "prefix"),
    [("sail", ""), ("sail", "{bad\n"), ("sail", "\ufeff"), ("apache_spark", "{bad\n")],
    ids=["good", "bad", "damaged", "bad on Spark"],
)
def test_times_that_cannot_be_right_are_rejects_of_their_file_s_day(
    engine: str, prefix: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """No record is lost: records of other days become events of those days."""
    spark: SparkSession = request.getfixturevalue(engine)
    wrong = {
        "1970-01-01T00:00:00Z": "time 1970-01-01 00:00:00 lies before 2000-01-01",
        "1999-12-31T23:59:59Z": "time 1999-12-31 23:59:59 lies before 2000-01-01",
        "2026-10-07T00:00:00.5Z": "time 2026-10-07 00:00:00 lies 2 days ahead of the day of the "
        "file, 2026-10-05",
        "2031-10-05T10:00:00Z": "time 2031-10-05 10:00:00 lies 1826 days ahead of the day of the "
        "file, 2026-10-05",
    }
    right = ["2000-01-01T00:00:00Z", "2026-10-06T23:59:59Z", f"{DAYS[0]}T10:00:00Z"]
    records = [trail_record(time, time) for time in (*wrong, *right)]
    put(tmp_path, DAYS[0], prefix + lines(*records))
    put(tmp_path, DAYS[1], lines(*(trail_record(f"late {time}", time) for time in wrong)))
    config = job_config(tmp_path, [{"path": DATED}])
    summary = str(ingest.STAGE.run(spark, config, DAY))
    sums = sums_of(summary)
    bad = int(prefix == "{bad\n")
    assert (sums["events"], sums["rejects"], sums["of other days"]) == (1, len(wrong) + bad, 6)
    reasons = [row["reason"] for row in rows_of(spark, config, REJECTS)]
    assert sorted(r for r in reasons if r.endswith(": is the clock right?")) == sorted(
        f"{reason}: is the clock right?" for reason in wrong.values()
    )
    assert "; WRONG TIMES, is the clock right? trail: 4 (such as " in summary


def test_times_of_files_without_a_day(sail: SparkSession, tmp_path: Path) -> None:
    """Such a file may hold every day up to the day of the run."""
    soon = datetime.now(UTC).date() + timedelta(days=1)
    times = ["1970-01-01T00:00:00Z", f"{soon}T00:00:00Z", "2100-01-01T00:00:00Z"]
    write_file(tmp_path / "raw/a.json", lines(*(trail_record(time, time) for time in times)))
    write_file(tmp_path / "raw/b.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["rejects"], sums["of other days"]) == (1, 2, 1)
