"""Reads and replaces days of the warehouse's Delta tables.

One Delta commit replaces a day. A reader sees either the old day or the new one, and a killed
process leaves the old one. Apache Spark commits with Delta's own ``replaceWhere``. Sail writes the
day's Parquet files, and ``deltalake`` commits them: Sail's own ``replaceWhere`` (0.7.2) refuses map
columns if the nullability of the frame differs from the table's.

The same commit marks the day as written, even if it has no rows. The mark is a Delta transaction
with the day's own name; its version counts the writings of the day. Delta keeps the mark in every
checkpoint. So a day without rows differs from a day that no stage has written yet. A withdrawn day
has a second mark, with the number of the writing that was withdrawn.

If a table is older than a column of its spec, the column reads as null. The next written day adds
the column.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.platform.arrow_types import arrow_schema
from jobs.platform.engine import ENGINE_OPTION
from jobs.platform.errors import RunError
from schemas.tables import TABLES
from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pandas as pd
    from deltalake import DeltaTable
    from pyarrow.dataset import FileSystemDataset
    from pyspark.sql import DataFrame, SparkSession


LOG_NAME = "_delta_log"
LOG_REMEDY = (
    "bring the table's folder back from a backup, or move it away and run its days again: "
    "`exfilwatch run --config … --start … --end …`"
)
REASON_CHARS = 200
_kept_open: ContextVar[dict[str, DeltaTable] | None] = ContextVar("kept_open", default=None)
FRAME_ROWS = 250_000
"""Most rows in one frame of :func:`to_frames`: some 10 MB of edges, a tenth of a message."""


def table_path(storage: str, table: Table) -> str:
    """Folder or URL of a table."""
    return f"{storage.rstrip('/')}/{table.name}"


def table_exists(storage: str, table: Table) -> bool:
    """True if the table has a first commit; RunError if it has files and no commit."""
    from deltalake import DeltaTable

    path = table_path(storage, table)
    if DeltaTable.is_deltatable(object_store_url(path)):
        return True
    if any(name.endswith(".parquet") for name in file_sizes(path)):
        raise RunError(
            f"table {table.name}: {path} holds Parquet files and its log {path}/{LOG_NAME} is "
            f"empty or missing; {LOG_REMEDY}"
        )
    return False


def day_written(storage: str, table: Table, day: date) -> bool:
    """True if ``day`` of the table was ever written, with or without rows.

    Older versions left no mark. Such a day counts as written if it has rows in this table, or rows
    and no mark in another table of the same stage.
    """
    if not table_exists(storage, table):
        return False
    marked, rows = _traces(storage, table, day)
    if marked or rows:
        return True
    others = [each for each in TABLES if each.stage == table.stage and each != table]
    return any(
        _traces(storage, other, day) == (False, True)
        for other in others
        if table_exists(storage, other)
    )


def require_day(storage: str, tables: Sequence[Table], day: date) -> None:
    """Raise a RunError that names each of ``tables`` in which ``day`` was never written."""
    lines = []
    for table in tables:
        if not day_written(storage, table, day):
            exists = table_exists(storage, table)
            lines.append(
                f"table {table.name} in {storage} {f'has no {day}' if exists else 'is missing'}: "
                f"`exfilwatch stage {table.stage} --config … --day {day}` writes it"
            )
    if lines:
        raise RunError("\n".join(lines))


def written_days(storage: str, table: Table, after: date, days: int) -> list[date]:
    """The written days among the ``days`` days after ``after``, in order."""
    if not table_exists(storage, table):
        return []
    later = [after + timedelta(days=n) for n in range(1, days + 1)]
    stored = open_table(storage, table)
    held = {partition["day"] for partition in stored.partitions()}
    return [day for day in later if day.isoformat() in held or _marked(stored, day)]


def file_sizes(path: str) -> dict[str, int]:
    """Path → bytes of every file below a table's folder."""
    from deltalake.fs import DeltaStorageHandler
    from pyarrow import fs

    if "://" not in path:
        files = (each for each in Path(path).rglob("*") if each.is_file())
        return {str(each.relative_to(path)): each.stat().st_size for each in files}
    store = fs.PyFileSystem(DeltaStorageHandler(object_store_url(path)))
    found = store.get_file_info(fs.FileSelector("", allow_not_found=True, recursive=True))
    return {info.path: info.size for info in found if info.is_file}


