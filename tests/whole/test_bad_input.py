"""Bad input: a clear message, the right exit code, and unchanged tables.

All stages are real: the whole pipeline has run one good day before each case.
"""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from jobs.cli import app as cli
from schemas.context import ASSET_COLUMNS, DIRECTORY_COLUMNS
from tests.worlds.good_job import (
    CONFIG,
    DAY,
    NEXT_DAY,
    clones,
    row,
    rows_of,
    run,
    write_logs,
    written,
)


def test_only_the_owner_may_read_tables_and_findings(
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
        # A folder or file that its owner opened to others stays open.
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


def test_one_line_names_the_stale_later_days(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_asset_pattern_without_a_valid_glob(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    # Nobody can read a link to itself, not even root.
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

    # Nothing is lost: without the server the same day is done, with the same rows.
    rows = rows_of(job, NEXT_DAY)
    (job / "job.yml").write_text(CONFIG)
    assert run(capsys, job) == (0, "")
    assert rows_of(job, NEXT_DAY) == rows


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
    for table in (
        "access",
        "place_access",
        "job_access",
        "graph_nodes",
        "graph_edges",
        "signals",
        "findings",
    ):
        assert after[table] == []
