"""``exfilwatch preview``: what a change of settings does to the queue, before it goes live."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from jobs.cli.arguments import Config, End, MaybeDay, Start, Verbose, examples, span
from jobs.cli.messages import say

app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch preview --config changed.yml --day 2026-10-05",
        "exfilwatch preview --config changed.yml --start 2026-09-01 --end 2026-10-05",
        "exfilwatch preview --config changed.yml --start 2026-09-01 --end 2026-10-05 "
        "--format ndjson",
    )
)
def preview(
    config: Config,
    day: MaybeDay = None,
    start: Start = None,
    end: End = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also list the entries that stay in the queue.")
    ] = False,
    form: Annotated[Literal["ndjson", "table"], typer.Option("--format")] = "table",
    _verbose: Verbose = False,
) -> None:
    """Show how a changed config would change the queue of stored days.

    Copy the job's config, change detectors, scoring, suppressions, context or the alert budget, and
    name the copy. Its storage must be that of the job. Nothing is written, and no engine starts.
    """
    from jobs.cli.events import as_ndjson
    from jobs.cli.preview import as_rows, as_table, summary
    from jobs.cli.progress import bars
    from jobs.inputs.config import load_config
    from jobs.runs.preview import preview as preview_days

    settings = load_config(config)
    with bars():
        entries = [*preview_days(settings, span(day, start, end))]
    shown = [entry for entry in entries if every or entry.change != "stays"]
    if form == "ndjson":
        for line in as_ndjson(as_rows(shown)):
            print(line)
    elif shown:
        print(as_table(shown))
    say(summary(entries))
