"""One JSON object a line for a log collector: progress, warnings and errors."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import pipeline
from jobs.cli.messages import Invocation
from jobs.cli.progress import followed
from jobs.platform.errors import InputError, RunError
from jobs.platform.progress import at_work
from jobs.run_days import Done
from jobs.stages.stage import Outcome
from tests.cli.running import ROOT, ndjson, run, stage_of
from tests.cli.stored import DAY

FORGED = 'logs\n{"level": "INFO"}\x1b[2J\u202e\x85\u2028\x7f'
KEYS = {"timestamp", "level", "logger", "run", "day", "stage", "message"}
SPAN = ("--start", "2026-10-05", "--end", "2026-10-06", "--log-format", "json")


def records(text: str) -> list[dict[str, Any]]:
    """The records of an output. Every line must be a record in printable ASCII."""
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    found = ndjson(text)
    for record in found:
        assert record.keys() >= KEYS
        assert datetime.fromisoformat(record["timestamp"]).utcoffset() == timedelta(0)
    return found


def test_every_stage_is_a_record(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in pipeline.STAGES:
        stage_of(monkeypatch, name, f"did {name} of {FORGED}")
    code, out, err = run(capsys, "run", "--config", job, *SPAN)
    assert (code, err) == (0, "")
    reported = records(out)
    for day in ("2026-10-05", "2026-10-06"):
        of_day = [record for record in reported if record["day"] == day]
        assert [record["stage"] for record in of_day] == [*pipeline.STAGES]
        assert [record["message"] for record in of_day] == [
            f"did {name} of {FORGED}" for name in pipeline.STAGES
        ]
    assert len(reported) == 2 * len(pipeline.STAGES)
    assert {(record["level"], record["logger"]) for record in reported} == {("INFO", "exfilwatch")}
    assert all(record["seconds"] >= 0 for record in reported)
    (first,) = {record["run"] for record in reported}
    _, out, _ = run(capsys, "publish", "--config", job, *SPAN)
    (second,) = {record["run"] for record in records(out)}
    assert first != second


@pytest.mark.parametrize(
    ("error", "code", "messages"),
    [
        (RunError(f"no file for {FORGED}"), 1, [f"2026-10-05 check: no file for {FORGED}"]),
        (InputError(["a: x", "b: y"]), 2, ["2026-10-05 check: a: x", "2026-10-05 check: b: y"]),
    ],
)
def test_the_error_that_ends_a_run_names_its_day_and_stage(
    error: Exception,
    code: int,
    messages: list[str],
    job: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage_of(monkeypatch, "ingest", "done")
    stage_of(monkeypatch, "check", error)
    found, out, err = run(capsys, "run", "--config", job, *SPAN, "-v")
    assert found == code
    (ingested,) = records(out)
    reported = records(err)
    assert [record["message"] for record in reported] == messages
    for record in reported:
        assert (record["level"], record["day"], record["stage"]) == ("ERROR", "2026-10-05", "check")
        assert record["run"] == ingested["run"]
    assert "Traceback" in reported[0]["exception"]


def test_a_finished_stage_reports_its_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    invocation = Invocation(log_format="json")
    outcome = Outcome({"events": 3}, ("3 records", "NO FILE for a"))
    with followed(invocation, [DAY], ["ingest", "aggregate"]) as progress:
        at_work.set((str(DAY), "ingest"))
        progress(Done(DAY, "ingest", 1000.24, outcome))
    (record,) = records(capsys.readouterr().out)
    assert (record["day"], record["stage"]) == ("2026-10-05", "ingest")
    assert (record["message"], record["seconds"]) == ("3 records; NO FILE for a", 1000.2)
    assert record["rows"] == {"events": 3}


def test_a_remark_ends_no_stage(capsys: pytest.CaptureFixture[str]) -> None:
    invocation = Invocation(log_format="json")
    with followed(invocation, [DAY], ["ingest", "aggregate"]) as progress:
        at_work.set((str(DAY), "ingest"))
        progress("2026-10-06 was scored from the old 2026-10-05")
    (record,) = records(capsys.readouterr().out)
    assert record["message"] == "2026-10-06 was scored from the old 2026-10-05"
    assert "seconds" not in record
    assert record["stage"] == "ingest"


LOGGED = f"""
import logging
from jobs.cli.messages import Invocation, set_up_logging
from jobs.platform.progress import at_work
set_up_logging(Invocation(log_format="json"))
at_work.set(("2026-10-05", "ingest"))
logging.getLogger("jobs.stages.ingest").warning("source %s is odd", {FORGED!r})
logging.getLogger("some.library").warning("nobody asked")
try:
    raise ValueError({FORGED!r})
except ValueError:
    logging.getLogger("some.library").exception("broken")
"""


def test_logged_messages_are_records() -> None:
    log = [sys.executable, "-c", LOGGED]
    done = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=True)
    odd, broken = records(done.stderr)
    assert (odd["level"], odd["logger"]) == ("WARNING", "jobs.stages.ingest")
    assert (odd["day"], odd["stage"]) == ("2026-10-05", "ingest")
    assert odd["message"] == f"source {FORGED} is odd"
    assert (broken["level"], broken["message"]) == ("ERROR", "broken")
    assert FORGED in broken["exception"]


def test_no_record_holds_a_secret(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXFILWATCH_ES_API_KEY", "c2VjcmV0")
    server = "engine: sc://127.0.0.1:1/;token=hunter2\nelasticsearch: {url: 'http://127.0.0.1:1'}\n"
    job.write_text(job.read_text() + server)
    code, out, err = run(capsys, "run", "--config", job, *SPAN, "-v")
    assert code == 1
    assert records(err)
    stage_of(monkeypatch, "publish", "sent")
    code, sent, _ = run(capsys, "publish", "--config", job, *SPAN, "-v")
    assert (code, len(records(sent))) == (0, 2)
    assert "hunter2" not in out + err + sent
    assert "c2VjcmV0" not in out + err + sent


def test_text_is_the_default(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_of(monkeypatch, "publish", "sent")
    argv = ["publish", "--config", job, "--day", "2026-10-05"]
    _, out, _ = run(capsys, *argv)
    assert out.startswith("2026-10-05  publish  ")
    _, same, _ = run(capsys, *argv, "--log-format", "text")
    assert same.split("  ")[0] == "2026-10-05"
    assert json.loads(run(capsys, *argv, "--log-format", "json")[1])["message"] == "sent"
    assert run(capsys, *argv, "--log-format", "xml")[0] == 2
