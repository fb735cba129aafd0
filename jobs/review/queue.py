"""Documents of the review queue: a finding and its latest verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.finding import detectors_of


@dataclass(frozen=True)
class Verdict:
    """An investigator's verdict on a finding; ``at``: ISO 8601, UTC, milliseconds and ``Z``."""

    finding: str
    verdict: str
    reason: str
    by: str
    at: str


def review_queue(
    findings: list[dict[str, Any]],
    verdicts: Mapping[str, Verdict],
    earlier: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Documents of a day's queue.

    ``findings``: all published findings of the day. ``earlier``: the day's documents in the queue.
    An earlier document whose finding the run has not made again stays. It keeps its verdict if it
    has one and no new finding has the same user and window. Otherwise it is superseded.
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
    """A finding (or its document in the queue) with its state of review."""
    exfil = finding["exfil"]
    evidence = exfil if "detectors" in exfil else _evidence(finding)
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
            "case_id": exfil.get("case_id", finding["event"]["id"]),
            "asset_ids": evidence["asset_ids"],
            "detectors": evidence["detectors"],
            "families": evidence["families"],
            "status": status,
            "verdict_reason": given and given.reason,
            "verdict_by": given and given.by,
            "verdict_at": given and given.at,
            "supersedes": supersedes,
        },
    }


def _evidence(finding: Mapping[str, Any]) -> dict[str, list[str]]:
    """The part of a finding's evidence that its document in the queue holds."""
    exfil = finding["exfil"]
    families = [part["family"] for part in exfil["contributions"] if part["points"] > 0]
    return {
        "asset_ids": [asset["id"] for asset in exfil["assets"]],
        "detectors": detectors_of(finding),
        "families": list(dict.fromkeys(families)),
    }


def _last_of_each_place(gone: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """User and window → the latest finding that runs no longer make.

    Each finding names its predecessor, so the latest is the finding that no other names.
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
