"""Tables that were made before their spec got a column."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from jobs.stored_rows import stored_rows
from jobs.warehouse import read_days, replace_day, stored_frame
from schemas.tables import OBJECT_ACCESS, Table

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

FIRST, SECOND = date(2026, 10, 5), date(2026, 10, 6)
LATER = ("part_bytes", "object_bytes")
OLD = replace(OBJECT_ACCESS, columns=tuple(c for c in OBJECT_ACCESS.columns if c.name not in LATER))


def row(day: date, **fields: object) -> dict[str, object]:
    moment = datetime(day.year, day.month, day.day, 10)  # noqa: DTZ001
    usual: dict[str, object] = dict.fromkeys(OBJECT_ACCESS.column_names, "x")
    usual |= {"day": day, "reads": 1, "bytes_out": 5, "ranges": ["bytes=0-4"]}
    usual |= dict.fromkeys(LATER)
    return {**usual, "first_time": moment, "last_time": moment, **fields}


def write(spark: SparkSession, storage: Path, table: Table, day: date, **fields: object) -> None:
    values = row(day, **fields)
    cells = tuple(values[name] for name in table.column_names)
    replace_day(spark.createDataFrame([cells], table.ddl()), str(storage), table, day)


def by_engine(spark: SparkSession, storage: Path) -> list[tuple[object, ...]]:
    rows = read_days(spark, str(storage), OBJECT_ACCESS, SECOND, 1).orderBy("day")
    return [tuple(row) for row in rows.select("day", *LATER).collect()]


def test_an_older_table_gets_a_new_column(sail: SparkSession, tmp_path: Path) -> None:
    def found() -> list[list[tuple[object, ...]]]:
        frame = stored_frame(str(tmp_path), OBJECT_ACCESS, SECOND, 1)
        assert list(frame.columns) == OBJECT_ACCESS.column_names
        frame = frame[["day", *LATER]].astype(object)
        condition = pc.field("reads") == 1
        rows, _ = stored_rows(str(tmp_path), OBJECT_ACCESS, condition, ["day"], 10)
        return [
            by_engine(sail, tmp_path),
            list(frame.where(frame.notna(), None).itertuples(index=False, name=None)),
            [tuple(row[name] for name in ("day", *LATER)) for row in rows],
        ]

    write(sail, tmp_path, OLD, FIRST)
    assert found() == [[(FIRST, None, None)]] * 3
    write(sail, tmp_path, OBJECT_ACCESS, SECOND, part_bytes=7, object_bytes=9)
    assert found() == [[(FIRST, None, None), (SECOND, 7, 9)]] * 3
    # The day that was written before is still as it was, and can be written again.
    assert read_days(sail, str(tmp_path), OBJECT_ACCESS, FIRST).first().bytes_out == 5
    write(sail, tmp_path, OBJECT_ACCESS, FIRST, part_bytes=8)
    assert found() == [[(FIRST, 8, None), (SECOND, 7, 9)]] * 3


def test_an_older_table_on_spark(apache_spark: SparkSession, tmp_path: Path) -> None:
    write(apache_spark, tmp_path, OLD, FIRST)
    write(apache_spark, tmp_path, OBJECT_ACCESS, SECOND, part_bytes=7, object_bytes=9)
    assert by_engine(apache_spark, tmp_path) == [(FIRST, None, None), (SECOND, 7, 9)]
