"""The demo: a sample lab's logs, every day but the last run here, the last one by Airflow.

So that a newcomer sees the whole product once, the last day goes through the very DAG that would
run in production, in an Airflow home of its own inside the demo's folder.
"""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jobs.pipeline import Progress, run_days
from jobs.platform.errors import InputError
from jobs.review.queue_table import queue_table
from schemas.config import JobConfig
from schemas.tables.findings import FINDINGS

MARKER = ".exfilwatch-demo"
"""Says that a folder was made by the demo and may be replaced by it."""
LAST_DAY = date(2026, 10, 30)
"""Fixed, so that the same seed gives the same demo whenever it is run."""
MAKING = ".making"


def run_demo(
    folder: Path, seed: int, people: int, services: int, days: int, progress: Progress = print
) -> None:
    """Make the sample lab in ``folder``, run its ``days`` days, show the last day's queue.

    A ``folder`` that an earlier demo made is replaced; any other that is not empty is an
    :class:`InputError`. Failures of stages are those of :func:`jobs.pipeline.run_days`.
    """
    from jobs.inputs.config import load_config
    from jobs.trial.airflow_run import run_dag

    truth = make_sample(folder, seed, people, services, days, progress)
    events = sum(truth["events"].values())
    progress(f"{events:,} events, {len(truth['incidents'])} planted incidents in {folder}")
    config_path = folder / "config.yml"
    config = load_config(config_path)
    first = LAST_DAY - timedelta(days=days - 1)
    run_days(config, [first + timedelta(days=n) for n in range(days - 1)], progress=progress)
    progress(f"{LAST_DAY}  the whole day by the Airflow DAG exfilwatch_daily")
    run_dag(config_path, LAST_DAY, Path(config.output), folder / "airflow", progress=progress)
    progress("")
    progress(f"Review queue of {LAST_DAY}")
    print(queue_table(queue_of(config, LAST_DAY)), flush=True)
    progress("")
    progress(f"Report:   {Path(config.output) / 'report.html'}")
    progress(f"Findings: {Path(config.output) / 'findings.ndjson'}")
    progress(f"Planted:  {folder / 'truth.json'}")
    progress(f"More:     exfilwatch explain FINDING --config {config_path}")


def make_sample(
    folder: Path, seed: int, people: int, services: int, days: int, progress: Progress
) -> dict[str, Any]:
    """Write the lab into ``folder`` and give its truth."""
    from jobs.trial.lab import make_lab

    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # The marker comes first: a demo that was killed may be replaced, too.
    (folder / MARKER).write_text("Made by `exfilwatch demo`, which replaces this folder.\n")
    making = folder / MAKING
    truth = make_lab(
        making,
        seed=seed,
        people=people,
        services=services,
        days=days,
        end=LAST_DAY,
        progress=lambda line: progress(f"sample lab  {line}"),
    )
    for entry in sorted(making.iterdir()):
        entry.rename(folder / entry.name)
    making.rmdir()
    return truth


def queue_of(config: JobConfig, day: date) -> list[dict[str, Any]]:
    """The findings of the day that are within its alert budget, best first."""
    import pyarrow.compute as pc

    from jobs.platform.stored_rows import stored_rows

    wanted = (pc.field("day") == pc.scalar(day)) & pc.field("in_budget")
    rows, _ = stored_rows(config.storage, FINDINGS, wanted, ["queue_rank"], 0)
    return [json.loads(row["document"]) for row in rows]


def _clear(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError([f"--out {folder}: is not a folder"])
    if (folder / MARKER).is_file():
        shutil.rmtree(folder.resolve())
    elif any(folder.iterdir()):
        raise InputError(
            [f"--out {folder}: is not empty and was not made by a demo; name another folder"]
        )
