"""The command line ``exfilwatch``: data to stdout, errors to stderr, exit codes 0 to 3.

0: done. 1: a stage failed. 2: the command or the config is wrong, and nothing was written. 3: the
data-quality gate stopped the run. Engines and libraries are imported by the commands that need
them, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from jobs.pipeline import STAGES, run_days
from jobs.platform.errors import InputError, RunError
from schemas.elasticsearch.indices import VERDICTS
from schemas.tables.values import ACTION_CLASSES, OUTCOMES

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
HELP_WIDTH = 78
DEFAULT_ROWS = 1000
EVIDENCE_ROWS = 20
LISTED_ROWS = 50
EPILOG = """\
examples:
  exfilwatch demo
  exfilwatch run --config job.yml --day 2026-10-05
  exfilwatch stage publish --config job.yml --day 2026-10-05
  exfilwatch events --config job.yml --day 2026-10-05 --rejects --format table
  exfilwatch explain 3f9a1c --config job.yml
  exfilwatch verdict 3f9a1c --as benign --reason 'weekly backup' --by m.okafor --config job.yml
  exfilwatch sources aws_cloudtrail
  exfilwatch doctor --config job.yml
  exfilwatch doctor --config job.yml --identities

exit codes:
  0  done
  1  a stage failed; the message says which input and what to do
  2  the command or the config is wrong; every problem is listed, nothing was written
  3  the data-quality gate stopped the run"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code.

    Without ``argv`` this is the process's own command, and the process ends here.
    """
    code = _answer(argv)
    if argv is None:
        _leave(code)
    return code


def _leave(code: int) -> NoReturn:
    """End the process at once, without Python's own clean-up.

    Threads of pyarrow call back into Python to read files. One that does so during the clean-up is
    ended by Python in the middle of C++, and takes the process with it: "terminate called without
    an active exception". Sessions, files and locks are closed by now.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _answer(argv: Sequence[str] | None) -> int:
    """The exit code of one command; every error ends here, as a message on stderr."""
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as stop:  # --help, --version or a wrong command; argparse has said it
        return int(stop.code or 0)
    verbose = getattr(args, "verbose", False)
    _quieten(verbose)
    command: Callable[[argparse.Namespace], int] = args.command
    try:
        code = command(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has gone; without this the interpreter complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        _say("interrupted")
        return EXIT_INTERRUPTED
    except RunError as error:
        return _fail(error, error.exit_code, verbose)
    except Exception as error:  # noqa: BLE001  # the edge of the program
        return _fail(_worded(error, args), RunError.exit_code, verbose)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; ``args.command`` is the function to call with them."""
    parser = argparse.ArgumentParser(
        prog="exfilwatch",
        description="Finds people and services taking model weights, code and data out of an AI\n"
        "lab, from its own access logs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_run(commands)
    _add_stage(commands)
    _add_publish(commands)
    _add_events(commands)
    _add_explain(commands)
    _add_verdict(commands)
    _add_verdicts(commands)
    _add_unmask(commands)
    _add_sources(commands)
    _add_doctor(commands)
    _add_kibana(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("exfilwatch")
        except PackageNotFoundError:
            found = "(not installed)"
        print(f"exfilwatch {found}")
        parser.exit()


_Commands = argparse._SubParsersAction


def _add_command(
    commands: _Commands[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    examples: str,
    details: str = "",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        # Wrapped here, because the formatter that leaves the examples as they are leaves all.
        description=textwrap.fill(f"{summary[0].upper()}{summary[1:]}. {details}", HELP_WIDTH),
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="warnings, and where an error happened"
    )
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="job config")


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the results, instead of `output`"
    )


def _add_days(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--day", type=_day, metavar="D", help="one day, YYYY-MM-DD (UTC)")
    parser.add_argument("--start", type=_day, metavar="D", help="first of several days")
    parser.add_argument("--end", type=_day, metavar="D", help="last of several days")


def _add_demo(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "demo",
        _demo,
        "make a sample lab's logs and run on them",
        "  exfilwatch demo\n  exfilwatch demo --seed 3 --out /tmp/demo --people 40 --days 21",
        "The last day is run by the Airflow DAG; then its review queue is printed.",
    )
    parser.add_argument("--seed", type=_at_least(0), default=1, help="same seed, same demo")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        metavar="DIR",
        help="folder to make (default demo); replaced if a demo made it",
    )
    parser.add_argument("--people", type=_at_least(4), default=120, help="humans (default 120)")
    parser.add_argument(
        "--services", type=_at_least(2), default=20, help="service identities (default 20)"
    )
    parser.add_argument("--days", type=_at_least(3), default=35, help="days of logs (default 35)")


def _add_run(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "run",
        _run,
        "run every stage for each day in order",
        "  exfilwatch run --config job.yml\n"
        "  exfilwatch run --config job.yml --day 2026-10-05\n"
        "  exfilwatch run --config job.yml --start 2026-09-01 --end 2026-10-05 --out results",
        "Without a day it is yesterday (UTC), the last whole one. Running a day again replaces it.",
    )
    _add_config(parser)
    _add_out(parser)
    _add_days(parser)


def _add_stage(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "stage",
        _stage,
        "run one stage for one day",
        "  exfilwatch stage ingest --config job.yml --day 2026-10-05\n"
        "  exfilwatch stage publish --config job.yml --day 2026-10-05 --out results",
        f"In the order of the data: {', '.join(STAGES)}.",
    )
    parser.add_argument("name", choices=tuple(STAGES), metavar="NAME", help="name of the stage")
    _add_config(parser)
    _add_out(parser)
    parser.add_argument("--day", type=_day, required=True, metavar="D", help="YYYY-MM-DD (UTC)")


def _add_publish(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "publish",
        _publish,
        "publish days again from the tables",
        "  exfilwatch publish --config job.yml --day 2026-10-05\n"
        "  exfilwatch publish --config job.yml --start 2026-09-01 --end 2026-10-05",
        "To the output folder and to Elasticsearch: what was not sent is sent, what is there is "
        "kept or brought up to date with the verdicts. No engine is started.",
    )
    _add_config(parser)
    _add_out(parser)
    _add_days(parser)


def _add_events(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "events",
        _events,
        "print a day's events, or what could not be read",
        "  exfilwatch events --config job.yml --day 2026-10-05 --user u0017 --format table\n"
        "  exfilwatch events --config job.yml --day 2026-10-05 --action-class copy --limit 0\n"
        "  exfilwatch events --config job.yml --day 2026-10-05 --rejects --source checkpoints",
        "Sorted by time (rejects: by place); no engine is started.",
    )
    _add_config(parser)
    parser.add_argument("--day", type=_day, required=True, metavar="D", help="YYYY-MM-DD (UTC)")
    parser.add_argument(
        "--rejects", action="store_true", help="raw records not understood, instead of events"
    )
    parser.add_argument("--source", metavar="NAME", help="name of a source")
    parser.add_argument("--user", metavar="ID", help="user_id, or principal as in the log")
    parser.add_argument("--asset", metavar="ID", help="asset_id")
    parser.add_argument(
        "--action-class", choices=ACTION_CLASSES, metavar="CLASS", help="such as read"
    )
    parser.add_argument("--outcome", choices=OUTCOMES)
    parser.add_argument(
        "--contains",
        metavar="TEXT",
        help="exact text within resource, principal, action, destination or user agent "
        "(rejects: file, reason or line)",
    )
    parser.add_argument("--format", choices=("ndjson", "table"), default="ndjson")
    parser.add_argument(
        "--limit",
        type=_at_least(0),
        default=DEFAULT_ROWS,
        metavar="N",
        help=f"rows (default {DEFAULT_ROWS}; 0: all, held in memory)",
    )


def _add_explain(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "explain",
        _explain,
        "print one finding with its reasons and its evidence",
        "  exfilwatch explain 3f9a1c --config job.yml\n"
        "  exfilwatch explain 3f9a1c --config job.yml --limit 200",
    )
    parser.add_argument("finding", metavar="FINDING_ID", help="event.id, or how it begins")
    _add_config(parser)
    parser.add_argument(
        "--limit",
        type=_at_least(1),
        default=EVIDENCE_ROWS,
        metavar="N",
        help=f"rows of evidence of each kind (default {EVIDENCE_ROWS})",
    )


def _add_verdict(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "verdict",
        _verdict,
        "say what a published finding is",
        "  exfilwatch verdict 3f9a1c --as benign --reason 'weekly backup, CHG-1234' --by m.okafor "
        "--config job.yml",
        "The verdict stands in Elasticsearch beside the finding and outlives every re-run; the "
        "latest counts.",
    )
    parser.add_argument("finding", metavar="FINDING_ID", help="event.id, or how it begins")
    parser.add_argument("--as", dest="verdict", choices=VERDICTS, required=True)
    parser.add_argument("--reason", type=_told, required=True, metavar="WHY")
    parser.add_argument("--by", type=_told, required=True, metavar="WHO", help="who judges")
    _add_config(parser)


def _add_verdicts(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("verdicts", help="list verdicts", allow_abbrev=False)
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _add_command(
        actions,
        "list",
        _list_verdicts,
        "print the latest verdict on every finding that has one",
        "  exfilwatch verdicts list --config job.yml",
        "Those given here and those of alerts closed in Elastic Security, the newest first.",
    )
    _add_config(listing)


def _add_unmask(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "unmask",
        _unmask,
        "tell who stands behind a pseudonym, and log that it was told",
        "  exfilwatch unmask user-7K4M2QXW3ZPTA5BN --by p.officer --reason 'case 17, order of "
        "legal' --config job.yml",
        "Logged first, in unmaskings.jsonl of `privacy.identities`; what cannot be logged is not "
        "told.",
    )
    parser.add_argument("pseudonym", metavar="PSEUDONYM", help="as it stands in what is published")
    parser.add_argument("--by", required=True, metavar="WHO", help="who asks")
    parser.add_argument("--reason", required=True, metavar="WHY", help="case, order, ticket")
    _add_config(parser)


def _add_sources(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "sources",
        _sources,
        "list the log formats, or say all about one",
        "  exfilwatch sources\n  exfilwatch sources github_audit",
        "What each can and cannot tell once it is switched on as described, how to do that at the "
        "vendor, what it costs, and an entry for the config.",
    )
    parser.add_argument("format", nargs="?", metavar="FORMAT", help="format id")


def _add_doctor(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add_command(
        commands,
        "doctor",
        _doctor,
        "check config, files, engine and servers, and say what is missing",
        "  exfilwatch doctor --config job.yml\n"
        "  exfilwatch doctor --config job.yml --identities\n"
        "  exfilwatch doctor --config job.yml --identities --days 7 --limit 0 --format ndjson",
        "Exit code 0: a job can run; 1: something is missing. With --identities instead: whom the "
        "stored events do not name for certain, so that aliases can be added to directory.csv. It "
        "shows names to whoever may read the tables, as `events` does.",
    )
    _add_config(parser)
    _add_out(parser)
    parser.add_argument(
        "--identities",
        action="store_true",
        help="list principals that are unresolved, ambiguous or matched by a near-certain rule, "
        "by their number of events; no engine is started",
    )
    listing = parser.add_argument_group("with --identities")
    span = listing.add_mutually_exclusive_group()
    span.add_argument(
        "--day", type=_day, metavar="D", help="YYYY-MM-DD (default: the latest stored day)"
    )
    span.add_argument(
        "--days", type=_at_least(1), metavar="N", help="as many days, up to the latest stored one"
    )
    listing.add_argument(
        "--limit",
        type=_at_least(0),
        metavar="N",
        help=f"rows of each list (default {LISTED_ROWS}; 0: all)",
    )
    listing.add_argument("--format", choices=("ndjson", "table"), help="default: table")


def _add_kibana(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "kibana",
        help="build or install the Kibana dashboards and the detection rule",
        description="Dashboards for investigators (Kibana 8.19 and 9.x, every licence), and a rule "
        "of Elastic\nSecurity that makes findings its alerts.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    build = _add_command(
        actions,
        "build",
        _kibana_build,
        "write the dashboards as a file for Kibana's import of saved objects",
        "  exfilwatch kibana build --out exfilwatch.ndjson\n"
        "  exfilwatch kibana build --prefix lab --space insider-risk > lab.ndjson",
    )
    rule = _add_command(
        actions,
        "rule",
        _kibana_rule,
        "write the detection rule as a file for Elastic Security's import of rules",
        "  exfilwatch kibana rule --url https://kibana.example:5601 --out rule.ndjson",
    )
    for action in (build, rule):
        action.add_argument(
            "--out", type=Path, metavar="FILE", help="file to write (default: standard output)"
        )
    install = _add_command(
        actions,
        "install",
        _kibana_install,
        "import the dashboards into Kibana, replacing earlier ones",
        "  exfilwatch kibana install --url https://kibana.example:5601\n"
        "  exfilwatch kibana install --url https://kibana.example:5601 --space insider-risk "
        "--with-rule",
        "The API key is taken from EXFILWATCH_KIBANA_API_KEY, a password from "
        "EXFILWATCH_KIBANA_PASSWORD.",
    )
    for action in (rule, install):
        action.add_argument("--url", required=True, help="address of Kibana, with its base path")
    install.add_argument("--username", metavar="NAME", help="user, instead of an API key")
    install.add_argument(
        "--ca-certs", type=Path, metavar="FILE", help="PEM file of the certificate authority"
    )
    install.add_argument(
        "--with-rule", action="store_true", help="also the detection rule of Elastic Security"
    )
    for action in (build, rule, install):
        action.add_argument(
            "--prefix",
            default="exfilwatch",
            help="elasticsearch.prefix of the job config (default exfilwatch)",
        )
        action.add_argument(
            "--space", default="default", metavar="ID", help="space of Kibana (default: default)"
        )


def _demo(args: argparse.Namespace) -> int:
    from jobs.trial.demo import run_demo

    run_demo(args.out, args.seed, args.people, args.services, args.days, _print_line)
    return 0


def _run(args: argparse.Namespace) -> int:
    from jobs.inputs.config import load_config

    days = _days_of(args.day, args.start, args.end)
    config = load_config(args.config, args.out)
    run_days(config, days, progress=_print_line)
    return 0


def _stage(args: argparse.Namespace) -> int:
    from jobs.inputs.config import load_config

    config = load_config(args.config, args.out)
    run_days(config, [args.day], [args.name], _print_line)
    return 0


def _publish(args: argparse.Namespace) -> int:
    from jobs.inputs.config import load_config

    days = _days_of(args.day, args.start, args.end)
    run_days(load_config(args.config, args.out), days, ["publish"], _print_line)
    return 0


def _events(args: argparse.Namespace) -> int:
    from jobs.cli.events import (
        EVENT_HEADER,
        REJECT_HEADER,
        Wanted,
        as_ndjson,
        as_table,
        find_events,
        find_rejects,
    )
    from jobs.inputs.config import load_config

    only_events = {"--user": args.user, "--asset": args.asset, "--outcome": args.outcome}
    only_events["--action-class"] = args.action_class
    misplaced = [name for name, value in only_events.items() if args.rejects and value is not None]
    if misplaced:
        raise InputError([f"{name}: rejects have none; use --contains" for name in misplaced])
    config = load_config(args.config)
    wanted = Wanted(
        args.day,
        args.source,
        args.user,
        args.asset,
        args.action_class,
        args.outcome,
        args.contains,
    )
    find = find_rejects if args.rejects else find_events
    rows, matches = find(config.storage, wanted, args.limit)
    if args.format == "table" and rows:
        print(as_table(rows, REJECT_HEADER if args.rejects else EVENT_HEADER))
    elif args.format == "ndjson":
        for line in as_ndjson(rows):
            print(line)
    if not rows:
        _say(f"none of {args.day} in {config.storage} (has the day been run?)")
    elif len(rows) < matches:
        _say(f"{len(rows):,} of {matches:,} rows; --limit shows more")
    return 0


def _explain(args: argparse.Namespace) -> int:
    from jobs.cli.explain import as_text, find_evidence
    from jobs.inputs.config import load_config
    from jobs.privacy.masked_tables import stored_id

    config = load_config(args.config)
    finding = stored_id(config, args.finding)
    print(as_text(find_evidence(config.storage, finding, args.limit)))
    return 0


def _verdict(args: argparse.Namespace) -> int:
    from jobs.inputs.config import load_config
    from jobs.review.verdicts import give_verdict

    settings = load_config(args.config).elasticsearch
    given = give_verdict(settings, args.finding, args.verdict, args.reason, args.by)
    _print_line(f"finding {given.finding} is {given.verdict}, says {given.by}")
    return 0


def _list_verdicts(args: argparse.Namespace) -> int:
    from jobs.cli.verdict_table import as_table
    from jobs.inputs.config import load_config
    from jobs.review.verdicts import list_verdicts

    verdicts = list_verdicts(load_config(args.config).elasticsearch)
    if verdicts:
        print(as_table(verdicts))
    else:
        _say("no verdict has been given")
    return 0


def _unmask(args: argparse.Namespace) -> int:
    from jobs.inputs.config import load_config
    from jobs.review.unmasking import unmask

    _print_line(unmask(load_config(args.config), args.pseudonym, args.by, args.reason))
    return 0


def _sources(args: argparse.Namespace) -> int:
    from jobs.cli.sources import as_entry, as_overview

    if args.format is None:
        print(as_overview())
    else:
        print(as_entry(args.format, shutil.get_terminal_size().columns))
    return 0


def _doctor(args: argparse.Namespace) -> int:
    if args.identities:
        return _doctor_identities(args)
    from jobs.cli.doctor import examine

    only_listing = {"--day": args.day, "--days": args.days, "--limit": args.limit}
    only_listing["--format"] = args.format
    misplaced = [name for name, value in only_listing.items() if value is not None]
    if misplaced:
        raise InputError([f"{name}: only with --identities" for name in misplaced])
    missing = 0
    for check in examine(args.config, args.out):
        print(check, flush=True)
        missing += check.state == "missing"
    return 1 if missing else 0


def _doctor_identities(args: argparse.Namespace) -> int:
    from jobs.cli.events import as_ndjson
    from jobs.cli.unresolved_names import as_rows, as_text, list_identities
    from jobs.inputs.config import load_config

    config = load_config(args.config, args.out)
    limit = LISTED_ROWS if args.limit is None else args.limit
    listing = list_identities(config, args.day, args.days or 1, limit)
    if args.format == "ndjson":
        for line in as_ndjson([*as_rows(listing)]):
            print(line)
    else:
        print(as_text(listing))
    for name, rows, total in (
        ("not resolved", listing.unresolved, listing.unresolved_total),
        ("matched by a rule", listing.by_rule, listing.by_rule_total),
    ):
        if len(rows) < total:
            _say(f"{name}: {len(rows):,} of {total:,} rows; --limit shows more")
    return 0


def _kibana_build(args: argparse.Namespace) -> int:
    from jobs.platform.kibana_server import build_objects, site

    _write_ndjson(args.out, build_objects(site(args.prefix, args.space)))
    return 0


def _kibana_rule(args: argparse.Namespace) -> int:
    from jobs.platform.kibana_server import build_rule, site

    _write_ndjson(args.out, build_rule(site(args.prefix, args.space), args.url))
    return 0


def _write_ndjson(file: Path | None, text: str) -> None:
    from jobs.platform.files import write_files

    if file is None:
        sys.stdout.write(text)
        return
    if not file.parent.is_dir():
        raise InputError([f"--out {file}: there is no folder {file.parent}"])
    write_files({file: [text]})
    _print_line(f"{file}: {len(text.splitlines())} objects")


def _kibana_install(args: argparse.Namespace) -> int:
    from jobs.platform.kibana_server import Kibana, install_objects, install_rule, site

    kibana = Kibana(args.url, args.username, args.ca_certs)
    place = site(args.prefix, args.space)
    number = install_objects(kibana, place)
    _print_line(f"{number} objects are in Kibana at {args.url}, space {args.space}")
    if args.with_rule:
        install_rule(kibana, place)
        _print_line("the detection rule is in Elastic Security, and on")
    return 0


def _days_of(day: date | None, start: date | None, end: date | None) -> list[date]:
    """The days asked for; none asked for is yesterday, the last day that is whole everywhere."""
    if day is not None and (start is not None or end is not None):
        raise InputError(["--day stands alone; --start and --end name several days"])
    if (start is None) != (end is None):
        raise InputError(["--start and --end belong together; --day names one day"])
    if start is None or end is None:
        return [day or datetime.now(UTC).date() - timedelta(days=1)]
    if end < start:
        raise InputError([f"--end {end} is before --start {start}"])
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day, YYYY-MM-DD") from None


def _told(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text.strip()


def _at_least(lowest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"a whole number from {lowest} on, not {text!r}")
        return int(text)

    return parse


def _quieten(verbose: bool) -> None:
    """Our own warnings always; those of libraries only for who looks for a cause."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_harmless)
    logging.captureWarnings(verbose)
    if not verbose:
        handler.addFilter(
            lambda record: record.name.startswith("jobs.") or record.levelno >= logging.ERROR
        )
        warnings.simplefilter("ignore")
    logging.basicConfig(format="exfilwatch: %(levelname)s: %(message)s", handlers=[handler])


def _harmless(record: logging.LogRecord) -> bool:
    """Escape what a record says, as it may hold log values; keep every record."""
    from jobs.platform.terminal_text import printable

    record.msg, record.args = printable(record.getMessage()), None
    if record.exc_info:
        record.exc_text = _trace(*record.exc_info)
    return True


def _trace(
    kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
) -> str:
    """Where an error happened, indented: a line break in its message begins no line of ours."""
    from jobs.platform.terminal_text import printable

    lines = "".join(traceback.format_exception(kind, error, where)).rstrip().split("\n")
    return "\n".join(f"  {printable(line)}" for line in lines)


def _fail(error: Exception, code: int, verbose: bool) -> int:
    if verbose:
        print(_trace(type(error), error, error.__traceback__), file=sys.stderr)
    where = "".join(f"{note}: " for note in getattr(error, "__notes__", []))
    problems = error.problems if isinstance(error, InputError) else [_message(error)]
    for problem in problems:
        _say(f"{where}{problem}")
    return code


def _worded(error: Exception, args: argparse.Namespace) -> Exception:
    """A platform's error in words, if the command has a config, which says where the tables are."""
    from jobs.inputs.config import load_config
    from jobs.platform.errors_in_words import in_words

    try:
        words = in_words(error, load_config(args.config))
    except Exception:  # noqa: BLE001  # the error that is to be shown stays the first one
        return error
    if words is None:
        return error
    failure = RunError(words)
    failure.__cause__ = error
    return failure


def _message(error: Exception) -> str:
    if isinstance(error, RunError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())} (-v shows where)"


def _say(text: str) -> None:
    from jobs.platform.terminal_text import printable

    # A line break within a name that was logged must not look like a message of its own.
    for number, line in enumerate(text.split("\n")):
        indent = "  " if number else ""
        print(f"exfilwatch: {indent}{printable(line)}", file=sys.stderr, flush=True)


def _print_line(line: str) -> None:
    """Print exactly one line; a line break in it is shown as its escape."""
    from jobs.platform.terminal_text import printable

    print(printable(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
