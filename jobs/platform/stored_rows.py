"""Rows of a table for a person, read without an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.platform.delta_tables import stored_files, table_exists
from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc


def stored_rows(
    storage: str,
    table: Table,
    condition: pc.Expression,
    order: list[str],
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """The first ``limit`` rows (0: all) in ``order`` that fit ``condition``, and their number.

    The number counts all rows that fit. Partitions and Parquet files are filtered before they are
    read. Memory holds at most ``limit`` rows and one batch. Without a table there are no rows.
    """
    if not table_exists(storage, table):
        return [], 0
    dataset = stored_files(storage, table)
    schema = dataset.schema
    keys = [(name, "ascending") for name in order]
    kept: pa.Table = schema.empty_table()
    pending: list[pa.RecordBatch] = []
    matches = 0
    for batch in dataset.scanner(filter=condition).to_batches():
        matches += batch.num_rows
        pending.append(batch)
        if limit and sum(waiting.num_rows for waiting in pending) >= max(limit, 100_000):
            kept = _first(kept, pending, keys, limit)
            pending = []
    kept = _first(kept, pending, keys, limit)
    return kept.select(table.column_names).to_pylist(maps_as_pydicts="lossy"), matches


def _first(
    kept: pa.Table, pending: list[pa.RecordBatch], keys: list[tuple[str, str]], limit: int
) -> pa.Table:
    import pyarrow as pa

    rows = pa.concat_tables([kept, pa.Table.from_batches(pending, kept.schema)]).sort_by(keys)
    return rows.slice(0, limit) if limit else rows
