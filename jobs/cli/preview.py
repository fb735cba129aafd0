"""``exfilwatch preview``: entries of the queue that a change of settings moves, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.platform.terminal_text import table
from jobs.runs.preview import Entry

HEADER = ("day", "user", "change", "rank before", "rank after", "score before", "score after",
          "detector")  # fmt: skip


def as_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One row for each entry, by day and rank."""
    return [
        {
            "day": entry.day,
            "user": entry.user,
            "change": entry.change,
            "rank_before": entry.rank_before,
            "rank_after": entry.rank_after,
            "score_before": entry.score_before,
            "score_after": entry.score_after,
            "detector": entry.detector,
        }
        for entry in entries
    ]


def as_table(entries: Sequence[Entry]) -> str:
    """The entries as aligned text."""
    return table(HEADER, [[*row.values()] for row in as_rows(entries)])


def summary(entries: Sequence[Entry]) -> str:
    """How many entries stay, enter and leave."""
    stay, enter, leave = (
        sum(entry.change == change for entry in entries) for change in ("stays", "enters", "leaves")
    )
    return (
        f"{stay + leave:,} entries in the queue before, {stay + enter:,} after: {stay:,} stay, "
        f"{enter:,} enter, {leave:,} leave"
    )
