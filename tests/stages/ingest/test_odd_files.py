"""Runs over folders with odd files, odd names, closed folders, and more files than may be open."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.cli import app as cli
from jobs.platform.errors import RunError
from jobs.stages import ingest
from jobs.stages.ingest.find_files import changed_files
from jobs.stages.ingest.raw_file import RawFile
from schemas.tables.events import REJECTS
from tests.conftest import skip_unless
from tests.worlds.raw_logs import DAY, job_config, rows_of, sums_of, trail_record, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DATED = "raw/{yyyy}/{mm}/{dd}/*.json"
JOB = """\
sources:
  - {name: trail, format: aws_cloudtrail, path: 'raw/{yyyy}/{mm}/{dd}/*.json*'}
  - {name: other, format: aws_cloudtrail, path: 'raw/other/*/*.json'}
"""
WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root, but for the right to list and read what its permissions deny."""


def line(number: int | str, **fields: object) -> str:
    return json.dumps(trail_record(number, **fields)) + "\n"


def folder_of(root: Path, late: int = 0) -> Path:
    return root / f"raw/{DAY + timedelta(days=late):%Y/%m/%d}"


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the product as a user for whom permissions count."""
    prefix = []
    if os.geteuid() == 0:
        skip_unless(shutil.which("setpriv") is not None, "no setpriv (Debian: util-linux)")
        prefix = WITHOUT_PRIVILEGE
    argv = [*prefix, sys.executable, "-m", "jobs.cli.app", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    return subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.slow
def test_every_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    """The day's and a late day's, of all sources at once; and nothing is written."""
    (tmp_path / "job.yml").write_text(JOB)
    write_file(folder_of(tmp_path) / "a.json", line(1))
    write_file(tmp_path / "raw/other/b/b.json", line(2))
    closed = [folder_of(tmp_path), folder_of(tmp_path, 2), tmp_path / "raw/other/b"]
    for folder in closed:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0)
    try:
        run = command("stage", "ingest", "--config", tmp_path / "job.yml", "--day", str(DAY))
        doctor = command("doctor", "--config", tmp_path / "job.yml")
    finally:
        for folder in closed:
            folder.chmod(0o755)
    assert run.returncode == 1
    for folder in closed:
        assert f"cannot list the folder {folder} of source" in run.stderr
        assert f"cannot list the folder {folder}" in doctor.stdout
    assert "permissions r and x" in run.stderr
    assert not (tmp_path / "warehouse/events").exists()
    assert doctor.returncode == 1


@pytest.mark.parametrize("scheme", ["https", "S3", "az", "file"])
def test_a_source_on_storage_that_cannot_be_listed_stops_the_run_before_it_begins(
    scheme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.yml"
    job.write_text(JOB.replace("raw/other", f"{scheme}://bucket/raw"))
    write_file(folder_of(tmp_path) / "a.json", line(1))
    assert cli.main(["run", "--config", str(job), "--day", str(DAY)]) == 2
    message = f"source 'other': path: raw files on {scheme}:// cannot be read"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "warehouse").exists()
    if scheme == "S3":
        assert cli.main(["doctor", "--config", str(job)]) == 1
        assert message in capsys.readouterr().out


@pytest.mark.timeout(120)
def test_odd_files_are_rejects_and_nothing_else_is_lost(sail: SparkSession, tmp_path: Path) -> None:
    day = folder_of(tmp_path)
    write_file(day / "a.json", line(1))
    write_file(tmp_path / "secret.json", line("secret"))
    os.mkfifo(day / "pipe.json")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(day / "socket.json"))
    (day / "link.json").symlink_to(tmp_path / "secret.json")
    (day / "up").symlink_to("..")
    (day / "again.json").symlink_to("a.json")
    config = job_config(tmp_path, [{"path": "raw/{yyyy}/{mm}/{dd}/**/*.json"}])
    summary = str(ingest.STAGE.run(sail, config, DAY))
    sums = sums_of(summary)
    assert (sums["events"], sums["duplicates"], sums["rejects"]) == (1, 0, 3)
    assert f"NOT OPENED: 3 odd files (such as {day}/link.json: a link to " in summary
    reasons = {Path(row["file"]).name: row["reason"] for row in rows_of(sail, config, REJECTS)}
    assert reasons["pipe.json"] == "a named pipe; the file is not read"
    assert reasons["socket.json"] == "a socket; the file is not read"
    assert f"a link to {tmp_path}/secret.json, which lies outside" in reasons["link.json"]


def test_doctor_says_what_no_run_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Odd files, and files in the folders of all days that no source's path matches."""
    (tmp_path / "job.yml").write_text(JOB)
    (tmp_path / "raw/other").mkdir(parents=True)
    for late in range(2):
        write_file(folder_of(tmp_path, late) / "a.json", line(1))
        write_file(folder_of(tmp_path, late) / "h=00/b.json", line(2))
    assert cli.main(["doctor", "--config", str(tmp_path / "job.yml")]) == 0
    out = capsys.readouterr().out
    unmatched = f"matches 2 files in its folders of days (such as {folder_of(tmp_path)}/h=00/b.json"
    assert f"warning  source trail: the path of no source {unmatched})" in out
    assert f"(such as {folder_of(tmp_path)}/a.json)" in out
    assert "ok       open files: at most " in out or "ok       open files: no limit" in out
    os.mkfifo(folder_of(tmp_path) / "pipe.json")
    assert cli.main(["doctor", "--config", str(tmp_path / "job.yml")]) == 0
    out = capsys.readouterr().out
    assert "warning  source trail: 1 odd files that are not read (such as " in out
    assert "pipe.json: a named pipe)" in out


