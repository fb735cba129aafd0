"""Verdicts of investigators, and their effect on the review queue.

Each verdict is a document in an index that the pipeline never writes, so it survives every re-run.
If Elastic Security turns findings into alerts, an alert that was closed with a reason is a verdict,
too. The queue is rebuilt from findings and verdicts whenever either changes. A document with an
older verdict never replaces one with a later verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jobs.platform.documents import find, refresh, send
from jobs.platform.elasticsearch import session
from jobs.platform.errors import InputError, RunError
from jobs.review.queue import Verdict, queue_document
from schemas.config import Elasticsearch as Settings
from schemas.elasticsearch.indices import QUEUE, VERDICTS_INDEX, search_name

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

SECURITY_ALERTS = ".alerts-security.alerts-*"
"""Alerts of Elastic Security in every space; they are only read."""
CLOSED_AS = {
    "true_positive": "confirmed",
    "benign_positive": "benign",
    "false_positive": "benign",
    "duplicate": "duplicate",
}
"""Closing reason of an alert → verdict (Kibana 9.2 and later). An alert with another reason or none
is no verdict."""
TAGGED_AS = {"False Positive": "benign", "Duplicate": "duplicate"}
"""Tag offered by Kibana → verdict, for versions without closing reasons."""
ALERT_FIELDS = (
    "event.id",
    "kibana.alert.workflow_reason",
    "kibana.alert.workflow_tags",
    "kibana.alert.workflow_status_updated_at",
    "kibana.alert.workflow_user",
    "@timestamp",
)
IDS_PER_QUERY = 10_000
NO_VERDICT = "no verdict was written"


def give_verdict(settings: Settings, finding: str, verdict: str, reason: str, by: str) -> Verdict:
    """Write a verdict on a published finding, named by its id or the first characters of it.

    Raises RunError if no finding or several begin so, or if the finding is superseded.
    """
    _require_server(settings)
    with session(settings, "investigator", NO_VERDICT) as client:
        document = _queued(client, settings.prefix, finding)
        if document["exfil"]["status"] == "superseded":
            raise RunError(
                f"finding {document['event']['id']} is superseded: a later run of "
                f"{document['exfil']['day']} saw other evidence; judge the finding in its place"
            )
        given = Verdict(document["event"]["id"], verdict, reason, by, _now())
        send(client, settings.prefix, VERDICTS_INDEX, [_verdict_document(given)])
        refresh(client, settings.prefix, VERDICTS_INDEX)
        judged = queue_document(document, given, verdict, document["exfil"]["supersedes"])
        send(client, settings.prefix, QUEUE, [judged])
        refresh(client, settings.prefix, QUEUE)
    return given


def list_verdicts(settings: Settings) -> list[Verdict]:
    """The latest verdict on every finding that has one, the newest first."""
    _require_server(settings)
    with session(settings, "investigator", "no verdict was read") as client:
        latest = latest_verdicts(client, settings.prefix)
    return sorted(latest.values(), key=lambda given: (given.at, given.finding), reverse=True)


def latest_verdicts(
    client: Elasticsearch, prefix: str, findings: Collection[str] | None = None
) -> dict[str, Verdict]:
    """Finding → its latest verdict, ours or an alert's, for ``findings`` (None: all)."""
    latest: dict[str, Verdict] = {}
    for given in [*_given(client, prefix, findings), *_closed_alerts(client, findings)]:
        before = latest.get(given.finding)
        if before is None or (before.at, before.by, before.verdict) < (
            given.at,
            given.by,
            given.verdict,
        ):
            latest[given.finding] = given
    return latest


def _require_server(settings: Settings) -> None:
    """InputError if Elasticsearch is not configured, because only it keeps verdicts."""
    if settings.url is None:
        raise InputError(["elasticsearch.url is not set: verdicts are kept in Elasticsearch"])


def _queued(client: Elasticsearch, prefix: str, finding: str) -> dict[str, Any]:
    name = search_name(QUEUE, prefix)
    hits = client.search(
        index=name,
        query={"prefix": {"event.id": {"value": finding}}},
        size=3,
        sort="event.id",
        ignore_unavailable=True,
    )["hits"]["hits"]
    if not hits:
        raise RunError(
            f"no published finding's id begins with {finding!r} in {name}; `exfilwatch publish` "
            "sends what is not there yet"
        )
    if len(hits) > 1:
        ids = ", ".join(hit["_source"]["event"]["id"] for hit in hits)
        raise RunError(f"several findings' ids begin with {finding!r}: {ids} …; give more of it")
    document: dict[str, Any] = hits[0]["_source"]
    return document


def _given(
    client: Elasticsearch, prefix: str, findings: Collection[str] | None
) -> Iterator[Verdict]:
    name = search_name(VERDICTS_INDEX, prefix)
    for query in _queries(findings):
        for hit in find(client, name, query):
            document = hit["_source"]
            yield Verdict(
                document["event"]["id"],
                document["exfil"]["verdict"],
                document["exfil"]["verdict_reason"],
                document["exfil"]["verdict_by"],
                document["@timestamp"],
            )


def _closed_alerts(client: Elasticsearch, findings: Collection[str] | None) -> Iterator[Verdict]:
    for query in _queries(findings):
        closed = [
            query,
            {"term": {"event.module": "exfilwatch"}},
            {"term": {"kibana.alert.workflow_status": "closed"}},
        ]
        hits = find(
            client, SECURITY_ALERTS, {"bool": {"filter": closed}}, source=False, fields=ALERT_FIELDS
        )
        for hit in hits:
            verdict = _alert_verdict(hit.get("fields", {}))
            if verdict is not None:
                yield verdict


def _alert_verdict(fields: Mapping[str, list[Any]]) -> Verdict | None:
    """The verdict of a closed alert; None if neither its reason nor its tags give one."""

    def first(name: str) -> str | None:
        return str(fields[name][0]) if fields.get(name) else None

    reason = first("kibana.alert.workflow_reason")
    tags = [str(tag) for tag in fields.get("kibana.alert.workflow_tags", [])]
    given = [CLOSED_AS[reason]] if reason in CLOSED_AS else []
    if reason is None:
        given = [TAGGED_AS[tag] for tag in sorted(tags) if tag in TAGGED_AS]
    finding = first("event.id")
    at = first("kibana.alert.workflow_status_updated_at") or first("@timestamp")
    if not given or finding is None or at is None:
        return None
    said = reason or ", ".join(sorted(tags))
    by = first("kibana.alert.workflow_user") or "Elastic Security"
    return Verdict(finding, given[0], f"alert closed as {said}", by, _time(at))


def _queries(findings: Collection[str] | None) -> Iterator[dict[str, Any]]:
    """Queries for these findings. There are several, because the server limits a query's terms."""
    if findings is None:
        yield {"match_all": {}}
        return
    ids = sorted(findings)
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield {"terms": {"event.id": ids[start : start + IDS_PER_QUERY]}}


def _verdict_document(given: Verdict) -> dict[str, Any]:
    return {
        "@timestamp": given.at,
        "event": {"id": given.finding},
        "exfil": {
            "verdict": given.verdict,
            "verdict_reason": given.reason,
            "verdict_by": given.by,
        },
    }


def _now() -> str:
    return _time(datetime.now(UTC).isoformat())


def _time(text: str) -> str:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
