"""``exfilwatch status``: the stages of each day, as a table or as JSON, and the mending command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jobs.inputs.fingerprints import (
    code_hash,
    config_hash,
    context_hash,
    file_hashes,
    hash_of,
)
from jobs.inputs.kept_context import kept_context
from jobs.pipeline import STAGES
from jobs.platform.terminal_text import table
from jobs.runs.stale import StageState, days_to_run, newest_day, stage_states
from schemas.config import JobConfig

HEADER = ("day", "stage", "outcome", "started", "seconds", "rows", "run it again because")
WIDTHS = {"rows": 60, "run it again because": 200}


def read_states(
    config: JobConfig, first: date | None, last: date | None, days: int
) -> list[StageState]:
    """States from ``first`` to ``last``; None: the ``days`` days up to the newest recorded day."""
    last = last or newest_day(config.storage)
    if last is None:
        return []
    first = first or last - timedelta(days=days - 1)
    settings, kept = config_hash(config), kept_context(config.storage, _span(first, last))

    def now(day: date) -> dict[str, str]:
        old = kept.of_old_day(day)
        context = context_hash(config.context, day) if old is None else hash_of(old)
        return {"config": settings, "context": context, "code": code_hash()}

    return stage_states(config.storage, _stages(), first, last, now)


def context_note(config: JobConfig, states: Sequence[StageState]) -> str:
    """A sentence on days whose kept context files differ from those of now; empty if none do."""
    days = sorted({state.day for state in states})
    kept = kept_context(config.storage, days)
    old = [
        day for day in days if kept.of_old_day(day) not in (None, file_hashes(config.context, day))
    ]
    if not old:
        return ""
    return (
        f"context files kept with {len(old)} of these days differ from today's; "
        "`exfilwatch run … --context now` takes today's"
    )


def _span(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def as_rows(states: Sequence[StageState]) -> Iterator[dict[str, Any]]:
    """One JSON object for each state."""
    for state in states:
        run = state.last or {}
        yield {
            "day": state.day,
            "stage": state.stage,
            "outcome": run.get("outcome"),
            "run": run.get("run"),
            "started": run.get("started"),
            "seconds": run.get("seconds"),
            "rows": run.get("rows"),
            "reason": run.get("reason"),
            "problems": [{"kind": each.kind, "text": each.text} for each in state.problems],
        }


def as_table(states: Sequence[StageState]) -> str:
    """One line for each state."""
    lines = []
    for state in states:
        run = state.last or {}
        rows = run.get("rows") or {}
        started = run.get("started")
        lines.append(
            (
                state.day,
                state.stage,
                run.get("outcome"),
                started and f"{started:%Y-%m-%d %H:%M}",
                round(run["seconds"], 1) if state.last else None,
                ", ".join(f"{name} {number:,}" for name, number in rows.items()),
                "; ".join(problem.text for problem in state.problems),
            )
        )
    return table(HEADER, lines, WIDTHS)


def mending(states: Sequence[StageState], config: Path) -> list[str]:
    """The commands that run each stale day again, and the later days that rest on it."""
    path = shlex.quote(str(config))
    commands = []
    for first, last in days_to_run(states, _stages()):
        span = f"--day {first}" if first == last else f"--start {first} --end {last}"
        commands.append(f"exfilwatch run --config {path} {span}")
    return commands


def _stages() -> list[Any]:
    return [make() for make in STAGES.values()]
