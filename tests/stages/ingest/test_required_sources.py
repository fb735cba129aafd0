"""A source that is required and has no file for the day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jobs.cli.doctor import check_sources
from jobs.platform.errors import InputError
from jobs.stages.ingest import find_inputs, require_files
from tests.worlds.raw_logs import DAY, envelope, job_config, trail_record, write_file

SOURCES = [
    {"name": "trail", "path": "raw/trail/{yyyy}-{mm}-{dd}.json", "required": True},
    {"name": "other", "path": "raw/other/{yyyy}-{mm}-{dd}.json"},
]


def test_a_day_without_a_required_source_is_refused(tmp_path: Path) -> None:
    """A file of a late day does not stand for the day's own."""
    config = job_config(tmp_path, SOURCES)
    write_file(tmp_path / f"raw/other/{DAY}.json", envelope(trail_record(1)))
    write_file(tmp_path / f"raw/trail/{DAY + timedelta(days=1)}.json", envelope(trail_record(2)))
    with pytest.raises(InputError, match=f"source 'trail': required, and no file for {DAY}"):
        require_files(find_inputs(config, DAY), config, DAY)
    write_file(tmp_path / f"raw/trail/{DAY}.json", envelope(trail_record(3)))
    require_files(find_inputs(config, DAY), config, DAY)


def test_doctor_misses_a_required_source_without_files(tmp_path: Path) -> None:
    states = [check.state for check in check_sources(job_config(tmp_path, SOURCES))]
    assert states == ["missing", "warning"]
