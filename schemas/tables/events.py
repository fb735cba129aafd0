"""Tables of the stage `ingest`: events and rejects."""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import ACTION_CLASSES, OUTCOMES, USER_KINDS, ZONES

EVENTS = Table(
    name="events",
    stage="ingest",
    grain="one access",
    key=("source", "event_id"),
    columns=(
        Column("event_id", "string", "the vendor's own id where it has one, unique per source"),
        Column("event_time", "timestamp", "time of the access"),
        Column("day", "date", "day of event_time"),
        Column("source", "string", "source name of the job config"),
        Column("format", "string", "format id of the job config"),
        Column("principal", "string", "the identity that acted, exactly as the log names it"),
        Column("user_id", "string", "user_id of the directory, else the principal"),
        Column("user_kind", "string", "kind of identity", values=USER_KINDS),
        Column("acting_as", "string", "role or impersonated identity used", nullable=True),
        Column("credential", "string", "key id, token id or fingerprint", nullable=True),
        Column("action", "string", "the vendor's own verb"),
        Column("action_class", "string", "kind of action", values=ACTION_CLASSES),
        Column("resource", "string", "URI of the touched resource"),
        Column(
            "destination",
            "string",
            "target of a copy or upload; for a share its grantees, one a line (see formats.md)",
            nullable=True,
        ),
        Column("asset_id", "string", "listed asset that holds the resource", nullable=True),
        Column("object", "string", "the object within the asset or container", nullable=True),
        Column("bytes_out", "bigint", "bytes towards the caller; null: unknown", True, minimum=0),
        Column("source_ip", "string", "address without port", nullable=True),
        Column("country", "string", "of networks.csv", nullable=True),
        Column("zone", "string", "of networks.csv", nullable=True, values=ZONES),
        Column("asn", "string", "of networks.csv", nullable=True),
        Column("user_agent", "string", "as logged", nullable=True),
        Column("outcome", "string", "outcome; unknown if the log has none", values=OUTCOMES),
        Column("details", "map<string,string>", "further facts for detectors", nullable=True),
    ),
)

REJECTS = Table(
    name="rejects",
    stage="ingest",
    grain="one raw record not understood, or all of a kind beyond `ingest.max_rejects`",
    key=("source", "file", "position"),
    columns=(
        Column("day", "date", "day of the run, or of the file's folder if its path is dated"),
        Column("source", "string", "source name"),
        Column("format", "string", "format id"),
        Column(
            "file",
            "string",
            "path of the file as the source's pattern found it; `*` for a row of many records",
        ),
        Column(
            "position",
            "string",
            "`line N` or `record N` (from 1), or `byte N`; ` object N` follows for the second and "
            "later objects of a line; `all others: ` and the kind of reason if `file` is `*`",
        ),
        Column("reason", "string", "the reason for the reject, one sentence"),
        Column("line", "string", "the raw record, capped, secrets scrubbed", nullable=True),
        Column("records", "bigint", "records of this row; null: one", True, minimum=1),
    ),
)
