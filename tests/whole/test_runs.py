"""Table ``runs``: a row for each stage of each run, whether it succeeds or fails."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from jobs import pipeline
from jobs.cli import app as cli
from jobs.platform.delta_tables import table_version
from jobs.platform.errors import GateError, RunError
from jobs.platform.run_lock import storage_lock
from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS
from schemas.tables.runs import RUNS
from tests.cli.running import stage_of
from tests.worlds.good_job import DAY, run, stage, stored_runs


def keys(rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def test_a_run_adds_a_row_for_each_stage(job: Path) -> None:
    rows = stored_runs(job)
    storage = str(job / "warehouse")
    assert keys(rows, "stage") == list(pipeline.STAGES)
    assert set(keys(rows, "day")) == {DAY}
    assert set(keys(rows, "outcome")) == {"ok"}
    assert len(set(keys(rows, "run"))) == 1
    assert len({(row["config"], row["context"], row["code"]) for row in rows}) == 1
    ingest, aggregate = rows[0], rows[2]
    assert ingest["rows"] == {"events": 96, "rejects": 0}
    assert ingest["inputs"] == {}
    assert ingest["outputs"]["events"] == table_version(storage, EVENTS)
    assert aggregate["inputs"] == {"events": ingest["outputs"]["events"]}
    assert aggregate["outputs"]["access"] == table_version(storage, ACCESS)
    tables = ("access", "object_access", "place_access", "api_days", "jobs", "job_access",
              "source_days", "rare_acts")  # fmt: skip
    assert aggregate["writings"] == dict.fromkeys(tables, 1)
    assert all(row["seconds"] > 0 and row["started"].tzinfo for row in rows)


def test_a_stage_run_again_adds_a_row(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = stored_runs(job)
    assert stage(capsys, job, "graph") == (0, "")
    *old, new = stored_runs(job)
    assert old == before
    assert new["stage"] == "graph"
    assert new["run"] != old[0]["run"]
    assert new["writings"] == {"graph_edges": 2, "graph_nodes": 2}


@pytest.mark.parametrize(
    ("error", "outcome"), [(RunError("no file"), "failed"), (GateError("no file"), "stopped")]
)
def test_a_failed_stage_adds_a_row_with_its_reason(
    error: RunError,
    outcome: str,
    job: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error.args = ("no file at https://ana:hunter2@logs.example\nmore",)
    stage_of(monkeypatch, "graph", error)
    code, message = stage(capsys, job, "graph")
    assert code == error.exit_code
    row = stored_runs(job)[-1]
    assert (row["stage"], row["outcome"]) == ("graph", outcome)
    assert row["reason"] == "no file at https://***@logs.example"
    assert "hunter2" in message


def test_a_record_that_cannot_be_written_hides_nothing(
    job: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.rmtree(job / "warehouse" / RUNS.name)
    (job / "warehouse" / RUNS.name).write_text("no folder")
    assert stage(capsys, job, "graph")[0] == 0
    assert f"table runs has no row of this graph of {DAY}: " in caplog.text
    caplog.clear()
    stage_of(monkeypatch, "graph", RunError("no file for logs"))
    code, message = stage(capsys, job, "graph")
    assert (code, message) == (1, f"exfilwatch: {DAY} graph: no file for logs\n")
    assert caplog.text == ""


def test_a_refused_command_records_nothing(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = stored_runs(job)
    (job / "job.yml").write_text((job / "job.yml").read_text() + "alert_buget: 5\n")
    assert run(capsys, job)[0] == 2
    assert stored_runs(job) == before


def test_publish_and_readers_need_no_lock(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--config", str(job / "job.yml")]
    with storage_lock(str(job / "warehouse")):
        assert stage(capsys, job, "publish") == (0, "")
        assert cli.main(["publish", *config, "--day", str(DAY)]) == 0
        assert cli.main(["status", *config]) == 0
        assert cli.main(["events", *config, "--day", str(DAY)]) == 0
        code, message = stage(capsys, job, "graph")
    assert code == 1
    assert "is writing to warehouse; wait until it has ended" in message
