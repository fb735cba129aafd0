"""Missing, damaged or full storage: a clear message, exit code 1 and unchanged tables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.cli import app as cli
from jobs.pipeline import STAGES
from tests.worlds.good_job import CONFIG, DAY, NEXT_DAY, rows_of, stage, written


@pytest.mark.parametrize(
    ("table", "maker", "readers"),
    [
        ("events", "ingest", ["check", "aggregate"]),
        ("rejects", "ingest", ["check"]),
        ("access", "aggregate", ["graph", "signals", "findings", "publish"]),
        ("object_access", "aggregate", ["features"]),
        ("api_days", "aggregate", ["signals", "findings"]),
        ("place_access", "aggregate", ["features", "signals", "findings"]),
        ("job_access", "aggregate", ["signals", "findings"]),
        ("source_days", "aggregate", ["signals", "findings"]),
        ("rare_acts", "aggregate", ["signals", "findings"]),
        ("place_days", "features", ["signals", "findings"]),
        ("grants", "features", ["signals", "findings"]),
        ("steps", "features", ["signals", "findings"]),
        ("lineage", "features", ["signals", "findings"]),
        ("entity_days", "features", ["signals", "findings"]),
        ("coverage", "features", ["signals", "findings"]),
        ("graph_nodes", "graph", ["signals", "findings", "publish"]),
        ("graph_edges", "graph", ["signals", "findings", "publish"]),
        ("signals", "signals", ["findings"]),
        ("findings", "findings", ["publish"]),
    ],
)
def test_a_missing_table_is_not_an_empty_table(
    table: str, maker: str, readers: list[str], job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(job / "warehouse" / table)
    before = written(job)
    for name in readers:
        code, message = stage(capsys, job, name)
        assert code == 1
        assert f"{DAY} {name}: table {table} in warehouse is missing" in message
        assert f"`exfilwatch stage {maker} --config … --day {DAY}`" in message
    assert written(job) == before


@pytest.mark.parametrize("name", [name for name in STAGES if name != "ingest"])
def test_a_day_that_was_never_written_is_not_an_empty_day(
    name: str, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(job)
    code, message = stage(capsys, job, name, NEXT_DAY)
    assert code == 1
    assert f"{NEXT_DAY} {name}: table " in message
    assert f" in warehouse has no {NEXT_DAY}: `exfilwatch stage " in message
    assert written(job) == before


def test_missing_storage_withdraws_no_findings(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(job / "warehouse")
    before = written(job)
    for command in (["publish"], ["stage", "publish"], ["stage", "graph"]):
        code = cli.main([*command, "--config", str(job / "job.yml"), "--day", str(DAY)])
        assert code == 1
        assert "is missing: `exfilwatch stage " in capsys.readouterr().err
    assert written(job) == before
    assert not (job / "warehouse").exists()


def test_a_day_without_rows_is_a_written_day(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The job's day has no rejects and no objects. Each stage can run again alone."""
    assert rows_of(job, DAY)["rejects"] == rows_of(job, DAY)["object_access"] == []
    for name in STAGES:
        assert stage(capsys, job, name) == (0, "")


def test_a_table_without_its_log_is_not_a_new_table(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (job / "warehouse/access/_delta_log").iterdir():
        path.unlink()
    before = written(job)
    for name in ("aggregate", "graph", "publish"):
        code, message = stage(capsys, job, name)
        assert code == 1
        assert "table access: warehouse/access holds Parquet files and its log" in message
        assert "bring the table's folder back from a backup, or move it away" in message
    assert written(job) == before


# Exit 1: errors of the platform in plain words


def files_of(job: Path, table: str, pattern: str) -> list[Path]:
    return sorted((job / "warehouse" / table).rglob(pattern))


@pytest.mark.parametrize("size", [None, 100])
def test_data_files_that_are_missing_or_cut_short(
    size: int | None, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for table, name, maker in (
        ("access", "graph", "aggregate"),
        ("events", "aggregate", "ingest"),
        ("events", "check", "ingest"),
    ):
        path = max(files_of(job, table, "*.parquet"), key=lambda file: file.stat().st_mtime_ns)
        if size is None:
            path.unlink()
        else:
            os.truncate(path, size)
        expected = [
            f"table {table}: 1 of its files are missing or cut short (such as warehouse/{table}/",
            f"of {DAY}; write each of these days again: "
            f"`exfilwatch stage {maker} --config … --day {DAY}`",
        ]
        code, message = stage(capsys, job, name)
        assert code == 1
        assert all(part in message for part in expected), message
        assert doctor_finds(capsys, job, expected)
        assert stage(capsys, job, maker) == (0, "")
        assert stage(capsys, job, name) == (0, "")


def doctor_finds(capsys: pytest.CaptureFixture[str], job: Path, expected: list[str]) -> bool:
    assert cli.main(["doctor", "--config", str(job / "job.yml")]) == 1
    found = capsys.readouterr().out.replace(f"{job}/", "")
    return all(part in found for part in expected)


@pytest.mark.parametrize("damage", ["no json", "zeros", "missing", "first missing", "empty"])
def test_a_damaged_log(damage: str, job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commits = files_of(job, "access", "*.json")
    if damage == "no json":
        commits[-1].write_text('{"commitInfo')
    elif damage == "zeros":
        commits[-1].write_bytes(commits[-1].read_bytes() + bytes(50))
    elif damage == "missing":
        assert stage(capsys, job, "aggregate") == (0, "")
        commits[1].unlink()
    elif damage == "first missing":
        commits[0].unlink()
    else:
        commits[-1].write_bytes(b"")
    named = {"empty": f"table access in warehouse has no {DAY}"}
    found = named.get(damage, "table access: its log warehouse/access/_delta_log cannot be read")
    for name in ("graph", "publish"):
        code, message = stage(capsys, job, name)
        assert code == 1
        assert found in message
    assert doctor_finds(capsys, job, ["table access: ", "bring the table's folder back"])


def run_alone(job: Path, name: str, setup: str) -> tuple[int, str]:
    """Exit code and errors of a stage in a child process that first runs the Python ``setup``."""
    argv = ["stage", name, "--config", str(job / "job.yml"), "--day", str(DAY)]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{setup}; from jobs.cli import app as cli; sys.exit(cli.main({argv}))",
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_too_many_open_files(job: Path) -> None:
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))"
    code, message = run_alone(job, "ingest", limit)
    assert code == 1
    assert "Too many open files: this process may open 20; raise the limit" in message


def test_a_full_disk(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = job / "full"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(full)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a file system")
    try:
        shutil.copytree(job / "warehouse", full, dirs_exist_ok=True)
        (job / "job.yml").write_text(CONFIG + "storage: full/\n")
        (full / "ballast").write_bytes(bytes(shutil.disk_usage(full).free - 8192))
        for name in ("ingest", "aggregate", "signals"):
            code, message = stage(capsys, job, name)
            assert code == 1
            assert "No space left on device: 0.0 MB free in storage full" in message
            assert "make room, then run this again" in message
    finally:
        subprocess.run(["umount", str(full)], check=True)
