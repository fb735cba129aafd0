"""Tables of the stage `aggregate`."""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import ACTION_CLASSES, USER_KINDS, ZONES

HOURLY = "array<struct<hour:int,events:bigint,bytes:bigint,objects:bigint>>"

ACCESS = Table(
    name="access",
    stage="aggregate",
    grain="day x user x asset x action class",
    key=("user_id", "asset_id", "action_class"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column(
            "user_id",
            "string",
            "as in events; of sessions of a role that the directory does "
            "not know the role (arn:…:assumed-role/NAME)",
        ),
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
            "all events, failures included; an access in two sources counts once",
            minimum=1,
        ),
        Column("failures", "bigint", "events whose outcome is failure", minimum=0),
        Column("bytes_out", "bigint", "sum of known bytes; null: none known", True, minimum=0),
        Column(
            "bytes_estimated",
            "bigint",
            "estimated bytes, besides bytes_out, of objects read, copied or cloned with success "
            "whose bytes no log holds: the object's size if a log holds it, else the asset's bytes "
            "÷ its objects (for a clone the asset's bytes); at most the asset's bytes; null: no "
            "estimate",
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
        Column(
            "sessions",
            "array<string>",
            "user_id in events of the sessions that are one role here, sorted, at most 50",
            nullable=True,
        ),
        Column(
            "chosen_names",
            "bigint",
            "events whose identity only the name of a session tells, which its opener chose",
            nullable=True,
            minimum=0,
        ),
        Column(
            "accounts",
            "array<string>",
            "distinct accounts and tenants that the caller belongs to, as logged, sorted, at most "
            "50",
            nullable=True,
        ),
        Column(
            "bytes_in", "bigint", "sum of known bytes written; null: none known", True, minimum=0
        ),
    ),
)

OBJECT_ACCESS = Table(
    name="object_access",
    stage="aggregate",
    grain="day x user x asset x object (assets of kind checkpoint or dataset; reads and copies)",
    key=("user_id", "asset_id", "object"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in events"),
        Column("user_kind", "string", "as in events", values=USER_KINDS),
        Column("asset_id", "string", "asset of assets.csv"),
        Column("object", "string", "object within the asset"),
        Column(
            "reads",
            "bigint",
            "successful reads or copies; an access in two sources counts once",
            minimum=1,
        ),
        Column("bytes_out", "bigint", "sum of known bytes; null: none known", True, minimum=0),
        Column(
            "ranges",
            "array<string>",
            "distinct requested HTTP ranges (`bytes=0-1048575`), sorted; empty if there are more "
            "than 10,000; if empty and part_bytes is null, the whole object was read",
        ),
        Column(
            "part_bytes",
            "bigint",
            "sum of bytes of partial answers whose range the log does not hold, or of all if there "
            "are more than 10,000 ranges; null: none, or the whole object was read too",
            nullable=True,
            minimum=0,
        ),
        Column(
            "object_bytes",
            "bigint",
            "size of the whole object, if a log holds it",
            nullable=True,
            minimum=0,
        ),
        Column("first_time", "timestamp", "first event"),
        Column("last_time", "timestamp", "last event"),
    ),
)

PLACE_ACCESS = Table(
    name="place_access",
    stage="aggregate",
    grain="day x user x place x asset",
    key=("user_id", "place", "asset_id"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column(
            "place",
            "string",
            "`zone/country/asn` of networks.csv; the /24 (IPv4) or /48 (IPv6) of an address that "
            "networks.csv does not hold; events without an address have no place",
        ),
        Column("zone", "string", "zone of networks.csv; null: unknown", True, values=ZONES),
        Column("country", "string", "country of networks.csv; null: unknown", True),
        Column("asset_id", "string", "as in access"),
        Column("events", "bigint", "all events, failures included", minimum=1),
        Column("failures", "bigint", "events whose outcome is failure", minimum=0),
        Column(
            "objects",
            "bigint",
            "objects whose content was taken or executed from there; at most those of access, at "
            "most the successful events",
            minimum=0,
        ),
        Column("bytes", "bigint", "known bytes of these; null: none known", True, minimum=0),
        Column("hours", "int", "UTC hours with a success, as bits (bit 0: midnight)", minimum=0),
        Column("linked", "bigint", "successful events whose right stood in a link (presigned, "
               "shared access signature)", True, minimum=0),
        Column("linked_objects", "bigint", "objects among them whose content was taken; at most "
               "the linked events", True, minimum=0),
    ),
)  # fmt: skip
