"""Runs of stages: their lines, their errors, and engines that do not start."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from threading import Event, Timer

import pytest

from jobs import pipeline
from jobs.platform.errors import GateError, InputError, RunError
from jobs.run_days import LAST_AHEAD
from tests.cli.running import ROOT, ndjson, run, stage_of, stand_in
from tests.cli.stored import DAY


def test_every_stage_of_a_day_is_run_in_order(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in pipeline.STAGES:
        stage_of(monkeypatch, name, f"did {name}")
    code, out, err = run(
        capsys, "run", "--config", job, "--start", "2026-10-05", "--end", "2026-10-06"
    )
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    for day in ("2026-10-05", "2026-10-06"):
        assert [line[1] for line in lines if line[0] == day] == [*pipeline.STAGES]
    assert len(lines) == 2 * len(pipeline.STAGES)
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


def test_the_next_day_begins_beside_the_later_stages(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in pipeline.STAGES:
        stage_of(monkeypatch, name, "done")
    begun = Event()

    def ingest(spark: object, config: object, day: date) -> str:
        if day != DAY:
            begun.set()
        return "done"

    stand_in("ingest", ingest)
    stand_in("graph", lambda *_: f"the next day has begun: {begun.wait(60)}")
    argv = ["run", "--config", job, "--start", "2026-10-05", "--end", "2026-10-06"]
    code, out, _ = run(capsys, *argv)
    assert code == 0
    assert out.count("the next day has begun: True") == 2


def test_a_day_ends_before_the_error_of_the_next_day_is_shown(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in pipeline.STAGES:
        stage_of(monkeypatch, name, "done")

    def check(spark: object, config: object, day: date) -> str:
        if day != DAY:
            raise GateError("60 % rejected")
        return "done"

    stand_in("check", check)
    argv = ["run", "--config", job, "--start", "2026-10-05", "--end", "2026-10-07"]
    code, out, err = run(capsys, *argv, "--log-format", "json")
    done = [(record["day"], record["stage"]) for record in ndjson(out)]
    first = [("2026-10-05", name) for name in pipeline.STAGES]
    assert sorted(done) == sorted([*first, ("2026-10-06", "ingest")])
    (problem,) = ndjson(err)
    assert code == 3
    assert problem["message"] == "2026-10-06 check: 60 % rejected"
    assert (problem["day"], problem["stage"]) == ("2026-10-06", "check")


def test_a_failed_day_lets_the_next_day_begin_no_further_stage(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in pipeline.STAGES:
        stage_of(monkeypatch, name, "done")
    begun, failed = Event(), Event()

    def ingest(spark: object, config: object, day: date) -> str:
        if day != DAY:
            begun.set()
            failed.wait(60)
        return "done"

    def graph(spark: object, config: object, day: date) -> str:
        begun.wait(60)
        Timer(1, failed.set).start()
        raise RunError("no graph")

    stand_in("ingest", ingest)
    stand_in("graph", graph)
    argv = ["run", "--config", job, "--start", "2026-10-05", "--end", "2026-10-07"]
    code, out, err = run(capsys, *argv)
    assert code == 1
    assert err == "exfilwatch: 2026-10-05 graph: no graph\n"
    assert "2026-10-06  check" not in out


def test_stages_that_run_ahead_use_no_table_of_later_stages() -> None:
    names = list(pipeline.STAGES)
    first = names[: names.index(LAST_AHEAD) + 1]
    early = [pipeline.STAGES[name]() for name in first]
    late = [pipeline.STAGES[name]() for name in names[len(first) :]]
    used = {read.table.name for stage in early for read in stage.reads}
    used |= {table.name for stage in early for table in stage.writes}
    assert {table.name for stage in late for table in stage.writes} & used == set()


FORGED = "logs\n2026-10-05  publish   0.1 s  0 findings\x1b[2J\u202e\x85\u2028"
LOG_FORGED = f"""
import logging, sys
from jobs.cli.messages import Invocation, set_up_logging
set_up_logging(Invocation())
logging.getLogger("jobs.stages.ingest").warning("source %s is odd", {FORGED!r})
try:
    raise ValueError({FORGED!r})
except ValueError:
    logging.getLogger("jobs.stages.ingest").exception("source %s", {FORGED!r})
"""


def test_a_name_cannot_forge_a_line(
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


def test_a_missing_connect_server(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job.write_text(job.read_text() + "engine: sc://127.0.0.1:1/;token=hunter2\n")
    code, _, err = run(capsys, "stage", "ingest", "--config", job, "--day", "2026-10-05")
    assert code == 1
    assert "the engine sc://127.0.0.1:1 cannot be reached" in err
    assert "hunter2" not in err


def test_out_goes_to_the_stage(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(pipeline.STAGES, "publish", pipeline.STAGES["publish"])
    stand_in("publish", lambda spark, config, day: f"into {config.output}")
    argv = ["stage", "publish", "--config", job, "--day", "2026-10-05", "--out", tmp_path / "r"]
    code, out, _ = run(capsys, *argv)
    assert code == 0
    assert f"into {tmp_path}/r" in out


INTERRUPTED = """
import os, signal, time
from tests.cli.running import stand_in
from jobs.cli.app import main

def wait(spark, config, day):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)

# A shell lets what it starts in the background ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
stand_in("publish", wait)
main()
"""


INTERRUPTED_AHEAD = """
import os, signal, threading, time
from tests.cli.running import stand_in
from jobs import pipeline
from jobs.cli.app import main

begun = threading.Event()

def ingest(spark, config, day):
    if str(day) == "2026-10-06":
        begun.set()
        while True:
            spark.range(10_000_000).selectExpr("sum(sqrt(id))").collect()
    return "done"

def wait(spark, config, day):
    begun.wait(60)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)

signal.signal(signal.SIGINT, signal.default_int_handler)
for name in pipeline.STAGES:
    stand_in(name, lambda *_: "done")
stand_in("ingest", ingest)
stand_in("graph", wait)
main()
"""


def test_ctrl_c_ends_the_next_day_as_well(job: Path) -> None:
    span = ["--start", "2026-10-05", "--end", "2026-10-07"]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AHEAD, "run", "--config", str(job), *span],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (130, "exfilwatch: interrupted\n")
    assert "2026-10-06" not in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "exfilwatch: interrupted\n"),
        (["--log-format", "json"], '"message": "interrupted"}\n'),
    ],
)
def test_ctrl_c_ends_a_run_with_one_message(options: list[str], message: str, job: Path) -> None:
    argv = ["publish", "--config", str(job), "--day", "2026-10-05", *options]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith(message)
    assert done.stderr.count("\n") == 1
