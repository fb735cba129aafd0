"""Bad input: a clear message, the right exit code, and every table as it was.

Nothing here stands in for a stage: the whole pipeline has run one good day before each case.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from jobs.cli import app as cli
from jobs.pipeline import STAGES
from jobs.platform.run_lock import LOCK_NAME
from schemas.context import ASSET_COLUMNS, DIRECTORY_COLUMNS
from schemas.tables import TABLES

DAY = date(2026, 10, 5)
NEXT_DAY = DAY + timedelta(days=1)
USERS = ("ana", "bo", "chen", "dana")
CONFIG = """\
sources:
  - name: repositories
    format: github_audit
    path: raw/{yyyy}/{mm}/{dd}/*.ndjson
context: context
late_days: 0
"""


def clones(day: date) -> str:
    """A day of git traffic: every user clones every repository, hour by hour."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    lines = []
    for hour in range(24):
        moment = midnight + timedelta(hours=hour)
        for user in USERS:
            record = {
                "@timestamp": int(moment.timestamp() * 1000),
                "_document_id": f"{day}-{hour}-{user}",
                "action": "git.clone",
                "actor": user,
                "actor_ip": "192.0.2.7",
                "org": "lab",
                "repo": f"lab/repo-{hour % 3}",
                "user_agent": "git/2.47",
            }
            lines.append(json.dumps(record))
    return "\n".join(lines) + "\n"


def write_logs(folder: Path, day: date, text: str) -> Path:
    """The day's only file."""
    path = folder / f"raw/{day:%Y/%m/%d}/audit.ndjson"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def row(columns: tuple[str, ...], **cells: str) -> str:
    """One line of a context file."""
    return ",".join(cells.get(column, "") for column in columns) + "\n"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose first day has been run, and whose second is there to be run."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "job.yml").write_text(CONFIG)
    context = folder / "context"
    context.mkdir()
    people = [
        row(DIRECTORY_COLUMNS, user_id=f"u-{user}", kind="human", aliases=user) for user in USERS
    ]
    (context / "directory.csv").write_text(",".join(DIRECTORY_COLUMNS) + "\n" + "".join(people))
    repos = [
        row(ASSET_COLUMNS, asset_id=f"repo-{n}", kind="repo", pattern=f"github://lab/repo-{n}")
        for n in range(2)
    ]
    (context / "assets.csv").write_text(",".join(ASSET_COLUMNS) + "\n" + "".join(repos))
    write_logs(folder, DAY, clones(DAY))
    write_logs(folder, NEXT_DAY, clones(NEXT_DAY))
    assert cli.main(["run", "--config", str(folder / "job.yml"), "--day", str(DAY)]) == 0
    return folder


@pytest.fixture
def job(good: Path, tmp_path: Path) -> Path:
    """A copy of the good job that may be spoilt."""
    shutil.copytree(good, tmp_path / "job")
    return tmp_path / "job"


def run(capsys: pytest.CaptureFixture[str], job: Path, day: date = NEXT_DAY) -> tuple[int, str]:
    """Exit code and error message of a run, without the job's folder."""
    capsys.readouterr()
    code = cli.main(["run", "--config", str(job / "job.yml"), "--day", str(day)])
    return code, capsys.readouterr().err.replace(f"{job}/", "")


def written(job: Path) -> dict[str, str]:
    """Digest of every file that a run may write."""
    return {
        str(path.relative_to(job)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("warehouse", "out")
        for path in (job / folder).rglob("*")
        if path.is_file() and path.name != LOCK_NAME
    }


def rows_of(job: Path, day: date) -> dict[str, list[str]]:
    """The day's rows of every table, as sorted text."""
    found = {}
    for table in TABLES:
        path = job / "warehouse" / table.name
        rows: pa.Table = DeltaTable(str(path)).to_pyarrow_table([("day", "=", str(day))])
        found[table.name] = sorted(str(values) for values in rows.to_pylist())
    return found


def test_tables_and_findings_are_for_their_owner_only(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0o022)
    try:
        shutil.rmtree(job / "warehouse")
        shutil.rmtree(job / "out")
        assert run(capsys, job, DAY) == (0, "")
        made = [
            path for top in ("warehouse", "out") for path in (job / top, *(job / top).rglob("*"))
        ]
        assert {
            path.name: oct(path.stat().st_mode) for path in made if path.stat().st_mode & 0o77
        } == {}
        # A folder or file that somebody opened to others on purpose stays open.
        (job / "out").chmod(0o750)
        (job / "out/findings.ndjson").chmod(0o640)
        assert run(capsys, job, DAY) == (0, "")
        assert (job / "out").stat().st_mode & 0o777 == 0o750
        assert (job / "out/findings.ndjson").stat().st_mode & 0o777 == 0o640
        assert os.umask(0o022) == 0o022
        (job / "warehouse").chmod(0o755)
        cli.main(["doctor", "--config", str(job / "job.yml")])
        assert "warehouse is open to others" in capsys.readouterr().out
    finally:
        os.umask(before)


def test_a_later_day_made_stale_is_said_in_one_line(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(day: date) -> list[str]:
        assert cli.main(["run", "--config", str(job / "job.yml"), "--day", str(day)]) == 0
        return [line for line in capsys.readouterr().out.splitlines() if "scored from" in line]

    assert said(NEXT_DAY) == []
    assert said(DAY) == [
        f"{NEXT_DAY} was scored from the old {DAY}: run it again with "
        f"`exfilwatch run --config … --start {NEXT_DAY} --end {NEXT_DAY}`"
    ]
    assert said(NEXT_DAY) == []


def test_the_good_job_is_good(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = rows_of(job, DAY)
    assert before["events"]
    assert run(capsys, job) == (0, "")
    assert rows_of(job, DAY) == before
    assert len(rows_of(job, NEXT_DAY)["events"]) == len(before["events"])


# Exit 2: every problem is listed, nothing is written


def test_unknown_config_key(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(job)
    (job / "job.yml").write_text(CONFIG + "alert_buget: 5\nquality: {max_reject: 0.1}\n")
    code, message = run(capsys, job)
    assert code == 2
    assert "job.yml:7: alert_buget: unknown key; did you mean `alert_budget`?" in message
    assert "job.yml:8: quality.max_reject: unknown key; did you mean" in message
    assert written(job) == before


@pytest.mark.parametrize(("folder", "key"), [("raw", "sources[0].path"), ("context", "context")])
def test_missing_folder(
    folder: str, key: str, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(job)
    shutil.rmtree(job / folder)
    code, message = run(capsys, job)
    assert code == 2
    assert f"{key}: the folder {folder} does not exist" in message
    assert written(job) == before


def test_directory_with_an_alias_of_two_people(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(job)
    with (job / "context/directory.csv").open("a") as handle:
        handle.write(row(DIRECTORY_COLUMNS, user_id="u-eve", kind="human", aliases="eve;ana"))
    code, message = run(capsys, job)
    assert code == 2
    expected = "context/directory.csv:6: aliases: 'ana' belongs to 'u-ana' (line 2) and 'u-eve'"
    assert expected in message
    assert written(job) == before


def test_asset_pattern_that_is_no_glob(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(job)
    with (job / "context/assets.csv").open("a") as handle:
        handle.write(row(ASSET_COLUMNS, asset_id="a", kind="repo", pattern="repo-9"))
        handle.write(row(ASSET_COLUMNS, asset_id="b", kind="repo", pattern="github://lab/[a"))
    code, message = run(capsys, job)
    assert code == 2
    assert "context/assets.csv:4: pattern: a glob over resource URIs is expected" in message
    assert "context/assets.csv:5: pattern: `[` without `]`" in message
    assert written(job) == before


def test_unreadable_context_file(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(job)
    (job / "context/networks.csv").symlink_to(job / "nowhere.csv")
    (job / "context/approvals.csv").write_bytes(b"\xff\xfe")
    code, message = run(capsys, job)
    assert code == 2
    assert "context/networks.csv: cannot be read: No such file or directory" in message
    assert "context/approvals.csv:1: not UTF-8" in message
    assert written(job) == before


def test_a_dated_context_file_of_the_last_day_stops_the_run_before_the_first(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(job)
    (job / f"context/networks.{NEXT_DAY}.csv").write_text("cidr,zone,country,asn\nx,corp,,\n")
    argv = ["run", "--config", str(job / "job.yml"), "--start", str(DAY), "--end", str(NEXT_DAY)]
    assert cli.main(argv) == 2
    assert f"networks.{NEXT_DAY}.csv:2: cidr: " in capsys.readouterr().err
    assert written(job) == before


# Exit 1: a stage failed


def test_empty_day(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(job)
    code, message = run(capsys, job, date(2026, 10, 20))
    assert code == 1
    assert "2026-10-20 ingest: no log file for 2026-10-20" in message
    assert "repositories: raw/2026/10/20/*.ndjson" in message
    assert written(job) == before


def test_files_without_a_record_of_the_day(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(job)
    write_logs(job, NEXT_DAY, clones(DAY))
    code, message = run(capsys, job)
    assert code == 1
    assert f"{NEXT_DAY} ingest: no record of {NEXT_DAY}" in message
    assert written(job) == before


def test_unreadable_log_file(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(job)
    path = write_logs(job, NEXT_DAY, clones(NEXT_DAY))
    # A link to itself cannot be read by anybody, not even root.
    loop = path.with_name("loop.ndjson")
    loop.symlink_to(loop)
    code, message = run(capsys, job)
    assert code == 1
    assert f"{NEXT_DAY} ingest: " in message
    assert "loop.ndjson" in message
    assert "repositories" in message
    assert written(job) == before


def test_unreachable_elasticsearch(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = rows_of(job, DAY)
    (job / "job.yml").write_text(CONFIG + "elasticsearch: {url: 'http://127.0.0.1:1'}\n")
    code, message = run(capsys, job)
    assert code == 1
    assert f"{NEXT_DAY} publish: Elasticsearch at http://127.0.0.1:1 cannot be reached" in message
    assert rows_of(job, DAY) == before
    assert rows_of(job, NEXT_DAY)["signals"]
    assert (job / "out/findings.ndjson").is_file()

    # Nothing is lost: without the server the same day ends well, with the same rows.
    rows = rows_of(job, NEXT_DAY)
    (job / "job.yml").write_text(CONFIG)
    assert run(capsys, job) == (0, "")
    assert rows_of(job, NEXT_DAY) == rows


# Exit 1: a day that an earlier stage has never written


def stage(
    capsys: pytest.CaptureFixture[str], job: Path, name: str, day: date = DAY
) -> tuple[int, str]:
    """Exit code and error message of one stage, without the job's folder."""
    capsys.readouterr()
    code = cli.main(["stage", name, "--config", str(job / "job.yml"), "--day", str(day)])
    return code, capsys.readouterr().err.replace(f"{job}/", "")


@pytest.mark.parametrize(
    ("table", "maker", "readers"),
    [
        ("events", "ingest", ["check", "aggregate"]),
        ("rejects", "ingest", ["check"]),
        ("access", "aggregate", ["graph", "signals", "findings", "publish"]),
        ("object_access", "aggregate", ["signals", "findings"]),
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


def test_storage_that_is_gone_withdraws_nothing(
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


def test_a_day_without_rows_counts_as_written(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The job's day has no rejects and no objects; each stage can be run alone again."""
    assert rows_of(job, DAY)["rejects"] == rows_of(job, DAY)["object_access"] == []
    for name in STAGES:
        assert stage(capsys, job, name) == (0, "")


def test_a_table_without_its_log_is_no_new_table(
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


# Exit 1: errors of the platform, in words


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
    """Exit code and errors of a stage in a process of its own, after the Python in ``setup``."""
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
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))"
    code, message = run_alone(job, "ingest", limit)
    assert code == 1
    assert "Too many open files: this process may open 30; raise the limit" in message


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


# Exit 3: the data-quality gate


def test_mostly_rejected_day_stops_at_the_gate(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows_of(job, DAY)
    write_logs(job, NEXT_DAY, clones(NEXT_DAY) + "not a record\n" * 200)
    code, message = run(capsys, job)
    assert code == 3
    assert f"{NEXT_DAY} check: " in message
    assert "repositories" in message
    assert rows_of(job, DAY) == before
    after = rows_of(job, NEXT_DAY)
    assert len(after["rejects"]) == 200
    assert after["quality"]
    for table in ("access", "object_access", "graph_nodes", "graph_edges", "signals", "findings"):
        assert after[table] == []
