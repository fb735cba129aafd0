"""Tables on a real HDFS, with both engines and without an engine."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction

from jobs.cli.doctor import check_writable
from jobs.platform.damaged_tables import table_problems
from jobs.platform.delta_tables import (
    day_written,
    last_writing,
    read_days,
    replace_day,
    require_day,
    table_path,
    table_version,
    written_days,
)
from jobs.platform.errors import RunError
from jobs.platform.frames import stored_frame
from schemas.tables.access import OBJECT_ACCESS

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytest_plugins = ("tests.worlds.hdfs_server",)

BEFORE, FIRST, SECOND = date(2026, 10, 4), date(2026, 10, 5), date(2026, 10, 6)
UNREACHABLE = "hdfs://127.0.0.1:1/warehouse"
CORE_SITE = """\
<configuration>
  <property><name>fs.defaultFS</name><value>{}</value></property>
</configuration>
"""
COPY_TEXT = """\
import sys
from jobs.platform.engine import engine_session
with engine_session("local[1]") as spark:
    spark.read.text(sys.argv[1]).write.text(sys.argv[2])
"""


def cells(number: int) -> tuple[object, ...]:
    values: dict[str, object] = dict.fromkeys(OBJECT_ACCESS.column_names, "x")
    moment = datetime(2026, 10, 5, 10)  # noqa: DTZ001
    values |= {"day": FIRST, "first_time": moment, "last_time": moment}
    values |= {"reads": number, "bytes_out": 5, "ranges": ["bytes=0-4"]}
    values |= {"part_bytes": None, "object_bytes": None}
    return tuple(values[name] for name in OBJECT_ACCESS.column_names)


def write(spark: SparkSession, storage: str, day: date, *numbers: int) -> None:
    rows = spark.createDataFrame([cells(number) for number in numbers], OBJECT_ACCESS.ddl())
    replace_day(rows, storage, OBJECT_ACCESS, day)


def check_days(spark: SparkSession, storage: str) -> None:
    """A day reads back as written, also after a second write."""
    assert not day_written(storage, OBJECT_ACCESS, FIRST)
    assert table_problems(storage) == []
    for writing in (1, 2):
        write(spark, storage, FIRST, 1, 2)
        by_engine = read_days(spark, storage, OBJECT_ACCESS, FIRST).orderBy("reads").collect()
        assert [tuple(row) for row in by_engine] == [cells(1), cells(2)]
        assert sorted(stored_frame(storage, OBJECT_ACCESS, FIRST)["reads"]) == [1, 2]
        assert last_writing(storage, OBJECT_ACCESS, FIRST) == writing
    require_day(storage, [OBJECT_ACCESS], FIRST)
    with pytest.raises(RunError, match=f"{storage} has no {SECOND}"):
        require_day(storage, [OBJECT_ACCESS], SECOND)
    write(spark, storage, SECOND)
    require_day(storage, [OBJECT_ACCESS], SECOND)
    assert written_days(storage, OBJECT_ACCESS, BEFORE, 5) == [FIRST, SECOND]
    assert table_problems(storage) == []


def lose_a_file(storage: str) -> None:
    """Commit a file of the day that does not exist."""
    lost = AddAction(f"day={FIRST}/lost.parquet", 10, {"day": str(FIRST)}, 1, True, "{}")
    table = DeltaTable(table_path(storage, OBJECT_ACCESS))
    table.create_write_transaction([lost], "append", table.schema(), ["day"])


def test_tables_on_hdfs_by_sail(sail: SparkSession, hdfs_url: str) -> None:
    check_days(sail, f"{hdfs_url}/sail/warehouse")


def test_tables_on_hdfs_by_spark(apache_spark: SparkSession, hdfs_url: str) -> None:
    check_days(apache_spark, f"{hdfs_url}/spark/warehouse")


def test_one_engine_reads_and_replaces_what_the_other_wrote(
    sail: SparkSession, apache_spark: SparkSession, hdfs_url: str
) -> None:
    storage = f"{hdfs_url}/both"
    for spark, other, number in ((sail, apache_spark, 1), (apache_spark, sail, 2)):
        write(spark, storage, FIRST, number)
        (row,) = read_days(other, storage, OBJECT_ACCESS, FIRST).collect()
        assert tuple(row) == cells(number)


def test_a_lost_file_on_hdfs_is_reported(sail: SparkSession, hdfs_url: str) -> None:
    storage = f"{hdfs_url}/lost"
    write(sail, storage, FIRST, 1)
    lose_a_file(storage)
    (problem,) = table_problems(storage)
    assert "1 of its files are missing or cut short" in problem
    assert f"day={FIRST}/lost.parquet" in problem


def test_the_second_of_two_commits_that_conflict_is_refused(
    sail: SparkSession, hdfs_url: str
) -> None:
    storage = f"{hdfs_url}/conflict"
    write(sail, storage, FIRST, 1)
    late = DeltaTable(table_path(storage, OBJECT_ACCESS))
    write(sail, storage, FIRST, 2)
    version = table_version(storage, OBJECT_ACCESS)
    with pytest.raises(CommitFailedError):
        late.create_write_transaction(
            [], "overwrite", late.schema(), ["day"], partition_filters=[("day", "=", str(FIRST))]
        )
    assert table_version(storage, OBJECT_ACCESS) == version
    assert stored_frame(storage, OBJECT_ACCESS, FIRST)["reads"].tolist() == [2]


def test_a_bare_path_is_local_on_spark_even_if_hdfs_is_the_default(
    hdfs_url: str, tmp_path: Path
) -> None:
    """Raw logs and a stage's files are local, whatever Hadoop's config says."""
    (tmp_path / "core-site.xml").write_text(CORE_SITE.format(hdfs_url))
    (tmp_path / "raw.txt").write_text("one\n")
    done = subprocess.run(
        [sys.executable, "-c", COPY_TEXT, str(tmp_path / "raw.txt"), str(tmp_path / "copy")],
        env={**os.environ, "HADOOP_CONF_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [part.read_text() for part in (tmp_path / "copy").glob("part-*")] == ["one\n"]


def test_an_unreachable_hdfs_is_reported_in_plain_text() -> None:
    check = check_writable("storage", UNREACHABLE)
    (problem,) = table_problems(UNREACHABLE)
    assert check.state == "missing"
    assert "HADOOP_CONF_DIR" in check.remedy
    for text in (check.found, problem):
        assert "Connection refused" in text
        assert text.isprintable()
