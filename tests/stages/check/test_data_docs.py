"""Data Docs: nothing in them can run or load, and a folder that cannot be written is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.platform.errors import GateError, RunError
from jobs.stages import check
from tests.worlds.judged_days import (
    DAY,
    FORMATS,
    event,
    good_day,
    job_config,
    stored_quality,
    write_day,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_data_docs_are_safe_to_open(sail: SparkSession, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>&'\""
    config = job_config(tmp_path, {**FORMATS, name: "slurm_sacct"})
    secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
    rows = [*good_day(), event(name, 0, 23.0) | {"principal": secret, "action_class": None}]
    write_day(sail, config, rows)
    with pytest.raises(GateError):
        check.STAGE.run(sail, config, DAY)
    docs = tmp_path / "out" / "data_docs"
    page = (docs / "2026-10-05.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "values must never be null" in page  # Great Expectations' own words
    for forbidden in ("http://", "https://", secret, str(tmp_path), "src="):
        assert forbidden not in page
    index = (docs / "index.html").read_text(encoding="utf-8")
    assert '<a href="2026-10-05.html">' in index
    assert sorted(path.name for path in docs.iterdir()) == ["2026-10-05.html", "index.html"]


def test_an_output_that_cannot_be_written_says_so(sail: SparkSession, tmp_path: Path) -> None:
    config = job_config(tmp_path)
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    write_day(sail, config, good_day())
    with pytest.raises(RunError, match=r"Data Docs cannot be written .* writable"):
        check.STAGE.run(sail, config, DAY)
    assert len(stored_quality(sail, config)) > 0
