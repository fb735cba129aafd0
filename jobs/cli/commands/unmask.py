"""``exfilwatch unmask``: the identity behind a pseudonym."""

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
        str, typer.Argument(metavar="PSEUDONYM", help="Pseudonym in a published finding or report.")
    ],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who asks.")],
    reason: Annotated[str, typer.Option(metavar="WHY", help="Case, order, ticket.")],
    config: Config,
    _verbose: Verbose = False,
) -> None:
    """Print the identity behind a pseudonym, and log the request.

    The log is unmaskings.jsonl in `privacy.identities`. If the request cannot be logged, the
    identity is not printed.
    """
    from jobs.inputs.config import load_config
    from jobs.review import unmasking

    print_line(unmasking.unmask(load_config(config), pseudonym, by, reason))
