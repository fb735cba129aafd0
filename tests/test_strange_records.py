"""Whatever stands in a log of these formats becomes an event, a duplicate or a reject."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs.formats import zoned_time
from schemas.fieldmaps import field_map, field_tree
from schemas.tables import EVENTS
from tests.raw_logs import job_config, rows_of, run_ingest, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEW = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""Each example is a file of many records, as a run of the engine is what costs."""
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=30)
SHORT = st.one_of(TEXT, st.sampled_from(["", "-", "17", "-2", "sk-", "2026-10-05", "null", "::1"]))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(
    st.none(), st.booleans(), NUMBERS, SHORT, st.lists(SHORT, max_size=2), st.just({"a": {"b": 1}})
)


def records(format_id: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records with the fields of a format's map, each with a value of any type."""

    def objects(tree: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        members = {
            name: VALUES if below is None else st.one_of(objects(below), VALUES)
            for name, below in tree.items()
        }
        return st.fixed_dictionaries({}, optional=members)

    return objects(field_tree(field_map(format_id).used))


def lines_of_sshd() -> st.SearchStrategy[str]:
    """Lines that are nearly what sshd writes."""
    heads = [
        "Oct  5 10:00:00 h sshd[1]: ",
        "2026-10-05T10:00:00Z h sshd[1]: ",
        "<1>1 2026-10-05T10:00:00Z h sshd 1 - - ",
        "Oct 55 99:99:99 h sshd[1]: ",
        "Foo",
        "",
    ]
    middles = [
        "Accepted publickey for ",
        "Failed password for invalid user ",
        "Invalid user ",
        "message repeated 2 times: [ ",
        'close "',
        "Disconnected from user ",
        "Starting session: ",
        "",
    ]
    tails = [" from 192.0.2.1 port 2 ssh2: RSA SHA256:x", '" bytes read 9 written 1', "]", ""]
    parts = [st.sampled_from(heads), st.sampled_from(middles), SHORT, st.sampled_from(tails)]
    return st.tuples(*parts).map("".join)


def tables_hold(spark: SparkSession, folder: Path, format_id: str, lines: list[str]) -> None:
    """``run_ingest`` asserts that all records are accounted for."""
    # One good line, as a day without any record is an error.
    good = {
        "sshd": "Oct  5 10:00:00 h sshd[1]: Accepted password for ana from 192.0.2.1 port 2 ssh2",
        "gitlab_audit": '{"created_at": "2026-10-05T10:00:00Z", "event_type": "x"}',
        "litellm_gateway": '{"startTime": 1791194400, "call_type": "completion"}',
    }[format_id]
    write_file(folder / "raw/log", "\n".join([*lines, good]) + "\n")
    config = job_config(folder, [{"format": format_id, "path": "raw/*"}], late_days=0)
    run_ingest(spark, config)
    for row in rows_of(spark, config, EVENTS):
        for column in EVENTS.columns:
            value = row[column.name]
            assert value != "", column.name
            assert value is not None or column.nullable, column.name
            assert value is None or not column.values or value in column.values, column.name


@pytest.mark.parametrize("format_id", ["gitlab_audit", "litellm_gateway"])
def test_any_record(sail: SparkSession, tmp_path: Path, format_id: str) -> None:
    @FEW
    @given(st.lists(records(format_id), min_size=30, max_size=60))
    def check(found: list[dict[str, Any]]) -> None:
        tables_hold(sail, tmp_path, format_id, [json.dumps(record) for record in found])

    check()


def test_any_line_of_sshd(sail: SparkSession, tmp_path: Path) -> None:
    @FEW
    @given(st.lists(lines_of_sshd(), min_size=60, max_size=120))
    def check(lines: list[str]) -> None:
        tables_hold(sail, tmp_path, "sshd", lines)

    check()


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
    """Every quarter of an hour of days on which clocks change somewhere, told by another clock."""
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
