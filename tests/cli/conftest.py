"""Jobs for the tests of commands."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.findings import FINDINGS
from tests.cli.stored import DAY, ESCAPE, access, event, finding, store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A sound job without any data."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "context").mkdir()
    path = tmp_path / "job.yml"
    path.write_text("sources: [{name: logs, format: aws_cloudtrail, path: 'raw/*.json'}]\n")
    return path


@pytest.fixture(scope="module")
def stored_job(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose warehouse holds a few rows of each table that is printed."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "raw").mkdir()
    (folder / "context").mkdir()
    path = folder / "job.yml"
    path.write_text("sources: [{name: logs, format: aws_cloudtrail, path: 'raw/*.json'}]\n")
    storage = folder / "warehouse"
    other = {"user_id": "u2", "principal": "bo", "source": "other"}
    events = [
        *[event(number, asset_id="ckpt") for number in range(30)],
        event(40, **other, action_class="write"),
        event(41, **other, outcome="failure"),
        event(42, resource=ESCAPE),
        event(43, resource="s3://scratch/a/b", asset_id=None),
        event(44, resource="s3://scratchy/a", asset_id=None),
        event(50, day=date(2026, 10, 6), event_time=datetime(2026, 10, 6, 1, tzinfo=UTC)),
    ]
    store(sail, storage, EVENTS, events)
    rejects = [
        {
            "day": DAY,
            "source": "logs",
            "format": "aws_cloudtrail",
            "file": "raw/a.json",
            "position": "line 3",
            "reason": "no JSON",
            "line": "\x1b]0;owned\x07{",
            "records": None,
        }
    ]
    store(sail, storage, REJECTS, rejects)
    days = [DAY - timedelta(days=back) for back in (0, 1, 6, 7)]
    store(sail, storage, ACCESS, [access(day) for day in days] + [access(DAY, user_id="u2")])
    findings = [finding("abc123", DAY, 1), finding("abd999", DAY, 2)]
    findings.append(finding("abc123", DAY - timedelta(days=1), 5))
    store(sail, storage, FINDINGS, findings)
    return path
