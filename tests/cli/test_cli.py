"""The command line: exit codes, output paths, and what is printed of the warehouse."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from jobs import pipeline
from jobs.cli import app as cli
from jobs.cli.events import Wanted, find_events
from jobs.inputs.config import load_config
from jobs.platform import run_lock
from jobs.platform.delta_tables import replace_day, to_frame
from jobs.platform.errors import GateError, InputError, RunError
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from jobs.trial import demo
from schemas.config import JobConfig
from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.findings import FINDINGS
from schemas.tables.spec import Table
from tests.worlds.raw_logs import write_context

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2026, 10, 5)
ROOT = Path(__file__).parents[2]
ESCAPE = "s3://lab/\x1b[2J\u202egnp.exe"
"""Clears the screen and reverses what follows, if it is printed raw."""


def event(number: int, **changes: Any) -> dict[str, Any]:
    """One row of events."""
    return {
        **dict.fromkeys(EVENTS.column_names),
        "event_id": f"e{number:04}",
        "event_time": datetime(2026, 10, 5, 9, tzinfo=UTC) + timedelta(seconds=number),
        "day": DAY,
        "source": "logs",
        "format": "aws_cloudtrail",
        "principal": "ana",
        "user_id": "u1",
        "user_kind": "human",
        "action": "GetObject",
        "action_class": "read",
        "resource": f"s3://lab/{number}",
        "outcome": "success",
        "details": {"range": "bytes=0-9"},
        **changes,
    }


def access(day: date, **changes: Any) -> dict[str, Any]:
    """One row of access."""
    moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    return {
        **{name: [] for name in ACCESS.column_names},
        "day": day,
        "user_id": "u1",
        "user_kind": "human",
        "asset_id": "ckpt",
        "action_class": "read",
        "events": 64,
        "failures": 0,
        "bytes_out": 123_456_789,
        "bytes_estimated": None,
        "objects": 64,
        "first_time": moment,
        "last_time": moment,
        "addresses": ["192.0.2.7"],
        **changes,
    }


def document(finding_id: str, rank: int = 1) -> dict[str, Any]:
    """A finding as findings.ndjson holds it."""
    return {
        "@timestamp": "2026-10-05T10:00:00Z",
        "event": {
            "id": finding_id,
            "start": "2026-10-04T09:00:00Z",
            "end": "2026-10-05T10:00:00Z",
            "risk_score": 71.25,
            "severity": 3,
            "reason": f"Read 64 of 64 shards of {ESCAPE}",
        },
        "user": {"id": "u1", "name": "Ana Silva", "email": "ana@example.com"},
        "related": {"user": ["u1"]},
        "rule": {"name": "shard_coverage"},
        "threat": {"technique": {"id": ["T1530"]}},
        "exfil": {
            "assets": [
                {
                    "id": "ckpt",
                    "kind": "checkpoint",
                    "owner_team": "evals",
                    "sensitivity": 5,
                    "objects": 64,
                    "objects_total": 64,
                    "bytes": 123_456_789,
                    "bytes_estimated": 987_654,
                    "coverage": 1.0,
                    "first_access": True,
                },
                {"id": "s3://scratch", "kind": None, "first_access": False},
            ],
            "contributions": [
                {
                    "detector": "first_access",
                    "family": "novelty",
                    "points": 11.25,
                    "p_value": 0.004,
                    "observed": 1.0,
                    "expected": 0.0,
                    "unit": "assets",
                    "reason": "never seen here",
                },
                {
                    "detector": "shard_coverage",
                    "family": "coverage",
                    "points": 60.0,
                    "p_value": 0.00001,
                    "observed": 64.0,
                    "expected": 2.0,
                    "unit": "objects",
                    "reason": "the whole checkpoint",
                },
            ],
            "queue_rank": rank,
            "in_budget": True,
            "window": "7d",
        },
    }


def finding(finding_id: str, day: date, rank: int) -> dict[str, Any]:
    """One row of findings."""
    return {
        "day": day,
        "event_id": finding_id,
        "entity": "u1",
        "window": "7d",
        "risk_score": 71.25,
        "queue_rank": rank,
        "in_budget": True,
        "document": json.dumps(document(finding_id, rank)),
    }


def store(spark: SparkSession, storage: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    """Put the rows into their days of a table."""
    for day in sorted({row["day"] for row in rows}):
        frame = pd.DataFrame([row for row in rows if row["day"] == day])
        replace_day(to_frame(spark, frame, table), str(storage), table, day)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A sound job without any data."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "context").mkdir()
    path = tmp_path / "job.yml"
    path.write_text("sources: [{name: logs, format: aws_cloudtrail, path: 'raw/*.json'}]\n")
    return path


@pytest.fixture(scope="module")
def stored_job(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose warehouse holds a few rows of each table that is printed."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "raw").mkdir()
    (folder / "context").mkdir()
    path = folder / "job.yml"
    path.write_text("sources: [{name: logs, format: aws_cloudtrail, path: 'raw/*.json'}]\n")
    storage = folder / "warehouse"
    other = {"user_id": "u2", "principal": "bo", "source": "other"}
    events = [
        *[event(number, asset_id="ckpt") for number in range(30)],
        event(40, **other, action_class="write"),
        event(41, **other, outcome="failure"),
        event(42, resource=ESCAPE),
        event(43, resource="s3://scratch/a/b", asset_id=None),
        event(44, resource="s3://scratchy/a", asset_id=None),
        event(50, day=date(2026, 10, 6), event_time=datetime(2026, 10, 6, 1, tzinfo=UTC)),
    ]
    store(sail, storage, EVENTS, events)
    rejects = [
        {
            "day": DAY,
            "source": "logs",
            "format": "aws_cloudtrail",
            "file": "raw/a.json",
            "position": "line 3",
            "reason": "no JSON",
            "line": "\x1b]0;owned\x07{",
            "records": None,
        }
    ]
    store(sail, storage, REJECTS, rejects)
    days = [DAY - timedelta(days=back) for back in (0, 1, 6, 7)]
    store(sail, storage, ACCESS, [access(day) for day in days] + [access(DAY, user_id="u2")])
    findings = [finding("abc123", DAY, 1), finding("abd999", DAY, 2)]
    findings.append(finding("abc123", DAY - timedelta(days=1), 5))
    store(sail, storage, FINDINGS, findings)
    return path


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = cli.main([str(part) for part in argv])
    out, err = capsys.readouterr()
    return code, out, err


def ndjson(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# Help and wrong commands


def test_help_answers_within_a_second() -> None:
    began = time.monotonic()
    answer = subprocess.run(
        [sys.executable, "-m", "jobs.cli.app", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.monotonic() - began < 1
    for command in ("demo", "run", "stage", "events", "explain", "sources", "doctor"):
        assert f"exfilwatch {command}" in answer.stdout


@pytest.mark.parametrize("name", ["demo", "run", "stage", "events", "explain", "sources", "doctor"])
def test_every_command_shows_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert f"examples:\n  exfilwatch {name}" in out


def test_examples_in_the_help_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    parser = cli.build_parser()
    shown = []
    for name in ("demo", "run", "stage", "events", "explain", "sources", "doctor"):
        _, out, _ = run(capsys, name, "--help")
        shown += re.findall(r"^  exfilwatch (.*)$", out, re.MULTILINE)
    assert len(shown) > 6
    for line in shown:
        parser.parse_args(line.split())


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["runn"],
        ["run"],
        ["run", "--config", "job.yml", "--day", "05.10.2026"],
        ["run", "--config", "job.yml", "--day", "2026-02-30"],
        ["stage", "--config", "job.yml", "--day", "2026-10-05"],
        ["stage", "nothing", "--config", "job.yml", "--day", "2026-10-05"],
        ["events", "--config", "job.yml", "--day", "2026-10-05", "--limit", "-1"],
        ["demo", "--days", "1"],
        ["explain", "--config", "job.yml"],
        ["doctor", "--config", "job.yml", "--identities", "--days", "0"],
        ["doctor", "--config", "job.yml", "--identities", "--day", "2026-10-05", "--days", "2"],
    ],
)
def test_wrong_commands_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *argv)
    assert code == 2
    assert out == ""
    assert "error: " in err


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["--start", "2026-10-05", "--end", "2026-10-04"], "is before --start 2026-10-05"),
        (["--start", "2026-10-05"], "belong together"),
        (["--end", "2026-10-05"], "belong together"),
        (["--day", "2026-10-05", "--end", "2026-10-05"], "stands alone"),
    ],
)
def test_days_that_make_no_span(
    dates: list[str], message: str, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "run", "--config", job, *dates)
    assert (code, out) == (2, "")
    assert message in err
    assert not (job.parent / "warehouse").exists()


def test_spans_of_days() -> None:
    five = date(2026, 10, 5)
    assert cli._days_of(five, None, None) == [five]
    assert cli._days_of(None, five, five) == [five]
    assert cli._days_of(None, date(2026, 2, 27), date(2026, 3, 1)) == [
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
    ]
    assert cli._days_of(None, None, None) == [datetime.now(UTC).date() - timedelta(days=1)]


# Errors of stages


def stage_of(monkeypatch: pytest.MonkeyPatch, name: str, answer: str | Exception) -> list[date]:
    """Put a stage in place of another that gives or raises ``answer``; the days it was run for."""
    days: list[date] = []

    def work(tables: StageTables, config: object, day: date) -> Outcome:
        days.append(day)
        if isinstance(answer, Exception):
            raise answer
        return Outcome({}, (answer,))

    stage = Stage(name, reads=(Read(EVENTS),), writes=(), work=work)
    monkeypatch.setitem(pipeline.STAGES, name, lambda: stage)
    return days


def test_every_stage_is_run_for_each_day_in_order(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in pipeline.STAGES:
        stage_of(monkeypatch, name, f"did {name}")
    code, out, err = run(
        capsys, "run", "--config", job, "--start", "2026-10-05", "--end", "2026-10-06"
    )
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [(line[0], line[1]) for line in lines] == [
        (day, name) for day in ("2026-10-05", "2026-10-06") for name in pipeline.STAGES
    ]
    assert re.fullmatch(r"2026-10-05  ingest +\d+\.\d s  did ingest", out.splitlines()[0])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RunError("no file for logs"), 1, "2026-10-05 check: no file for logs"),
        (GateError("60 % rejected"), 3, "2026-10-05 check: 60 % rejected"),
        (
            InputError(["a: x", "b: y"]),
            2,
            "2026-10-05 check: a: x\nexfilwatch: 2026-10-05 check: b",
        ),
        (KeyError("day"), 1, "2026-10-05 check: KeyError: 'day' (-v shows where)"),
        (ValueError("a\n  b\x1b[2J"), 1, "2026-10-05 check: ValueError: a b\\x1b[2J (-v"),
    ],
)
def test_a_failed_stage_ends_the_run_with_its_code(
    error: Exception,
    code: int,
    message: str,
    job: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ingested = stage_of(monkeypatch, "ingest", "done")
    stage_of(monkeypatch, "check", error)
    aggregated = stage_of(monkeypatch, "aggregate", "done")
    argv = ["run", "--config", job, "--start", "2026-10-05", "--end", "2026-10-06"]
    found, out, err = run(capsys, *argv)
    assert found == code
    assert f"exfilwatch: {message}" in err
    assert "Traceback" not in err
    assert out.count("\n") == 1
    assert ingested == [DAY]
    assert aggregated == []


FORGED = "logs\n2026-10-05  publish   0.1 s  0 findings\x1b[2J\u202e\x85\u2028"
LOG_FORGED = f"""
import logging, sys
from jobs.cli.app import _quieten
_quieten(False)
logging.getLogger("jobs.stages.ingest").warning("source %s is odd", {FORGED!r})
try:
    raise ValueError({FORGED!r})
