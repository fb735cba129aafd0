"""The indices of Elasticsearch: their fields, the index of each document, and its id.

Each index has a template of its own. Data that grows with the days lies in monthly indices behind
one alias. The document's own ``@timestamp`` decides the month, so a document's id always leads to
the same index, and a second write meets the first. All other data lies in one index each. Ids are
made of the document's own fields. Only features of the server's core are used: no scripts, no data
streams, no lifecycle policies. To drop an old month, delete its index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from schemas.finding import FIELDS, Field

STATUSES = ("open", "confirmed", "benign", "duplicate", "superseded")
"""States of a finding in review: no verdict yet, the three verdicts, and `superseded`: a later run
of the same day saw other evidence."""
VERDICTS = STATUSES[1:4]
RISK_LEVELS = ("Unknown", "Low", "Moderate", "High", "Critical")

_MAX_ID_BYTES = 512
"""The server's limit."""


@dataclass(frozen=True)
class Index:
    """One index with the name ``<prefix>-<name>``. ``monthly``: one index a month, behind an alias.

    ``id_fields``: dotted paths of the fields whose values make a document's id.

    ``write``: a document that is ``created`` stays as it is. A document that is ``replaced`` gives
    way whenever it is sent again. With ``older`` it gives way unless the new document is older. The
    date ``latest_by`` of the two documents decides; null is oldest.
    """

    name: str
    meaning: str
    id_fields: tuple[str, ...]
    fields: tuple[Field, ...]
    monthly: bool = False
    write: Literal["created", "replaced", "older"] = "replaced"
    latest_by: str | None = None


_TIMESTAMP = Field("@timestamp", "date", "end of the day")
_DAY = Field("exfil.day", "date", "day whose queue or figures these are")
_USER_ID = Field("user.id", "keyword", "user_id of the directory, else the raw principal")
_USER_NAME = Field("user.name", "keyword", "display name, else the id")
_USER_EMAIL = Field("user.email", "keyword", "of the directory", nullable=True)
_TEAM = Field("exfil.team", "keyword", "team of the directory", nullable=True)
_RISK = Field("user.risk.calculated_score_norm", "float", "0–100, see models.scoring.entity_risk")
_ASSET_ID = Field("exfil.asset.id", "keyword", "asset_id, or the URI of a container not listed")
_BYTES = Field("exfil.bytes", "integer", "bytes taken on the day, where known", nullable=True)
_OBJECTS = Field("exfil.objects", "integer", "objects touched on the day")
_EVENTS = Field("exfil.events", "integer", "events of the day, failures included")
_EGO = Field("exfil.ego", "keyword", "users in whose picture of the graph it stands", many=True)

FINDINGS = Index(
    name="findings",
    meaning="one finding as first published; created once and never changed",
    id_fields=("event.id",),
    # The evidence may end before the day of the queue, so that day is published, too.
    fields=(*FIELDS, _DAY),
    monthly=True,
    write="created",
)

QUEUE = Index(
    name="queue",
    meaning="one finding and its state in review; every publish and every verdict replaces it",
    id_fields=("event.id",),
    fields=(
        *(
            field
            for field in FIELDS
            if field.path
            in (
                "@timestamp",
                "event.id",
                "event.risk_score",
                "event.severity",
                "event.reason",
                "user.id",
                "user.name",
                "rule.name",
                "threat.technique.id",
                "threat.tactic.name",
                "exfil.queue_rank",
                "exfil.in_budget",
                "exfil.window",
                "exfil.case_id",
            )
        ),
        _DAY,
        Field("exfil.asset_ids", "keyword", "assets of the evidence", many=True),
        Field("exfil.detectors", "keyword", "detectors that gave points", many=True),
        Field("exfil.families", "keyword", "their families", many=True),
        Field("exfil.status", "keyword", f"one of {', '.join(STATUSES)}"),
        Field("exfil.verdict_reason", "text", "reason of the latest verdict", nullable=True),
        Field("exfil.verdict_by", "keyword", "author of the latest verdict", nullable=True),
        Field("exfil.verdict_at", "date", "time of the latest verdict", nullable=True),
        Field(
            "exfil.supersedes",
            "keyword",
            "the earlier finding of the same day, user and window with other evidence; its review "
            "is to be repeated",
            nullable=True,
        ),
    ),
    write="older",
    latest_by="exfil.verdict_at",
)

VERDICTS_INDEX = Index(
    name="verdicts",
    meaning="one verdict of an investigator; the pipeline never writes it, the latest counts",
    id_fields=("event.id", "@timestamp", "exfil.verdict_by"),
    fields=(
        Field("@timestamp", "date", "time of the verdict"),
        Field("event.id", "keyword", "id of the finding"),
        Field("exfil.verdict", "keyword", f"one of {', '.join(VERDICTS)}"),
        Field("exfil.verdict_reason", "text", "reason of the verdict"),
        Field("exfil.verdict_by", "keyword", "author of the verdict"),
    ),
    write="created",
)

