"""Rows of ``source_days`` and ``rare_acts`` for days of a synthetic population."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

BUCKETS = 200
EVERY = 500
"""One in so many rows of access is a rare act besides."""


def source_rows(access: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of ``source_days``: each asset is in one of BUCKETS, the hour is that of the row."""
    scopes = access["asset_id"].combine_chunks().dictionary_encode()
    bucket = scopes.indices.to_numpy() % BUCKETS
    hour = access["first_time"].to_numpy().astype("datetime64[h]").astype(np.int64) % 24
    counts = np.zeros((BUCKETS, 24), dtype=np.int64)
    np.add.at(counts, (bucket, hour), access["events"].to_numpy())
    found = np.flatnonzero(counts.sum(axis=1))
    columns = {
        "day": [access["day"][0].as_py()] * len(found),
        "source": ["trail"] * len(found),
        "scope": [f"s3://bucket-{number:03d}" for number in found],
        "records": counts[found].sum(axis=1),
        "hours": counts[found].tolist(),
    }
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)


def act_rows(access: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of ``rare_acts``: some rows of access as changes of webhooks."""
    rows = access.take(pa.array(np.arange(0, access.num_rows, EVERY)))
    count = rows.num_rows
    same = ("day", "user_id", "user_kind", "asset_id", "events", "failures", "first_time",
            "last_time")  # fmt: skip
    columns = {
        **{name: rows[name] for name in same},
        "kind": ["hook"] * count,
        "action": ["hook.create"] * count,
        "resource": rows["asset_id"],
        "effect": pa.nulls(count, pa.string()),
    }
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)
