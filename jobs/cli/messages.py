"""Messages of a command: lines for a person, or one JSON object a line for a log collector.

Data go to stdout, errors and the records of ``logging`` to stderr. Log values are
attacker-controlled, so control characters are escaped in every line.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
import uuid
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from jobs.platform.errors import InputError, RunError
from jobs.platform.progress import at_work
from jobs.platform.terminal_text import printable

LOGGER = "exfilwatch"
"""Logger name of messages that no module logs: progress, and the error that ends a command."""


@dataclass
class Invocation:
    """One command: its options, and the id of its run."""

    verbose: bool = False
    log_format: Literal["text", "json"] = "text"
    config: Path | None = None
    run: str = field(default_factory=lambda: uuid.uuid4().hex)


def say(text: str) -> None:
    """Print a message to stderr; lines after the first are indented."""
    # A line break in a logged name must not look like a second message.
    for number, line in enumerate(text.split("\n")):
        indent = "  " if number else ""
        print(f"exfilwatch: {indent}{printable(line)}", file=sys.stderr, flush=True)


def print_line(line: str) -> None:
    """Print exactly one line; line breaks in it become escapes."""
    print(printable(line), flush=True)


def json_line(invocation: Invocation, level: str, logger: str, message: str, **more: object) -> str:
    """One JSON object in ASCII, with the day and the stage at work.

    Keys with None in ``more`` are left out.
    """
    day, stage = at_work.get()
    record = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "logger": logger,
        "run": invocation.run,
        "day": day,
        "stage": stage,
        "message": message,
        **{name: value for name, value in more.items() if value is not None},
    }
    # json escapes every control character except DEL.
    return json.dumps(record, ensure_ascii=True).replace("\x7f", "\\u007f")


def print_problem(invocation: Invocation, problem: str, trace: str | None = None) -> None:
    """Print to stderr the problem that ends a command, and its traceback."""
    if invocation.log_format == "json":
        line = json_line(invocation, "ERROR", LOGGER, problem, exception=trace)
        print(line, file=sys.stderr, flush=True)
        return
    if trace:
        print(_indented(trace), file=sys.stderr)
    say(problem)


def print_error(invocation: Invocation, error: Exception) -> None:
    """Print every problem of an error with its notes, and the traceback if verbose."""
    trace = _trace(error) if invocation.verbose else None
    where = "".join(f"{note}: " for note in getattr(error, "__notes__", []))
    problems = error.problems if isinstance(error, InputError) else [_message(error)]
    for number, problem in enumerate(problems):
        print_problem(invocation, f"{where}{problem}", None if number else trace)


def set_up_logging(invocation: Invocation) -> None:
    """Send our own warnings to stderr, and all errors.

    Warnings of libraries are sent only if verbose.
    """
    handler = _Handler(invocation)
    logging.captureWarnings(invocation.verbose)
    if not invocation.verbose:
        handler.addFilter(
            lambda record: record.name.startswith("jobs.") or record.levelno >= logging.ERROR
        )
        warnings.simplefilter("ignore")
    logging.basicConfig(handlers=[handler])


class _Handler(logging.Handler):
    """Prints records to the current ``sys.stderr``, which a progress bar replaces for a time."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__()
        self.invocation = invocation

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        trace = _trace(error) if error else None
        message = record.getMessage()
        if self.invocation.log_format == "json":
            about = (record.levelname, record.name, message)
            lines = [json_line(self.invocation, *about, exception=trace)]
        else:
            lines = [f"exfilwatch: {record.levelname}: {printable(message)}"]
            lines += [_indented(trace)] if trace else []
        print("\n".join(lines), file=sys.stderr, flush=True)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()


def _indented(trace: str) -> str:
    """A traceback with indented lines, so that none of them looks like a message of ours."""
    return "\n".join(f"  {printable(line)}" for line in trace.split("\n"))


def _message(error: Exception) -> str:
    if isinstance(error, RunError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())} (-v shows where)"
