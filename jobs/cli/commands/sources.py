"""``exfilwatch sources``: the log formats."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from jobs.cli.arguments import Verbose, examples

app = typer.Typer()


def _formats(incomplete: str) -> list[str]:
    from schemas.formats import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


@app.command(epilog=examples("exfilwatch sources", "exfilwatch sources github_audit"))
def sources(
    format_id: Annotated[
        str | None,
        typer.Argument(metavar="FORMAT", autocompletion=_formats, help="Format id."),
    ] = None,
    _verbose: Verbose = False,
) -> None:
    """List the log formats, or describe one.

    A description says which facts the log holds, how to switch the log on, what the vendor charges,
    and gives an entry for the config.
    """
    from jobs.cli.sources import as_entry, as_overview

    if format_id is None:
        print(as_overview())
    else:
        print(as_entry(format_id, shutil.get_terminal_size().columns))
