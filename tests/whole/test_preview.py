"""A preview of changed settings shows the queue that a run with them would make."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli import app as cli
from jobs.inputs.config import load_config
from jobs.pipeline import STAGES, run_stage
from jobs.platform.delta_tables import table_version
from jobs.platform.errors import InputError
from jobs.platform.frames import stored_frame
from jobs.runs.preview import Entry, preview
from jobs.trial.lab import make_lab
from schemas.config import JobConfig
from schemas.tables import TABLES
from schemas.tables.findings import FINDINGS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.engine
LAST_DAY = date(2026, 10, 30)
DAYS = [LAST_DAY - timedelta(days=ago) for ago in (1, 0)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, sail: SparkSession) -> Path:
    """A lab whose last two days have been run."""
    folder = tmp_path_factory.mktemp("preview") / "lab"
    make_lab(folder, seed=11, people=14, services=3, days=4, end=LAST_DAY)
    config = load_config(folder / "config.yml")
    for day in DAYS:
        for stage in STAGES:
            run_stage(sail, config, day, stage)
    return folder


def changed(lab: Path, text: str) -> JobConfig:
    """The lab's config with further lines."""
    path = lab / "changed.yml"
    path.write_text((lab / "config.yml").read_text() + text)
    return load_config(path)


def entries(config: JobConfig, days: Sequence[date] = DAYS) -> list[Entry]:
    return [*preview(config, days)]


def queue(config: JobConfig) -> dict[tuple[date, str], tuple[int, float]]:
    """Rank and score of each entry by day and identity, as the table holds them."""
    rows = stored_frame(config.storage, FINDINGS, LAST_DAY, len(DAYS) - 1)
    rows = rows[rows["in_budget"].astype(bool)]
    keys = zip(rows["day"], rows["entity"], strict=True)
    places = zip(rows["queue_rank"], rows["risk_score"], strict=True)
    return dict(zip(keys, places, strict=True))


def after(found: Sequence[Entry]) -> dict[tuple[date, str], tuple[Any, Any]]:
    return {
        (entry.day, entry.user): (entry.rank_after, entry.score_after)
        for entry in found
        if entry.rank_after is not None
    }


def test_an_unchanged_config_changes_nothing(lab: Path) -> None:
    found = entries(changed(lab, ""))
    assert {entry.change for entry in found} == {"stays"}
    assert len(found) >= 3
    assert all(entry.rank_before == entry.rank_after for entry in found)
    assert all(entry.score_before == entry.score_after for entry in found)


def test_nothing_is_written(lab: Path) -> None:
    config = changed(lab, "detectors: {recon: {weight: 5.0}}\n")
    before = [table_version(config.storage, table) for table in TABLES]
    files = sorted(str(path) for path in lab.rglob("*"))
    entries(config)
    assert [table_version(config.storage, table) for table in TABLES] == before
    assert sorted(str(path) for path in lab.rglob("*")) == files


@pytest.mark.parametrize(
    "text",
    [
        "detectors: {first_access: {weight: 9.0}, mass_clone: {enabled: false}}\n",
        # Its statistic changes, so its signals are made anew.
        "detectors: {recon: {prior_days: 1}, burst_peers: {weight: 3.0}}\n",
        "scoring: {ordinary_share: 0.1, half_life_days: 1}\n",
    ],
)
def test_the_preview_is_the_queue_that_a_run_makes(
    lab: Path, tmp_path: Path, sail: SparkSession, text: str
) -> None:
    previewed = entries(changed(lab, text))
    assert queue(changed(lab, "")) == {
        (entry.day, entry.user): (entry.rank_before, entry.score_before)
        for entry in previewed
        if entry.rank_before is not None
    }
    copy = tmp_path / "lab"
    shutil.copytree(lab, copy)
    config = changed(copy, text)
    for day in DAYS:
        for stage in ("signals", "findings"):
            run_stage(sail, config, day, stage)
    assert after(previewed) == queue(config)


def test_all_days_without_signals_are_named(lab: Path) -> None:
    days = [LAST_DAY + timedelta(days=1), LAST_DAY, LAST_DAY + timedelta(days=2)]
    with pytest.raises(InputError) as error:
        entries(changed(lab, ""), days)
    assert [problem[:10] for problem in error.value.problems] == ["2026-10-31", "2026-11-01"]


def test_the_command_lists_what_moves(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = lab / "changed.yml"
    path.write_text((lab / "config.yml").read_text() + "scoring: {ordinary_share: 0.01}\n")
    command = ["preview", "--config", str(path), "--day", str(LAST_DAY)]
    assert cli.main([*command, "--all", "--format", "ndjson"]) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows
    assert {row["day"] for row in rows} == {str(LAST_DAY)}
    assert f"{len(rows)} entries in the queue before, " in err
    assert cli.main(command) == 0
    moved = [row for row in rows if row["change"] != "stays"]
    assert capsys.readouterr().out.count(str(LAST_DAY)) == len(moved)
