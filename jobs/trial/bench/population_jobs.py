"""Rows of ``job_access`` for days of a synthetic population."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.tables.jobs import JOB_ACCESS

ROLE = "arn:aws:iam::111122223333:role/job-runner"
EVERY = 3
"""One in so many hours of the day holds readings of jobs."""


def job_rows(access: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of ``job_access``: what people read first in some hours, their jobs read."""
    hours = pc.hour(access["first_time"]).to_numpy()
    by_job = pc.and_(
        pc.and_(pc.equal(access["action_class"], "read"), pc.equal(access["user_kind"], "human")),
        pc.greater(pc.subtract(access["events"], access["failures"]), 0),
    )
    rows = access.filter(pc.and_(by_job, pa.array(hours % EVERY == 0)))
    count = rows.num_rows
    same = ("day", "user_id", "user_kind", "asset_id", "objects", "first_time", "last_time")
    columns = {
        **{name: rows[name] for name in (*same, "addresses")},
        "role": [ROLE] * count,
        "tie": ["own"] * count,
        "job": ["slurm://a100/team/70001"] * count,
        "candidates": [1] * count,
        "events": pc.subtract(rows["events"], rows["failures"]),
        "bytes": rows["bytes_out"],
    }
    made = pa.table({name: columns[name] for name in schema.names}).cast(schema)
    return made.sort_by([(name, "ascending") for name in JOB_ACCESS.key])
