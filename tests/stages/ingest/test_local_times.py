"""Times without a zone or a year: local in the source's zone, nearest to the day of the run."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from jobs.stages.sql import zoned_time
from schemas.tables.events import EVENTS
from tests.worlds.raw_logs import job_config, rows_of, run_ingest, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2026, 12, 31), "UTC", ["2026-12-31 23:59:59"]),
        (date(2027, 1, 1), "UTC", ["2027-01-01 00:00:01"]),
        # In Berlin the year ends an hour earlier than in UTC.
        (date(2026, 12, 31), "Europe/Berlin", ["2026-12-31 22:59:59", "2026-12-31 23:00:01"]),
        (date(2027, 1, 1), "America/New_York", ["2027-01-01 04:59:59", "2027-01-01 05:00:01"]),
        (date(2028, 2, 29), "UTC", ["2028-02-29 12:00:00"]),
    ],
)
def test_times_without_a_year(
    sail: SparkSession, tmp_path: Path, day: date, zone: str, expected: list[str]
) -> None:
    """One file over New Year, read for the day before it and the day after it."""
    times = ["Dec 31 23:59:59", "Jan  1 00:00:01", "Feb 29 12:00:00"]
    text = "Accepted password for ana from 192.0.2.1 port 2 ssh2"
    write_file(tmp_path / "raw/log", "".join(f"{t} h sshd[1]: {text}\n" for t in times))
    source = {"format": "sshd", "path": "raw/*", "timezone": zone}
    config = job_config(tmp_path, [source], late_days=0)
    run_ingest(sail, config, day)
    found = sorted(str(row["event_time"]) for row in rows_of(sail, config, EVENTS, day))
    assert found == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # The hour from two to three exists twice; the first one is taken.
        (date(2026, 10, 25), ["2026-10-25 00:30:00", "2026-10-25 02:00:00"]),
        # It does not exist; a clock that was not put forward says so, and is believed.
        (
            date(2026, 3, 29),
            ["2026-03-29 00:59:59", "2026-03-29 01:00:00", "2026-03-29 01:30:00"],
        ),
    ],
)
def test_the_night_when_clocks_change(
    sail: SparkSession, tmp_path: Path, day: date, expected: list[str]
) -> None:
    """All logs without a zone, in Berlin; 01:59:59 of October is the day before in UTC."""
    clocks = ["01:59:59", "02:30:00", "03:00:00"]
    who = "Accepted password for ana from 192.0.2.1 port 2 ssh2"
    logs = {
        "sshd": [f"{day:%b %d} {clock} h sshd[1]: {who}" for clock in clocks],
        "slurm_sacct": ["JobID|Submit", *(f"{n}|{day}T{c}" for n, c in enumerate(clocks))],
        "mapped": ["when,who,what", *(f"{day:%d.%m.%Y} {clock},ana,read" for clock in clocks)],
    }
    mapping = {"time": "when", "time_format": "dd.MM.yyyy HH:mm:ss", "principal": "who"}
    mapping |= {"action": "what", "resource": "literal:x"}
    sources: list[dict[str, Any]] = []
    for name, lines in logs.items():
        write_file(tmp_path / f"raw/{name}", "\n".join(lines) + "\n")
        source = {"name": name, "format": name, "path": f"raw/{name}", "timezone": "Europe/Berlin"}
        sources.append({**source, "mapping": mapping} if name == "mapped" else source)
    config = job_config(tmp_path, sources, late_days=0)
    run_ingest(sail, config, day)
    for name in logs:
        rows = [row for row in rows_of(sail, config, EVENTS, day) if row["source"] == name]
        assert sorted(str(row["event_time"]) for row in rows) == expected, name


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_local_times(request: pytest.FixtureRequest, engine: str) -> None:
    """Every quarter of an hour of days on which clocks change, compared with `zoneinfo`."""
    zones = ["Europe/Berlin", "Europe/London", "America/New_York", "America/Santiago"]
    zones += ["Australia/Sydney", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
    days = ["03-08", "03-29", "04-05", "09-06", "10-04", "10-25", "11-01"]
    hours = [f"{hour:02}:{minute}:00" for hour in range(24) for minute in ("00", "15", "30", "45")]
    texts = [f"2026-{day}T{hour}" for day in days for hour in hours]
    rows = [(zone, text) for zone in zones for text in texts]
    spark = request.getfixturevalue(engine)
    frame = spark.createDataFrame(rows, "timezone string, text string")
    found = frame.selectExpr("timezone", "text", f"{zoned_time('text')} as time").collect()
    assert {(row.timezone, row.text): row.time for row in found} == {
        (zone, text): datetime.fromisoformat(text)
        .replace(tzinfo=ZoneInfo(zone), fold=0)
        .astimezone(UTC)
        .replace(tzinfo=None)
        for zone, text in rows
    }


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_a_leap_second_belongs_to_its_minute(request: pytest.FixtureRequest, engine: str) -> None:
    """Whatever the zone in which the clock showed it; a minute of 60 is no time."""
    times = {
        "2026-12-31T23:59:60Z": "2026-12-31 23:59:59",
        "2026-12-31 23:59:60": "2026-12-31 22:59:59",
        "2026-12-31T23:59:60.250": "2026-12-31 22:59:59.250000",
        "2027-01-01T00:59:60.5+01:00": "2026-12-31 23:59:59.500000",
        "2027-01-01T05:29:60+0530": "2026-12-31 23:59:59",
        "2026-12-31T23:60:00Z": "None",
        "2026-12-31T23:59:61Z": "None",
    }
    spark = request.getfixturevalue(engine)
    frame = spark.createDataFrame([(text,) for text in times], "text string")
    zoned = frame.selectExpr("text", "'Europe/Berlin' as timezone")
    found = zoned.selectExpr("text", f"{zoned_time('text')} as time").collect()
    assert {row.text: str(row.time) for row in found} == times


def test_a_leap_second_in_every_log_of_text(sail: SparkSession, tmp_path: Path) -> None:
    """Syslog with its month's name and with ISO times, sacct, S3's own form of a date."""
    who = "h sshd[1]: Accepted publickey for ana from 192.0.2.1 port 2 ssh2"
    s3 = (
        '{} lab [31/Dec/2026:23:59:60 +0000] 192.0.2.1 ana 1 REST.GET.OBJECT k "GET /k HTTP/1.1" '
        '200 - 1 1 1 1 "-" "x" -'
    )
    logs = {
        "sshd": f"Dec 31 23:59:60 {who}\n<38>Dec 31 23:59:60 {who}\n2026-12-31T23:59:60Z {who}\n",
        "slurm_sacct": "JobID|Submit\n1|2026-12-31T23:59:60\n",
        "aws_s3_access": s3.format(
            "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
        ),
    }
    day = date(2026, 12, 31)
    for name, text in logs.items():
        write_file(tmp_path / f"raw/{name}", text)
    sources = [{"name": name, "format": name, "path": f"raw/{name}"} for name in logs]
    config = job_config(tmp_path, sources, late_days=0)
    run_ingest(sail, config, day)
    rows = rows_of(sail, config, EVENTS, day)
    assert {(row["source"], str(row["event_time"])) for row in rows} == {
        (name, "2026-12-31 23:59:59") for name in logs
    }
