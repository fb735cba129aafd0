"""The smallest sound job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.job_configs import SOURCE


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The smallest sound job."""
    (tmp_path / "raw").mkdir()
    path = tmp_path / "job.yml"
    path.write_text(SOURCE)
    return path
