"""Every table of the warehouse, described once.

A :class:`Table` yields the Spark DDL that writers enforce (:meth:`Table.ddl`); the expectation
suite of the ``check`` stage and the documentation of columns are generated from the same specs.
All timestamps are UTC. ``day`` is the partition column of every table and the day of the event's
own timestamp, never of the file it arrived in.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTION_CLASSES = (
    "read",
    "list",
    "inspect",
    "write",
    "delete",
    "copy",
    "share",
    "clone",
    "execute",
    "sign_in",
    "assume",
    "submit",
    "query",
    "admin",
    "other",
)
USER_KINDS = ("human", "service", "unknown")
OUTCOMES = ("success", "failure", "unknown")
IDENTITY_DETAILS = ("identity_rule", "identity_name", "identity_candidates")
"""Keys of ``details`` by which ``ingest`` says that the user_id is not known exactly: the rule that
found it and the logged name it took, or the user_ids (`;` between them) of which none was picked.
"""
ZONES = ("corp", "vpn", "datacenter", "cloud", "external")
WINDOWS = ("1h", "1d", "7d", "30d", "90d")
URI_SCHEMES = ("s3", "gs", "az", "minio", "github", "gitlab", "k8s", "slurm", "host", "model")
"""Schemes the vendors' formats produce; a ``mapped`` source may bring others (``file://…``)."""


@dataclass(frozen=True)
class Column:
    """One column: Spark SQL ``type``; ``values`` closes the set; bounds are inclusive."""

    name: str
    type: str
    meaning: str
    nullable: bool = False
    values: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """One table: ``key`` is unique within a day, ``stage`` writes it.

    ``reads``: its inputs and the most days that its stage may look back in them; the config may
    ask for fewer.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    reads: tuple[tuple[str, int], ...] = ()
    stage: str = ""

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    def ddl(self) -> str:
        """Spark DDL of the columns in order; every column nullable, as engines disagree on more."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)


EVENTS = Table(
    name="events",
    stage="ingest",
    grain="one access",
    key=("source", "event_id"),
    columns=(
        Column("event_id", "string", "the vendor's own id where it has one, unique per source"),
        Column("event_time", "timestamp", "when it happened"),
        Column("day", "date", "day of event_time"),
        Column("source", "string", "source name of the job config"),
        Column("format", "string", "format id of the job config"),
        Column("principal", "string", "the one who acted, exactly as the log names it"),
        Column("user_id", "string", "user_id of the directory, else the principal"),
        Column("user_kind", "string", "kind of identity", values=USER_KINDS),
        Column("acting_as", "string", "role or impersonated identity used", nullable=True),
        Column("credential", "string", "key id, token id or fingerprint", nullable=True),
        Column("action", "string", "the vendor's own verb"),
        Column("action_class", "string", "what kind of act it is", values=ACTION_CLASSES),
        Column("resource", "string", "URI of what was touched"),
        Column("destination", "string", "where a copy, share or upload goes", nullable=True),
        Column("asset_id", "string", "asset whose pattern matches longest", nullable=True),
        Column("object", "string", "the object within the asset or container", nullable=True),
        Column("bytes_out", "bigint", "bytes towards the caller; null: unknown", True, minimum=0),
        Column("source_ip", "string", "address without port", nullable=True),
        Column("country", "string", "of networks.csv", nullable=True),
        Column("zone", "string", "of networks.csv", nullable=True, values=ZONES),
        Column("asn", "string", "of networks.csv", nullable=True),
        Column("user_agent", "string", "as logged", nullable=True),
        Column("outcome", "string", "success, failure or unknown", values=OUTCOMES),
        Column("details", "map<string,string>", "what detectors need beyond this", nullable=True),
    ),
)

REJECTS = Table(
    name="rejects",
    stage="ingest",
    grain="one raw record not understood, or all of a kind beyond `ingest.max_rejects`",
    key=("source", "file", "position"),
    columns=(
        Column("day", "date", "day of the run (of the file's folder where its path is dated)"),
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
            "`line N` or `record N` (from 1), or `byte N`; then ` object N` for the objects of a "
            "line beyond the first; `all others: ` and the kind of reason where `file` is `*`",
        ),
        Column("reason", "string", "why it was not understood, one sentence"),
        Column("line", "string", "the raw record, capped, secrets scrubbed", nullable=True),
        Column("records", "bigint", "records the row stands for; null: one", True, minimum=1),
    ),
)

