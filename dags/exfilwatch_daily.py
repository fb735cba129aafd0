r"""Score one day of access logs, stage by stage, every morning.

A run at 06:00 UTC handles the day on which its data interval began: the run of 2 March handles
1 March. Each task is one `exfilwatch stage` command and replaces its own day in its own tables. So
you may clear a task and run it again at any time; it writes the same rows.

**Parameters** (when triggered by hand; a scheduled run takes the defaults)

| name | meaning |
|---|---|
| `config` | job config: an absolute path on the worker |
| `day` | the day to handle, `YYYY-MM-DD`; empty: the interval's day, else the last complete day |
| `out` | folder for findings.ndjson and report.html; empty: the config's `output` |

**When a task fails.** The task's ERROR line gives the reason.

Exit 1 (an engine, a file or a server) is retried with growing pauses. Exit 2
(the command or config is wrong) and exit 3 (the data-quality gate stopped the day) fail at once,
because a second try would read the same config and data. Later tasks do not run. Remove the cause
and clear the failed task. Meanwhile later days run and are scored on a history without the failed
day. Clear them, too, when the failed day is done.

**Late logs.** The morning's run reads the records that were delivered by then. Records may come up
to `late_days` later. When they are there, run the days again, here 1 and 2 March (a run is dated
06:00 of the day it handles, so `--to-date` is the midnight after the last):

    airflow backfill create --dag-id exfilwatch_daily --from-date 2026-03-01 --to-date 2026-03-03 \
        --reprocess-behavior completed --max-active-runs 1

**Backfills** need `--max-active-runs 1`, too, because a day is scored against the days before it.

**Deployment.** `EXFILWATCH_CONFIG` (default of `config`) and `EXFILWATCH_START_DAY` (first day of
logs) come from the environment of the DAG processor and the workers. Set them before you unpause
the DAG, because catch-up then runs every day since. `exfilwatch` must be on the workers' `PATH`.

**Secrets and rights.** Stages get the worker's environment without Airflow's connections,
variables and settings. It holds `EXFILWATCH_ES_API_KEY` and cloud credentials: let the platform's
secret store put them into the worker, readable by this queue only. The worker needs to read raw
logs and context, write the warehouse and the output folder, and create documents in the findings
indices; nothing else. A user who may trigger this DAG chooses the config. The config names the
inputs, the place of the results and the server that gets the key. So give this right only to users
who may edit the config.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable, Param, chain
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from jinja2 import StrictUndefined

STAGES = (
    "ingest", "check", "aggregate", "features", "graph", "signals", "findings", "publish",
)  # fmt: skip
FINAL_EXIT_CODES = {2: "the command or the config is wrong", 3: "the data-quality gate stopped it"}
# Not "$", because in Python it also matches before a last line break.
REASON = "exfilwatch: "
"""Beginning of the line in which a stage gives the reason of its failure."""
DAY = (
    "{% if params.day %}{{ params.day }}"
    "{% elif data_interval_start is defined and data_interval_start %}"
    "{{ data_interval_start | ds }}"
    # Only runs triggered without a logical date have no interval. Retries see the same `run_after`.
    "{% else %}{{ (dag_run.run_after - macros.timedelta(days=1)) | ds }}{% endif %}"
)
END = r"(?![\s\S])"
ABSOLUTE_PATH = r"/[^\x00-\x1f]*"
MAX_REASONS = 5


def stage_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment without Airflow's connections, variables and settings."""
    return {k: v for k, v in environ.items() if not k.lstrip("_").startswith("AIRFLOW")}


class ReasonLog:
    """A log that also keeps the lines in which a stage gives the reason of its failure."""

    def __init__(self, log: Any, reasons: list[str]) -> None:
        self.log = log
        self.reasons = reasons

    def info(self, message: str, *values: object) -> None:
        """Log a line; keep it if it gives a reason."""
        self.log.info(message, *values)
        line = message % values if values else message
        if line.startswith(REASON) and len(self.reasons) < MAX_REASONS:
            self.reasons.append(line.removeprefix(REASON))


class StageHook(SubprocessHook):
    """Runs a command and keeps its reasons; Airflow's own hook returns only the last line."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    @property
    def log(self) -> Any:
        """The log of every line of output."""
        return ReasonLog(super().log, self.reasons)


class StageOperator(BaseOperator):
    """Run ``exfilwatch stage`` as an argument list.

    There is no shell, and every value stands in one ``--option=value`` argument, so a parameter
    cannot add an option or a command. The last line of output becomes the task's XCom.
    """

    template_fields: Sequence[str] = ("config", "day", "out")

    def __init__(self, *, stage: str, config: str, day: str, out: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.config = config
        self.day = day
        self.out = out
        self.hook = StageHook()
        self.exit_code: int | None = None

    def command(self) -> list[str]:
        """The command, from the rendered fields."""
        command = [
            "exfilwatch",
            "stage",
            self.stage,
            f"--config={self.config}",
            f"--day={self.day}",
        ]
        return [*command, f"--out={self.out}"] if self.out else command

    def execute(self, context: Any) -> str:
        """Run the command to its end; raises with the exit code unless that is 0."""
        self.hook.reasons.clear()
        result = self.hook.run_command(self.command(), env=stage_environment(os.environ))
        self.exit_code = result.exit_code
        if self.exit_code == 0:
            output: str = result.output
            return output
        failure = f"stage {self.stage} of {self.day}: exit code {self.exit_code}"
        reason = " | ".join(self.hook.reasons) or result.output
        if self.exit_code in FINAL_EXIT_CODES:
            raise AirflowFailException(f"{failure}, {FINAL_EXIT_CODES[self.exit_code]}: {reason}")
        raise AirflowException(f"{failure}: {reason}")

    def on_kill(self) -> None:
        """Stop the stage and all its child processes."""
        process = self.hook.sub_process
        if process is not None and process.poll() is None:
            self.hook.send_sigterm()  # type: ignore[no-untyped-call]


with DAG(
    dag_id="exfilwatch_daily",
    description="Score one day of access logs",
    doc_md=__doc__,
    # A plain cron string makes a CronTriggerTimetable. Its interval has no length, so a run at
    # 06:00 would handle its own day, which has hardly begun.
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=datetime.fromisoformat(os.environ.get("EXFILWATCH_START_DAY", "2026-01-01")).replace(
        tzinfo=UTC
    ),
    catchup=True,
    # Detectors read the days before, and two days must not write one table at the same time.
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=20),
    template_undefined=StrictUndefined,
    params={
        "config": Param(
            os.environ.get("EXFILWATCH_CONFIG", "/etc/exfilwatch/config.yml"),
            type="string",
            pattern=f"^{ABSOLUTE_PATH}{END}",
            description="Job config: an absolute path on the worker",
        ),
        # Null is allowed, because the form of a manual run demands a text for every plain string.
        "day": Param(
            None,
            type=["null", "string"],
            pattern=rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})?{END}",
            description="Day to handle (YYYY-MM-DD); empty: the day of the data interval, else the "
            "last complete day",
        ),
        "out": Param(
            None,
            type=["null", "string"],
            pattern=f"^({ABSOLUTE_PATH})?{END}",
            description="Folder for the results; empty: the config's `output`",
        ),
    },
    default_args={
        "owner": "insider-risk",
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=4),
    },
    tags=["exfilwatch", "insider-risk"],
) as dag:
    chain(
        *(
            StageOperator(
                task_id=stage,
                stage=stage,
                config="{{ params.config }}",
                day=DAY,
                out="{{ params.out or '' }}",
            )
            for stage in STAGES
        )
    )
