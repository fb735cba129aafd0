"""Texts of frames: as texts, and as categories."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from jobs.platform.frames import coded_frame, is_one_of, stored_frame
from schemas.tables.spec import Column, Table

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = date(2026, 10, 5), date(2026, 10, 6)
COLUMNS = [Column(name, "string", "text") for name in ("name", "place")]
ACTS = Table("acts", "day x name", ("name",), (Column("day", "date", "day"), *COLUMNS), "", True)


def test_texts_of_days_with_and_without_any(tmp_path: Path) -> None:
    """A day's file may lack every text of a column."""
    schema = pa.schema([("day", pa.date32()), ("name", pa.string()), ("place", pa.string())])
    for day, names, places in (
        (FIRST, ["b", "a", "c"], [None, None, None]),
        (SECOND, ["a", "d", "b"], ["x", None, "x"]),
    ):
        rows = pa.table([[day] * 3, names, places], schema=schema)
        write_deltalake(str(tmp_path / "acts"), rows, mode="append", partition_by=["day"])
    frame = stored_frame(str(tmp_path), ACTS, SECOND, 1)
    assert list(frame["name"]) == ["a", "b", "c", "a", "b", "d"]
    assert list(frame["place"]) == [None, None, None, "x", "x", None]
    assert {str(kind) for kind in frame.dtypes} == {"object"}
    coded = coded_frame(str(tmp_path), ACTS, SECOND, 1)
    assert {str(coded[name].dtype) for name in ("name", "place")} == {"category"}
    assert coded["name"].tolist() == frame["name"].tolist()
    some = stored_frame(str(tmp_path), ACTS, SECOND, 1, ["place"], is_one_of("name", {"a", "d"}))
    assert list(some["place"]) == [None, "x", None]


def test_a_filter_reads_a_column_that_an_older_table_lacks_as_not_known(tmp_path: Path) -> None:
    later = Column("chosen", "boolean", "added later", True)
    newer = Table("acts", ACTS.grain, ACTS.key, (*ACTS.columns, later), "", True)
    rows = pa.table({"day": [FIRST] * 2, "name": ["a", "b"], "place": ["x", "y"]})
    write_deltalake(str(tmp_path / "acts"), rows, partition_by=["day"])
    chosen = pc.field("chosen").is_valid() & pc.field("chosen")
    kept = stored_frame(str(tmp_path), newer, FIRST, 0, ["name"], ~chosen)
    assert list(kept["name"]) == ["a", "b"]