def test_a_day_of_odd_files_only_is_a_day_without_a_file(
    sail: SparkSession, tmp_path: Path
) -> None:
    day = folder_of(tmp_path)
    day.mkdir(parents=True)
    os.mkfifo(day / "pipe.json")
    config = job_config(tmp_path, [{"path": DATED}])
    assert "; NO FILE for trail; NOT OPENED: 1 odd file" in str(ingest.STAGE.run(sail, config, DAY))


NAMES = [b"line\nbreak", b"caf\xe9", b"a:b", b"[a]", b"*", b"?", b"back\\slash", b"{a}", b"_a"]
NAMES += ["caf\u00e9".encode(), b"tab\t\x1b[2J", "\u202e\u2028".encode(), b"a b%20c", b"'\"$`"]


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_files_of_any_name_are_read(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    spark: SparkSession = request.getfixturevalue(engine)
    day = folder_of(tmp_path)
    for folder in (day, day / os.fsdecode(b"in \xff\n")):
        for number, name in enumerate(NAMES):
            content = line(f"{folder == day}-{number}") + ("{bad\n" if number < 2 else "")
            write_file(folder / f"{os.fsdecode(name)}.json", content)
    config = job_config(tmp_path, [{"path": "raw/{yyyy}/{mm}/{dd}/**/*.json"}])
    sums = sums_of(str(ingest.STAGE.run(spark, config, DAY)))
    assert (sums["events"], sums["rejects"]) == (2 * len(NAMES), 4)
    files = {
        row["file"].removeprefix(f"{folder_of(tmp_path)}/")
        for row in rows_of(spark, config, REJECTS)
    }
    assert files == {
        "line\\nbreak.json",
        "caf\\udce9.json",
        "in \\udcff\\n/line\\nbreak.json",
        "in \\udcff\\n/caf\\udce9.json",
    }


def test_a_file_that_vanishes_is_named(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the engine says so, as for damaged files, or not."""
    config = job_config(tmp_path, [{"path": DATED}])
    find = ingest.find_inputs
    for content in (line(2), "{bad\n", "\ufeff" + line(2)):
        for change in ("unlink", "cut"):
            write_file(folder_of(tmp_path) / "a.json", line(1))
            gone = write_file(folder_of(tmp_path) / "gone.json", content)

            def found(*arguments: object, gone: Path = gone, change: str = change) -> object:
                inputs = find(*arguments)
                gone.unlink() if change == "unlink" else gone.write_text("{")
                return inputs

            monkeypatch.setattr(ingest, "find_inputs", found)
            with pytest.raises(RunError) as caught:
                ingest.STAGE.run(sail, config, DAY)
            expected = f"{gone} of source 'trail' vanished or was cut while it was read"
            assert str(caught.value).splitlines()[0] == expected
            assert not (tmp_path / "warehouse/events").exists()


def test_a_file_that_grows_is_no_problem(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.json", "12345")
    assert changed_files([RawFile(str(path), None, "lines", size=4)]) == []
    assert changed_files([RawFile(str(path), None, "lines", size=6)]) == [str(path)]


def test_files_that_no_source_matches_are_said(sail: SparkSession, tmp_path: Path) -> None:
    day = folder_of(tmp_path)
    write_file(day / "a.json", line(1))
    write_file(day / "a.json.gz", line(2))
    write_file(day / "b.csv", "other")
    write_file(day / "13/c.json", line(3))
    write_file(day / "_SUCCESS", "x")
    sources = [{"path": DATED}, {"path": DATED.replace("json", "csv"), "name": "csv"}]
    config = job_config(tmp_path, sources)
    summary = str(ingest.STAGE.run(sail, config, DAY))
    said = "NOT READ: 2 files in the folders of these days that the path of no source matches (such"
    assert f"; {said} as {day}/13/c.json, in a folder of trail)" in summary
