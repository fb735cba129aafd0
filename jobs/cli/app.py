"""The command line ``exfilwatch``: data to stdout, errors to stderr, exit codes 0 to 3.

0: done. 1: a stage failed. 2: the command or the config is wrong, and nothing was written. 3: the
data-quality gate stopped the run. Each command imports the engine and the libraries that it needs,
so ``--help`` answers at once.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from jobs.cli.commands import (
    demo,
    doctor,
    events,
    explain,
    kibana,
    preview,
    run,
    sources,
    status,
    unmask,
    verdicts,
)
from jobs.cli.messages import Invocation, print_error, print_problem
from jobs.platform.errors import RunError
from jobs.platform.progress import at_work
from jobs.platform.terminal_text import printable

NAME = "exfilwatch"
COMPLETION_VARIABLE = "_EXFILWATCH_COMPLETE"
"""A shell sets it to ask for completions."""
EXIT_WRONG_COMMAND = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
HELP = (
    "Finds people and services taking model weights, code and data out of an AI lab, from its own "
    "access logs."
)
EPILOG = """\
\b
examples:
  exfilwatch demo
  exfilwatch run --config job.yml --day 2026-10-05
  exfilwatch stage publish --config job.yml --day 2026-10-05
  exfilwatch status --config job.yml
  exfilwatch preview --config changed.yml --start 2026-09-01 --end 2026-10-05
  exfilwatch events --config job.yml --day 2026-10-05 --rejects --format table
  exfilwatch explain 3f9a1c --config job.yml
  exfilwatch verdict 3f9a1c --as benign --reason 'weekly backup' --by m.okafor --config job.yml
  exfilwatch sources aws_cloudtrail
  exfilwatch doctor --config job.yml
  exfilwatch doctor --config job.yml --identities

\b
exit codes:
  0  done
  1  a stage failed; the message says which input and what to do
  2  the command or the config is wrong; every problem is listed, nothing was written
  3  the data-quality gate stopped the run"""

# Help in colours and frames is for a terminal only; a pipe gets plain lines.
app = typer.Typer(
    name=NAME,
    help=HELP,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
)
for part in (demo, run, status, preview, events, explain, verdicts, unmask, sources, doctor):
    app.add_typer(part.app)
app.add_typer(kibana.app, name="kibana")


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version(NAME)
    except PackageNotFoundError:
        found = "(not installed)"
    print(f"{NAME} {found}")
    raise typer.Exit


@app.callback()
def exfilwatch(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options in front of a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Without ``argv`` it runs the process's own command and ends the process.
    """
    code = _answer(sys.argv[1:] if argv is None else argv)
    if argv is None:
        _leave(code)
    return code


def _leave(code: int) -> NoReturn:
    """End the process at once, without Python's own clean-up.

    Threads of pyarrow call back into Python to read files. If a thread does so during the clean-up,
    Python ends it in the middle of C++, and the process aborts: "terminate called without an active
    exception". Sessions, files and locks are closed by now.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _answer(argv: Sequence[str]) -> int:
    """The exit code of one command; every error ends here, as a message on stderr."""
    invocation = Invocation()
    at_work.set((None, None))
    try:
        code = _invoke(argv, invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone. Without this the interpreter complains once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        print_problem(invocation, "interrupted")
        return EXIT_INTERRUPTED
    except typer.TyperException as error:
        return _print_usage_error(error)
    except RunError as error:
        print_error(invocation, error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the edge of the program
        print_error(invocation, _worded(error, invocation))
        return RunError.exit_code
    return code


def _invoke(argv: Sequence[str], invocation: Invocation) -> int:
    """Parse and run a command, and return its exit code; the caller handles its errors."""
    command = get_command(app)
    try:
        if COMPLETION_VARIABLE in os.environ:
            command.main([*argv], prog_name=NAME, obj=invocation)
        with command.make_context(NAME, [*argv], obj=invocation) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as stop:  # --help and --version
        return stop.exit_code
    except SystemExit as stop:  # completion
        return int(stop.code or 0)


def _print_usage_error(error: typer.TyperException) -> int:
    """Print the mistake in the typed command, and where to read more."""
    context: typer.Context | None = getattr(error, "ctx", None)
    command = context.command if context else None
    missing = None if error.message else getattr(error, "param", None)
    message = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(command, TyperGroup) and not hasattr(error, "option_name"):
        message += f"; the commands are {', '.join(command.commands)}"
    if missing is not None:
        message += f": {missing.help.rstrip('.')}"
    path = context.command_path if context else NAME
    if context:
        print(printable(context.get_usage()), file=sys.stderr)
    print(f"{path}: error: {printable(message)}", file=sys.stderr)
    print(f"`{path} --help` shows how it is used", file=sys.stderr, flush=True)
    return EXIT_WRONG_COMMAND


def _worded(error: Exception, invocation: Invocation) -> Exception:
    """A platform's error in words. This needs the config, which says where the tables are."""
    from jobs.inputs.config import load_config
    from jobs.platform.errors_in_words import in_words

    try:
        words = invocation.config and in_words(error, load_config(invocation.config))
    except Exception:  # noqa: BLE001  # the first error is the one to show
        return error
    if not words:
        return error
    failure = RunError(words)
    failure.__cause__ = error
    return failure


if __name__ == "__main__":
    sys.exit(main())
