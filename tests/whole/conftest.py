"""A good job, and copies of it for tests that damage it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.cli import app as cli
from schemas.context import ASSET_COLUMNS, DIRECTORY_COLUMNS
from tests.worlds.good_job import CONFIG, DAY, NEXT_DAY, USERS, clones, row, write_logs


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with two days of logs. The first day has been run."""
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
    """A copy of the good job, which the test may damage."""
    shutil.copytree(good, tmp_path / "job")
    return tmp_path / "job"