ENTITIES = Index(
    name="entities",
    meaning="one identity on its latest published day",
    id_fields=("user.id",),
    fields=(
        _TIMESTAMP,
        _DAY,
        _USER_ID,
        _USER_NAME,
        _USER_EMAIL,
        _RISK,
        Field("user.risk.calculated_level", "keyword", f"one of {', '.join(RISK_LEVELS)}"),
        Field("exfil.gain", "float", "score minus the score 7 days before"),
        Field("exfil.peak", "float", "highest score in 30 days"),
        Field("exfil.open_findings", "integer", "findings of 30 days without a verdict"),
        Field("exfil.reasons", "text", "sentences of the findings that weigh most", many=True),
        Field("exfil.detectors", "keyword", "detectors of findings that count", many=True),
        Field("exfil.last_finding", "keyword", "id of the latest that counts", nullable=True),
        _TEAM,
        Field("exfil.title", "keyword", "of the directory", nullable=True),
        Field("exfil.kind", "keyword", "human, service or unknown"),
        Field("exfil.employment", "keyword", "of the directory", nullable=True),
        Field("exfil.notice_date", "date", "when notice was given", nullable=True),
        Field("exfil.end_date", "date", "last day of employment", nullable=True),
        Field("exfil.peers", "keyword", "users most alike, nearest first", many=True),
        Field("exfil.community", "integer", "number of the graph's community", nullable=True),
        Field("exfil.new_assets", "keyword", "assets first touched on the day", many=True),
    ),
    write="older",
    latest_by="exfil.day",
)

ENTITY_DAYS = Index(
    name="entity-days",
    meaning="one identity's day beside that of its learned peers",
    id_fields=("user.id", "exfil.day"),
    fields=(
        _TIMESTAMP,
        _DAY,
        _USER_ID,
        _USER_NAME,
        _TEAM,
        _RISK,
        _BYTES,
        _OBJECTS,
        _EVENTS,
        Field("exfil.assets", "integer", "distinct assets touched on the day"),
        Field("exfil.new_assets", "integer", "of these, first touched on the day"),
        Field("exfil.findings", "integer", "findings in the day's queue"),
        Field("exfil.peer_bytes_median", "float", "median of the peers' bytes", nullable=True),
        Field("exfil.peer_bytes_p90", "float", "90th percentile of them", nullable=True),
        Field("exfil.peer_objects_median", "float", "median of the peers' objects", nullable=True),
        Field("exfil.peer_objects_p90", "float", "90th percentile of them", nullable=True),
    ),
    monthly=True,
)

ASSET_DAYS = Index(
    name="asset-days",
    meaning="the accesses of one identity to one asset on one day",
    id_fields=("exfil.asset.id", "user.id", "exfil.day"),
    fields=(
        _TIMESTAMP,
        _DAY,
        _ASSET_ID,
        Field("exfil.asset.kind", "keyword", "kind of asset", nullable=True),
        Field("exfil.asset.owner_team", "keyword", "team that owns it", nullable=True),
        Field(
            "exfil.asset.sensitivity", "integer", "1 public to 5 frontier weights", nullable=True
        ),
        _USER_ID,
        _USER_NAME,
        _BYTES,
        _OBJECTS,
        _EVENTS,
        Field("exfil.is_new", "boolean", "not touched by this user in the window before"),
    ),
    monthly=True,
)

GRAPH = Index(
    name="graph",
    meaning="a node or an edge of the graph of the latest published day",
    id_fields=(
        "exfil.element",
        "exfil.node.type",
        "exfil.node.id",
        "exfil.edge.user",
        "exfil.edge.asset",
    ),
    fields=(
        _TIMESTAMP,
        _DAY,
        Field("exfil.element", "keyword", "node or edge"),
        Field("exfil.node.id", "keyword", "user_id or asset_id"),
        Field("exfil.node.type", "keyword", "user or asset"),
        Field("exfil.node.name", "keyword", "label"),
        Field("exfil.node.kind", "keyword", "kind of user or asset", nullable=True),
        Field("exfil.node.community", "integer", "number of the community"),
        Field("exfil.node.risk", "float", "0–100; of assets 0"),
        Field("exfil.node.x", "float", "place for drawing, -1 to 1"),
        Field("exfil.node.y", "float", "place for drawing, -1 to 1"),
        Field("exfil.edge.user", "keyword", "user_id"),
        Field("exfil.edge.asset", "keyword", "asset_id"),
        Field("exfil.edge.weight", "float", "log-damped days and events in the window"),
        Field("exfil.edge.is_new", "boolean", "not touched in the window before the day"),
        Field("exfil.edge.today", "boolean", "touched on the day itself"),
        _EGO,
        # A dashboard's filter on a person or an asset then leaves a whole picture.
        Field("user.id", "keyword", "the same as exfil.ego", many=True),
        Field("exfil.asset.id", "keyword", "the asset itself, or its neighbours", many=True),
    ),
)

