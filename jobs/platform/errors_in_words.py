"""Errors of the platform in words: a full disk, too many open files, a damaged table.

Engines and libraries report these errors in many ways. So this module searches the whole chain of
an error for the operating system's own words, and examines the tables for damage.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.platform.damaged_tables import table_problems
from jobs.platform.errors import EngineError, RunError
from jobs.platform.terminal_text import one_line_of

if TYPE_CHECKING:
    from schemas.config import JobConfig

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
ENOUGH_FILES = 65536
MESSAGE_CHARS = 600


def in_words(error: BaseException, config: JobConfig) -> str | None:
    """The cause and its remedy, with the error itself; None if the cause is unknown.

    A plain :class:`RunError` states its own cause, so the tables are not examined for it.
    """
    text = " ".join(map(str, chain(error)))
    if names := _named(text, FULL):
        return f"{names}: {_free_space(config)}; make room, then run this again ({one_line(error)})"
    if names := _named(text, TOO_MANY_FILES):
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"{names}: this process may open {most:,}; raise the limit, such as by "
            f"`ulimit -n {ENOUGH_FILES}`, then run this again ({one_line(error)})"
        )
    if isinstance(error, RunError) and not isinstance(error, EngineError):
        return None
    problems = table_problems(config.storage)
    return f"{'; '.join(problems)} ({one_line(error)})" if problems else None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then the errors from which or during which it was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def one_line(error: BaseException) -> str:
    """The error's type and the start of its message, because engines append pages of plans."""
    text = one_line_of(str(error))
    short = text if len(text) <= MESSAGE_CHARS else text[:MESSAGE_CHARS] + "…"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _named(text: str, numbers: tuple[int, ...]) -> str:
    """The system's words for the first of the numbered errors that the text names; else empty."""
    names = [os.strerror(number) for number in numbers]
    return next((name for name in names if name.lower() in text.lower()), "")


def _free_space(config: JobConfig) -> str:
    """Free space of every local folder that a run writes to, the fullest folder first."""
    places = {"storage": config.storage, "output": config.output, "TMPDIR": tempfile.gettempdir()}
    found = []
    for name, place in places.items():
        folder = Path(place)
        if "://" not in place and folder.exists():
            found.append((shutil.disk_usage(folder).free, f"{name} {place}"))
    return ", ".join(f"{free / 1e6:,.1f} MB free in {where}" for free, where in sorted(found))
