"""Rows of a table in the order of its key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pyarrow as pa


def sorted_days(rows: pa.Table, table: Table) -> pa.Table:
    """Rows whose days are in order, each day sorted by the table's key.

    Each day is sorted alone: it takes less memory, and days that are in order already stay.
    """
    import numpy as np
    import pyarrow as pa

    days = rows["day"].to_numpy()
    starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1), len(days)]
    parts = [rows.slice(start, end - start) for start, end in pairwise(starts)]
    return pa.concat_tables(_sorted(part, table.key) for part in parts)


def _sorted(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """The rows in the order of the key; Arrow compares texts, and no dictionaries of them."""
    import pyarrow.compute as pc

    keys = _decoded(rows.select(key))
    if _is_in_order(keys, key):
        return rows
    return rows.take(pc.sort_indices(keys, [(name, "ascending") for name in key]))


def _is_in_order(rows: pa.Table, key: Sequence[str]) -> bool:
    """Whether every row's key is greater than the key of the row before it."""
    import pyarrow.compute as pc

    greater: Any = False
    for name in reversed(key):
        column = rows[name].combine_chunks()
        before, after = column[:-1], column[1:]
        greater = pc.or_(pc.greater(after, before), pc.and_(pc.equal(after, before), greater))
    return bool(pc.all(greater).as_py())


def _decoded(rows: pa.Table) -> pa.Table:
    """The rows with plain texts for Arrow dictionaries."""
    import pyarrow as pa

    return rows.cast(
        pa.schema(
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in rows.schema
        )
    )
