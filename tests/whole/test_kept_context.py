"""An old day that is run again uses the context files kept with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.cli import app as cli
from jobs.platform.frames import stored_frame
from schemas.context import ASSET_COLUMNS
from schemas.tables.runs import CONTEXT_FILES
from tests.whole.test_status import problems, status
from tests.worlds.good_job import DAY, NEXT_DAY, row, rows_of

KEPT = "assets.csv as kept with the day (`--context now` takes today's)"
CHANGED = "assets.csv as of now"
DAY_OPTIONS = ("--day", str(DAY))


def notes(capsys: pytest.CaptureFixture[str], job: Path, command: str, *options: str) -> list[str]:
    """The notes of a command on context files."""
    capsys.readouterr()
    assert cli.main([*command.split(), "--config", str(job / "job.yml"), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [note for line in lines for note in line.split("; ") if note in (KEPT, CHANGED)]


def list_a_third_repository(job: Path) -> None:
    with (job / "context/assets.csv").open("a") as handle:
        handle.write(row(ASSET_COLUMNS, asset_id="r2", kind="repo", pattern="github://lab/repo-2"))


def assets_of(job: Path) -> set[str]:
    """The assets in the first day's events."""
    found = (line.split("'asset_id': ")[1].split(",")[0] for line in rows_of(job, DAY)["events"])
    return set(found)


def test_the_newest_day_takes_a_changed_file(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert notes(capsys, job, "stage ingest", *DAY_OPTIONS) == []
    list_a_third_repository(job)
    assert notes(capsys, job, "run", *DAY_OPTIONS) == [CHANGED]
    assert "'r2'" in assets_of(job)
    assert notes(capsys, job, "stage ingest", *DAY_OPTIONS) == []


def test_an_older_day_takes_its_own_files(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert notes(capsys, job, "run", "--day", str(NEXT_DAY)) == []
    before = rows_of(job, DAY)
    list_a_third_repository(job)
    assert notes(capsys, job, "run", *DAY_OPTIONS) == [KEPT]
    assert rows_of(job, DAY) == before
    rows, said = status(capsys, job, *DAY_OPTIONS)
    assert problems(rows) == {}
    assert "context files kept with 1 of these days differ from today's" in said
    assert notes(capsys, job, "stage ingest", *DAY_OPTIONS, "--context", "now") == [CHANGED]
    assert "'r2'" in assets_of(job)
    assert notes(capsys, job, "stage ingest", *DAY_OPTIONS) == []
    rows, said = status(capsys, job, *DAY_OPTIONS)
    assert problems(rows)[str(DAY), "aggregate"] == [
        "newer events of its day",
        "another context now",
    ]
    assert "context files kept" not in said


def test_kept_files_are_the_files_in_force(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also a file that was not there is remembered as missing."""
    later = job / f"context/assets.{NEXT_DAY}.csv"
    later.write_text((job / "context/assets.csv").read_text())
    assert notes(capsys, job, "stage ingest", "--day", str(NEXT_DAY)) == []
    stored = stored_frame(str(job / "warehouse"), CONTEXT_FILES, NEXT_DAY)
    names = dict(zip(stored["kind"], stored["name"], strict=True))
    assert names["assets"] == later.name
    assert names["directory"] == "directory.csv"
    assert names["networks"] is None
    assert stored["content"][stored["kind"] == "assets"].tolist() == [later.read_bytes()]
    (job / "context/networks.csv").write_text("cidr,zone,country,asn\n192.0.2.0/24,corp,DE,\n")
    before = rows_of(job, DAY)
    kept = KEPT.replace("assets", "networks")
    capsys.readouterr()
    assert cli.main(["stage", "ingest", "--config", str(job / "job.yml"), *DAY_OPTIONS]) == 0
    assert kept in capsys.readouterr().out
    assert rows_of(job, DAY) == before
