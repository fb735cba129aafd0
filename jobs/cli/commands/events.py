"""``exfilwatch events``: the stored rows of a day."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from jobs.cli.arguments import Config, Day, Verbose, at_least, completed, examples, one_of
from jobs.cli.messages import say
from jobs.platform.errors import InputError
from schemas.tables.values import ACTION_CLASSES, OUTCOMES

DEFAULT_ROWS = 1000
ActionClass = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        parser=one_of(ACTION_CLASSES),
        autocompletion=completed(ACTION_CLASSES),
        help="Kind of action, for example read.",
    ),
]
Outcome = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(OUTCOMES),
        parser=one_of(OUTCOMES),
        autocompletion=completed(OUTCOMES),
        help="Result of the action.",
    ),
]
Contains = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Exact text within resource, principal, action, destination or user agent (rejects: "
        "file, reason or line).",
    ),
]
app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch events --config job.yml --day 2026-10-05 --user u0017 --format table",
        "exfilwatch events --config job.yml --day 2026-10-05 --action-class copy --limit 0",
        "exfilwatch events --config job.yml --day 2026-10-05 --rejects --source checkpoints",
    )
)
def events(
    config: Config,
    day: Day,
    rejects: Annotated[
        bool,
        typer.Option("--rejects", help="Records that could not be read, instead of events."),
    ] = False,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Name of a source.")] = None,
    user: Annotated[
        str | None, typer.Option(metavar="ID", help="user_id, or principal as in the log.")
    ] = None,
    asset: Annotated[str | None, typer.Option(metavar="ID", help="asset_id.")] = None,
    action_class: ActionClass = None,
    outcome: Outcome = None,
    contains: Contains = None,
    form: Annotated[Literal["ndjson", "table"], typer.Option("--format")] = "ndjson",
    limit: Annotated[
        int, typer.Option(parser=at_least(0), metavar="N", help="Rows (0: all, held in memory).")
    ] = DEFAULT_ROWS,
    _verbose: Verbose = False,
) -> None:
    """Print a day's events, or the records that could not be read.

    Events are sorted by time, rejects by file and position. No engine is started.
    """
    from jobs.cli import events as stored
    from jobs.inputs.config import load_config

    of_events = {"--user": user, "--asset": asset, "--outcome": outcome}
    of_events["--action-class"] = action_class
    misplaced = [name for name, value in of_events.items() if rejects and value is not None]
    if misplaced:
        raise InputError([f"{name}: rejects have none; use --contains" for name in misplaced])
    storage = load_config(config).storage
    wanted = stored.Wanted(day, source, user, asset, action_class, outcome, contains)
    find = stored.find_rejects if rejects else stored.find_events
    rows, matches = find(storage, wanted, limit)
    if form == "table" and rows:
        print(stored.as_table(rows, stored.REJECT_HEADER if rejects else stored.EVENT_HEADER))
    elif form == "ndjson":
        for line in stored.as_ndjson(rows):
            print(line)
    if not rows:
        say(f"none of {day} in {storage} (has the day been run?)")
    elif len(rows) < matches:
        say(f"{len(rows):,} of {matches:,} rows; --limit shows more")
