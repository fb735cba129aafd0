"""The daily DAG: its declaration, its commands, its failures.

`dag_probe` runs Airflow. In tests of the DAG itself the stage command is a script that logs its
arguments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import dag_probe
from tests.worlds.dag_probe import HOSTILE, REFUSED, ROOT, make_stand_in, read_calls

pytestmark = pytest.mark.airflow

DAY = date(2026, 10, 30)


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The answer of `dag_probe`."""
    home = tmp_path_factory.mktemp("airflow")
    answer = home / "answer.json"
    env = {key: value for key, value in os.environ.items() if "AIRFLOW" not in key}
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_SECRET": "http://user:password@host",
        "EXFILWATCH_ES_API_KEY": "kept",
        "SCARF_ANALYTICS": "false",
        "PATH": os.pathsep.join([str(home / "bin"), os.environ["PATH"]]),
    }
    for name in ("EXFILWATCH_CONFIG", "EXFILWATCH_START_DAY"):
        env.pop(name, None)
    done = subprocess.run(
        [sys.executable, dag_probe.__file__, str(answer), str(home / "bin")],
        env=env,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return {**json.loads(answer.read_text()), "cwd": home}


def test_every_dag_file_is_imported_without_errors(dag: dict[str, Any]) -> None:
    assert dag["import_errors"] == {}
    assert dag["dag_ids"] == ["exfilwatch_daily"]
    assert dag["our_modules"] == [], "a DAG file may name commands, not import the product"


def test_the_tasks_are_the_stages_in_order(dag: dict[str, Any]) -> None:
    from jobs.pipeline import STAGES

    stages = list(STAGES)
    assert dag["order"] == stages
    assert dag["downstream"] == dict(zip(stages, [*([s] for s in stages[1:]), []], strict=True))


def test_the_dag_documents_its_use(dag: dict[str, Any]) -> None:
    assert dag["catchup"] is True
    assert dag["max_active_runs"] == 1
    assert dag["template_undefined"] == "StrictUndefined"
    assert dag["dagrun_hours"] <= 24
    assert "exfilwatch" in dag["tags"]
    for word in ("config", "day", "out", "EXFILWATCH_ES_API_KEY", "--max-active-runs 1"):
        assert word in dag["doc_md"]


def test_every_task_is_retried_with_growing_pauses_and_ends_in_time(dag: dict[str, Any]) -> None:
    wanted = {"retries": 3, "backoff": 2, "owner": "insider-risk", "trigger_rule": "all_success"}
    odd = {t: s for t, s in dag["settings"].items() if {k: s[k] for k in wanted} != wanted}
    assert odd == {}
    assert all(0 < s["delay_minutes"] <= 10 for s in dag["settings"].values())
    assert all(0 < s["hours"] <= 6 for s in dag["settings"].values())


def test_the_command_line_parses_each_command(dag: dict[str, Any]) -> None:
    from tests.cli.running import parsed

    for name, commands in dag["commands"].items():
        for kind, command in commands.items():
            assert command[0] == "exfilwatch"
            args = parsed(command[1:])
            assert args["name"] == name
            assert args["day"] == (date(2026, 1, 31) if kind == "override" else DAY)
            assert str(args["config"]) == (
                HOSTILE if kind == "hostile" else "/etc/exfilwatch/config.yml"
            )
            assert args["out"] == (Path(HOSTILE) if kind == "hostile" else None)


def test_a_task_without_its_day_fails_instead_of_guessing(dag: dict[str, Any]) -> None:
    assert dag["without_day"] == dict.fromkeys(dag["order"], "UndefinedError")


def test_a_run_without_a_logical_date_takes_the_last_complete_day(dag: dict[str, Any]) -> None:
    run = dag["runs"]["without a day"]
    assert run["state"] == "success"
    assert {call["argv"][3] for call in run["calls"]} == {"--day=2026-10-30"}


def test_a_form_may_leave_optional_parameters_empty(dag: dict[str, Any]) -> None:
    assert dag["nullable"] == {"config": False, "day": True, "out": True}


def test_the_error_of_a_failed_task_gives_the_stages_reason(dag: dict[str, Any]) -> None:
    for code, error in dag["errors"].items():
        assert f"exit code {code}" in error
        assert error.endswith(": the reason of check | and the remedy"), error


def test_a_run_handles_the_first_day_of_its_interval(dag: dict[str, Any]) -> None:
    assert [run["day"] for run in dag["scheduled"]] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    for run in dag["scheduled"]:
        # The day is over in UTC, and people can look at the result in the morning.
        assert (
            run["starts"] == f"{date.fromisoformat(run['day']) + timedelta(days=1)}T06:00:00+00:00"
        )
    assert dag["by_hand"] == {
        "2026-10-31T05:59:59+00:00": "2026-10-29",
        "2026-10-31T06:00:00+00:00": "2026-10-30",
        "2026-10-31T23:59:59+00:00": "2026-10-30",
    }


@pytest.mark.parametrize("name", list(REFUSED))
def test_odd_parameters_are_refused(dag: dict[str, Any], name: str) -> None:
    assert dag["accepted"][name] == []


def test_hostile_parameters_stay_values(dag: dict[str, Any]) -> None:
    run = dag["runs"]["hostile"]
    assert run["state"] == "success"
    options = [f"--config={HOSTILE}", f"--day={DAY}", f"--out={HOSTILE}"]
    assert [call["argv"] for call in run["calls"]] == [
        ["stage", stage, *options] for stage in dag["order"]
    ]
    assert list(dag["cwd"].rglob("PWNED*")) == []


def test_stages_get_no_settings_of_airflow(dag: dict[str, Any]) -> None:
    assert [call["airflow_environment"] for call in dag["runs"]["hostile"]["calls"]] == (
        [[]] * len(dag["order"])
    )
    assert dag["kept_environment"] == "kept"


def test_a_failed_gate_is_not_retried_and_stops_later_tasks(dag: dict[str, Any]) -> None:
    run = dag["runs"]["check exits 3"]
    assert run["state"] == "failed"
    assert [call["argv"][1] for call in run["calls"]] == ["ingest", "check"]
    assert run["tasks"]["check"] == "failed"
    later = {run["tasks"][stage] for stage in dag["order"][2:]}
    assert later == {"upstream_failed"}


def test_only_failures_that_may_pass_are_retried(dag: dict[str, Any]) -> None:
    final, passing = "AirflowFailException", "AirflowException"
    assert dag["raised"] == {"1": passing, "2": final, "3": final, "137": passing}


def test_a_passing_failure_is_retried(dag: dict[str, Any]) -> None:
    run = dag["runs"]["check exits 1 once"]
    assert run["state"] == "success"
    assert [call["argv"][1] for call in run["calls"]] == ["ingest", "check", *dag["order"][1:]]


def test_a_failed_gate_ends_the_run_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.platform.errors import GateError
    from jobs.trial.airflow_run import run_dag

    calls = make_stand_in(tmp_path / "bin")
    monkeypatch.setenv("STAND_IN_CODES", json.dumps({"check": [3]}))
    lines: list[str] = []
    with pytest.raises(GateError, match="check") as caught:
        run_dag(
            tmp_path / "job.yml",
            DAY,
            tmp_path / "out",
            tmp_path / "home",
            progress=lines.append,
            commands=tmp_path / "bin",
        )
    assert "the reason of check" in str(caught.value)
    assert "ingest" not in str(caught.value)
    assert lines == ["ingest is done"]
    assert [call["argv"] for call in read_calls(calls)] == [
        ["stage", stage, f"--config={tmp_path}/job.yml", f"--day={DAY}", f"--out={tmp_path}/out"]
        for stage in ("ingest", "check")
    ]


def test_a_stage_ends_with_the_process_that_runs_the_dag(tmp_path: Path) -> None:
    command = tmp_path / "bin" / "exfilwatch"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 300\n")
    command.chmod(0o755)
    call = (
        "from datetime import date; from pathlib import Path;"
        "from jobs.trial.airflow_run import run_dag;"
        "here = Path.cwd();"
        f"run_dag(here, date({DAY:%Y, %-m, %-d}), here, here / 'home', commands=here / 'bin')"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    runner = subprocess.Popen([sys.executable, "-c", call], cwd=tmp_path, env=env)
    try:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    finally:
        runner.kill()
        runner.wait()
    stage = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_alive(stage))


def is_alive(process: int) -> bool:
    """Whether the process exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    """Return once ``condition`` holds; fail after ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def test_a_missing_command_is_reported_before_the_start(tmp_path: Path) -> None:
    from jobs.platform.errors import RunError
    from jobs.trial.airflow_run import run_dag

    with pytest.raises(RunError, match="make env"):
        run_dag(tmp_path / "c", DAY, tmp_path, tmp_path / "home", commands=tmp_path)
    assert not (tmp_path / "home").exists()


def test_the_dag_runs_a_real_day(tmp_path: Path) -> None:
    from jobs.pipeline import STAGES
    from jobs.trial.airflow_run import run_dag
    from jobs.trial.lab import make_lab

    lab = tmp_path / "lab"
    make_lab(lab, seed=5, people=6, services=2, days=3, end=DAY)
    lines: list[str] = []
    run_dag(lab / "config.yml", DAY, tmp_path / "out", tmp_path / "home", progress=lines.append)
    assert [line.split()[:2] for line in lines] == [[str(DAY), stage] for stage in STAGES]
    assert (tmp_path / "out" / "findings.ndjson").is_file()
    assert (tmp_path / "out" / "report.html").stat().st_size > 1000
