"""Verdicts of investigators, and the review queue as they leave it.

A verdict is a document of its own, in an index that the pipeline never writes; so it survives
every re-run. Where Elastic Security's detection rule lifts findings into alerts, an alert that was
closed there with a reason is a verdict, too. The queue is made of findings and verdicts anew
whenever either changes, and a document with a later verdict never gives way to an older one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jobs.elastic import find, refresh, send, session
from jobs.errors import InputError, RunError
from jobs.plain_text import plain_table
from jobs.queue_table import ID_CHARS
from schemas.config import Elasticsearch as Settings
from schemas.elastic import QUEUE, VERDICTS_INDEX, search_name
from schemas.finding import detectors_of

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

SECURITY_ALERTS = ".alerts-security.alerts-*"
"""Alerts of Elastic Security, of every space; only read here."""
CLOSED_AS = {
    "true_positive": "confirmed",
    "benign_positive": "benign",
    "false_positive": "benign",
    "duplicate": "duplicate",
}
"""Verdict by the reason with which an alert was closed (Kibana 9.2 and later). Another reason, or
none, is no verdict: it does not say what the alert was."""
TAGGED_AS = {"False Positive": "benign", "Duplicate": "duplicate"}
"""The same by the tags that Kibana offers, for versions that know no reasons."""
ALERT_FIELDS = (
    "event.id",
    "kibana.alert.workflow_reason",
    "kibana.alert.workflow_tags",
    "kibana.alert.workflow_status_updated_at",
    "kibana.alert.workflow_user",
    "@timestamp",
)
HEADER = ("finding", "verdict", "given at", "by", "reason")
WIDTHS = {"by": 32, "reason": 110}
IDS_PER_QUERY = 10_000
NO_VERDICT = "no verdict was written"


@dataclass(frozen=True)
class Verdict:
    """What somebody said of a finding; ``at``: ISO 8601 in UTC with milliseconds and ``Z``."""

    finding: str
    verdict: str
    reason: str
    by: str
    at: str


def give_verdict(settings: Settings, finding: str, verdict: str, reason: str, by: str) -> Verdict:
    """Write a verdict on a published finding, whose id may be given by its beginning.

    Raises RunError where no finding or several begin so, or a run has superseded it.
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
    """Finding → the latest verdict on it, be it ours or an alert's; of ``findings`` (None: all)."""
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


def review_queue(
    findings: list[dict[str, Any]],
    verdicts: Mapping[str, Verdict],
    earlier: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Documents of a day's queue.

    ``findings``: as published, all of the day; ``earlier``: the day's documents in the queue. One
    of these whose finding the run has not made again stays: superseded by the finding of the same
    user and window that has other evidence, else as it was judged, else superseded.
    """
    current = {finding["event"]["id"] for finding in findings}
    gone = [document for document in earlier if document["event"]["id"] not in current]
    successors = {_place(finding) for finding in findings}
    predecessors = _last_of_each_place(gone)
    documents = []
    for finding in findings:
        given = verdicts.get(finding["event"]["id"])
        status = given.verdict if given else "open"
        documents.append(queue_document(finding, given, status, predecessors.get(_place(finding))))
    for document in gone:
        given = verdicts.get(document["event"]["id"])
        stands = given is not None and _place(document) not in successors
        status = given.verdict if given and stands else "superseded"
        documents.append(queue_document(document, given, status, document["exfil"]["supersedes"]))
    return documents


def queue_document(
    finding: Mapping[str, Any], given: Verdict | None, status: str, supersedes: str | None
) -> dict[str, Any]:
    """A finding (or its document in the queue) as it stands in review."""
    exfil = finding["exfil"]
    told = exfil if "detectors" in exfil else _evidence(finding)
    return {
        "@timestamp": finding["@timestamp"],
        "event": {
            name: finding["event"][name] for name in ("id", "risk_score", "severity", "reason")
        },
        "user": {name: finding["user"][name] for name in ("id", "name")},
        "rule": {"name": finding["rule"]["name"]},
        "threat": finding["threat"],
        "exfil": {
            "day": exfil["day"],
            "queue_rank": exfil["queue_rank"],
            "in_budget": exfil["in_budget"],
            "window": exfil["window"],
            "asset_ids": told["asset_ids"],
            "detectors": told["detectors"],
            "families": told["families"],
            "status": status,
            "verdict_reason": given and given.reason,
            "verdict_by": given and given.by,
            "verdict_at": given and given.at,
            "supersedes": supersedes,
        },
    }


def _evidence(finding: Mapping[str, Any]) -> dict[str, list[str]]:
    """What of a finding's evidence its document in the queue names."""
    exfil = finding["exfil"]
    families = [part["family"] for part in exfil["contributions"] if part["points"] > 0]
    return {
        "asset_ids": [asset["id"] for asset in exfil["assets"]],
        "detectors": detectors_of(finding),
        "families": list(dict.fromkeys(families)),
    }


def as_table(verdicts: Sequence[Verdict]) -> str:
    """One line a verdict, for a terminal."""
    rows = [
        (given.finding[:ID_CHARS], given.verdict, given.at, given.by, given.reason)
        for given in verdicts
    ]
    return plain_table(HEADER, rows, WIDTHS)


def _require_server(settings: Settings) -> None:
    """InputError where no Elasticsearch is configured: verdicts live nowhere else."""
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
    """What a closed alert says; None where neither reason nor tags say what it was."""

    def first(name: str) -> str | None:
        return str(fields[name][0]) if fields.get(name) else None

    reason = first("kibana.alert.workflow_reason")
    tags = [str(tag) for tag in fields.get("kibana.alert.workflow_tags", [])]
    told = [CLOSED_AS[reason]] if reason in CLOSED_AS else []
    if reason is None:
        told = [TAGGED_AS[tag] for tag in sorted(tags) if tag in TAGGED_AS]
    finding = first("event.id")
    at = first("kibana.alert.workflow_status_updated_at") or first("@timestamp")
    if not told or finding is None or at is None:
        return None
    said = reason or ", ".join(sorted(tags))
    by = first("kibana.alert.workflow_user") or "Elastic Security"
    return Verdict(finding, told[0], f"alert closed as {said}", by, _time(at))


def _queries(findings: Collection[str] | None) -> Iterator[dict[str, Any]]:
    """Queries that together ask for these findings; the server limits the terms of one."""
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


def _last_of_each_place(gone: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """User and window → the latest of the findings there that are no more.

    Each names the one before it, so the latest is the one that no other names.
    """
    named = {document["exfil"]["supersedes"] for document in gone}
    heads = [document for document in gone if document["event"]["id"] not in named]
    return {
        _place(document): document["event"]["id"] for document in sorted(heads or gone, key=_age)
    }


def _age(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["exfil"]["verdict_at"] or "", document["event"]["id"]


def _place(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["user"]["id"], document["exfil"]["window"]


def _now() -> str:
    return _time(datetime.now(UTC).isoformat())


def _time(text: str) -> str:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
