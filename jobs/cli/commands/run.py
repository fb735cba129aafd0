"""``exfilwatch run``, ``stage`` and ``publish``: the commands that write tables and results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.cli.arguments import (
    Config,
    End,
    LogFormat,
    MaybeDay,
    Out,
    Start,
    Verbose,
    completed,
    examples,
    one_of,
    span,
)

STAGE_NAMES = (
    "ingest", "check", "aggregate", "features", "graph", "signals", "findings", "publish",
)  # fmt: skip
"""Keys of ``jobs.pipeline.STAGES``, whose import takes too long for a help text."""
ContextFiles = Annotated[
    Literal["kept", "now"],
    typer.Option(
        "--context",
        metavar="kept|now",
        help="Context files of days before the newest: those kept with the day, or today's, which "
        "are then kept in their place. The newest day always takes today's.",
    ),
]
app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch run --config job.yml",
        "exfilwatch run --config job.yml --day 2026-10-05",
        "exfilwatch run --config job.yml --start 2026-09-01 --end 2026-10-05 --out results",
        "exfilwatch run --config job.yml --day 2026-10-05 --context now",
        "exfilwatch run --config job.yml --log-format json",
    )
)
def run(
    context: typer.Context,
    config: Config,
    out: Out = None,
    day: MaybeDay = None,
    start: Start = None,
    end: End = None,
    context_files: ContextFiles = "kept",
    _log_format: LogFormat = "text",
    _verbose: Verbose = False,
) -> None:
    """Run every stage for each day in order.

    Without a day it runs yesterday (UTC), the last whole day. Running a day again replaces it.
    """
    _run_days(context, config, out, span(day, start, end), None, context_files)


@app.command(
    epilog=examples(
        "exfilwatch stage ingest --config job.yml --day 2026-10-05",
        "exfilwatch stage publish --config job.yml --day 2026-10-05 --out results",
        "exfilwatch stage features --config job.yml --start 2026-09-01 --end 2026-10-05",
    ),
    help="Run one stage for one day or several.\n\n"
    f"In the order of the data: {', '.join(STAGE_NAMES)}.",
)
def stage(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            parser=one_of(STAGE_NAMES),
            autocompletion=completed(STAGE_NAMES),
            help="Name of the stage.",
        ),
    ],
    config: Config,
    out: Out = None,
    day: MaybeDay = None,
    start: Start = None,
    end: End = None,
    context_files: ContextFiles = "kept",
    _log_format: LogFormat = "text",
    _verbose: Verbose = False,
) -> None:
    """Run one stage for one day or several."""
    _run_days(context, config, out, span(day, start, end), [name], context_files)


@app.command(
    epilog=examples(
        "exfilwatch publish --config job.yml --day 2026-10-05",
        "exfilwatch publish --config job.yml --start 2026-09-01 --end 2026-10-05",
    )
)
def publish(
    context: typer.Context,
    config: Config,
    out: Out = None,
    day: MaybeDay = None,
    start: Start = None,
    end: End = None,
    _log_format: LogFormat = "text",
    _verbose: Verbose = False,
) -> None:
    """Publish days again from the tables.

    This writes to the output folder and to Elasticsearch. It sends findings that Elasticsearch
    lacks, and keeps the others or updates them with the verdicts. No engine is started.
    """
    _run_days(context, config, out, span(day, start, end), ["publish"])


def _run_days(
    context: typer.Context,
    path: Path,
    out: Path | None,
    days: Sequence[date],
    stages: Sequence[str] | None,
    context_files: Literal["kept", "now"] = "kept",
) -> None:
    from jobs.cli.progress import followed
    from jobs.inputs.config import load_config
    from jobs.run_days import run_days

    config = load_config(path, out)
    with followed(context.obj, days, stages or STAGE_NAMES) as progress:
        run_days(config, days, stages, progress, context.obj.run, context_files)
