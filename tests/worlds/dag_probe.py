"""Imports, describes and runs the daily DAG in a child process; the answer is JSON.

    python tests/worlds/dag_probe.py ANSWER COMMANDS

Airflow reads its settings at import and rearranges logging, so the test process never imports it.
This file must not import the product, because a test checks that the DAG does not.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = (
    """/tmp/a b;touch PWNED1 $(touch PWNED2) `touch PWNED3` & ' " {{ 1+1 }} --day=2000-01-01.yml"""
)
REFUSED = {
    "config": [
        "",
        "job.yml",
        "--help",
        "-v",
        "/etc/a\n--out=/tmp",
        "/etc/a\n",
        "/etc/a\x00",
        None,
        7,
    ],
    "day": ["2026-10", "today", "2026-10-30 ", "2026-10-30\n", "$(id)", "--help", 7],
    "out": ["out", "--config=/x", "/srv/out\n", 7],
}
STAND_IN = """#!{python}
import json, os, sys
from pathlib import Path

calls = Path({calls!r})
with calls.open("a") as file:
    secrets = sorted(key for key in os.environ if "AIRFLOW" in key)
    file.write(json.dumps({{"argv": sys.argv[1:], "airflow_environment": secrets}}) + "\\n")
stage, tries = sys.argv[2], calls.read_text().count('"' + sys.argv[2] + '"')
print("a line of", stage)
print(stage, "is done")
codes = json.loads(os.environ.get("STAND_IN_CODES", "{{}}")).get(stage, [])
code = codes[tries - 1] if tries <= len(codes) else 0
if code:
    print("exfilwatch: the reason of", stage, file=sys.stderr)
    print("exfilwatch: and the remedy", file=sys.stderr)
    print("a library's last words", file=sys.stderr)
sys.exit(code)
"""


def make_stand_in(folder: Path) -> Path:
    """Write an `exfilwatch` to ``folder``; returns the file to which it appends each call.

    STAND_IN_CODES (JSON) holds the exit codes of a stage's first calls.
    """
    folder.mkdir(parents=True, exist_ok=True)
    calls = folder / "calls.ndjson"
    script = folder / "exfilwatch"
    script.write_text(STAND_IN.format(python=sys.executable, calls=str(calls)))
    script.chmod(0o755)
    return calls


def read_calls(calls: Path) -> list[dict[str, Any]]:
    """All calls of a stand-in, oldest first."""
    return [json.loads(line) for line in calls.read_text().splitlines()]


