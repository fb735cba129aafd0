"""The data-quality gate: every kind of bad day, judged by the real engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobs.inputs.config import load_config
from jobs.platform.delta_tables import read_days, replace_day
from jobs.platform.errors import GateError, RunError
from jobs.stages import check
from jobs.stages.check.judge import Judgement, check_day
from jobs.stages.check.source_facts import History, source_facts, usual_events
from schemas.config import JobConfig
from schemas.expectations import (
    CRITICAL,
    DAY_NOT_EMPTY,
    SOURCE_FACTS,
    WARNING,
    event_suite,
    schema_suite,
    source_suite,
)
from schemas.tables import TABLES
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.quality import QUALITY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY = date(2026, 10, 5)
FORMATS = {"checkpoints": "aws_cloudtrail", "code": "github_audit"}
Row = dict[str, Any]


def event(source: str, number: int, hour: float, day: date = DAY) -> Row:
    """An event that breaks nothing."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    row: Row = dict.fromkeys(EVENTS.column_names)
    return row | {
        "event_id": f"{source}-{number}",
        "event_time": start + timedelta(hours=hour),
        "day": day,
        "source": source,
        "format": FORMATS.get(source, "mapped"),
        "principal": f"person{number % 3}@example.com",
        "user_id": f"u{number % 3}",
        "user_kind": "human",
        "action": "GetObject",
        "action_class": "read",
        "resource": f"s3://lab-ckpt/orion/{number}",
        "bytes_out": 1000 + number,
        "outcome": "success",
        "details": {"range": "bytes=0-1"},
    }


def good_day(day: date = DAY, events: int = 20, sources: Sequence[str] = tuple(FORMATS)) -> list:
    """Events spread over the whole day for each source."""
    return [event(s, n, 23.9 * (n + 1) / events, day) for s in sources for n in range(events)]


def reject(source: str, number: int) -> Row:
    return {
        "day": DAY,
        "source": source,
        "format": FORMATS[source],
        "file": f"raw/{source}.json.gz",
        "position": f"record {number}",
        "reason": "not JSON",
        "line": "{",
        "records": None,
    }


def frame(spark: SparkSession, rows: list[Row], table: Any = EVENTS) -> DataFrame:
    records = [tuple(row[name] for name in table.column_names) for row in rows]
    return spark.createDataFrame(records, table.ddl())


def job_config(folder: Path, sources: dict[str, str] | None = None, **quality: Any) -> JobConfig:
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / "context").mkdir(exist_ok=True)
    settings = {
        "sources": [
            {"name": name, "format": form, "path": "raw/*.gz"}
            for name, form in (sources or FORMATS).items()
        ],
        "context": "context",
        "storage": "warehouse",
        "output": "out",
        "quality": quality,
    }
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_config(path)


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


def stored_quality(spark: SparkSession, config: JobConfig, day: date = DAY) -> list[tuple]:
    rows = read_days(spark, config.storage, QUALITY, day).collect()
    return sorted(tuple(row) for row in rows)


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


def write_day(
    spark: SparkSession,
    config: JobConfig,
    rows: list[Row],
    day: date = DAY,
    rejects: Sequence[Row] = (),
) -> None:
    """Both tables of a day, as one run of ingest writes them."""
    replace_day(frame(spark, rows), config.storage, EVENTS, day)
    replace_day(frame(spark, list(rejects), REJECTS), config.storage, REJECTS, day)


def test_run_keeps_every_outcome_then_stops(sail: SparkSession, tmp_path: Path) -> None:
    config = job_config(tmp_path)
    rows = good_day()
    rows[0] |= {"principal": None}
    rows[30] |= {"action_class": "frobnicate", "bytes_out": -1}
    write_day(sail, config, rows)
    with pytest.raises(GateError) as stopped:
        check.STAGE.run(sail, config, DAY)
    assert stopped.value.exit_code == 3
    lines = str(stopped.value).splitlines()
    assert "2026-10-05: 3 of " in lines[0]
    assert len(lines) == 4
    assert "checkpoints: `principal` is null; observed 1 of 20 rows, expected 0 rows" in lines[1]
    assert 'code: `bytes_out` is out of range; observed 1 of 20 rows, such as "-1"' in lines[2]
    assert 'such as "frobnicate", expected read, list' in lines[3]
    first = stored_quality(sail, config)
    assert sum(not row[QUALITY.column_names.index("success")] for row in first) == 3
    with pytest.raises(GateError):
        check.STAGE.run(sail, config, DAY)
    assert stored_quality(sail, config) == first
    assert (tmp_path / "out" / "data_docs" / "2026-10-05.html").is_file()


def test_rejects_over_the_limit_exit_with_3(sail: SparkSession, tmp_path: Path) -> None:
    config = job_config(tmp_path)
    write_day(sail, config, good_day(), rejects=[reject("code", n) for n in range(40)])
    with pytest.raises(GateError, match="reject_share_bearable: code: too many records") as stopped:
        check.STAGE.run(sail, config, DAY)
    assert stopped.value.exit_code == 3