QUALITY = Table(
    name="quality",
    stage="check",
    grain="expectation x source x day",
    key=("source", "expectation", "column"),
    columns=(
        Column("day", "date", "day checked"),
        Column("source", "string", "source name, or `*` for all sources together"),
        Column("expectation", "string", "expectation type or name"),
        Column("column", "string", "column checked; empty for the whole table"),
        Column("severity", "string", "critical stops the day", values=("critical", "warning")),
        Column("success", "boolean", "whether it held"),
        Column("observed", "string", "what was seen", nullable=True),
        Column("expected", "string", "what was expected", nullable=True),
        Column("message", "string", "one sentence for a person"),
    ),
    reads=(("events", 28), ("rejects", 0), ("quality", 28)),
)

HOURLY = "array<struct<hour:int,events:bigint,bytes:bigint,objects:bigint>>"

ACCESS = Table(
    name="access",
    stage="aggregate",
    grain="day x user x asset x action class",
    key=("user_id", "asset_id", "action_class"),
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in events"),
        Column("user_kind", "string", "as in events", values=USER_KINDS),
        Column(
            "asset_id",
            "string",
            "asset of assets.csv, else the resource's container URI (has `://`): s3://bucket, "
            "github://org/repo, k8s://cluster/namespace, slurm://cluster/account, model://name",
        ),
        Column("action_class", "string", "as in events", values=ACTION_CLASSES),
        Column(
            "events",
            "bigint",
            "all events, failures included; what two sources tell of is one",
            minimum=1,
        ),
        Column("failures", "bigint", "events whose outcome is failure", minimum=0),
        Column("bytes_out", "bigint", "sum of known bytes; null: none known", True, minimum=0),
        Column(
            "bytes_estimated",
            "bigint",
            "besides bytes_out, of objects read, copied or cloned with success whose bytes no log "
            "tells: their size if a log tells it, else the asset's bytes ÷ its objects (of a clone "
            "the asset's bytes), in all at most the asset's bytes; null: nothing to estimate",
            nullable=True,
            minimum=0,
        ),
        Column("objects", "bigint", "distinct objects (resources) touched with success", minimum=0),
        Column("first_time", "timestamp", "first event"),
        Column("last_time", "timestamp", "last event"),
        Column("hourly", HOURLY, "per UTC hour with events, sorted by hour (bytes 0 if unknown)"),
        Column("actions", "array<string>", "distinct actions, sorted, at most 50"),
        Column("addresses", "array<string>", "distinct source addresses, sorted, at most 50"),
        Column("networks", "array<string>", "distinct `zone/country/asn`, sorted, at most 50"),
        Column("agents", "array<string>", "distinct user-agent families, sorted, at most 50"),
        Column("credentials", "array<string>", "distinct credentials, sorted, at most 50"),
        Column("acting_as", "array<string>", "distinct roles, sorted, at most 50"),
        Column("destinations", "array<string>", "distinct destinations, sorted, at most 50"),
        Column("sources", "array<string>", "distinct source names, sorted"),
    ),
    reads=(("events", 0),),
)

OBJECT_ACCESS = Table(
    name="object_access",
    stage="aggregate",
    grain="day x user x asset x object (assets of kind checkpoint or dataset; reads and copies)",
    key=("user_id", "asset_id", "object"),
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in events"),
        Column("user_kind", "string", "as in events", values=USER_KINDS),
        Column("asset_id", "string", "asset of assets.csv"),
        Column("object", "string", "object within the asset"),
        Column(
            "reads",
            "bigint",
            "successful reads or copies; what two sources tell of is one",
            minimum=1,
        ),
        Column("bytes_out", "bigint", "sum of known bytes; null: none known", True, minimum=0),
        Column(
            "ranges",
            "array<string>",
            "distinct HTTP ranges asked for (`bytes=0-1048575`), sorted, at most 10,000; empty and "
            "no part_bytes: the whole object",
        ),
        Column(
            "part_bytes",
            "bigint",
            "sum of bytes of answers with a part whose place the log does not tell; null: none, "
            "or the whole object was read too",
            nullable=True,
            minimum=0,
        ),
        Column(
            "object_bytes",
            "bigint",
            "size of the whole object, where a log tells it",
            nullable=True,
            minimum=0,
        ),
        Column("first_time", "timestamp", "first event"),
        Column("last_time", "timestamp", "last event"),
    ),
    reads=(("events", 0),),
)

