"""The stage as a whole: which records of which files become the day's events and rejects."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.platform.delta_tables import replace_day, table_exists
from jobs.platform.errors import GateError, RunError
from jobs.stages import check, ingest
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.spec import Table
from tests.worlds.day_logs import DATED, DAYS, at, ids, lines, put
from tests.worlds.raw_logs import (
    DAY,
    envelope,
    job_config,
    rows_of,
    run_ingest,
    trail_record,
    write_file,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAMELESS = {"eventName": None}


def test_late_and_early_records_belong_to_their_own_day(sail: SparkSession, tmp_path: Path) -> None:
    for offset, day in enumerate(DAYS):
        put(tmp_path, day, lines(at(DAYS[0], f"first-{offset}"), at(DAYS[1], f"second-{offset}")))
    config = job_config(tmp_path, [{"path": DATED}], late_days=2)
    sums = run_ingest(sail, config)
    assert ids(sail, config) == ["id-first-0", "id-first-1", "id-first-2"]
    assert (sums["records"], sums["of other days"]) == (6, 3)
    run_ingest(sail, config, DAYS[1])
    assert ids(sail, config, DAYS[1]) == ["id-second-1", "id-second-2", "id-second-3"]
    # The other day's run leaves this one's rows alone.
    assert ids(sail, config) == ["id-first-0", "id-first-1", "id-first-2"]


def test_every_bad_record_is_rejected_on_one_day_only(sail: SparkSession, tmp_path: Path) -> None:
    """On the day of its time if that is understood, else on its file's day."""
    for day in DAYS:
        late = at(day - timedelta(days=1), "x", **NAMELESS)
        early = at(day + timedelta(days=1), "x", **NAMELESS)
        timeless = at(day, "x", eventTime="soon")
        put(tmp_path, day, lines(at(day, "good"), "{bad", timeless, late, early))
        put(tmp_path, day, envelope(at(day, "good"), at(day, "y", **NAMELESS), 5), "b.json.gz")
        put(tmp_path, day, '{"Records":[' + json.dumps(late) + ",{bad]}", "c.json")
    config = job_config(tmp_path, [{"path": DATED}], late_days=1)
    found = []
    for day in DAYS[:3]:
        sums = run_ingest(sail, config, day)
        assert sums["events"] == 1
        # Two days' folders hold 5 + 3 + 2 pieces each: `{bad` does not hide the document's end.
        assert sums["records"] == 20
        rejects = rows_of(sail, config, REJECTS, day)
        found += [(Path(row["file"]), row["position"]) for row in rejects]
    assert len(set(found)) == len(found)
    # Nothing of the middle day's files is missing: early records were not read the day before.
    middle = {(path.name, position) for path, position in found if path.parent.name == "06"}
    assert middle == {
        ("a.json", "line 2"),
        ("a.json", "line 3"),
        ("a.json", "line 4"),
        ("b.json.gz", "record 2"),
        ("b.json.gz", "record 3"),
        ("c.json", "record 1"),
        ("c.json", "record 2"),
    }


def test_undated_files_are_read_for_every_day(sail: SparkSession, tmp_path: Path) -> None:
    write_file(tmp_path / "raw/all.json", lines(at(DAYS[0], 0), at(DAYS[1], 1), "{bad"))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    for number, day in enumerate(DAYS[:2]):
        assert run_ingest(sail, config, day)["rejects"] == 1
        assert ids(sail, config, day) == [f"id-{number}"]


def test_running_again_gives_the_same_rows(sail: SparkSession, tmp_path: Path) -> None:
    records = [trail_record(n, f"0{n}:00:00", userAgent=f"agent-{n}") for n in range(5)]
    # The same id with something else in it: which one is kept must not be left to chance.
    others = [trail_record(n, f"0{n}:00:00", userAgent=f"other-{n}") for n in range(5)]
    write_file(tmp_path / "raw/a.json.gz", envelope(*records, 5, *others))
    write_file(tmp_path / "raw/b.json", lines(*reversed(records), "{bad", *others))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["duplicates"], sums["rejects"]) == (5, 15, 2)
    before = rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)
    assert run_ingest(sail, config) == sums
    assert (rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)) == before
    assert {row["user_agent"] for row in before[0]} == {f"agent-{n}" for n in range(5)}


