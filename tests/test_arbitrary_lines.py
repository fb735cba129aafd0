"""Whatever a log's lines hold, each is an event, a duplicate, a reject, or another day's.

Lines are those of the cases with something cut out, doubled or put in, and lines of any text.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.raw_logs import job_config, run_ingest, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CASES_FOLDER = Path(__file__).parent / "formats"
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=60)
SIGNS = st.sampled_from(
    ['"', "\\", " ", "-", "[", "]", "{", "}", ",", ":", "%", "/", "\t", "\u2028"]
)


def sound_lines(format_id: str) -> list[str]:
    """All lines of a format's cases that hold one record a line."""
    logs = (CASES_FOLDER / format_id).glob("*/input.*")
    found = [line for log in logs if log.suffix != ".json" for line in log.read_text().split("\n")]
    return sorted({line for line in found if line.strip()})


@st.composite
def spoilt(draw: st.DrawFn, lines: list[str]) -> str:
    """A line with one place changed."""
    line = draw(st.sampled_from(lines))
    start = draw(st.integers(0, len(line)))
    end = min(len(line), start + draw(st.integers(0, 30)))
    middle = draw(st.one_of(st.just(""), SIGNS, ANY_TEXT, st.just(line[start:end] * 2)))
    return line[:start] + middle + line[end:]


@pytest.mark.parametrize(
    "format_id", ["aws_s3_access", "azure_storage", "gcp_audit", "minio_audit"]
)
def test_no_line_is_lost(sail: SparkSession, format_id: str) -> None:
    lines = sound_lines(format_id)

    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(spoilt(lines), ANY_TEXT), min_size=30, max_size=60))
    def check(drawn: list[str]) -> None:
        written = [*lines, *drawn]
        with TemporaryDirectory() as name:
            folder = Path(name)
            write_file(folder / "raw/log", "\n".join(written) + "\n")
            source = {"format": format_id, "path": "raw/log"}
            sums = run_ingest(sail, job_config(folder, [source]))
        # Several JSON objects on a line are several records.
        assert sums["records"] >= sum(1 for line in written if line.strip(" \t\r"))
        assert sums["events"] > 0

    check()


def test_a_cut_headerless_file_is_read_up_to_the_cut(sail: SparkSession, tmp_path: Path) -> None:
    """Lines without a header go through the slow path as lines, though its header is empty."""
    lines = [
        line.replace("R01", f"R-{number}")
        for number in range(3000)
        for line in sound_lines("aws_s3_access")
        if " R01 " in line
    ]
    packed = gzip.compress("\n".join(lines).encode(), mtime=0)
    write_file(tmp_path / "raw/a.gz", packed[:-200], pack=False)
    write_file(tmp_path / "raw/b.gz", lines[0] + "\n\n" + lines[1] + "\n")
    source = {"format": "aws_s3_access", "path": "raw/*"}
    sums = run_ingest(sail, job_config(tmp_path, [source]))
    assert 2000 < sums["events"] < 3000
    assert (sums["duplicates"], sums["rejects"]) == (2, 2)