def test_run_learns_the_usual_volume_from_its_own_earlier_checks(
    sail: SparkSession, tmp_path: Path
) -> None:
    config = job_config(tmp_path, volume_window_days=2)
    days = [DAY + timedelta(days=n) for n in range(4)]
    for day, events in zip(days, (500, 20, 20, 150), strict=True):
        write_day(sail, config, good_day(day, events), day)
    summaries = [str(check.STAGE.run(sail, config, day)) for day in days]
    # The second day sees only the first, the third both of them, the fourth no longer the first.
    both = "2 warnings: volume_as_usual of checkpoints, volume_as_usual of code"
    assert [s.split(", ", 1)[1] for s in summaries] == ["0 warnings", both, both, both]
    observed = {
        (row["source"]): row["observed"]
        for row in read_days(sail, config.storage, QUALITY, days[3]).collect()
        if row["expectation"] == "volume_as_usual"
    }
    assert observed == dict.fromkeys(FORMATS, "150 events, 7.5 times the usual 20 (2 days)")
    # A day that is run again later must not look ahead.
    again = stored_quality(sail, config, days[1])
    check.STAGE.run(sail, config, days[1])
    assert stored_quality(sail, config, days[1]) == again


def test_data_docs_are_safe_to_open(sail: SparkSession, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>&'\""
    config = job_config(tmp_path, {**FORMATS, name: "slurm_sacct"})
    secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
    rows = [*good_day(), event(name, 0, 23.0) | {"principal": secret, "action_class": None}]
    write_day(sail, config, rows)
    with pytest.raises(GateError):
        check.STAGE.run(sail, config, DAY)
    docs = tmp_path / "out" / "data_docs"
    page = (docs / "2026-10-05.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "values must never be null" in page  # Great Expectations' own words
    for forbidden in ("http://", "https://", secret, str(tmp_path), "src="):
        assert forbidden not in page
    index = (docs / "index.html").read_text(encoding="utf-8")
    assert '<a href="2026-10-05.html">' in index
    assert sorted(path.name for path in docs.iterdir()) == ["2026-10-05.html", "index.html"]


def test_an_output_that_cannot_be_written_says_so(sail: SparkSession, tmp_path: Path) -> None:
    config = job_config(tmp_path)
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    write_day(sail, config, good_day())
    with pytest.raises(RunError, match=r"Data Docs cannot be written .* writable"):
        check.STAGE.run(sail, config, DAY)
    assert len(stored_quality(sail, config)) > 0


def test_both_engines_judge_alike(
    sail: SparkSession, apache_spark: SparkSession, tmp_path: Path
) -> None:
    rows = good_day()
    rows[0] |= {"principal": None, "bytes_out": -7}
    rows[1] |= {"action_class": "zap", "user_kind": "unknown"}
    rows[2] |= {"action_class": "frobnicate", "event_id": "checkpoints-5"}
    rows[3] |= {"event_time": datetime(2026, 10, 6, 1, tzinfo=UTC), "source": None}
    del rows[30:]  # the second source falls silent at noon
    stored = []
    for name, spark in (("sail", sail), ("spark", apache_spark)):
        config = job_config(tmp_path / name, {**FORMATS, "gone": "slurm_sacct"})
        write_day(spark, config, rows, rejects=[reject("code", n) for n in range(3)])
        with pytest.raises(GateError):
            check.STAGE.run(spark, config, DAY)
        stored.append(stored_quality(spark, config))
    assert stored[0] == stored[1]
    assert len(stored[0]) > 60


def all_suites(tmp_path: Path) -> list:
    quality = job_config(tmp_path).quality
    return [
        [*schema_suite(EVENTS), DAY_NOT_EMPTY],
        event_suite(list(FORMATS)),
        source_suite(quality),
    ]


def test_every_rule_of_the_spec_is_in_a_suite() -> None:
    rules = {(e.column, e.type) for e in event_suite(["code"])}
    for column in EVENTS.columns:
        null_rule = (column.name, "expect_column_values_to_not_be_null")
        assert (null_rule in rules) == (not column.nullable)
        if column.values:
            assert (column.name, "expect_column_values_to_be_in_set") in rules
        if column.minimum is not None or column.maximum is not None:
            assert (column.name, "expect_column_values_to_be_between") in rules
    for table in TABLES:
        assert len(schema_suite(table)) == 1 + len(table.columns)


def test_suites_have_unique_keys_and_texts_that_can_be_filled(tmp_path: Path) -> None:
    suites = all_suites(tmp_path)
    keys = [(e.name, e.subject) for suite in suites for e in suite]
    assert len(keys) == len(set(keys))
    facts = dict.fromkeys(SOURCE_FACTS.column_names, 1)
    nullable = {column.name for column in SOURCE_FACTS.columns if column.nullable}
    for expectation in suites[2]:
        assert expectation.observed.format(**facts)
        assert bool(expectation.unjudged) == (expectation.column in nullable), expectation.name
        assert not expectation.subject or expectation.subject in EVENTS.column_names
    assert all(e.severity in (CRITICAL, WARNING) for suite in suites for e in suite)
