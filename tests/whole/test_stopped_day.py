"""A day that the gate stops: nothing of an older run stays, and later stages refuse the day."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs import pipeline
from jobs.inputs.config import load_config
from schemas.tables import TABLES
from tests.stages.publish.test_publish import store
from tests.whole.test_status import problems, status
from tests.worlds.good_job import (
    DAY,
    NEXT_DAY,
    clones,
    rows_of,
    run,
    stage,
    stored_runs,
    write_logs,
)
from tests.worlds.sample_findings import make_finding

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LATER = list(pipeline.STAGES)[2:]
"""The stages after the gate."""
TABLES_OF_LATER = [table.name for table in TABLES if table.stage in LATER]
BEFORE = DAY - timedelta(days=1)


def published(job: Path) -> list[str]:
    """The days of the published findings."""
    lines = (job / "out/findings.ndjson").read_text().splitlines()
    return [json.loads(line)["exfil"]["day"] for line in lines]


def publish_findings(sail: SparkSession, job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Store findings of the run day and of the day before, and publish the run day."""
    config = load_config(job / "job.yml")
    for day in (BEFORE, DAY):
        store(sail, config, day, [make_finding("u-ana", day, assets=("repo-0",))])
    code, message = stage(capsys, job, "publish")
    assert code == 0, message


def damage_logs(job: Path) -> None:
    """Most records of the day are no JSON."""
    write_logs(job, DAY, clones(DAY) + "{no json}\n" * 200)


def test_a_stopped_day_leaves_nothing_of_its_older_run(
    sail: SparkSession, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, job, NEXT_DAY) == (0, "")
    publish_findings(sail, job, capsys)
    assert published(job) == [str(DAY)]
    before, next_day = rows_of(job, DAY), rows_of(job, NEXT_DAY)
    damage_logs(job)
    code, message = run(capsys, job, DAY)
    assert code == 3
    assert "too many records" in message
    assert f"withdrew the older run of {DAY}: access, object_access, " in message
    rows = rows_of(job, DAY)
    assert rows["events"]
    assert rows["quality"] != before["quality"]
    assert {name: rows[name] for name in TABLES_OF_LATER} == {name: [] for name in TABLES_OF_LATER}
    assert published(job) == []
    assert "read 142 of 200" not in (job / "out/report.html").read_text()
    assert rows_of(job, NEXT_DAY) == next_day
    last = stored_runs(job)[-1]
    assert (last["stage"], last["outcome"]) == ("check", "stopped")
    stale, _ = status(capsys, job, "--day", str(NEXT_DAY))
    assert problems(stale)[str(NEXT_DAY), "graph"] == [f"newer access of {DAY}"]

    for name in LATER:
        code, message = stage(capsys, job, name)
        assert code == 3, name
        assert f"{DAY} {name}: the data-quality gate stopped {DAY} (reject_share" in message
        assert f"`exfilwatch run --config … --day {DAY}`" in message
    assert published(job) == []

    write_logs(job, DAY, clones(DAY))
    assert stage(capsys, job, "ingest") == (0, "")
    assert stage(capsys, job, "check") == (0, "")
    code, message = stage(capsys, job, "publish")
    assert code == 1
    assert f"table access in warehouse has no {DAY}" in message
    assert run(capsys, job, DAY) == (0, "")
    again = rows_of(job, DAY)
    assert {name: again[name] for name in before if name != "findings"} == {
        name: rows for name, rows in before.items() if name != "findings"
    }


def test_a_first_run_that_is_stopped_publishes_nothing(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = (job / "out/report.html").read_bytes()
    write_logs(job, NEXT_DAY, clones(NEXT_DAY) + "{no json}\n" * 200)
    code, message = run(capsys, job, NEXT_DAY)
    assert code == 3
    assert "withdrew" not in message
    assert (job / "out/report.html").read_bytes() == report