except ValueError:
    logging.getLogger("jobs.stages.ingest").exception("source %s", {FORGED!r})
"""


def test_no_name_forges_a_line(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_of(monkeypatch, "ingest", f"unknown fields: {FORGED}")
    stage_of(monkeypatch, "check", RunError(f"no file for {FORGED}"))
    code, out, err = run(capsys, "run", "--config", job, "--day", "2026-10-05", "-v")
    assert code == 1
    assert out.count("\n") == 1
    assert "logs\\n2026-10-05  publish" in out
    log = [sys.executable, "-c", LOG_FORGED]
    err += subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    assert err.count("2026-10-05  publish") == 5
    for line in (out + err).split("\n"):
        assert line.isprintable()
        assert not line.startswith(("2026-10-05  publish", "exfilwatch: 2026-10-05  publish"))


def test_verbose_shows_where(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_of(monkeypatch, "graph", KeyError("day"))
    code, _, err = run(capsys, "stage", "graph", "--config", job, "--day", "2026-10-05", "-v")
    assert code == 1
    assert "Traceback" in err
    assert "raise answer" in err


def test_an_engine_that_does_not_start(job: Path) -> None:
    job.write_text(job.read_text() + "engine: local[1]\n")
    without_java = {"PATH": "/nowhere", "PYTHONPATH": str(ROOT)}
    argv = ["stage", "ingest", "--config", str(job), "--day", "2026-10-05"]
    answer = subprocess.run(
        [sys.executable, "-m", "jobs.cli.app", *argv],
        cwd=job.parent,
        env=without_java,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "the engine local[1] did not start" in answer.stderr
    assert "exfilwatch doctor" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_connect_server_that_is_not_there(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job.write_text(job.read_text() + "engine: sc://127.0.0.1:1/;token=hunter2\n")
    code, _, err = run(capsys, "stage", "ingest", "--config", job, "--day", "2026-10-05")
    assert code == 1
    assert "the engine sc://127.0.0.1:1 cannot be reached" in err
    assert "hunter2" not in err


def test_out_goes_to_the_stage(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(tables: StageTables, config: JobConfig, day: date) -> Outcome:
        return Outcome({}, (f"into {config.output}",))

    stage = Stage("publish", reads=(Read(EVENTS),), writes=(), work=work)
    monkeypatch.setitem(pipeline.STAGES, "publish", lambda: stage)
    argv = ["stage", "publish", "--config", job, "--day", "2026-10-05", "--out", tmp_path / "r"]
    code, out, _ = run(capsys, *argv)
    assert code == 0
    assert f"into {tmp_path}/r" in out


# The end of the process

ABORT_AT_THE_END = (
    "import atexit, os; atexit.register(os.abort); from jobs.cli.app import main; main()"
)


@pytest.mark.parametrize(
    ("argv", "code", "printed"),
    [
        (["sources"], 0, "aws_cloudtrail"),
        (["--help"], 0, "exit codes:"),
        (["x"], 2, "invalid choice"),
    ],
)
def test_a_process_that_has_done_its_work_ends_with_its_code(
    argv: list[str], code: int, printed: str
) -> None:
    """Python's clean-up, in which threads of libraries may abort the process, is left out."""
    done = subprocess.run(
        [sys.executable, "-c", ABORT_AT_THE_END, *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert printed in done.stdout + done.stderr


# The lock of the storage

HOLD_LOCK = """
import sys, time
from jobs.pipeline import storage_lock
with storage_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_only_one_run_writes_at_once_and_a_killed_one_frees_the_storage(tmp_path: Path) -> None:
    storage = str(tmp_path / "warehouse")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, storage], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = rf"process {holder.pid}\) is writing to {storage}"
        with pytest.raises(RunError, match=message), run_lock.storage_lock(storage):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with run_lock.storage_lock(storage):
        owner = (tmp_path / "warehouse" / run_lock.LOCK_NAME).read_text()
    assert int(owner) == os.getpid()


def test_object_stores_are_not_locked() -> None:
    with run_lock.storage_lock("s3a://bucket/warehouse"):
        pass


def test_storage_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = str(tmp_path / "file" / "warehouse")
    with pytest.raises(InputError, match="cannot be written"), run_lock.storage_lock(storage):
        pass


# Printing events


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
def test_log_values_cannot_reach_the_terminal_raw(
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
    assert int(code) in (0, 141)  # 0 where all fitted into the pipe
    assert answer.stderr == ""


# Explaining a finding


def test_explain_shows_all_that_is_behind_a_finding(
    stored_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "explain", "abc", "--config", stored_job)
    assert (code, err) == (0, "")
    assert "Finding abc123 of 2026-10-05: rank 1 (in the queue)" in out
    assert "Ana Silva (u1), ana@example.com: score 71.2 of 100, severity 3 of 4" in out
    assert "techniques T1530" in out
    assert out.index("the whole checkpoint") < out.index("never seen here")
    assert "1.0e-05" in out
    assert "100%" in out
    assert "Access by day (3 rows)" in out  # not the one of 7 days ago, nor u2's
    assert "123,456,789" in out
    assert "987,654" in out
    # 30 on the asset and one in the container s3://scratch, not s3://scratchy nor u2's
    assert "Events (20 of 31 rows)" in out
    assert all(character.isprintable() for character in out.replace("\n", ""))


def test_explain_takes_a_unique_beginning(
    stored_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "explain", "ab", "--config", stored_job)
    assert (code, out) == (2, "")
    assert "2 findings begin with 'ab': abc123, abd999" in err
    code, _, err = run(capsys, "explain", "zz", "--config", stored_job)
    assert code == 2
    assert "no finding" in err


def test_explain_without_findings(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "explain", "ab", "--config", job)
    assert code == 2
    assert "there are no findings" in err


# The doctor and the demo


def test_doctor_of_a_sound_job(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job.parent / "raw" / "a.json").write_text("{}")
    code, out, err = run(capsys, "doctor", "--config", job)
    assert (code, err) == (0, ""), out
    assert "ok       engine: sail starts and counts" in out
    assert "warning  context: " in out
    assert not (job.parent / "warehouse").exists()


def test_doctor_says_what_is_missing(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job.parent / "context" / "networks.csv").write_text("cidr\n")
    job.write_text(
        job.read_text() + "engine: sc://127.0.0.1:1\nelasticsearch: {url: 'http://127.0.0.1:1'}\n"
    )
    code, out, _ = run(capsys, "doctor", "--config", job)
    assert code == 1
    assert "missing  context: " in out
    assert "missing  engine: the engine sc://127.0.0.1:1 cannot be reached" in out
    assert "missing  elasticsearch: http://127.0.0.1:1" in out
    job.write_text("late_days: x\n")
    code, out, _ = run(capsys, "doctor", "--config", job)
    assert code == 1
    assert "job.yml:1: late_days: " in out
    assert "job.yml:1: sources: missing" in out


def unnamed(principal: str, **changes: Any) -> dict[str, Any]:
    """What differs of an event whose principal nobody knows."""
    return {"principal": principal, "user_id": principal, "user_kind": "unknown", **changes}


@pytest.fixture(scope="module")
def named_job(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose stored events name people in all ways."""
    folder = tmp_path_factory.mktemp("named")
    (folder / "raw").mkdir()
    path = folder / "job.yml"
    path.write_text("sources: [{name: logs, format: aws_cloudtrail, path: 'raw/*.json'}]\n")
    people = [
        {"user_id": "u1", "kind": "human", "email": "ana@example.com"},
        {"user_id": "u2", "kind": "human", "email": "bo@example.com"},
        {"user_id": "u3", "kind": "human", "email": "bo@vendor.example"},
    ]
    write_context(folder / "context", directory=people)
    candidates = {"details": {"identity_candidates": "u2;u3"}}
    near = {"identity_rule": "email_case", "identity_name": "ANA@example.com"}
    kinds = [
        *[{}] * 5,
        *[unnamed("ana", bytes_out=10)] * 3,
        *[unnamed("ana", source="other")] * 2,
        *[unnamed("bo@lab.example", **candidates)] * 2,
        unnamed("oidc:bo"),
        *[unnamed("anonymous", source="other")] * 4,
        unnamed(ESCAPE, details=None),
        *[{"principal": "ANA@example.com", "details": near}] * 3,
        # What its log calls a service is one, though the directory has none.
        {"user_kind": "service", "user_id": "loader", "principal": "loader"},
    ]
    events = [event(number, **changes) for number, changes in enumerate(kinds)]
    before = {"day": DAY - timedelta(days=3), "event_time": datetime(2026, 10, 2, tzinfo=UTC)}
    events += [event(100 + number, **before, **unnamed("old")) for number in range(9)]
    store(sail, folder / "warehouse", EVENTS, events)
    return path


def test_doctor_lists_who_is_not_named_for_certain(
    named_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["doctor", "--config", named_job, "--identities"]
    code, out, err = run(capsys, *argv, "--format", "ndjson")
    assert (code, err) == (0, "")
    rows = ndjson(out)
    columns = ("source", "events", "resolved", "by_rule", "ambiguous", "unresolved")
    assert [tuple(r[c] for c in columns) for r in rows if r["list"] == "sources"] == [
        ("logs", 16, 9, 3, 2, 7),
        ("other", 6, 0, 0, 0, 6),
        ("*", 22, 9, 3, 2, 13),
    ]
    assert [r["resolved_share"] for r in rows if r["list"] == "sources"] == [0.5625, 0, 0.4091]
    columns = ("principal", "sources", "events", "bytes_out", "why", "hint")
    assert [tuple(r[c] for c in columns) for r in rows if r["list"] == "unresolved"] == [
        ("ana", ["logs", "other"], 5, 30, *UNKNOWN, "add it to the aliases of u1?"),
        ("anonymous", ["other"], 4, None, "the log names nobody", ""),
        (
            "bo@lab.example",
            ["logs"],
            2,
            None,
            "ambiguous: u2, u3",
            "add it to the aliases of the right one",
        ),
        ("oidc:bo", ["logs"], 1, None, *UNKNOWN, "one of u2, u3?"),
        (ESCAPE, ["logs"], 1, None, *UNKNOWN, ""),
    ]
    assert [r for r in rows if r["list"] == "by_rule"] == [
        {
            "list": "by_rule",
            "identity_rule": "email_case",
            "identity_name": "ANA@example.com",
            "user_id": "u1",
            "sources": ["logs"],
            "events": 3,
            "bytes_out": None,
        }
    ]
    code, text, err = run(capsys, *argv)
    assert (code, err) == (0, "")
    assert "not resolved: 5\n" in text
    assert "matched by a near-certain rule: 1\n" in text
    for printed in (out, text):
        assert all(character.isprintable() for character in printed.replace("\n", ""))
    # As the quality gate counts them.
    quality = sum(row["user_kind"] == "unknown" for row in stored_events(named_job, DAY))
    assert next(r for r in rows if r.get("source") == "*")["unresolved"] == quality


UNKNOWN = ("not in the directory",)


def stored_events(job: Path, day: date) -> list[dict[str, Any]]:
    storage = load_config(job).storage
    return find_events(storage, Wanted(day), 0)[0]


def test_doctor_reads_the_days_asked_for(
    named_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["doctor", "--config", named_job, "--identities", "--limit", "1"]
    for span, title, first in (
        ([], "events of 2026-10-05\n", "ana"),
        (["--day", "2026-10-02"], "events of 2026-10-02\n", "old"),
        (["--days", "3"], "events of 2026-10-03 to 2026-10-05\n", "ana"),
        (["--days", "90"], "events of 2026-10-02 to 2026-10-05\n", "old"),
    ):
        code, out, err = run(capsys, *argv, *span)
        assert code == 0
        assert out.startswith(title)
        listed = out.partition("not resolved: ")[2].splitlines()
        assert listed[3].startswith(f"{first} ")
        assert ("not resolved: 1 of " in err) == ("--day" not in span)


def test_doctor_without_events_says_what_to_do(
    job: Path, named_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "doctor", "--config", job, "--identities")
    assert (code, out) == (1, "")
    assert "run a day first (`exfilwatch run" in err
    assert not (job.parent / "warehouse").exists()
    argv = ["doctor", "--config", named_job, "--identities", "--day", "2026-10-04"]
    code, out, err = run(capsys, *argv)
    assert (code, out) == (1, "")
    assert "no events of 2026-10-04" in err
    assert "2026-10-02 to 2026-10-05" in err
    code, out, err = run(capsys, "doctor", "--config", job, "--days", "3", "--limit", "0")
    assert (code, out) == (2, "")
    assert "--days: only with --identities" in err
    assert "--limit: only with --identities" in err


def test_demo_replaces_only_what_a_demo_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = tmp_path / "mine" / "thesis.txt"
    keep.parent.mkdir()
    keep.write_text("years of work")
    code, _, err = run(capsys, "demo", "--out", keep.parent)
    assert code == 2
    assert "was not made by a demo" in err
    assert keep.read_text() == "years of work"


def test_demo_makes_its_sample_anew(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    for name in (demo.MARKER, "config.yml", "left-over"):
        (folder / name).write_text("of an earlier demo that was killed")
    (folder / demo.MAKING).mkdir()
    lines: list[str] = []
    truth = demo.make_sample(folder, 3, 4, 2, 3, lines.append)
    assert len(lines) == 3
    assert truth["events"]
    assert not (folder / "left-over").exists()
    assert not (folder / demo.MAKING).exists()
    assert (folder / demo.MARKER).is_file()
    assert load_config(folder / "config.yml").output == str(folder / "out")
