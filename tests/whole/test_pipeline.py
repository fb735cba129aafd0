"""The whole pipeline: a re-run changes nothing, a killed run leaves no trace.

There is one small lab, and every test runs the real stages on it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.inputs.config import load_config
from jobs.pipeline import STAGES, run_stage
from jobs.platform.errors import GateError, RunError
from jobs.platform.session import engine_lost
from jobs.run_days import run_days
from jobs.stages.stage import Outcome, StageTables
from jobs.trial.lab import make_lab
from schemas.config import JobConfig
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LAST_DAY = date(2026, 10, 30)
DAYS = [LAST_DAY - timedelta(days=1), LAST_DAY]
KILL_AFTER_SECONDS = (3.0, 5.0, 7.0)
"""Seconds after the engine's start. The kills hit different stages."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "lab"
    make_lab(folder, seed=11, people=14, services=3, days=4, end=LAST_DAY)
    return folder


def config_for(lab: Path, name: str) -> JobConfig:
    """The lab's config with its own warehouse and output folder."""
    config = load_config(lab / "config.yml")
    return config.model_copy(
        update={"storage": str(lab / f"warehouse-{name}"), "output": str(lab / f"out-{name}")}
    )


def run_all(spark: SparkSession, config: JobConfig, days: list[date]) -> None:
    for day in days:
        for stage in STAGES:
            run_stage(spark, config, day, stage)


