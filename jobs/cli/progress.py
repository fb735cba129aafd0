"""How far a run has come: a line for each stage, and a bar with the time left on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from jobs.cli.messages import LOGGER, Invocation, json_line, print_line
from jobs.platform.progress import Report, advance, reported_to

if TYPE_CHECKING:
    from jobs.pipeline import Done, Progress

STEPS = "stages"
SPEED_SECONDS = 24 * 3600
"""Past over which the speed is averaged: the stages of a day differ, the days hardly do."""


@contextmanager
def followed(
    invocation: Invocation, days: Sequence[date], stages: Sequence[str]
) -> Iterator[Progress]:
    """Give the function to which ``run_days`` reports its progress, for these days and stages.

    Lines go to stdout as they are, or as JSON. Each stage that is done moves the bar.
    """
    from jobs.pipeline import Done

    steps = [(str(day), stage) for day in days for stage in stages]
    number = len(steps)

    def tell(said: Done | str) -> None:
        if isinstance(said, Done):
            invocation.day, invocation.stage = str(said.day), said.stage
        if invocation.log_format == "text":
            print_line(str(said))
        elif isinstance(said, Done):
            figures = {"seconds": round(said.seconds, 1), "rows": dict(said.outcome.rows)}
            line = json_line(invocation, "INFO", LOGGER, str(said.outcome), **figures)
            print(line, flush=True)
        else:
            print(json_line(invocation, "INFO", LOGGER, said), flush=True)
        if isinstance(said, Done):
            advance(STEPS, 1, number)
            _go_on(invocation, steps)

    invocation.day, invocation.stage = steps[0]
    if invocation.log_format == "json":
        yield tell
        return
    with bars():
        advance(STEPS, 0, number)
        yield tell


@contextmanager
def bars() -> Iterator[None]:
    """Show a bar for each kind of work that is told of, if a person sees both outputs."""
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


def _go_on(invocation: Invocation, steps: Sequence[tuple[str, str]]) -> None:
    """Put the step after the one that is done to work."""
    done = (invocation.day, invocation.stage)
    later = steps[steps.index(done) + 1 :] if done in steps else []
    invocation.day, invocation.stage = later[0] if later else (None, None)
