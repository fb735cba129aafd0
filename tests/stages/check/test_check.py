"""The stage as a whole: stored outcomes, exit codes, history, both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.platform.delta_tables import read_days
from jobs.platform.errors import GateError
from jobs.stages import check
from schemas.tables.quality import QUALITY
from tests.worlds.judged_days import (
    DAY,
    FORMATS,
    good_day,
    job_config,
    reject,
    stored_quality,
    write_day,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