def _traces(storage: str, table: Table, day: date) -> tuple[bool, bool]:
    """Whether the day has a mark, and whether it has files (False if it has a mark)."""
    stored = open_table(storage, table)
    if _marked(stored, day):
        return True, False
    return False, {"day": day.isoformat()} in stored.partitions()


def _marked(stored: DeltaTable, day: date) -> bool:
    """Whether the day has a mark, and its last writing is not withdrawn."""
    number = day_writing(stored, day)
    return number is not None and number != stored.transaction_version(withdrawn_mark(day))


def _mark(day: date) -> str:
    """Name of the Delta transaction that marks the day as written."""
    return f"exfilwatch day {day}"


def withdrawn_mark(day: date) -> str:
    """Name of the Delta transaction that marks the day's last writing as withdrawn."""
    return f"exfilwatch withdrawn {day}"


def table_version(storage: str, table: Table) -> int | None:
    """Number of the table's last commit; None if there is no table."""
    if not table_exists(storage, table):
        return None
    version: int = open_table(storage, table).version()
    return version


@contextmanager
def kept_open(tables: dict[str, DeltaTable]) -> Iterator[None]:
    """Let :func:`open_table` keep tables in ``tables``, and read only the new part of their logs.

    A table that was opened before then moves on to its last version. One thread uses ``tables``.
    """
    token = _kept_open.set(tables)
    try:
        yield
    finally:
        _kept_open.reset(token)


