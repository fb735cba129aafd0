"""Tables older than a column of their spec, and the days that a table holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.platform.delta_tables import (
    day_written,
    kept_open,
    open_table,
    read_days,
    replace_day,
    to_frame,
    to_frames,
)
from jobs.platform.frames import stored_frame
from jobs.platform.stored_rows import stored_rows
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.spec import Table

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


def test_a_table_that_is_kept_open_moves_on(sail: SparkSession, tmp_path: Path) -> None:
    write(sail, tmp_path, OBJECT_ACCESS, FIRST)
    kept: dict[str, DeltaTable] = {}
    with kept_open(kept):
        first = open_table(str(tmp_path), OBJECT_ACCESS)
        before = first.version()
        write(sail, tmp_path, OBJECT_ACCESS, SECOND)
        again = open_table(str(tmp_path), OBJECT_ACCESS)
        assert again is first
        assert again.version() > before
        assert day_written(str(tmp_path), OBJECT_ACCESS, SECOND)
        assert len(stored_frame(str(tmp_path), OBJECT_ACCESS, SECOND, 1)) == 2
    assert list(kept) == [f"{tmp_path}/{OBJECT_ACCESS.name}"]
    assert open_table(str(tmp_path), OBJECT_ACCESS) is not first


def test_frames_of_unsorted_files_are_in_the_order_of_the_key(
    sail: SparkSession, tmp_path: Path
) -> None:
    names = [f"{number * 7919 % 20_000:05d}" for number in range(20_000)]
    for day in (SECOND, FIRST):
        usual = row(day)
        cells = [
            tuple((usual | {"object": name})[column] for column in OBJECT_ACCESS.column_names)
            for name in names
        ]
        frame = sail.createDataFrame(cells, OBJECT_ACCESS.ddl()).repartition(3, "object")
        replace_day(frame, str(tmp_path), OBJECT_ACCESS, day)
    assert len(open_table(str(tmp_path), OBJECT_ACCESS).file_uris()) > len((FIRST, SECOND))
    expected = [(day, name) for day in (FIRST, SECOND) for name in sorted(names)]
    read = stored_frame(str(tmp_path), OBJECT_ACCESS, SECOND, 1, ["object", "day"])
    assert list(read.columns) == ["object", "day"]
    assert list(zip(read["day"], read["object"], strict=True)) == expected


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
    large = (pc.field("reads") == 1) & (pc.field("part_bytes") > 6)
    assert stored_frame(str(tmp_path), OBJECT_ACCESS, FIRST, where=large).empty
    write(sail, tmp_path, OBJECT_ACCESS, SECOND, part_bytes=7, object_bytes=9)
    assert found() == [[(FIRST, None, None), (SECOND, 7, 9)]] * 3
    # The older day is unchanged and can be written again.
    assert read_days(sail, str(tmp_path), OBJECT_ACCESS, FIRST).first().bytes_out == 5
    write(sail, tmp_path, OBJECT_ACCESS, FIRST, part_bytes=8)
    assert found() == [[(FIRST, 8, None), (SECOND, 7, 9)]] * 3


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_a_day_of_several_frames_is_one_commit(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    spark = request.getfixturevalue(engine)
    storage = str(tmp_path)
    rows = pd.DataFrame([row(SECOND, object=f"part-{n}", reads=n + 1) for n in range(5)])
    rows.loc[3, ["part_bytes", "bytes_out"]] = 7, None
    frames = to_frames(spark, rows, OBJECT_ACCESS, frame_rows=2)
    assert len(frames) == 3
    replace_day(to_frame(spark, rows.head(0), OBJECT_ACCESS), storage, OBJECT_ACCESS, SECOND)
    version = open_table(storage, OBJECT_ACCESS).version()
    replace_day(frames, storage, OBJECT_ACCESS, SECOND)
    assert open_table(storage, OBJECT_ACCESS).version() == version + 1
    found = read_days(spark, storage, OBJECT_ACCESS, SECOND).orderBy("object").collect()
    assert [(each.object, each.reads) for each in found] == [(f"part-{n}", n + 1) for n in range(5)]
    assert [each.part_bytes for each in found] == [None, None, None, 7, None]
    assert [each.bytes_out for each in found] == [5, 5, 5, None, 5]
    assert found[0].first_time == rows["first_time"][0]
    assert found[0].ranges == ["bytes=0-4"]
    if engine == "sail":
        stored = stored_frame(storage, OBJECT_ACCESS, SECOND)
        assert stored["object"].tolist() == rows["object"].tolist()


def days_written(storage: Path, *tables: Table) -> list[list[bool]]:
    return [[day_written(str(storage), t, day) for day in (FIRST, SECOND)] for t in tables]


def check_marks(spark: SparkSession, storage: Path) -> None:
    """A day without rows is a written day, also if it had rows before."""
    empty = spark.createDataFrame([], OBJECT_ACCESS.ddl())
    assert days_written(storage, OBJECT_ACCESS) == [[False, False]]
    replace_day(empty, str(storage), OBJECT_ACCESS, FIRST)
    assert days_written(storage, OBJECT_ACCESS) == [[True, False]]
    write(spark, storage, OBJECT_ACCESS, FIRST, part_bytes=7)
    write(spark, storage, OBJECT_ACCESS, FIRST, part_bytes=8)
    assert stored_frame(str(storage), OBJECT_ACCESS, FIRST)["part_bytes"].tolist() == [8]
    replace_day(empty, str(storage), OBJECT_ACCESS, FIRST)
    assert days_written(storage, OBJECT_ACCESS) == [[True, False]]
    assert stored_frame(str(storage), OBJECT_ACCESS, FIRST).empty
    open_table(str(storage), OBJECT_ACCESS).create_checkpoint()
    assert days_written(storage, OBJECT_ACCESS) == [[True, False]]


def test_the_mark_of_a_day(sail: SparkSession, tmp_path: Path) -> None:
    check_marks(sail, tmp_path)


def test_the_mark_of_a_day_on_spark(apache_spark: SparkSession, tmp_path: Path) -> None:
    check_marks(apache_spark, tmp_path)


def test_days_of_an_older_version_have_rows_and_no_mark(tmp_path: Path) -> None:
    """A stage writes two tables; one of them may have no rows on the day."""
    access = pa.schema([("user_id", pa.string()), ("day", pa.date32())])
    rows = pa.Table.from_pylist([{"user_id": "u0017", "day": FIRST}], access)
    write_deltalake(str(tmp_path / "access"), rows, partition_by=["day"])
    assert days_written(tmp_path, ACCESS, OBJECT_ACCESS) == [[True, False], [False, False]]
    DeltaTable.create(str(tmp_path / "object_access"), access, partition_by=["day"])
    assert days_written(tmp_path, ACCESS, OBJECT_ACCESS) == [[True, False], [True, False]]


def test_an_older_table_on_spark(apache_spark: SparkSession, tmp_path: Path) -> None:
    write(apache_spark, tmp_path, OLD, FIRST)
    write(apache_spark, tmp_path, OBJECT_ACCESS, SECOND, part_bytes=7, object_bytes=9)
    assert by_engine(apache_spark, tmp_path) == [(FIRST, None, None), (SECOND, 7, 9)]
