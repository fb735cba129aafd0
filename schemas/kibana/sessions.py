"""Discover sessions: tables of single documents, also as panels of dashboards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from schemas.kibana.data_views import (
    ASSET_DAYS_VIEW,
    ENTITIES_VIEW,
    FINDINGS_VIEW,
    HEALTH_VIEW,
    QUEUE_VIEW,
    VERDICTS_VIEW,
    DataView,
)
from schemas.kibana.site import Site


@dataclass(frozen=True)
class Session:
    """A table: its columns from left to right, sorted downwards by ``sort``; ``query`` is KQL."""

    name: str
    title: str
    description: str
    view: DataView
    columns: tuple[str, ...]
    sort: str
    query: str = ""

    def id(self, site: Site) -> str:
        """Id of the session."""
        return site.id(f"session-{self.name}")


QUEUE_SESSION = Session(
    "queue",
    "Review queue",
    "Findings within their day's alert budget, highest score first.",
    QUEUE_VIEW,
    (
        "event.risk_score",
        "user.name",
        "user.id",
        "event.reason",
        "exfil.asset_ids",
        "rule.name",
        "exfil.window",
        "exfil.status",
        "event.id",
    ),
    "event.risk_score",
    "exfil.in_budget: true",
)
HISTORY_SESSION = Session(
    "history",
    "Findings and verdicts",
    "Every finding, whatever its state, latest first.",
    QUEUE_VIEW,
    (
        "event.risk_score",
        "user.id",
        "event.reason",
        "exfil.asset_ids",
        "exfil.status",
        "exfil.verdict_reason",
        "exfil.verdict_by",
        "event.id",
    ),
    "@timestamp",
)
FINDINGS_SESSION = Session(
    "findings",
    "Findings in full",
    "Findings as published, with every contribution to the score and the amount of each asset.",
    FINDINGS_VIEW,
    ("event.risk_score", "user.id", "event.reason", "exfil.contributions", "exfil.assets"),
    "@timestamp",
)
PEOPLE_SESSION = Session(
    "people",
    "People and services",
    "Risk of each identity, with the reasons in words; largest gain of seven days first.",
    ENTITIES_VIEW,
    (
        "user.name",
        "user.id",
        "user.risk.calculated_score_norm",
        "user.risk.calculated_level",
        "exfil.gain",
        "exfil.peak",
        "exfil.reasons",
        "exfil.new_assets",
        "exfil.team",
        "exfil.title",
        "exfil.employment",
        "exfil.notice_date",
        "exfil.peers",
        "exfil.last_finding",
    ),
    "exfil.gain",
)
FIRST_TOUCHES_SESSION = Session(
    "first-touches",
    "First touches",
    "Identities that touched an asset for the first time, latest first.",
    ASSET_DAYS_VIEW,
    (
        "user.name",
        "user.id",
        "exfil.asset.id",
        "exfil.asset.sensitivity",
        "exfil.objects",
        "exfil.bytes",
    ),
    "@timestamp",
    "exfil.is_new: true",
)
FAILED_SESSION = Session(
    "failed-expectations",
    "Expectations not met",
    "Failed data-quality checks, latest first.",
    HEALTH_VIEW,
    (
        "exfil.health.severity",
        "exfil.health.source",
        "exfil.health.expectation",
        "exfil.health.column",
        "exfil.health.message",
    ),
    "@timestamp",
    'exfil.health.kind: "expectation" and exfil.health.success: false',
)
VERDICTS_SESSION = Session(
    "verdicts",
    "Verdicts given",
    "Every verdict; of a finding's verdicts the latest counts.",
    VERDICTS_VIEW,
    ("event.id", "exfil.verdict", "exfil.verdict_reason", "exfil.verdict_by"),
    "@timestamp",
)
SESSIONS = (
    QUEUE_SESSION,
    HISTORY_SESSION,
    FINDINGS_SESSION,
    PEOPLE_SESSION,
    FIRST_TOUCHES_SESSION,
    FAILED_SESSION,
    VERDICTS_SESSION,
)


def sessions(site: Site) -> list[dict[str, Any]]:
    """All sessions as saved objects."""
    return [_saved_search(site, session) for session in SESSIONS]


def _saved_search(site: Site, session: Session) -> dict[str, Any]:
    source = {
        "query": {"language": "kuery", "query": session.query},
        "filter": [],
        "highlightAll": True,
        "version": True,
        "indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
    }
    return {
        "type": "search",
        "id": session.id(site),
        "attributes": {
            "title": f"{site.prefix}: {session.title}",
            "description": session.description,
            "hits": 0,
            "version": 1,
            "columns": list(session.columns),
            "sort": [[session.sort, "desc"]],
            "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(source, sort_keys=True)},
        },
        "references": [
            {
                "name": source["indexRefName"],
                "type": "index-pattern",
                "id": session.view.id(site),
            },
            {"name": f"tag-ref-{site.id('tag')}", "type": "tag", "id": site.id("tag")},
        ],
        "coreMigrationVersion": "8.8.0",
        # The version of Kibana's own sample data in 8.x and 9.x.
        "typeMigrationVersion": "7.9.3",
    }
