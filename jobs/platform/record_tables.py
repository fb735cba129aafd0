"""Adds rows to the tables of the pipeline itself, and reads them, without an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.platform.arrow_types import arrow_schema
from jobs.platform.delta_tables import object_store_url, table_path
from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pyarrow as pa


def append_rows(storage: str, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows, given as column → value, in one commit. Two processes may append at once."""
    from deltalake import write_deltalake

    url, added = _made(storage, table, rows)
    write_deltalake(url, added, mode="append", schema_mode="merge")


def replace_rows(storage: str, table: Table, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace the rows of ``day`` by ``rows``, given as column → value, in one commit."""
    from deltalake import write_deltalake

    url, added = _made(storage, table, rows)
    write_deltalake(url, added, mode="overwrite", predicate=f"day = '{day}'", schema_mode="merge")


def _made(storage: str, table: Table, rows: Sequence[Mapping[str, Any]]) -> tuple[str, pa.Table]:
    """The address of the table, which is made if it is missing, and the rows in its columns."""
    import pyarrow as pa
    from deltalake import DeltaTable

    url, schema = object_store_url(table_path(storage, table)), arrow_schema(table)
    # The log comes before the first file, because files without a log mean a damaged table.
    if not DeltaTable.is_deltatable(url):
        DeltaTable.create(url, schema, partition_by=["day"], mode="ignore")
    return url, pa.Table.from_pylist([dict(row) for row in rows], schema)
