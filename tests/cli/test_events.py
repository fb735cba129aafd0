"""Printing events and rejects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.tables.events import EVENTS
from tests.cli.running import ROOT, ndjson, run


def test_events_of_a_day_by_time(stored_job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "events", "--config", stored_job, "--day", "2026-10-05")
    rows = ndjson(out)
    assert (code, err) == (0, "")
    assert len(rows) == 35
    assert list(rows[0]) == EVENTS.column_names
    assert [row["event_time"] for row in rows] == sorted(row["event_time"] for row in rows)
    assert rows[0]["event_time"] == "2026-10-05T09:00:00Z"
    assert rows[0]["details"] == {"range": "bytes=0-9"}
    assert rows[0]["bytes_out"] is None


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["--source", "other"], 2),
        (["--user", "u2"], 2),
        (["--user", "ana"], 33),
        (["--asset", "ckpt"], 30),
        (["--action-class", "write"], 1),
        (["--outcome", "failure"], 1),
        (["--contains", "s3://scratch"], 2),
        (["--contains", "scratch", "--user", "u2"], 0),
    ],
)
def test_event_filters(
    filters: list[str], count: int, stored_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "events", "--config", stored_job, "--day", "2026-10-05", *filters)
    assert code == 0
    assert len(ndjson(out)) == count
    assert ("none of 2026-10-05" in err) == (count == 0)


def test_a_limit_keeps_the_first_and_says_so(
    stored_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["events", "--config", stored_job, "--day", "2026-10-05", "--limit"]
    _, out, err = run(capsys, *argv, "3")
    assert [row["event_id"] for row in ndjson(out)] == ["e0000", "e0001", "e0002"]
    assert "3 of 35 rows" in err
    _, out, err = run(capsys, *argv, "0")
    assert len(ndjson(out)) == 35
    assert err == ""


@pytest.mark.parametrize("form", ["ndjson", "table"])
@pytest.mark.parametrize("kind", [[], ["--rejects"]])
def test_log_values_are_escaped_for_the_terminal(
    form: str, kind: list[str], stored_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["events", "--config", stored_job, "--day", "2026-10-05", "--format", form, *kind]
    code, out, _ = run(capsys, *argv)
    assert code == 0
    assert "owned" in out if kind else "gnp.exe" in out
    assert all(character.isprintable() for character in out.replace("\n", ""))


def test_rejects(stored_job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["events", "--config", stored_job, "--day", "2026-10-05", "--rejects"]
    code, out, _ = run(capsys, *argv, "--contains", "JSON")
    assert code == 0
    assert [row["position"] for row in ndjson(out)] == ["line 3"]
    code, out, err = run(capsys, *argv, "--user", "u1", "--asset", "ckpt")
    assert (code, out) == (2, "")
    assert "--user" in err
    assert "--asset" in err


def test_no_warehouse_yet(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "events", "--config", job, "--day", "2026-10-05")
    assert (code, out) == (0, "")
    assert "has the day been run?" in err
    assert not (job.parent / "warehouse").exists()


def test_a_reader_that_stops_early_is_no_error(stored_job: Path) -> None:
    script = (
        f"{sys.executable} -m jobs.cli.app events --config {stored_job} --day 2026-10-05"
        " | head -1; "
        "echo ${PIPESTATUS[0]}"
    )
    answer = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, code = answer.stdout.splitlines()
    assert json.loads(first)["event_id"] == "e0000"
    assert int(code) in (0, 141)  # 0 if all rows fitted into the pipe
    assert answer.stderr == ""
