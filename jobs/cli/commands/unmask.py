"""``exfilwatch unmask``: who stands behind a pseudonym."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.cli.arguments import Config, Verbose, examples
from jobs.cli.messages import print_line

app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch unmask user-7K4M2QXW3ZPTA5BN --by p.officer --reason 'case 17, order of "
        "legal' --config job.yml"
    )
)
def unmask(
    pseudonym: Annotated[
        str, typer.Argument(metavar="PSEUDONYM", help="As it stands in what is published.")
    ],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who asks.")],
    reason: Annotated[str, typer.Option(metavar="WHY", help="Case, order, ticket.")],
    config: Config,
    _verbose: Verbose = False,
) -> None:
    """Tell who stands behind a pseudonym, and log that it was told.

    Logged first, in unmaskings.jsonl of `privacy.identities`; what cannot be logged is not told.
    """
    from jobs.inputs.config import load_config
    from jobs.review import unmasking

    print_line(unmasking.unmask(load_config(config), pseudonym, by, reason))
