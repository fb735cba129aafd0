"""``exfilwatch status``: which days have been run, and which of them are stale."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from jobs.cli.arguments import Config, End, MaybeDay, Start, Verbose, at_least, examples, span
from jobs.cli.messages import say

DEFAULT_DAYS = 14
app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch status --config job.yml",
        "exfilwatch status --config job.yml --days 90 --stale",
        "exfilwatch status --config job.yml --start 2026-09-01 --end 2026-10-05 --format ndjson",
    )
)
def status(
    config: Config,
    day: MaybeDay = None,
    start: Start = None,
    end: End = None,
    days: Annotated[
        int,
        typer.Option(parser=at_least(1), metavar="N", help="The last N days, if none is named."),
    ] = DEFAULT_DAYS,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only stages that are to be run again.")
    ] = False,
    form: Annotated[Literal["ndjson", "table"], typer.Option("--format")] = "table",
    _verbose: Verbose = False,
) -> None:
    """List the stages of each day, and the days to run again.

    A stage is to be run again if it failed, if one of its inputs was written after it, or if the
    config, the context files or the code are others now. No engine is started.
    """
    from jobs.cli.events import as_ndjson
    from jobs.cli.status import as_rows, as_table, context_note, mending, read_states
    from jobs.inputs.config import load_config

    settings = load_config(config)
    named = [] if day is None and start is None and end is None else span(day, start, end)
    first, last = (named[0], named[-1]) if named else (None, None)
    states = read_states(settings, first, last, days)
    shown = [state for state in states if state.problems or not stale]
    commands = mending(states, config)
    if form == "ndjson":
        for line in as_ndjson([*as_rows(shown)]):
            print(line)
    elif shown:
        print(as_table(shown))
    if note := context_note(settings, states):
        say(note)
    if not states:
        say(f"no run is recorded in {settings.storage}")
    elif not commands:
        say("no day is stale")
    elif form == "ndjson":
        say("\n".join(["run the stale days again:", *commands]))
    else:
        print("\n".join(["", "run the stale days again:", *(f"  {each}" for each in commands)]))