def probe(answer: Path, commands: Path) -> None:
    """Import, describe and run the DAG; write the answer to a JSON file."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.utils.db import upgradedb

    folder = ROOT / "dags"
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    ours = sorted(m for m in sys.modules if m.split(".")[0] in ("jobs", "models", "schemas"))
    dag = bag.dags["exfilwatch_daily"]
    module = runpy.run_path(dag.fileloc)
    found = {
        "import_errors": bag.import_errors,
        "dag_ids": sorted(bag.dags),
        "our_modules": ours,
        "kept_environment": module["stage_environment"](os.environ).get("EXFILWATCH_ES_API_KEY"),
        **_description(dag),
        **_commands(dag),
        **_days(dag),
        **_parameters(dag),
    }
    upgradedb()
    raised = {code: _raised(dag, commands, code) for code in (1, 2, 3, 137)}
    found |= {
        "raised": {code: kind for code, (kind, _) in raised.items()},
        "errors": {code: text for code, (_, text) in raised.items()},
        "runs": {
            "hostile": _run_once(dag, commands, {}, {"config": HOSTILE, "out": HOSTILE}, 0),
            "check exits 3": _run_once(dag, commands, {"check": [3]}, {}, 1),
            "check exits 1 once": _run_once(dag, commands, {"check": [1]}, {}, 2),
            "without a day": _run_once(dag, commands, {}, {}, None),
        },
    }
    answer.write_text(json.dumps(found))


def _description(dag: Any) -> dict[str, Any]:
    """Declarations of the DAG and of its tasks."""
    return {
        "order": [task.task_id for task in dag.topological_sort()],
        "downstream": {t.task_id: sorted(t.downstream_task_ids) for t in dag.tasks},
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "template_undefined": dag.template_undefined.__name__,
        "dagrun_hours": dag.dagrun_timeout.total_seconds() / 3600,
        "tags": sorted(dag.tags),
        "doc_md": dag.doc_md,
        "settings": {
            task.task_id: {
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "delay_minutes": task.retry_delay.total_seconds() / 60,
                "hours": task.execution_timeout.total_seconds() / 3600,
                "owner": task.owner,
                "trigger_rule": task.trigger_rule.value,
            }
            for task in dag.tasks
        },
    }


def _commands(dag: Any) -> dict[str, Any]:
    """Command of each task by kind of run, and the result of a task without a day."""
    from jinja2 import UndefinedError
    from pendulum import datetime

    defaults = {name: dag.params[name] for name in dag.params}
    start = datetime(2026, 10, 30, 6)
    kinds = {
        "scheduled": {},
        "override": {"day": "2026-01-31"},
        "hostile": {"config": HOSTILE, "out": HOSTILE},
    }

    def command_of(task: Any, params: dict[str, str]) -> list[str]:
        rendered = task.prepare_for_execution()
        context = {"params": {**defaults, **params}, "data_interval_start": start}
        rendered.render_template_fields(context)
        command: list[str] = rendered.command()
        return command

    def without_day(task: Any) -> str:
        try:
            task.prepare_for_execution().render_template_fields({"params": defaults})
        except UndefinedError as error:
            return type(error).__name__
        return "rendered"

    return {
        "commands": {
            task.task_id: {kind: command_of(task, params) for kind, params in kinds.items()}
            for task in dag.tasks
        },
        "without_day": {task.task_id: without_day(task) for task in dag.tasks},
    }


def _days(dag: Any) -> dict[str, Any]:
    """Day and start of the first three scheduled runs; day of manual runs by their start."""
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction
    from pendulum import datetime, parse

    timetable = coerce_to_core_timetable(dag.timetable)
    restriction = TimeRestriction(earliest=datetime(2026, 1, 1), latest=None, catchup=dag.catchup)
    scheduled, last = [], None
    for _ in range(3):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=restriction
        )
        last = info.data_interval
        scheduled.append({"day": str(last.start.date()), "starts": info.run_after.isoformat()})
    moments = (
        "2026-10-31T05:59:59+00:00",
        "2026-10-31T06:00:00+00:00",
        "2026-10-31T23:59:59+00:00",
    )
    by_hand = {
        moment: str(timetable.infer_manual_data_interval(run_after=parse(moment)).start.date())
        for moment in moments
    }
    return {"scheduled": scheduled, "by_hand": by_hand}


def _parameters(dag: Any) -> dict[str, Any]:
    """Values of REFUSED that are accepted, and whether a parameter may be empty."""
    from airflow.sdk.exceptions import ParamValidationError

    def is_accepted(name: str, value: Any) -> bool:
        try:
            dag.params.get_param(name).resolve(value)
        except ParamValidationError:
            return False
        return True

    return {
        "accepted": {
            name: [value for value in values if is_accepted(name, value)]
            for name, values in REFUSED.items()
        },
        "nullable": {name: is_accepted(name, None) for name in dag.params},
    }


def _raised(dag: Any, commands: Path, code: int) -> tuple[str, str]:
    """Type and text of a task's exception for an exit code."""
    from airflow.sdk.exceptions import AirflowException

    make_stand_in(commands).unlink(missing_ok=True)
    os.environ["STAND_IN_CODES"] = json.dumps({"check": [code]})
    try:
        dag.get_task("check").prepare_for_execution().execute({})
    except AirflowException as error:
        return type(error).__name__, str(error)
    return "none", ""


def _run_once(
    dag: Any, commands: Path, codes: dict[str, list[int]], conf: dict[str, str], minute: int | None
) -> dict[str, Any]:
    """One run for DAY with the stand-in; ``minute`` of its logical date (None: no such date)."""
    from pendulum import datetime

    calls = make_stand_in(commands)
    calls.unlink(missing_ok=True)
    os.environ["STAND_IN_CODES"] = json.dumps(codes)
    for task in dag.tasks:
        task.retry_delay = timedelta(0)
    after = datetime(2026, 10, 31, 6, minute or 0)
    moment = {"logical_date": after} if minute is not None else {"logical_date": None}
    run = dag.test(run_after=after, **moment, run_conf=conf)
    return {
        "state": str(run.state.value),
        "tasks": {ti.task_id: str(ti.state) for ti in run.get_task_instances()},
        "calls": read_calls(calls),
    }


if __name__ == "__main__":
    probe(Path(sys.argv[1]), Path(sys.argv[2]))
