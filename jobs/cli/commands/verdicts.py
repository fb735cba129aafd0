"""``exfilwatch verdict`` and ``verdicts list``: the investigators' verdicts on findings."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.cli.arguments import Config, Verbose, completed, examples, not_empty, one_of
from jobs.cli.messages import print_line, say
from schemas.elasticsearch.indices import VERDICTS

app = typer.Typer()
group = typer.Typer(help="List verdicts.")
app.add_typer(group, name="verdicts")


@app.command(
    epilog=examples(
        "exfilwatch verdict 3f9a1c --as benign --reason 'weekly backup, CHG-1234' --by m.okafor "
        "--config job.yml"
    )
)
def verdict(
    finding: Annotated[
        str, typer.Argument(metavar="FINDING_ID", help="event.id, or its first characters.")
    ],
    given: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="|".join(VERDICTS),
            parser=one_of(VERDICTS),
            autocompletion=completed(VERDICTS),
            help="The verdict.",
        ),
    ],
    reason: Annotated[
        str, typer.Option(metavar="WHY", parser=not_empty, help="Reason for the verdict.")
    ],
    by: Annotated[str, typer.Option(metavar="WHO", parser=not_empty, help="Who judges.")],
    config: Config,
    _verbose: Verbose = False,
) -> None:
    """Give a verdict on a published finding.

    Elasticsearch keeps the verdict beside the finding, and re-runs do not change it. The latest
    verdict counts.
    """
    from jobs.inputs.config import load_config
    from jobs.review.verdicts import give_verdict

    settings = load_config(config).elasticsearch
    stands = give_verdict(settings, finding, given, reason, by)
    print_line(f"finding {stands.finding} is {stands.verdict}, says {stands.by}")


@group.command("list", epilog=examples("exfilwatch verdicts list --config job.yml"))
def list_verdicts(config: Config, _verbose: Verbose = False) -> None:
    """Print the latest verdict on every finding that has one.

    The newest comes first. Closed alerts of Elastic Security count as verdicts.
    """
    from jobs.cli.verdict_table import as_table
    from jobs.inputs.config import load_config
    from jobs.review import verdicts

    found = verdicts.list_verdicts(load_config(config).elasticsearch)
    if found:
        print(as_table(found))
    else:
        say("no verdict has been given")
