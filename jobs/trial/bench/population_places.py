"""Rows of ``place_access`` for days of a synthetic population."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.tables.access import PLACE_ACCESS

LINKED = ("linked", "linked_objects")


def place_rows(access: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of ``place_access``: each row of ``access`` lies at the first of its networks."""
    place = pc.list_element(access["networks"], 0)
    parts = pc.split_pattern(place, "/")
    rows = pa.table(
        {
            **{name: access[name] for name in ("day", "user_id", "user_kind", "asset_id")},
            **{name: access[name] for name in ("events", "failures", "objects")},
            "place": place,
            "zone": pc.list_element(parts, 0),
            "country": pc.list_element(parts, 1),
            "bytes": access["bytes_out"],
            **dict.fromkeys(LINKED, pa.repeat(pa.scalar(0, pa.int64()), len(access))),
            "hours": pc.shift_left(pa.scalar(1, pa.int64()), pc.hour(access["first_time"])),
        }
    )
    keys = ["day", "user_id", "place", "asset_id"]
    sums = [(name, "sum") for name in ("events", "failures", "objects", "bytes", *LINKED)]
    firsts = [(name, "min") for name in ("user_kind", "zone", "country", "hours")]
    made = rows.group_by(keys, use_threads=False).aggregate(sums + firsts)
    named = made.rename_columns([name.removesuffix("_sum").removesuffix("_min")
                                 for name in made.column_names])  # fmt: skip
    order = [(name, "ascending") for name in PLACE_ACCESS.key]
    return named.select(schema.names).sort_by(order).cast(schema)
