"""Arrow types of the columns of a table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from schemas.tables.spec import Table


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow fields of the columns; KeyError for a type that no table has today."""
    import pyarrow as pa

    types = _types()
    return pa.schema([(column.name, types[column.type]) for column in table.columns])


@cache
def _types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    texts, whole, long = pa.string(), pa.int32(), pa.int64()
    hour = pa.struct([("hour", whole), ("events", long), ("bytes", long), ("objects", long)])
    shares = ("ago", "objects", "first30", "first90")
    return {
        "array<bigint>": pa.list_(long),
        "array<int>": pa.list_(whole),
        "array<string>": pa.list_(texts),
        "array<struct<ago:int,objects:int,first30:int,first90:int>>": pa.list_(
            pa.struct([(name, whole) for name in shares])
        ),
        "array<struct<hour:int,events:bigint,bytes:bigint,objects:bigint>>": pa.list_(hour),
        "bigint": long,
        "binary": pa.binary(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "double": pa.float64(),
        "int": whole,
        "map<string,bigint>": pa.map_(texts, long),
        "map<string,string>": pa.map_(texts, texts),
        "string": texts,
        "timestamp": pa.timestamp("us", "UTC"),
    }
