"""A rule of Elastic Security that turns findings into alerts.

Alerts have a state, an assignee, notes and cases. An alert's id follows from the finding's
document. That document never changes, so no run of the rule makes a second alert of a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.elasticsearch.indices import FINDINGS, search_name
from schemas.finding import MODULE, SEVERITIES
from schemas.kibana.dashboards.triage import runbook_text
from schemas.kibana.site import Runbook, Site
from schemas.techniques import Claim, attack, by_tactic, tactics

LOOK_BACK = "now-10d"
"""A finding has the time of its evidence. It is published a day later, or some days later if logs
were late or a day is run again. A known finding makes no second alert."""
SHOWN_FIELDS = (
    "event.reason",
    "user.id",
    "user.name",
    "exfil.contributions.reason",
    "exfil.assets.id",
    "exfil.window",
    "threat.technique.id",
    "event.id",
)
"""Fields of the finding that its alert shows at the top."""
ATTACK = "https://attack.mitre.org"


def detection_rule(
    site: Site, runbooks: Mapping[str, Runbook], claims: Iterable[Claim], kibana: str
) -> dict[str, Any]:
    """The rule in the form of Security's import.

    ``claims``: one of each detector. ``kibana``: address of the space, for the link.
    """
    user_page = f"{kibana}/app/dashboards#/view/{site.id('dashboard-user')}"
    return {
        # Security keeps the rules of spaces apart. An id for each space shows the rule's origin.
        "rule_id": site.id("finding"),
        "name": f"{site.prefix} finding",
        "description": (
            "A person, an account or a service took model weights, code or data in a way that "
            "stands out. Each alert is one finding within its day's alert budget."
        ),
        "type": "query",
        "language": "kuery",
        "index": [search_name(FINDINGS, site.prefix)],
        "query": (f'event.module: "{MODULE}" and event.kind: "alert" and exfil.in_budget: true'),
        "filters": [],
        "enabled": True,
        "interval": "15m",
        "from": LOOK_BACK,
        "to": "now",
        "max_signals": 500,
        "risk_score": 47,
        "risk_score_mapping": [{"field": "event.risk_score", "operator": "equals", "value": ""}],
        "severity": "medium",
        "severity_mapping": [
            {
                "field": "event.severity",
                "operator": "equals",
                "value": str(level),
                "severity": severity,
            }
            for level, severity in enumerate(SEVERITIES, start=1)
        ],
        "rule_name_override": "rule.name",
        "investigation_fields": {"field_names": list(SHOWN_FIELDS)},
        "threat": _threat(claims),
        "note": (
            "## Triage\n\nRead `event.reason`, then the person's page: "
            f"[{site.prefix}: User]({user_page}).\n\n"
            "Close the alert with a reason: the finding then counts as reviewed.\n\n"
            f"## Next steps by detector\n\n{runbook_text(runbooks)}"
        ),
        "references": [user_page],
        "false_positives": [],
        "author": [MODULE],
        "license": "Apache-2.0",
        "tags": [site.prefix, "Insider Threat"],
        "actions": [],
        "exceptions_list": [],
        "version": 1,
    }


def _threat(claims: Iterable[Claim]) -> list[dict[str, Any]]:
    """Techniques of ATT&CK by tactic, each sub-technique within its technique.

    Rules do not know ATLAS. The finding's ``threat.technique.id`` holds ATLAS ids; the alert copies
    them.
    """
    claimed = by_tactic(claims)
    return [
        {
            "framework": "MITRE ATT&CK",
            "tactic": {"id": key, "name": name, "reference": f"{ATTACK}/tactics/{key}/"},
            "technique": _techniques(claimed[name]),
        }
        for key, name in tactics()
        if key.startswith("TA") and name in claimed
    ]


def _techniques(claimed: set[str]) -> list[dict[str, Any]]:
    parents = {key.partition(".")[0] for key in claimed}
    listed: list[dict[str, Any]] = []
    for technique in attack():
        if technique.id not in claimed | parents:
            continue
        parent, _, part = technique.id.partition(".")
        entry = {"id": technique.id, "name": technique.name.rpartition(": ")[2]}
        if part:
            entry["reference"] = f"{ATTACK}/techniques/{parent}/{part}/"
            listed[-1].setdefault("subtechnique", []).append(entry)
        else:
            listed.append({**entry, "reference": f"{ATTACK}/techniques/{parent}/"})
    return listed
