"""Rows of ``object_access``: ranges, parts and reads of the whole object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.stages.aggregate import object_access
from tests.worlds.aggregated_days import aggregated, event

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pyspark.sql import SparkSession


def test_a_read_of_the_whole_among_ranges(sail: SparkSession, tmp_path: Path) -> None:
    rows = [
        event(1, details={"range": "bytes=0-9"}),
        event(2),
        event(3, object="shard-1", details={"range": "bytes=10-19"}),
        event(4, object="shard-1", details={"range": "bytes=0-9"}),
        event(5, object="shard-1", details={"range": "bytes=0-9"}),
        # An asset that is one object has no name within it.
        event(6, asset_id="data", object=None, resource="s3://lab/one.bin", details={"range": "x"}),
    ]
    _, object_access = aggregated(sail, tmp_path, rows)
    assert {row["object"]: row["ranges"] for row in object_access} == {
        "shard-0": [],
        "shard-1": ["bytes=0-9", "bytes=10-19"],
        "s3://lab/one.bin": ["x"],
    }


def test_parts_of_unknown_place(sail: SparkSession, tmp_path: Path) -> None:
    """An S3 access log has the number of bytes of a part, but not its place."""
    part = {"status_code": "206", "object_size": "400"}
    rows = [
        event(1, bytes_out=100, details=part),
        event(2, bytes_out=150, details=part),
        # Also read as a whole: status 200 is the whole object, however much of it was sent.
        event(3, object="shard-1", bytes_out=100, details=part),
        event(4, object="shard-1", bytes_out=100, details=part | {"status_code": "200"}),
        # Logs with the range have the status too.
        event(5, object="shard-2", bytes_out=10, details=part | {"range": "bytes=0-9"}),
        event(6, object="shard-2", bytes_out=20, details=part),
        # A part of unknown size may be the whole object.
        event(7, object="shard-3", bytes_out=None, details=part),
    ]
    _, object_access = aggregated(sail, tmp_path, rows)
    found = {row["object"]: (row["ranges"], row["part_bytes"]) for row in object_access}
    assert found == {
        "shard-0": ([], 250),
        "shard-1": ([], None),
        "shard-2": (["bytes=0-9"], 20),
        "shard-3": ([], None),
    }
    assert {row["object_bytes"] for row in object_access} == {400}


def test_more_ranges_than_are_kept_count_by_their_bytes(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads an object in very many pieces has all of them, and not those kept."""
    monkeypatch.setattr(object_access, "MAX_RANGES", 3)
    pieces = [f"bytes={10 * place}-{10 * place + 9}" for place in range(5)]
    rows = [event(n, bytes_out=10, details={"range": text}) for n, text in enumerate(pieces)]
    rows += [
        event(10 + n, object="shard-1", bytes_out=10, details={"range": text})
        for n, text in enumerate(pieces[:3])
    ]
    _, found = aggregated(sail, tmp_path, rows)
    assert {row["object"]: (row["ranges"], row["part_bytes"]) for row in found} == {
        "shard-0": ([], 50),
        "shard-1": (pieces[:3], None),
    }