def test_no_file(sail: SparkSession, tmp_path: Path) -> None:
    config = job_config(tmp_path, [{"path": DATED}, {"path": "raw/x/*", "name": "other"}])
    with pytest.raises(RunError) as caught:
        ingest.STAGE.run(sail, config, DAY)
    message = str(caught.value)
    assert "no log file for 2026-10-05 (nor the 2 days after it)" in message
    assert f"trail: {tmp_path}/raw/2026/10/05/*.json*" in message
    assert f"other: {tmp_path}/raw/x/*" in message
    assert not table_exists(config.storage, EVENTS)


@pytest.mark.parametrize(
    "content", ['{"Records":[]}', lines(at(DAYS[3], 1)), lines(at(DAYS[3], 1, **NAMELESS))]
)
def test_a_day_without_a_record_leaves_the_tables_as_they_were(
    sail: SparkSession, tmp_path: Path, content: str
) -> None:
    write_file(tmp_path / "raw/a.json", lines(trail_record(1), "{bad"))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(sail, config)
    before = rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)
    write_file(tmp_path / "raw/a.json", content)
    with pytest.raises(RunError, match="no record of 2026-10-05 in 1 files"):
        ingest.STAGE.run(sail, config, DAY)
    assert (rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)) == before
    assert list((tmp_path / "warehouse/_scratch/ingest").iterdir()) == []


def test_a_day_of_rejects_only_is_written(sail: SparkSession, tmp_path: Path) -> None:
    """Stage check stops this day; an error here would hide the rejects."""
    write_file(tmp_path / "raw/a.json.gz", b"no json at all\n", pack=False)
    config = job_config(tmp_path, [{"path": "raw/*"}])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["rejects"]) == (0, 1)
    assert ids(sail, config) == []


def test_a_source_without_files_is_said(sail: SparkSession, tmp_path: Path) -> None:
    write_file(tmp_path / "raw/a.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}, {"path": "nothing/*", "name": "silent"}])
    assert str(ingest.STAGE.run(sail, config, DAY)).endswith("; NO FILE for silent")


def test_leftovers_of_a_killed_run_do_no_harm(sail: SparkSession, tmp_path: Path) -> None:
    write_file(tmp_path / "raw/a.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    write_file(tmp_path / "warehouse/_scratch/ingest/killed/text.parquet", b"half a file")
    assert run_ingest(sail, config)["events"] == 1
    assert list((tmp_path / "warehouse/_scratch/ingest").iterdir()) == []


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_events_and_rejects_are_replaced_as_one(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> None:
    """A run that ends between the two tables leaves a day that is refused until it is run again."""
    spark: SparkSession = request.getfixturevalue(engine)
    write_file(tmp_path / "raw/a.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(spark, config)
    run_ingest(spark, config)
    assert str(check.STAGE.run(spark, config, DAY))
    write_file(tmp_path / "raw/b.json", lines(trail_record(2), "{bad"))

    def stop_at_events(frame: Any, storage: str, table: Table, *others: Any) -> None:
        if table is EVENTS:
            raise KeyboardInterrupt
        replace_day(frame, storage, table, *others)

    with monkeypatch.context() as patch:
        patch.setattr("jobs.stages.stage.replace_day", stop_at_events)
        with pytest.raises(KeyboardInterrupt):
            ingest.STAGE.run(spark, config, DAY)
    assert ids(spark, config) == ["id-1"]
    with pytest.raises(RunError, match=r"not of one run.* run `exfilwatch stage ingest` for 2026"):
        check.STAGE.run(spark, config, DAY)
    run_ingest(spark, config)
    assert ids(spark, config) == ["id-1", "id-2"]
    with contextlib.suppress(GateError):
        check.STAGE.run(spark, config, DAY)


def test_rejects_are_scrubbed_and_name_their_place(sail: SparkSession, tmp_path: Path) -> None:
    bad = '{"password":"HIDDEN", "x":\x1b[31m'
    write_file(tmp_path / "raw/a.json", lines(trail_record(1), bad))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(sail, config)
    (row,) = rows_of(sail, config, REJECTS)
    assert (row["source"], row["format"]) == ("trail", "aws_cloudtrail")
    assert row["file"] == str(tmp_path / "raw/a.json")
    assert row["position"] == "line 2"
    assert row["reason"].startswith("not JSON: Expecting value")
    assert row["line"] == '{"password":"***", "x":\\x1b[31m'
