"""``exfilwatch explain``: one finding with its reasons and its evidence."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.cli.arguments import Config, Verbose, at_least, examples

EVIDENCE_ROWS = 20
app = typer.Typer()


@app.command(
    epilog=examples(
        "exfilwatch explain 3f9a1c --config job.yml",
        "exfilwatch explain 3f9a1c --config job.yml --limit 200",
    )
)
def explain(
    finding: Annotated[
        str, typer.Argument(metavar="FINDING_ID", help="event.id, or its first characters.")
    ],
    config: Config,
    limit: Annotated[
        int, typer.Option(parser=at_least(1), metavar="N", help="Rows of evidence of each kind.")
    ] = EVIDENCE_ROWS,
    _verbose: Verbose = False,
) -> None:
    """Print one finding with its reasons and its evidence."""
    from jobs.cli.explain import as_text, find_evidence
    from jobs.inputs.config import load_config
    from jobs.privacy.masked_tables import stored_id

    loaded = load_config(config)
    print(as_text(find_evidence(loaded.storage, stored_id(loaded, finding), limit)))
