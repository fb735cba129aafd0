"""Runs commands, and stand-ins for stages."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from jobs import pipeline
from jobs.cli import app as cli
from jobs.cli.messages import Invocation
from jobs.stages.stage import Outcome, Stage, StageTables
from schemas.config import JobConfig

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = cli.main([str(part) for part in argv])
    out, err = capsys.readouterr()
    return code, out, err


def ndjson(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def stage_of(monkeypatch: pytest.MonkeyPatch, name: str, answer: str | Exception) -> list[date]:
    """Replace a stage by one that returns or raises ``answer``; returns the days of its runs."""
    days: list[date] = []

    def run_stage(spark: SparkSession, config: object, day: date) -> str:
        days.append(day)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setitem(pipeline.STAGES, name, pipeline.STAGES[name])
    stand_in(name, run_stage)
    return days


def stand_in(name: str, run_stage: Callable[..., str]) -> None:
    """Replace a stage by one without inputs."""

    def work(tables: StageTables, config: JobConfig, day: date) -> Outcome:
        return Outcome({}, (run_stage(tables.engine, config, day),))

    stage = Stage(name, reads=(), writes=(), work=work)
    pipeline.STAGES[name] = lambda: stage


def parsed(argv: Sequence[str]) -> dict[str, Any]:
    """The parsed arguments of a command. Raises an error of ``typer`` if they are wrong."""
    command, rest = get_command(cli.app), list(argv)
    while isinstance(command, TyperGroup):
        command = command.commands[rest.pop(0)]
    return command.make_context(argv[0], rest, obj=Invocation()).params


def on_terminal(argv: list[str], **environment: str) -> str:
    """Output of Python with ``argv`` whose stdout and stderr are one terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *argv],
        cwd=ROOT,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **environment},
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 1 << 16):
                shown += part
        except OSError:  # the terminal's other side is closed
            pass
        process.wait()
    os.close(ours)
    return shown.decode()
