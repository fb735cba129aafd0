"""The demo: makes a sample lab's logs and runs every day; Airflow runs the last one.

A newcomer sees the whole product, so the last day goes through the production DAG. Its Airflow home
is inside the demo's folder.
"""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jobs.platform.errors import InputError
from jobs.review.queue_table import queue_table
from jobs.run_days import Progress, run_days
from schemas.config import JobConfig
from schemas.tables.findings import FINDINGS

MARKER = ".exfilwatch-demo"
"""File that marks a folder as made by the demo. The demo may replace such a folder."""
LAST_DAY = date(2026, 10, 30)
"""Fixed, so the same seed makes the same demo at any time."""
MAKING = ".making"


def run_demo(
    folder: Path, seed: int, people: int, services: int, days: int, progress: Progress = print
) -> None:
    """Make the sample lab in ``folder``, run its ``days`` days, show the last day's queue.

    A ``folder`` that an earlier demo made is replaced. Raises :class:`InputError` for any other
    folder that is not empty. A failed stage raises as in :func:`jobs.run_days.run_days`.
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
    """Write the lab into ``folder`` and return its truth."""
    from jobs.trial.lab import make_lab

    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # The marker comes first, so a killed demo may be replaced, too.
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
    """The day's findings within the alert budget, best rank first."""
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
