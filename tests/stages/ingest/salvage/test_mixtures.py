"""Random mixtures of good and bad records: each is counted exactly once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import job_config, rows_of, run_ingest, trail_record, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GOOD_LINE, LATE_LINE, BAD_LINES = "good", "late", ["{bad", "5", "null", "{}", "[]", '{"a":}']

RECORD = (
    st.tuples(st.just(GOOD_LINE), st.integers(1, 6))
    | st.tuples(st.just(LATE_LINE), st.integers(1, 6))
    | st.tuples(st.just("bad"), st.sampled_from(BAD_LINES))
)

FILE = st.tuples(
    st.sampled_from(["lines", "envelope"]),
    st.lists(RECORD, max_size=7),
    st.sampled_from([".json", ".json.gz"]),
)


def record_text(kind: str, value: Any) -> str:
    if kind == GOOD_LINE:
        return json.dumps(trail_record(value))
    if kind == LATE_LINE:
        return json.dumps(trail_record(f"late-{value}", "2026-10-06T00:00:00Z"))
    return str(value)


def file_text(framing: str, records: list[tuple[str, Any]]) -> str:
    texts = [record_text(*record) for record in records]
    return '{"Records":[' + ",".join(texts) + "]}" if framing == "envelope" else "\n".join(texts)


@settings(
    max_examples=15,
    phases=[Phase.generate],  # to shrink a failure would take minutes
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=st.lists(FILE, min_size=1, max_size=3))
def test_every_record_is_somewhere_once(
    sail: SparkSession, tmp_path_factory: pytest.TempPathFactory, files: list[Any]
) -> None:
    # One good record is always there, because a day without records stops the run.
    files = [("lines", [(GOOD_LINE, 0)], ".json"), *files]
    folder = tmp_path_factory.mktemp("mixture")
    good: list[Any] = []
    late = bad = 0
    for number, (framing, records, suffix) in enumerate(files):
        write_file(folder / f"raw/{number}{suffix}", file_text(framing, records))
        for kind, value in records:
            good += [f"id-{value}"] if kind == GOOD_LINE else []
            late += kind == LATE_LINE
            bad += kind == "bad"
    config = job_config(folder, [{"path": "raw/*"}], late_days=0)
    sums = run_ingest(sail, config)
    events, rejects = rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)
    assert [row["event_id"] for row in events] == sorted(set(good))
    assert (sums["events"], sums["rejects"]) == (len(events), len(rejects))
    assert sums["duplicates"] == len(good) - len(set(good))
    assert sums["of other days"] == late
    assert len({(row["file"], row["position"]) for row in rejects}) == len(rejects)
    # Inside an array broken records that follow each other may be taken for one.
    whole = all(framing == "lines" for framing, _, _ in files)
    assert sums["rejects"] == bad if whole else bool(sums["rejects"]) == bool(bad)
