"""A job of two days, its commands and their output. The first day has been run."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from jobs.cli import app as cli
from jobs.platform.run_lock import LOCK_NAME
from schemas.tables import RECORDS, TABLES
from schemas.tables.runs import RUNS

DAY = date(2026, 10, 5)
NEXT_DAY = DAY + timedelta(days=1)
RECORD_NAMES = {table.name for table in RECORDS}
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
    """A day of git traffic: every user clones every repository in every hour."""
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


def run(capsys: pytest.CaptureFixture[str], job: Path, day: date = NEXT_DAY) -> tuple[int, str]:
    """Exit code and error message of a run, without the job's folder."""
    capsys.readouterr()
    code = cli.main(["run", "--config", str(job / "job.yml"), "--day", str(day)])
    return code, capsys.readouterr().err.replace(f"{job}/", "")


def written(job: Path) -> dict[str, str]:
    """Digest of every file that a run may write, but those that record the run itself."""
    return {
        str(path.relative_to(job)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("warehouse", "out")
        for path in (job / folder).rglob("*")
        if path.is_file() and path.name != LOCK_NAME and RECORD_NAMES.isdisjoint(path.parts)
    }


def rows_of(job: Path, day: date) -> dict[str, list[str]]:
    """The day's rows of every table, as sorted text."""
    found = {}
    for table in TABLES:
        path = job / "warehouse" / table.name
        rows: pa.Table = DeltaTable(str(path)).to_pyarrow_table([("day", "=", str(day))])
        found[table.name] = sorted(str(values) for values in rows.to_pylist())
    return found


# Exit 1: a day that an earlier stage has not written


def stage(
    capsys: pytest.CaptureFixture[str], job: Path, name: str, day: date = DAY
) -> tuple[int, str]:
    """Exit code and error message of one stage, without the job's folder."""
    capsys.readouterr()
    code = cli.main(["stage", name, "--config", str(job / "job.yml"), "--day", str(day)])
    return code, capsys.readouterr().err.replace(f"{job}/", "")


def stored_runs(job: Path) -> list[dict[str, Any]]:
    """All rows of table ``runs``, oldest first."""
    rows: pa.Table = DeltaTable(str(job / "warehouse" / RUNS.name)).to_pyarrow_table()
    found = rows.to_pylist(maps_as_pydicts="strict")
    return sorted(found, key=lambda row: row["started"])
