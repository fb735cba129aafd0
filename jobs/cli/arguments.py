"""Options that several commands share, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.cli.messages import Invocation, set_up_logging
from jobs.platform.errors import InputError


def examples(*commands: str) -> str:
    """The end of a command's help. Each of ``commands`` is a whole command line."""
    # \b keeps Typer from filling the lines of a paragraph.
    return "\n".join(["\b", "examples:", *(f"  {command}" for command in commands)])


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """A parser that accepts one of ``choices`` and refuses any other text."""

    def parse(text: str) -> str:
        if text not in choices:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(choices)}.")
        return text

    return parse


def completed(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """Completions for an option that takes one of ``choices``."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def at_least(lowest: int) -> Callable[[str], int]:
    """A parser that accepts whole numbers from ``lowest`` on."""

    def parse(text: str) -> int:
        # Typer also passes defaults, which are numbers already.
        if not str(text).isdecimal() or int(text) < lowest:
            raise typer.BadParameter(f"a whole number from {lowest} on, not {text!r}.")
        return int(text)

    return parse


def not_empty(text: str) -> str:
    """The text without surrounding space. Raises BadParameter if nothing is left."""
    if not text.strip():
        raise typer.BadParameter("must not be empty.")
    return text.strip()


def span(day: date | None, start: date | None, end: date | None) -> list[date]:
    """The requested days, in order. Without options: yesterday (UTC), the last whole day.

    Raises :class:`InputError` for options that exclude each other.
    """
    if day is not None and (start is not None or end is not None):
        raise InputError(["--day stands alone; --start and --end name several days"])
    if (start is None) != (end is None):
        raise InputError(["--start and --end belong together; --day names one day"])
    if start is None or end is None:
        return [day or datetime.now(UTC).date() - timedelta(days=1)]
    if end < start:
        raise InputError([f"--end {end} is before --start {start}"])
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def parse_day(text: str) -> date:
    """Parse a day, YYYY-MM-DD."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day, YYYY-MM-DD.") from None


def _set_config(context: typer.Context, path: Path) -> Path:
    _invocation(context).config = path
    return path


def _set_verbose(context: typer.Context, verbose: bool) -> bool:
    _invocation(context).verbose = verbose
    set_up_logging(_invocation(context))
    return verbose


def _set_log_format(context: typer.Context, name: Literal["text", "json"]) -> str:
    _invocation(context).log_format = name
    return name


def _invocation(context: typer.Context) -> Invocation:
    invocation: Invocation = context.obj
    return invocation


Config = Annotated[
    Path,
    typer.Option(
        "--config", metavar="FILE", readable=False, callback=_set_config, help="Job config."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", readable=False, help="Folder of the results, instead of `output`."
    ),
]
Day = Annotated[
    date, typer.Option("--day", metavar="D", parser=parse_day, help="One day, YYYY-MM-DD (UTC).")
]
MaybeDay = Annotated[
    date | None,
    typer.Option("--day", metavar="D", parser=parse_day, help="One day, YYYY-MM-DD (UTC)."),
]
Start = Annotated[
    date | None,
    typer.Option("--start", metavar="D", parser=parse_day, help="First of several days."),
]
End = Annotated[
    date | None, typer.Option("--end", metavar="D", parser=parse_day, help="Last of several days.")
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_set_verbose,
        help="Show warnings, and where an error happened.",
    ),
]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(
        "--log-format",
        metavar="text|json",
        callback=_set_log_format,
        help="Lines for a person, or one JSON object a line for progress, warnings and errors.",
    ),
]
