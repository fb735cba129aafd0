"""Days of a run that read a file in the same way, so that they can share its parsed rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from jobs.stages.ingest.dating import dating


def test_the_times_of_a_dated_file_do_not_depend_on_the_run() -> None:
    assert dating(True, date(2024, 10, 1)) == dating(True, date(2025, 3, 31))


def test_all_past_days_of_a_month_read_undated_files_alike() -> None:
    """The month tells the year of a time without one."""
    assert dating(False, date(2024, 10, 1)) == dating(False, date(2024, 10, 31))
    assert dating(False, date(2024, 10, 31)) != dating(False, date(2024, 11, 1))


def test_an_undated_file_of_a_day_to_come_may_hold_that_day() -> None:
    later = datetime.now(UTC).date() + timedelta(days=400)
    assert str(later) in dating(False, later).last