def open_table(storage: str, table: Table) -> DeltaTable:
    """The table in deltalake, without an engine; RunError if its log cannot be read."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    path, known = table_path(storage, table), _kept_open.get()
    try:
        if known is not None and path in known:
            known[path].update_incremental()
            return known[path]
        stored = DeltaTable(object_store_url(path))
        if known is not None:
            known[path] = stored
        return stored
    except DeltaError as error:
        reason = str(error).splitlines()[0][:REASON_CHARS]
        raise RunError(
            f"table {table.name}: its log {path}/{LOG_NAME} cannot be read ({reason}); {LOG_REMEDY}"
        ) from error


def stored_files(storage: str, table: Table, coded: Sequence[str] = ()) -> FileSystemDataset:
    """The table's files with all columns of its spec; one that no file has yet is empty.

    ``coded``: text columns that are read as Arrow dictionaries: each distinct text once.
    """
    import pyarrow as pa
    from pyarrow.dataset import ParquetReadOptions

    options = ParquetReadOptions(dictionary_columns=coded)
    stored = open_table(storage, table).to_pyarrow_dataset(parquet_read_options=options)
    later = [field for field in arrow_schema(table) if field.name not in stored.schema.names]
    return stored.replace_schema(pa.schema([*stored.schema, *later]))


def read_days(
    spark: SparkSession, storage: str, table: Table, last: date, look_back: int = 0
) -> DataFrame:
    """Rows of ``table`` from day ``last - look_back`` to ``last``; none if there is no table."""
    if not table_exists(storage, table):
        return spark.createDataFrame([], table.ddl())
    first = last - timedelta(days=look_back)
    stored = spark.read.format("delta").load(table_path(storage, table))
    return stored.where(f"day between date'{first}' and date'{last}'").selectExpr(
        *(
            f"`{c.name}`" if c.name in stored.columns else f"cast(null as {c.type}) as `{c.name}`"
            for c in table.columns
        )
    )


def replace_day(
    frame: DataFrame | Sequence[DataFrame],
    storage: str,
    table: Table,
    day: date,
    writing: int | None = None,
) -> None:
    """Replace the rows of ``day`` by ``frame``, atomically, with the types of the spec.

    ``frame``: one frame, or several whose rows make the day (:func:`to_frames`).
    ``writing``: a number from :func:`next_writing`, committed with the rows. If a column is
    missing, the engine's error is raised and no row changes. RunError if the table has
    files and no log. The caller must pass no rows of another day.
    """
    # Spark ignores a write if its version is not higher than that of the last one.
    transaction = (_mark(day), writing or next_writing(storage, [table], day))
    columns = [f"cast(`{c.name}` as {c.type}) as `{c.name}`" for c in table.columns]
    frames = list(frame) if isinstance(frame, Sequence) else [frame]
    typed = [each.selectExpr(*columns) for each in frames]
    if typed[0].sparkSession.conf.get(ENGINE_OPTION) == "sail":
        _replace_with_deltalake(typed, storage, table, day, transaction)
    else:
        _replace_with_delta_spark(typed, table_path(storage, table), table, day, transaction)


def last_writing(storage: str, table: Table, day: date) -> int | None:
    """The number of the last writing of ``day``; None if there is none.

    A stage replaces its tables one after the other. If their numbers differ, a process was killed
    between two tables.
    """
    if not table_exists(storage, table):
        return None
    return day_writing(open_table(storage, table), day)


def day_writing(stored: DeltaTable, day: date) -> int | None:
    """The number of the last writing of ``day`` in an open table; None if there is none."""
    number: int | None = stored.transaction_version(_mark(day))
    return number


def next_writing(storage: str, tables: Sequence[Table], day: date) -> int:
    """A number for the next writing of ``day``, higher than that of each of ``tables``."""
    return 1 + max(last_writing(storage, table, day) or 0 for table in tables)


def to_frame(spark: SparkSession, rows: pd.DataFrame, table: Table) -> DataFrame:
    """A pandas frame with a table's columns as an engine frame with the table's types.

    Missing values are null, naive timestamps are UTC. Raises pyarrow's ArrowException for a value
    that is not of its column's type. Above 128 MB the engine takes only :func:`to_frames`.
    """
    return to_frames(spark, rows, table, max(len(rows), 1))[0]


def to_frames(
    spark: SparkSession, rows: pd.DataFrame, table: Table, frame_rows: int = FRAME_ROWS
) -> list[DataFrame]:
    """The frames of :func:`to_frame`, one of each ``frame_rows`` rows; one without rows if none."""
    import pyarrow as pa

    schema = arrow_schema(table)
    starts = range(0, max(len(rows), 1), frame_rows)
    parts = (rows.iloc[start : start + frame_rows] for start in starts)
    tables = (pa.Table.from_pandas(part, schema=schema, preserve_index=False) for part in parts)
    return [spark.createDataFrame(each, table.ddl()) for each in tables]


def _replace_with_delta_spark(
    frames: list[DataFrame], path: str, table: Table, day: date, transaction: tuple[str, int]
) -> None:
    empty = frames[0].sparkSession.createDataFrame([], table.ddl())
    empty.write.format("delta").mode("ignore").partitionBy("day").save(path)
    (
        reduce(lambda above, below: above.union(below), frames)
        .write.format("delta")
        .mode("overwrite")
        .option("mergeSchema", "true")
        .option("replaceWhere", f"day = '{day}'")
        .option("txnAppId", transaction[0])
        .option("txnVersion", transaction[1])
        .save(path)
    )


def _replace_with_deltalake(
    frames: list[DataFrame], storage: str, table: Table, day: date, transaction: tuple[str, int]
) -> None:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable, Schema, Transaction
    from deltalake.transaction import AddAction, RemoveAction

    path = table_path(storage, table)
    url = object_store_url(path)
    # The types are those of the spec, so the engine need not plan the frames to tell them.
    schema = arrow_schema(table)
    # The log comes before the first file, because files without a log mean a damaged table.
    if DeltaTable.is_deltatable(url):
        stored = open_table(storage, table)
    else:
        stored = DeltaTable.create(url, schema, partition_by=["day"], mode="ignore")
    files = f"day={day}/{uuid.uuid4().hex}"
    for number, frame in enumerate(frames):
        rows = frame.drop("day").write.option("compression", "snappy")
        rows.parquet(f"{path}/{files}/{number:04d}")
    now_ms = int(time.time() * 1000)
    adds: list[AddAction | RemoveAction] = [
        AddAction(
            path=f"{files}/{name}",
            size=size,
            partition_values={"day": str(day)},
            modification_time=now_ms,
            data_change=True,
            stats="{}",
        )
        for name, size in file_sizes(f"{path}/{files}").items()
        if name.endswith(".parquet")
    ]
    fields = stored.schema().fields
    known = {field.name for field in fields}
    later = Schema.from_arrow(pa.schema(field for field in schema if field.name not in known))
    stored.create_write_transaction(
        actions=adds,
        mode="overwrite",
        schema=Schema([*fields, *later.fields]),
        partition_by=["day"],
        partition_filters=[("day", "=", str(day))],
        commit_properties=CommitProperties(app_transactions=[Transaction(*transaction, now_ms)]),
    )


def object_store_url(path: str) -> str:
    """The address in deltalake's spelling."""
    return path.replace("s3a://", "s3://", 1)
