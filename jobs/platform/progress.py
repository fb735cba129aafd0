"""How far long work has come, and the stage at work, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Report = Callable[[str, int, int | None], None]
"""Takes the name of the work, the steps done since the last report, and all steps if known."""
_report: ContextVar[Report | None] = ContextVar("report", default=None)
at_work: ContextVar[tuple[str | None, str | None]] = ContextVar("at_work", default=(None, None))
"""The day and the stage that this thread works on."""


@contextmanager
def reported_to(report: Report) -> Iterator[None]:
    """Give ``report`` every :func:`advance` of the block; outside of a block nobody hears them."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def advance(work: str, steps: int, of: int | None = None) -> None:
    """Say that ``steps`` more of the work are done; ``of``: all its steps, None if not known."""
    if (report := _report.get()) is not None:
        report(work, steps, of)
