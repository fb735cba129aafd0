"""Tables of the stage `aggregate` about the sources themselves and about acts of administration."""

from __future__ import annotations

from schemas.acts import ACT_KINDS, EFFECTS
from schemas.tables.spec import Column, Table
from schemas.tables.values import USER_KINDS

SCOPE_PATTERN = "(?:host|model)://|[a-z0-9+.-]+://[^/]*"
"""Start of a resource's URI that names the part of a source that may be logged by itself."""

SOURCE_DAYS = Table(
    name="source_days",
    stage="aggregate",
    grain="day x source x scope",
    key=("source", "scope"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("source", "string", "source name of the job config"),
        Column("scope", "string", "part of the source that may be logged by itself: the start of "
               "the resource's URI up to its first name (s3://bucket, github://org, "
               "k8s://cluster, aws://account); host:// and model:// as a whole; - without a URI"),
        Column("records", "bigint", "events of the source, also those that another source has too",
               minimum=1),
        Column("hours", "array<bigint>", "events of each UTC hour; 24 numbers"),
    ),
)  # fmt: skip

RARE_ACTS = Table(
    name="rare_acts",
    stage="aggregate",
    grain="day x identity x kind of act x action x resource",
    key=("user_id", "kind", "action", "resource"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("kind", "string", "what was changed: a log, or a part of a build pipeline (see "
               "schemas/acts.py)", values=ACT_KINDS),
        Column("action", "string", "as in events"),
        Column("resource", "string", "as in events"),
        Column("asset_id", "string", "as in access: the asset or the container of the resource"),
        Column("effect", "string", "of a change of a log: whether its request leaves out events; "
               "null: not told", True, values=EFFECTS),
        Column("events", "bigint", "all events", minimum=1),
        Column("failures", "bigint", "events that failed", minimum=0),
        Column("first_time", "timestamp", "first event"),
        Column("last_time", "timestamp", "last event"),
    ),
)  # fmt: skip
