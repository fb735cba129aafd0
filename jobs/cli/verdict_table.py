"""Verdicts as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.platform.terminal_text import table
from jobs.review.queue import Verdict
from jobs.review.queue_table import ID_CHARS

HEADER = ("finding", "verdict", "given at", "by", "reason")
WIDTHS = {"by": 32, "reason": 110}


def as_table(verdicts: Sequence[Verdict]) -> str:
    """One line for each verdict."""
    rows = [
        (given.finding[:ID_CHARS], given.verdict, given.at, given.by, given.reason)
        for given in verdicts
    ]
    return table(HEADER, rows, WIDTHS)
