"""Runs one day through the Airflow DAG, without a scheduler.

Airflow reads its settings and the address of its database at import and keeps them for the whole
process. So the DAG runs in a child process (this module as a program), with its own Airflow home
and a SQLite database. The child prints a line of JSON at the end of each task. Every task starts
the stage's command, as on a worker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from jobs.platform.errors import GateError, InputError, RunError

DAG_ID = "exfilwatch_daily"
ROOT = Path(__file__).resolve().parents[2]
LOG_NAME = f"{DAG_ID}.log"
TAIL_LINES = 20
ENDED = "exfilwatch_task_ended"
"""Key that marks our own lines of JSON among Airflow's."""
STAGE_LOGGER = "StageHook"
STAGE_BEGINS, STAGE_ENDS = "Output:", "Command exited with return code"
SETTINGS = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__LOGGING__JSON_LOGS": "True",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "SCARF_ANALYTICS": "false",
}


def run_dag(
    config: Path,
    day: date,
    out: Path,
    home: Path,
    *,
    progress: Callable[[str], None] = print,
    commands: Path = Path(sys.executable).parent,
) -> None:
    """Run the daily DAG for ``day``, with its database and log in ``home``; report each task.

    ``commands`` is the folder that holds ``exfilwatch``. There are no retries, because somebody is
    waiting. If a task fails, raises :class:`InputError` (the stage's exit code was 2),
    :class:`GateError` (3) or :class:`RunError`, with the end of the task's output.
    """
    if not (commands / "exfilwatch").is_file():
        raise RunError(f"no command exfilwatch in {commands}; `make env` installs it")
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    conf = {"config": str(config.resolve()), "out": str(out.resolve())}
    # -P: a module in the current folder must not be imported in place of a library.
    command = [
        sys.executable,
        "-P",
        "-m",
        "jobs.trial.airflow_run",
        day.isoformat(),
        json.dumps(conf),
    ]
    recent: deque[str] = deque(maxlen=TAIL_LINES)
    failed: dict[str, Any] | None = None
    lines = _lines(command, _environment(home, commands), home / LOG_NAME, recent)
    for task in _ended_tasks(lines):
        if task["state"] == "success":
            progress(task["output"][-1] if task["output"] else f"{day}  {task[ENDED]}")
        else:
            failed = failed or task
    if failed:
        raise _failure(failed)


def _environment(home: Path, commands: Path) -> dict[str, str]:
    """The environment of this process with a separate Airflow home and our commands first."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    return {
        **own,
        **SETTINGS,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "PATH": os.pathsep.join([str(commands), own.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [own.get("PYTHONPATH")])]),
    }


def _lines(
    command: list[str], env: dict[str, str], log_path: Path, recent: deque[str]
) -> Iterator[str]:
    """Yield the command's lines; write them to the log and the last ones to ``recent``.

    Raises :class:`RunError` if the exit code is not 0. The command stops when its stdin closes, so
    it stops even if this process is killed.
    """
    with (
        log_path.open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            start_new_session=True,
        ) as child,
    ):
        for line in child.stdout or ():
            log.write(line)
            recent.append(line.rstrip("\n"))
            yield line
    if child.returncode != 0:
        tail = "\n".join(recent)
        raise RunError(f"Airflow ended with exit code {child.returncode} ({log_path}):\n{tail}")


def _ended_tasks(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Our own lines, each with ``output``: the last lines of that task's command."""
    output: deque[str] = deque(maxlen=TAIL_LINES)
    listening = False
    for line in lines:
        entry = _entry(line)
        event = str(entry.get("event", ""))
        if ENDED in entry:
            yield {**entry, "output": list(output)}
            output.clear()
        elif not str(entry.get("logger", "")).endswith(STAGE_LOGGER):
            continue
        elif event == STAGE_BEGINS:
            listening = True
        elif event.startswith(STAGE_ENDS):
            listening = False
        elif listening:
            output.append(event)


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _failure(task: dict[str, Any]) -> RunError:
    code = task["exit_code"]
    lines = [line.removeprefix("exfilwatch: ") for line in task["output"]] or [task["error"]]
    how = f"exit code {code}" if code is not None else "its command did not run"
    head = f"Airflow task {task[ENDED]} failed ({how}):"
    if code == InputError.exit_code:
        return InputError([head, *lines])
    kind = GateError if code == GateError.exit_code else RunError
    return kind("\n".join([head, *lines]))


def main(day: date, conf: dict[str, str]) -> None:
    """The child process: make the database and run the DAG for one day."""
    from airflow.utils.cli import get_bagged_dag
    from airflow.utils.db import upgradedb

    upgradedb()
    dag = get_bagged_dag(bundle_names=None, dag_id=DAG_ID)
    for task in dag.tasks:
        task.retries = 0
        task.on_success_callback = [_report_success]
        task.on_failure_callback = [_report_failure]

    threading.Thread(target=_stop_with_parent, args=[dag.tasks], daemon=True).start()
    # The interval of the run that starts on the following day began on `day`.
    logical_date = datetime.combine(day + timedelta(days=1), time.max, UTC)
    dag.test(logical_date=logical_date, run_conf=conf)


def _stop_with_parent(tasks: list[Any]) -> None:
    """Wait until the parent closes our stdin; then stop the running stage and this process.

    Otherwise a stage whose parent was killed would write at the same time as the next run.
    """
    sys.stdin.read()
    try:
        # A stop is logged, and nobody reads our output any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        for task in tasks:
            task.on_kill()
    finally:
        os._exit(1)


def _report_success(context: Any) -> None:
    _report(context, "success")


def _report_failure(context: Any) -> None:
    _report(context, "failed")


def _report(context: Any, state: str) -> None:
    task = context["task"]
    ended = {
        ENDED: task.task_id,
        "state": state,
        "exit_code": task.exit_code,
        "error": str(context.get("exception") or ""),
    }
    print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]), json.loads(sys.argv[2]))
