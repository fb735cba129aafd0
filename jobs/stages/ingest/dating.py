"""The facts about a file's day on which the times of its records depend."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple

FIRST_DAY = date(2000, 1, 1)
"""Earliest plausible day of a record; a clock without a battery shows an earlier one."""
CLOCK = ": is the clock right?"
"""End of the reason of a reject whose time cannot be right."""


class Dating(NamedTuple):
    """SQL of days on which the time of a record depends.

    ``near``: a day near the record, which tells the year of a time without one. ``last``: the last
    day that its file may hold. ``named``: the name of ``last`` in the reason of a reject, no SQL.
    """

    near: str
    last: str
    named: str


def dating(dated: bool, day: date) -> Dating:
    """The dating of records, over the column ``file_day``, in a run of ``day``.

    A file of one day holds no record of a later day. A file whose path names no day (not
    ``dated``) may be as new as now. Only the month of ``near`` counts there, so all days of a month
    have the same dating.
    """
    if dated:
        return Dating("file_day", "file_day", "the day of the file")
    today = datetime.now(UTC).date()
    named = "today" if day <= today else "the day of the run"
    return Dating(f"date'{day.replace(day=1)}'", f"date'{max(today, day)}'", named)


def time_problem(dated: Dating) -> str:
    """SQL: the reason why ``event_time`` cannot be right; null if it can be.

    Clocks and zones may differ by a day from the last day of a file.
    """
    time = "concat('time ', substring(cast(event_time as string), 1, 19), ' lies "
    ahead = f"datediff(to_date(event_time), {dated.last})"
    return (
        f"case when event_time < timestamp'{FIRST_DAY} 00:00:00' "
        f"then {time}before {FIRST_DAY}{CLOCK}') "
        f"when {ahead} >= 2 then {time}', cast({ahead} as string), ' days ahead of {dated.named}, "
        f"', cast({dated.last} as string), '{CLOCK}') end"
    )
