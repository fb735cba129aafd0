"""``exfilwatch doctor``: checks whether a job can run, and lists unresolved identities."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.cli.arguments import Config, Out, Verbose, at_least, examples, parse_day
from jobs.cli.messages import say
from jobs.platform.errors import InputError

LISTED_ROWS = 50
PANEL = "With --identities"
app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch doctor --config job.yml",
        "exfilwatch doctor --config job.yml --identities",
        "exfilwatch doctor --config job.yml --identities --days 7 --limit 0 --format ndjson",
    )
)
def doctor(
    config: Config,
    out: Out = None,
    identities: Annotated[
        bool,
        typer.Option(
            "--identities",
            help="List principals that are unresolved, ambiguous or matched by a near-certain "
            "rule, by their number of events; no engine is started.",
        ),
    ] = False,
    day: Annotated[
        date | None,
        typer.Option(
            metavar="D",
            parser=parse_day,
            rich_help_panel=PANEL,
            help="With --identities: YYYY-MM-DD (default: the latest stored day).",
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            parser=at_least(1),
            metavar="N",
            rich_help_panel=PANEL,
            help="With --identities: the last N days, up to the latest stored day.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            parser=at_least(0),
            metavar="N",
            rich_help_panel=PANEL,
            help=f"With --identities: rows of each list (default {LISTED_ROWS}; 0: all).",
        ),
    ] = None,
    form: Annotated[
        Literal["ndjson", "table"] | None,
        typer.Option("--format", rich_help_panel=PANEL, help="With --identities (default: table)."),
    ] = None,
    _verbose: Verbose = False,
) -> int:
    """Check config, files, engine and servers, and say what is missing.

    Exit code 0: a job can run; 1: something is missing. With --identities it lists principals that
    are unresolved, ambiguous or matched only by a rule, so that you can add aliases to
    directory.csv. Like `events`, it shows the names in the tables.
    """
    if identities:
        if day is not None and days is not None:
            raise typer.BadParameter("not together with --day; give one.", param_hint="'--days'")
        _list_identities(config, out, day, days or 1, limit, form)
        return 0
    given = {"--day": day, "--days": days, "--limit": limit, "--format": form}
    misplaced = [name for name, value in given.items() if value is not None]
    if misplaced:
        raise InputError([f"{name}: only with --identities" for name in misplaced])
    return _examine(config, out)


def _examine(path: Path, out: Path | None) -> int:
    from jobs.cli.doctor import examine

    missing = False
    for check in examine(path, out):
        print(check, flush=True)
        missing |= check.state == "missing"
    return 1 if missing else 0


def _list_identities(
    path: Path, out: Path | None, day: date | None, days: int, limit: int | None, form: str | None
) -> None:
    from jobs.cli.events import as_ndjson
    from jobs.cli.unresolved_names import as_rows, as_text, list_identities
    from jobs.inputs.config import load_config

    rows = LISTED_ROWS if limit is None else limit
    listing = list_identities(load_config(path, out), day, days, rows)
    if form == "ndjson":
        for line in as_ndjson([*as_rows(listing)]):
            print(line)
    else:
        print(as_text(listing))
    for name, listed, total in (
        ("not resolved", listing.unresolved, listing.unresolved_total),
        ("matched by a rule", listing.by_rule, listing.by_rule_total),
    ):
        if len(listed) < total:
            say(f"{name}: {len(listed):,} of {total:,} rows; --limit shows more")