def plain(value: Any) -> Any:
    """A cell that can be compared and sorted: arrays, maps and times become text."""
    if isinstance(value, dict):
        return sorted((key, plain(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def rows_of(storage: str) -> dict[str, list[str]]:
    """Every table's rows as sorted JSON lines."""
    from deltalake import DeltaTable

    tables = {}
    for table in TABLES:
        arrow = DeltaTable(f"{storage}/{table.name}").to_pyarrow_table(columns=table.column_names)
        rows = arrow.to_pylist(maps_as_pydicts="strict")
        tables[table.name] = sorted(
            json.dumps({k: plain(v) for k, v in row.items()}, default=str, sort_keys=True)
            for row in rows
        )
    return tables


def assert_same(left: dict[str, list[str]], right: dict[str, list[str]]) -> None:
    """Compare table by table; the message shows the first differing rows of each."""
    differences = []
    for name, rows in left.items():
        only_left = [row for row in rows if row not in set(right[name])][:2]
        only_right = [row for row in right[name] if row not in set(rows)][:2]
        if rows != right[name]:
            differences.append(f"{name}: {only_left} ≠ {only_right}")
    assert not differences, "\n".join(differences)


@pytest.fixture(scope="module")
def sail_run(sail: SparkSession, lab: Path) -> JobConfig:
    config = config_for(lab, "sail")
    run_all(sail, config, DAYS)
    return config


def test_every_table_has_rows(sail_run: JobConfig) -> None:
    empty = [name for name, rows in rows_of(sail_run.storage).items() if not rows]
    # Four days are enough for some kinds of findings.
    assert empty == []


def test_keys_are_unique(sail_run: JobConfig) -> None:
    from deltalake import DeltaTable

    doubled = []
    for table in TABLES:
        frame = DeltaTable(f"{sail_run.storage}/{table.name}").to_pandas()
        if frame.duplicated(["day", *table.key]).any():
            doubled.append(table.name)
    assert doubled == []


def test_values_match_the_specs(sail_run: JobConfig) -> None:
    from deltalake import DeltaTable

    offenders = []
    for table in TABLES:
        frame = DeltaTable(f"{sail_run.storage}/{table.name}").to_pandas()
        for column in table.columns:
            values = frame[column.name]
            known = values[values.notna()]
            if not column.nullable and len(known) < len(values):
                offenders.append(f"{table.name}.{column.name}: null")
            if column.values is not None and not set(known) <= set(column.values):
                offenders.append(f"{table.name}.{column.name}: {set(known) - set(column.values)}")
            if column.minimum is not None and len(known) and known.min() < column.minimum:
                offenders.append(f"{table.name}.{column.name}: below {column.minimum}")
            if column.maximum is not None and len(known) and known.max() > column.maximum:
                offenders.append(f"{table.name}.{column.name}: above {column.maximum}")
    assert offenders == []


def test_running_a_day_again_changes_nothing(sail: SparkSession, sail_run: JobConfig) -> None:
    before = rows_of(sail_run.storage)
    published = (Path(sail_run.output) / "findings.ndjson").read_bytes()
    run_all(sail, sail_run, [DAYS[0]])
    run_all(sail, sail_run, [DAYS[1]])
    assert_same(before, rows_of(sail_run.storage))
    assert (Path(sail_run.output) / "findings.ndjson").read_bytes() == published


def stage_that_loses_its_engine(
    monkeypatch: pytest.MonkeyPatch, name: str, times: int
) -> list[SparkSession]:
    """Kill the embedded server during the stage's first runs; returns the sessions of all runs."""
    sessions: list[SparkSession] = []
    real = STAGES[name]()
    servers: list[subprocess.Popen[str]] = []

    class Remembered(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            servers.append(self)

    def work(tables: StageTables, config: JobConfig, day: date) -> Outcome:
        sessions.append(tables.spark)
        if len(sessions) <= times:
            servers[-1].kill()
            servers[-1].wait()
        return real.work(tables, config, day)

    monkeypatch.setattr("jobs.platform.sail_server.subprocess.Popen", Remembered)
    stage = replace(real, work=work)
    monkeypatch.setitem(STAGES, name, lambda: stage)
    return sessions


def test_a_run_of_days_makes_the_rows_of_single_stages(lab: Path, sail_run: JobConfig) -> None:
    """In the run the first stages of the second day work beside the last ones of the first day."""
    config = config_for(lab, "of-days")
    run_days(config, DAYS, progress=lambda _: None)
    assert_same(rows_of(sail_run.storage), rows_of(config.storage))


def test_a_stage_that_loses_its_engine_is_run_once_more(
    sail_run: JobConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(sail_run.storage)
    sessions = stage_that_loses_its_engine(monkeypatch, "aggregate", times=1)
    lines: list[str] = []
    run_days(sail_run, [LAST_DAY], ["aggregate", "graph"], lambda said: lines.append(str(said)))
    assert len(set(map(id, sessions))) == 2
    lost, again, graph = lines
    assert lost == f"{LAST_DAY}  aggregate  the engine was lost; once more in a new session"
    assert re.fullmatch(rf"{LAST_DAY}  aggregate +[\d.]+ s  [\d,]+ user–asset rows.*", again)
    assert "users" in graph
    assert_same(before, rows_of(sail_run.storage))


def test_an_engine_that_is_lost_twice_ends_the_run(
    sail_run: JobConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = stage_that_loses_its_engine(monkeypatch, "aggregate", times=2)
    with pytest.raises(RunError):
        run_days(sail_run, [LAST_DAY], ["aggregate"])
    assert len(sessions) == 2


def test_errors_of_a_lost_engine() -> None:
    corrupt = RunError("check: the engine could not …\n- x: Exception deserializing message!")
    assert engine_lost(corrupt)
    try:
        raise RunError("worded") from ValueError("StatusCode.UNAVAILABLE: Socket closed")
    except RunError as error:
        assert engine_lost(error)
    assert not engine_lost(RunError("no log file"))
    assert not engine_lost(GateError("observed 'StatusCode.UNAVAILABLE'"))


@pytest.mark.engine
def test_a_killed_run_leaves_nothing_wrong(lab: Path, sail_run: JobConfig) -> None:
    """SIGKILL at several times, then a whole run: the same tables, findings and ids."""
    config_path = lab / "killed.yml"
    text = (lab / "config.yml").read_text().replace("storage: warehouse/", "storage: killed/")
    config_path.write_text(text)
    out = lab / "out-killed"
    command = [sys.executable, "-m", "jobs.cli.app", "run", "--config", str(config_path)]
    command += ["--start", str(DAYS[0]), "--end", str(DAYS[1]), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for seconds in KILL_AFTER_SECONDS:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same(rows_of(sail_run.storage), rows_of(str(lab / "killed")))
    expected = (Path(sail_run.output) / "findings.ndjson").read_bytes()
    assert (out / "findings.ndjson").read_bytes() == expected
