"""``exfilwatch kibana``: dashboards and the detection rule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.arguments import Verbose, examples
from jobs.cli.messages import print_line
from jobs.platform.errors import InputError

app = typer.Typer(
    help="Build or install the Kibana dashboards and the detection rule.\n\n"
    "Dashboards for investigators (Kibana 8.19 and 9.x, every licence), and a rule that turns "
    "findings into alerts of Elastic Security."
)
File = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", readable=False, help="File to write (default: standard output)."
    ),
]
Url = Annotated[str, typer.Option(metavar="URL", help="Address of Kibana, with its base path.")]
Prefix = Annotated[
    str, typer.Option(metavar="PREFIX", help="elasticsearch.prefix of the job config.")
]
Space = Annotated[str, typer.Option(metavar="ID", help="Space of Kibana.")]


@app.command(
    epilog=examples(
        "exfilwatch kibana build --out exfilwatch.ndjson",
        "exfilwatch kibana build --prefix lab --space insider-risk > lab.ndjson",
    )
)
def build(
    out: File = None,
    prefix: Prefix = "exfilwatch",
    space: Space = "default",
    _verbose: Verbose = False,
) -> None:
    """Write the dashboards as a file for Kibana's import of saved objects."""
    from jobs.platform.kibana_server import build_objects, site

    _write_ndjson(out, build_objects(site(prefix, space)))


@app.command(
    epilog=examples(
        "exfilwatch kibana rule --url https://kibana.example:5601 --out rule.ndjson",
    )
)
def rule(
    url: Url,
    out: File = None,
    prefix: Prefix = "exfilwatch",
    space: Space = "default",
    _verbose: Verbose = False,
) -> None:
    """Write the detection rule as a file for Elastic Security's import of rules."""
    from jobs.platform.kibana_server import build_rule, site

    _write_ndjson(out, build_rule(site(prefix, space), url))


@app.command(
    epilog=examples(
        "exfilwatch kibana install --url https://kibana.example:5601",
        "exfilwatch kibana install --url https://kibana.example:5601 --space insider-risk "
        "--with-rule",
    )
)
def install(
    url: Url,
    username: Annotated[
        str | None, typer.Option(metavar="NAME", help="User, instead of an API key.")
    ] = None,
    ca_certs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="PEM file of the certificate authority."),
    ] = None,
    with_rule: Annotated[
        bool, typer.Option("--with-rule", help="Also the detection rule of Elastic Security.")
    ] = False,
    prefix: Prefix = "exfilwatch",
    space: Space = "default",
    _verbose: Verbose = False,
) -> None:
    """Import the dashboards into Kibana, in place of earlier ones.

    The environment holds the API key (EXFILWATCH_KIBANA_API_KEY) or the password
    (EXFILWATCH_KIBANA_PASSWORD).
    """
    from jobs.platform.kibana_server import Kibana, install_objects, install_rule, site

    kibana = Kibana(url, username, ca_certs)
    place = site(prefix, space)
    number = install_objects(kibana, place)
    print_line(f"{number} objects are in Kibana at {url}, space {space}")
    if with_rule:
        install_rule(kibana, place)
        print_line("the detection rule is in Elastic Security, and on")


def _write_ndjson(file: Path | None, text: str) -> None:
    from jobs.platform.files import write_files

    if file is None:
        sys.stdout.write(text)
        return
    if not file.parent.is_dir():
        raise InputError([f"--out {file}: there is no folder {file.parent}"])
    write_files({str(file): [text]})
    print_line(f"{file}: {len(text.splitlines())} objects")
