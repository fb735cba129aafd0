"""Every kind of bad day, judged by Sail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.stages.check.judge import Judgement, check_day
from jobs.stages.check.source_facts import History
from schemas.expectations import CRITICAL, WARNING
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.judged_days import DAY, Row, event, frame, good_day, job_config, reject

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Judge = Callable[..., list[Judgement]]


@pytest.fixture
def judge(sail: SparkSession, tmp_path: Path) -> Judge:
    """Judge rows on Sail with a config of the given quality settings."""

    def _judge(
        rows: list[Row],
        rejects: list[Row] | None = None,
        history: History | None = None,
        **quality: Any,
    ) -> list[Judgement]:
        config = job_config(tmp_path, **quality)
        rejected = frame(sail, rejects or [], REJECTS)
        return check_day(frame(sail, rows), rejected, history or {}, config, DAY)[0]

    return _judge


def failures(outcomes: list[Judgement]) -> dict[tuple[str, str, str], str]:
    """(source, expectation, severity) → observed, of those that failed."""
    return {
        (o.source, o.expectation.name, o.expectation.severity): o.observed
        for o in outcomes
        if not o.success
    }


def observed(outcomes: list[Judgement], source: str, name: str) -> str:
    [found] = [o for o in outcomes if o.source == source and o.expectation.name == name]
    return found.observed


def test_a_good_day_passes_and_says_that_there_is_no_history(judge: Judge) -> None:
    outcomes = judge(good_day())
    assert failures(outcomes) == {}
    assert observed(outcomes, "code", "volume_as_usual") == "20 events, no history"
    assert observed(outcomes, "code", "source_not_missing") == "20"
    assert observed(outcomes, "*", "day_not_empty") == "40"
    keys = [(o.source, o.expectation.name, o.expectation.subject) for o in outcomes]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("change", "name", "seen"),
    [
        ({"principal": None}, "expect_column_values_to_not_be_null", "1 of 20 rows"),
        (
            {"action_class": "frobnicate"},
            "expect_column_values_to_be_in_set",
            '1 of 20 rows, such as "frobnicate"',
        ),
        ({"zone": "moon"}, "expect_column_values_to_be_in_set", '1 of 20 rows, such as "moon"'),
        ({"bytes_out": -5}, "expect_column_values_to_be_between", '1 of 20 rows, such as "-5"'),
        (
            # A time of the day before, filed under this day.
            {"event_time": datetime(2026, 10, 4, 23, 59, 59, tzinfo=UTC)},
            "events_within_day",
            "1 of 20 events",
        ),
        (
            # Midnight belongs to the day that begins with it.
            {"event_time": datetime(2026, 10, 6, tzinfo=UTC)},
            "events_within_day",
            "1 of 20 events",
        ),
        ({"event_id": "code-0"}, "event_ids_unique", "1 of 20 events"),
    ],
)
def test_a_bad_row_is_critical_and_only_its_source_is_blamed(
    judge: Judge, change: Row, name: str, seen: str
) -> None:
    rows = good_day()
    rows[25] |= change
    assert rows[25]["source"] == "code"
    assert failures(judge(rows)) == {("code", name, CRITICAL): seen}


def test_the_first_and_last_moment_of_the_day_are_in_it(judge: Judge) -> None:
    rows = [event("code", 0, 0.0), event("code", 1, 0.0), *good_day()]
    rows[0] |= {"event_id": "first"}
    rows[1] |= {
        "event_id": "last",
        "event_time": datetime(2026, 10, 5, 23, 59, 59, 999_999, tzinfo=UTC),
    }
    assert failures(judge(rows)) == {}


def test_a_column_that_is_null_everywhere_is_not_vacuously_fine(judge: Judge) -> None:
    rows = [row | {"principal": None} for row in good_day()]
    name = "expect_column_values_to_not_be_null"
    assert failures(judge(rows)) == {
        ("checkpoints", name, CRITICAL): "20 of 20 rows",
        ("code", name, CRITICAL): "20 of 20 rows",
    }


def test_rows_without_a_source_are_nobodys_and_yet_not_lost(judge: Judge) -> None:
    rows = good_day()
    rows[3] |= {"source": None}
    name = "expect_column_values_to_not_be_null"
    assert failures(judge(rows)) == {("*", name, CRITICAL): "1 of 1 rows"}


def test_a_source_that_the_config_does_not_know_is_named(judge: Judge) -> None:
    rows = [*good_day(), event("old-name", 0, 23.0)]
    assert failures(judge(rows)) == {
        ("old-name", "expect_column_values_to_be_in_set", CRITICAL): (
            '1 of 1 rows, such as "old-name"'
        )
    }


def test_a_shown_value_is_escaped_and_cut(judge: Judge) -> None:
    rows = good_day()
    rows[0] |= {"action_class": "\x1b[31m" + "x" * 500}
    [seen] = failures(judge(rows)).values()
    assert "\x1b" not in seen
    assert len(seen) < 120


@pytest.mark.parametrize(("critical", "severity"), [(False, WARNING), (True, CRITICAL)])
def test_a_missing_source_is_said(judge: Judge, critical: bool, severity: str) -> None:
    outcomes = judge(good_day(sources=["code"]), critical_missing_source=critical)
    assert failures(outcomes) == {("checkpoints", "source_not_missing", severity): "0"}
    [message] = [o.message for o in outcomes if not o.success]
    assert message.startswith("checkpoints: missing source: not one event")
    assert "does not mean there was none" in message
    assert observed(outcomes, "checkpoints", "identities_resolved") == "no events"


def test_an_empty_day_stops(judge: Judge) -> None:
    failed = failures(judge([]))
    assert failed == {
        ("*", "day_not_empty", CRITICAL): "0",
        ("checkpoints", "source_not_missing", WARNING): "0",
        ("code", "source_not_missing", WARNING): "0",
    }


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, {}),
        (1, {("code", "reject_share_low", WARNING): "0.04762 (1 of 21 records)"}),
        (
            80,
            {
                ("code", "reject_share_low", WARNING): "0.8 (80 of 100 records)",
                ("code", "reject_share_bearable", CRITICAL): "0.8 (80 of 100 records)",
            },
        ),
    ],
)
def test_rejects_warn_and_then_stop(judge: Judge, count: int, expected: dict) -> None:
    assert failures(judge(good_day(), [reject("code", n) for n in range(count)])) == expected


def test_a_share_at_the_limit_is_within_it(judge: Judge) -> None:
    rejects = [reject("code", n) for n in range(20)]
    outcomes = judge(good_day(), rejects, max_reject_share=0.5, warn_reject_share=0.5)
    assert failures(outcomes) == {}


def test_a_source_whose_every_record_is_rejected_stops(judge: Judge) -> None:
    failed = failures(judge(good_day(sources=["code"]), [reject("checkpoints", 1)]))
    assert ("checkpoints", "reject_share_bearable", CRITICAL) in failed
    assert ("checkpoints", "source_not_missing", WARNING) in failed


def test_unknown_identities_warn(judge: Judge) -> None:
    rows = good_day()
    for row in rows[:5]:
        row |= {"user_kind": "unknown"}
    outcomes = judge(rows)
    assert failures(outcomes) == {
        ("checkpoints", "identities_resolved", WARNING): "0.25 (5 of 20 events)"
    }
    [message] = [outcome.message for outcome in outcomes if not outcome.success]
    assert "`exfilwatch doctor --identities`" in message


def test_a_source_that_falls_silent_warns(judge: Judge) -> None:
    rows = [row for row in good_day() if row["source"] == "code" or row["event_time"].hour < 6]
    assert failures(judge(rows)) == {
        ("checkpoints", "source_fresh", WARNING): "18.0 hours of silence"
    }


@pytest.mark.parametrize(
    ("usual", "expected"),
    [
        (20, None),
        (100, None),  # exactly a fifth of the usual is within the limit
        (101, "20 events, 0.198 times the usual 101 (2 days)"),
        (3, "20 events, 6.67 times the usual 3 (2 days)"),
    ],
)
def test_volume_is_measured_against_the_trailing_days(
    judge: Judge, usual: int, expected: str | None
) -> None:
    history = {"code": {date(2026, 10, 3): usual, date(2026, 10, 4): usual}}
    failed = failures(judge(good_day(), history=history))
    assert failed == ({("code", "volume_as_usual", WARNING): expected} if expected else {})


OTHER_COLUMNS = [name for name in EVENTS.column_names if name != "details"]


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ([*OTHER_COLUMNS, "'{}' as details"], "expect_column_values_to_be_of_type"),
        ([*EVENTS.column_names, "1 as more"], "expect_table_columns_to_match_ordered_list"),
        (OTHER_COLUMNS, "expect_table_columns_to_match_ordered_list"),
    ],
)
def test_a_wrong_schema_is_critical_and_nothing_else_is_judged(
    sail: SparkSession, tmp_path: Path, columns: list[str], name: str
) -> None:
    events = frame(sail, good_day()).selectExpr(*columns)
    outcomes, _ = check_day(events, frame(sail, [], REJECTS), {}, job_config(tmp_path), DAY)
    failed = [o for o in outcomes if not o.success]
    assert name in {o.expectation.name for o in failed}
    assert {o.expectation.severity for o in failed} == {CRITICAL}
    assert {o.source for o in outcomes} == {"*"}
