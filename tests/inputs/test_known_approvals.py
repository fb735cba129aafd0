"""Approvals count from the day on which they were written."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from jobs.inputs.csv_rows import frame_of
from jobs.inputs.known_approvals import as_known

DAY = date(2026, 10, 5)
A_DAY = timedelta(days=1)
LAST = DAY + A_DAY


def ticket(name: str = "T-1", start: date | None = DAY - 9 * A_DAY, **more: Any) -> dict[str, Any]:
    begins = start and datetime.combine(start, datetime.min.time())
    return {"ticket_id": name, "user_id": "u1", "pattern": "s3://x/*", "start": begins,
            "end": pd.Timestamp(LAST), "approver_id": "u2", "reason": "planned"} | more  # fmt: skip


def spans(now: list[dict[str, Any]], *earlier: tuple[int, list[dict[str, Any]]]) -> list[Any]:
    """Ticket, first and last day of each row; ``earlier``: days ago and the file of that day."""
    versions = [(DAY - ago * A_DAY, frame_of("approvals", rows)) for ago, rows in earlier]
    found = as_known(frame_of("approvals", now), versions)
    return [
        (row.ticket_id, *(pd.Timestamp(time).date() for time in (row.start, row.end)))
        for row in found.itertuples()
    ]


def test_a_ticket_that_was_written_afterwards_covers_nothing_before() -> None:
    late = ticket("T-2")
    kept = [(30, [ticket()]), (3, [ticket(), late])]
    assert spans([ticket(), late], *kept) == [
        ("T-1", DAY - 9 * A_DAY, LAST), ("T-2", DAY - 3 * A_DAY, LAST),
    ]  # fmt: skip
    assert spans([ticket(start=None)], (30, []), (3, [ticket(start=None)])) == [
        ("T-1", DAY - 3 * A_DAY, LAST)
    ]
    future = ticket(start=DAY)
    assert spans([future], (30, []), (3, [future])) == [("T-1", DAY, LAST)]


def test_rows_of_the_oldest_file_and_of_no_kept_file_are_as_old_as_they_say() -> None:
    as_it_says = [("T-1", DAY - 9 * A_DAY, LAST)]
    assert spans([ticket()]) == as_it_says
    assert spans([ticket()], (3, [ticket()])) == as_it_says


def test_an_edited_ticket_counts_as_it_was_until_the_edit() -> None:
    wide = ticket(pattern="s3://*")
    assert sorted(spans([wide], (30, [ticket()]), (3, [wide]))) == [
        ("T-1", DAY - 9 * A_DAY, DAY - 3 * A_DAY), ("T-1", DAY - 3 * A_DAY, LAST),
    ]  # fmt: skip


def test_a_ticket_that_was_taken_back_is_none() -> None:
    assert spans([], (30, [ticket()]), (3, [])) == []
