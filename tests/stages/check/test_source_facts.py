"""Counts of each source's events and rejects, and its usual number of events."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.stages.check.source_facts import source_facts, usual_events
from schemas.expectations import SOURCE_FACTS
from schemas.tables.events import REJECTS
from tests.worlds.judged_days import DAY, event, frame, good_day, reject

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_the_usual_counts_the_same_weekday_twice_and_no_missing_days() -> None:
    monday, sunday, last_monday = date(2026, 10, 5), date(2026, 10, 4), date(2026, 9, 28)
    assert usual_events({}, monday) is None
    assert usual_events({sunday: 0}, monday) is None
    assert usual_events({sunday: 10, last_monday: 1000}, monday) == 1000
    assert usual_events({sunday: 10, last_monday: 1000, date(2026, 10, 3): 0}, monday) == 1000
    assert usual_events({sunday: 10, date(2026, 10, 3): 30}, monday) == 20


@given(st.dictionaries(st.integers(1, 90), st.integers(0, 10**9), max_size=30))
def test_the_usual_is_the_weighted_median(ages: dict[int, int]) -> None:
    history = {DAY - timedelta(days=age): events for age, events in ages.items()}
    usual = usual_events(history, DAY)
    weights = [(n, 2 if d.weekday() == DAY.weekday() else 1) for d, n in history.items() if n]
    if not weights:
        assert usual is None
        return
    # By definition at most half of the weight lies on either side of a median.
    half = sum(weight for _, weight in weights) / 2
    assert usual is not None
    assert sum(weight for n, weight in weights if n < usual) <= half
    assert sum(weight for n, weight in weights if n > usual) <= half


def test_facts_are_counted_as_by_hand(sail: SparkSession) -> None:
    rows = [
        *good_day(events=7),
        *good_day(events=3, sources=["code"]),  # three ids again
        event("code", 50, 1.0) | {"user_kind": "unknown"},
        event("code", 51, 30.0),  # the day after
        event("code", 52, 2.0) | {"event_id": None},
        event("code", 53, 2.0) | {"event_id": None},  # a null is no duplicate of a null
    ]
    # A row that stands for many records counts as many.
    rejects = frame(sail, [reject("code", 1), reject("code", 2) | {"records": 5}], REJECTS)
    [ckpt, code, gone] = source_facts(frame(sail, rows), rejects, ["gone", "code"], {}, DAY)
    assert [ckpt["source"], code["source"], gone["source"]] == ["checkpoints", "code", "gone"]
    assert list(code) == SOURCE_FACTS.column_names
    assert code | {"silent_hours": 0.0} == {
        "source": "code",
        "events": 14,
        "rejects": 6,
        "records": 20,
        "reject_share": 6 / 20,
        "unresolved": 1,
        "unresolved_share": 1 / 14,
        "duplicate_ids": 3,
        "outside_day": 1,
        "history_days": 0,
        "usual_events": None,
        "volume_ratio": None,
        "silent_hours": 0.0,
    }
    assert ckpt["silent_hours"] == pytest.approx(0.1)
    assert (gone["events"], gone["silent_hours"], gone["reject_share"]) == (0, None, None)