HEALTH = Index(
    name="health",
    meaning="one source, expectation or detector on one day",
    id_fields=(
        "exfil.day",
        "exfil.health.kind",
        "exfil.health.source",
        "exfil.health.expectation",
        "exfil.health.column",
        "exfil.health.detector",
    ),
    fields=(
        _TIMESTAMP,
        _DAY,
        Field("exfil.health.kind", "keyword", "source, expectation or detector"),
        Field("exfil.health.source", "keyword", "name of the source; * for all together"),
        Field("exfil.health.expectation", "keyword", "name of the expectation"),
        Field("exfil.health.column", "keyword", "column checked; empty for the whole table"),
        Field("exfil.health.severity", "keyword", "critical or warning"),
        Field("exfil.health.success", "boolean", "true if the expectation holds"),
        Field("exfil.health.message", "text", "one sentence"),
        Field("exfil.health.events", "integer", "events of the source on the day"),
        Field("exfil.health.rejects", "integer", "records of the source not understood"),
        Field("exfil.health.last_event", "date", "time of its last event", nullable=True),
        Field("exfil.health.detector", "keyword", "name of the detector"),
        Field("exfil.health.signals", "integer", "signals of the detector on the day"),
        Field("exfil.health.findings", "integer", "in-budget findings it gave points to"),
    ),
)

IDENTITIES = Index(
    name="identities",
    meaning="the identity behind a pseudonym; only for the role privacy_officer",
    id_fields=("exfil.pseudonym",),
    fields=(
        Field("exfil.pseudonym", "keyword", "as published"),
        Field("exfil.identity", "keyword", "user_id, principal, address, credential, word"),
        Field("exfil.identity_kind", "keyword", "user, name, address or credential"),
    ),
    write="created",
)

UNMASKINGS = Index(
    name="unmaskings",
    meaning="one unmasking of a pseudonym; only for the role privacy_officer",
    id_fields=("@timestamp", "exfil.pseudonym", "exfil.unmask_by"),
    fields=(
        Field("@timestamp", "date", "time of the request"),
        Field("exfil.pseudonym", "keyword", "as published"),
        Field("exfil.unmask_by", "keyword", "the asker"),
        Field("exfil.unmask_reason", "text", "the asker's reason"),
    ),
    write="created",
)

INDICES = (
    FINDINGS,
    QUEUE,
    VERDICTS_INDEX,
    ENTITIES,
    ENTITY_DAYS,
    ASSET_DAYS,
    GRAPH,
    HEALTH,
)
"""The indices that investigators read."""
PRIVATE_INDICES = (IDENTITIES, UNMASKINGS)
"""Written only if pseudonyms are published (``privacy`` of the job config)."""


def search_name(index: Index, prefix: str) -> str:
    """Index or alias that a search of the whole index names; also the name of its template."""
    return f"{prefix}-{index.name}"


def index_pattern(index: Index, prefix: str) -> str:
    """Pattern of the names of the server's indices."""
    return f"{search_name(index, prefix)}-*" if index.monthly else search_name(index, prefix)


def index_name(index: Index, prefix: str, document: Mapping[str, Any]) -> str:
    """The server's index for a document, such as ``<prefix>-findings-2026.10``."""
    if not index.monthly:
        return search_name(index, prefix)
    return f"{search_name(index, prefix)}-{datetime.fromisoformat(document['@timestamp']):%Y.%m}"


def document_id(index: Index, document: Mapping[str, Any]) -> str:
    """Id of a document: the values of the index's id fields.

    The separator is escaped, because log values may hold it. Two documents therefore never share an
    id, by chance or by intent. An id longer than the server's limit is hashed.
    """
    values = [value_at(document, path) for path in index.id_fields]
    parts = ["" if value is None else str(value) for value in values]
    if len(parts) > 1:
        parts = [part.replace("%", "%25").replace("|", "%7C") for part in parts]
    text = "|".join(parts)
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= _MAX_ID_BYTES else hashlib.sha256(raw).hexdigest()


def document_version(index: Index, document: Mapping[str, Any]) -> int:
    """Milliseconds since 1970 of the field ``latest_by``; 0 if it is null."""
    text = value_at(document, index.latest_by) if index.latest_by else None
    if text is None:
        return 0
    moment = datetime.fromisoformat(text)
    # A day has no zone; a time has one.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def value_at(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path of a document; None if there is none."""
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