GRAPH_NODES = Table(
    name="graph_nodes",
    stage="graph",
    grain="day x user or asset",
    key=("node_type", "node_id"),
    columns=(
        Column("day", "date", "last day of the trailing window"),
        Column("node_id", "string", "user_id or asset_id"),
        Column("node_type", "string", "side of the graph", values=("user", "asset")),
        Column("kind", "string", "user_kind or asset kind", nullable=True),
        Column("community", "int", "number of the community, 0 is the largest", minimum=0),
        Column("degree", "int", "neighbours on the other side", minimum=0),
        Column("strength", "double", "sum of edge weights", minimum=0),
        Column("peers", "array<string>", "users most alike, nearest first; empty for assets"),
        Column("x", "double", "place for drawing", minimum=-1, maximum=1),
        Column("y", "double", "place for drawing", minimum=-1, maximum=1),
    ),
    reads=(("access", 89),),
)

GRAPH_EDGES = Table(
    name="graph_edges",
    stage="graph",
    grain="day x user x asset",
    key=("user_id", "asset_id"),
    columns=(
        Column("day", "date", "last day of the trailing window"),
        Column("user_id", "string", "user"),
        Column("asset_id", "string", "asset"),
        Column("weight", "double", "log-damped days and events in the window", minimum=0),
        Column("active_days", "int", "days with access in the window, today included", minimum=1),
        Column("today", "boolean", "touched on the day itself"),
        Column("is_new", "boolean", "not touched in the window before the day"),
        Column(
            "probability",
            "double",
            "of this user touching this asset on a day, given the window before the day",
            minimum=0,
            maximum=1,
        ),
    ),
    reads=(("access", 89),),
)

SIGNALS = Table(
    name="signals",
    stage="signals",
    grain="day x entity x detector x window",
    key=("entity", "detector", "window"),
    columns=(
        Column("day", "date", "day scored; the window ends with it"),
        Column("entity", "string", "user_id"),
        Column("user_kind", "string", "kind of identity", values=USER_KINDS),
        Column("detector", "string", "name of the detector"),
        Column("window", "string", "length of the window", values=WINDOWS),
        Column("statistic", "double", "the detector's own scale; higher is riskier"),
        Column("p_value", "double", "calibrated", minimum=0, maximum=1),
        Column("observed", "double", "what was seen, in `unit`"),
        Column("expected", "double", "what the baseline expects, in `unit`", nullable=True),
        Column("unit", "string", "bytes, objects, repositories, share, …"),
        Column("reason", "string", "one plain sentence with the figures that matter"),
        Column("asset_ids", "array<string>", "assets of the evidence, most telling first"),
        Column("related_users", "array<string>", "other identities in the evidence"),
    ),
    reads=(
        ("access", 89),
        ("object_access", 89),
        ("graph_nodes", 0),
        ("graph_edges", 0),
        ("signals", 89),
    ),
)

FINDINGS = Table(
    name="findings",
    stage="findings",
    grain="day x entity x window",
    key=("event_id",),
    columns=(
        Column("day", "date", "day whose queue it is in"),
        Column("event_id", "string", "deterministic id of the finding"),
        Column("entity", "string", "user_id"),
        Column("window", "string", "longest window that contributes", values=WINDOWS),
        Column("risk_score", "double", "sum of the contributions", minimum=0, maximum=100),
        Column("queue_rank", "int", "place in the day's queue, 1 is first", minimum=1),
        Column("in_budget", "boolean", "within the day's alert budget"),
        Column("document", "string", "the finding as one JSON document (see schemas.finding)"),
    ),
    reads=(
        ("signals", 89),
        ("findings", 89),
        ("access", 89),
        ("object_access", 89),
        ("graph_nodes", 0),
        ("graph_edges", 0),
    ),
)

TABLES = (
    EVENTS,
    REJECTS,
    QUALITY,
    ACCESS,
    OBJECT_ACCESS,
    GRAPH_NODES,
    GRAPH_EDGES,
    SIGNALS,
    FINDINGS,
)
