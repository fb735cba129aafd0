"""``exfilwatch demo``: the whole product once, on a sample lab."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.arguments import Verbose, at_least, examples
from jobs.cli.commands.run import STAGE_NAMES

app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch demo", "exfilwatch demo --seed 3 --out /tmp/demo --people 40 --days 21"
    )
)
def demo(
    context: typer.Context,
    seed: Annotated[
        int, typer.Option(parser=at_least(0), metavar="N", help="Same seed, same demo.")
    ] = 1,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", readable=False, help="Folder to make; replaced if a demo made it."
        ),
    ] = Path("demo"),
    people: Annotated[int, typer.Option(parser=at_least(4), metavar="N", help="Humans.")] = 120,
    services: Annotated[
        int, typer.Option(parser=at_least(2), metavar="N", help="Service identities.")
    ] = 20,
    days: Annotated[int, typer.Option(parser=at_least(3), metavar="N", help="Days of logs.")] = 35,
    _verbose: Verbose = False,
) -> None:
    """Make a sample lab's logs and run every day.

    Airflow runs the last day by the DAG. Then the review queue of that day is printed.
    """
    from jobs.cli.progress import followed
    from jobs.trial.demo import LAST_DAY, run_demo

    run = [LAST_DAY - timedelta(days=back) for back in reversed(range(1, days))]
    with followed(context.obj, run, STAGE_NAMES) as progress:
        run_demo(out, seed, people, services, days, progress)
