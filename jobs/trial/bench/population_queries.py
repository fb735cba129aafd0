"""Rows of ``api_days`` for days of a synthetic population."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TOKENS = 600
"""Tokens of a prompt, and of its answer."""


def query_rows(access: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of ``api_days``: each row of ``access`` with queries is those of one key."""
    rows = access.filter(pc.equal(access["action_class"], "query"))
    count, events = rows.num_rows, rows["events"].to_numpy()
    hours = np.zeros((count, 24), dtype=np.int64)
    hours[np.arange(count), pc.hour(rows["first_time"]).to_numpy()] = events
    keys = [(each or [""])[0] for each in rows["credentials"].to_pylist()]
    none = np.zeros(count, dtype=np.int64)
    same = ("day", "user_id", "user_kind", "asset_id", "failures", "first_time", "last_time")
    columns = {
        **{name: rows[name] for name in (*same, "networks", "addresses", "agents")},
        "credential": keys,
        "requests": events,
        "refused": none,
        "prompt_tokens": events * TOKENS,
        "completion_tokens": events * TOKENS,
        "logprob_requests": none,
        "biased_requests": none,
        "one_token_requests": none,
        "greedy_requests": none,
        "parameter_sets": none + 1,
        "parameters": ["1/-/-/-/-/-"] * count,
        "hours": list(hours),
        "minutes": np.minimum(events, 60),
        # A day without logged prompts, and nobody's minutes are another's.
        "moments": [[]] * count,
        "prompts": none,
        "alike_prompts": none,
        "templates": [[]] * count,
    }
    made = pa.table({name: columns[name] for name in schema.names}).cast(schema)
    order = [("user_id", "ascending"), ("credential", "ascending"), ("asset_id", "ascending")]
    return made.sort_by(order)
