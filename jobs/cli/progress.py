"""Progress of a run: a line for each stage, and on a terminal a bar with the time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from jobs.cli.messages import LOGGER, Invocation, json_line, print_line
from jobs.platform.progress import Report, advance, reported_to

if TYPE_CHECKING:
    from jobs.run_days import Done, Progress

STEPS = "stages"
SPEED_SECONDS = 24 * 3600
"""The speed is averaged over these past seconds. Stages of a day differ much, days hardly."""


@contextmanager
def followed(
    invocation: Invocation, days: Sequence[date], stages: Sequence[str]
) -> Iterator[Progress]:
    """Yield the function to which ``run_days`` reports its progress on these days and stages.

    It prints lines to stdout, as text or as JSON. Each finished stage moves the bar.
    """
    from jobs.run_days import Done

    steps = len(days) * len(stages)

    def report_progress(news: Done | str) -> None:
        if invocation.log_format == "text":
            print_line(str(news))
        elif isinstance(news, Done):
            figures = {"seconds": round(news.seconds, 1), "rows": dict(news.outcome.rows)}
            line = json_line(invocation, "INFO", LOGGER, str(news.outcome), **figures)
            print(line, flush=True)
        else:
            print(json_line(invocation, "INFO", LOGGER, news), flush=True)
        if isinstance(news, Done):
            advance(STEPS, 1, steps)

    if invocation.log_format == "json":
        yield report_progress
        return
    with bars():
        advance(STEPS, 0, steps)
        yield report_progress


@contextmanager
def bars() -> Iterator[None]:
    """Show a bar for each reported kind of work, if stdout and stderr are terminals."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield
        return
    with _drawn() as report, reported_to(report):
        yield


@contextmanager
def _drawn() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("after"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with Progress(
        *columns, console=console, transient=True, speed_estimate_period=SPEED_SECONDS
    ) as shown:
        bar_of: dict[str, TaskID] = {}

        def report(work: str, steps: int, of: int | None) -> None:
            if work not in bar_of:
                bar_of[work] = shown.add_task(work, total=of)
            shown.update(bar_of[work], advance=steps, total=of)
            if any(task.finished for task in shown.tasks if task.id == bar_of[work]):
                shown.remove_task(bar_of.pop(work))

        yield report
