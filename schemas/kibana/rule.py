"""A rule of Elastic Security that turns findings into alerts.

Alerts have a state, an assignee, notes and cases. An alert's id follows from the finding's
document. That document never changes, so no run of the rule makes a second alert of a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.elasticsearch.indices import FINDINGS, search_name
from schemas.finding import MODULE, SEVERITIES
from schemas.kibana.dashboards.triage import runbook_text
from schemas.kibana.site import Runbook, Site

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
Technique = tuple[str, str]
TACTICS: dict[tuple[str, str], tuple[Technique, ...]] = {
    ("TA0043", "Reconnaissance"): (("T1595", "Active Scanning"),),
    ("TA0042", "Resource Development"): (("T1583", "Acquire Infrastructure"),),
    ("TA0001", "Initial Access"): (
        ("T1078", "Valid Accounts"),
        ("T1078.004", "Cloud Accounts"),
        ("T1199", "Trusted Relationship"),
    ),
    ("TA0002", "Execution"): (("T1609", "Container Administration Command"),),
    ("TA0003", "Persistence"): (("T1098", "Account Manipulation"),),
    ("TA0005", "Defense Evasion"): (
        ("T1070", "Indicator Removal"),
        ("T1535", "Unused/Unsupported Cloud Regions"),
        ("T1550", "Use Alternate Authentication Material"),
        ("T1550.001", "Application Access Token"),
        ("T1562", "Impair Defenses"),
        ("T1562.008", "Disable or Modify Cloud Logs"),
    ),
    ("TA0006", "Credential Access"): (
        ("T1528", "Steal Application Access Token"),
        ("T1552", "Unsecured Credentials"),
    ),
    ("TA0007", "Discovery"): (
        ("T1580", "Cloud Infrastructure Discovery"),
        ("T1619", "Cloud Storage Object Discovery"),
    ),
    ("TA0009", "Collection"): (
        ("T1005", "Data from Local System"),
        ("T1119", "Automated Collection"),
        ("T1213", "Data from Information Repositories"),
        ("T1213.003", "Code Repositories"),
        ("T1530", "Data from Cloud Storage"),
    ),
    ("TA0010", "Exfiltration"): (
        ("T1020", "Automated Exfiltration"),
        ("T1029", "Scheduled Transfer"),
        ("T1030", "Data Transfer Size Limits"),
        ("T1048", "Exfiltration Over Alternative Protocol"),
        ("T1537", "Transfer Data to Cloud Account"),
        ("T1567", "Exfiltration Over Web Service"),
        ("T1567.001", "Exfiltration to Code Repository"),
    ),
}
"""ATT&CK techniques of all detectors by tactic, each sub-technique after its technique. Rules do
not know ATLAS. The finding's ``threat.technique.id`` holds ATLAS ids; the alert copies them."""


def detection_rule(site: Site, runbooks: Mapping[str, Runbook], kibana: str) -> dict[str, Any]:
    """The rule in the form of Security's import. ``kibana``: address of the space, for the link."""
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
        "threat": [_tactic(*tactic, techniques) for tactic, techniques in TACTICS.items()],
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


def _tactic(tactic: str, name: str, techniques: tuple[Technique, ...]) -> dict[str, Any]:
    listed: list[dict[str, Any]] = []
    for technique, title in techniques:
        parent, _, part = technique.partition(".")
        entry = {"id": technique, "name": title}
        if part:
            entry["reference"] = f"{ATTACK}/techniques/{parent}/{part}/"
            listed[-1].setdefault("subtechnique", []).append(entry)
        else:
            listed.append({**entry, "reference": f"{ATTACK}/techniques/{technique}/"})
    return {
        "framework": "MITRE ATT&CK",
        "tactic": {"id": tactic, "name": name, "reference": f"{ATTACK}/tactics/{tactic}/"},
        "technique": listed,
    }
