"""The dashboard Triage queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.kibana import panels
from schemas.kibana.dashboards.frame import Control, dashboard, figure_panel
from schemas.kibana.data_views import (
    ENTITIES_VIEW,
    QUEUE_VIEW,
)
from schemas.kibana.lens import (
    STATUS_COLOURS,
    Layer,
    beside,
    by_day,
    count,
    distinct,
    greatest,
    table,
    timeline,
    top,
)
from schemas.kibana.sessions import (
    QUEUE_SESSION,
)
from schemas.kibana.site import Runbook, Site

VERDICT_HELP = """\
A verdict is given in the shell, with the finding's `event.id`:

    exfilwatch verdict EVENT_ID --as confirmed --by YOU --reason "..."

`--as` takes `confirmed`, `benign` or `duplicate`. The row leaves this queue, the finding as
published stays as it is. Where the detection rule is installed, closing the alert in Elastic
Security does the same.
"""


def runbook_text(runbooks: Mapping[str, Runbook]) -> str:
    """The next steps of every detector, as Markdown."""
    parts = []
    for name, runbook in runbooks.items():
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(runbook.steps, start=1))
        parts.append(f"**{runbook.title}** (`{name}`)\n\n{steps}\n")
    return "\n".join(parts)


def triage(site: Site) -> dict[str, Any]:
    in_budget = "exfil.in_budget: true"
    figures = [
        figure_panel(
            site, "waiting", "Findings", QUEUE_VIEW, count("in the day's budget", in_budget)
        ),
        figure_panel(
            site,
            "severe",
            "High and critical",
            QUEUE_VIEW,
            count("severity 3 and 4", f"{in_budget} and event.severity >= 3"),
            STATUS_COLOURS["high"],
        ),
        figure_panel(
            site,
            "identities",
            "Identities",
            QUEUE_VIEW,
            distinct("user.id", "different", in_budget),
        ),
        figure_panel(
            site,
            "again",
            "To review again",
            QUEUE_VIEW,
            count("their evidence changed", "exfil.supersedes: *"),
        ),
    ]
    gains = table(
        Layer(
            ENTITIES_VIEW,
            {
                "user": top("user.id", "Identity", by="gain", size=20),
                "name": beside("user.name", "Name"),
                "team": beside("exfil.team", "Team"),
                "gain": greatest("exfil.gain", "Gain in 7 days"),
                "score": greatest("user.risk.calculated_score_norm", "Risk"),
                "peak": greatest("exfil.peak", "Peak in 30 days"),
                "open": greatest("exfil.open_findings", "Open findings"),
            },
            follows_dashboard=False,
        ),
        sort="gain",
        risks=("score", "peak"),
    )
    by_detector = table(
        Layer(
            QUEUE_VIEW,
            {
                "detector": top("exfil.detectors", "Detector", by="findings", size=20),
                "findings": count("Findings"),
                "worst": greatest("event.risk_score", "Highest score"),
                "identities": distinct("user.id", "Identities"),
            },
        ),
        sort="findings",
        risks=("worst",),
        query=in_budget,
    )
    days = timeline(
        Layer(
            QUEUE_VIEW,
            {
                "day": by_day(),
                "status": top("exfil.status", "Status", by="findings", size=5),
                "findings": count("Findings"),
            },
        ),
        query=in_budget,
    )
    assets = table(
        Layer(
            QUEUE_VIEW,
            {
                "asset": top("exfil.asset_ids", "Asset", by="findings", size=20),
                "findings": count("Findings"),
                "identities": distinct("user.id", "Identities"),
                "worst": greatest("event.risk_score", "Highest score"),
            },
        ),
        sort="worst",
        risks=("worst",),
        query=in_budget,
    )
    rows = [
        figures,
        [panels.session(site, "queue", (48, 20), QUEUE_SESSION)],
        [
            panels.chart(
                site,
                "gains",
                "Identities by gain",
                (28, 15),
                gains,
                "Risk today minus risk seven days ago. The controls above do not apply here.",
            ),
            panels.chart(
                site, "detectors", "By detector", (20, 15), by_detector, "Findings by detector."
            ),
        ],
        [
            panels.chart(site, "days", "By day and status", (20, 12), days, "Set Status to any."),
            panels.chart(
                site, "assets", "Assets concerned", (16, 12), assets, "Of these findings."
            ),
            panels.markdown("verdict", "To give a verdict", (12, 12), VERDICT_HELP),
        ],
    ]
    controls = [
        Control("status", "Status", QUEUE_VIEW, "exfil.status", ("open",)),
        Control("detector", "Detector", QUEUE_VIEW, "exfil.detectors"),
        Control("severity", "Severity (4 is critical)", QUEUE_VIEW, "event.severity"),
        Control("window", "Window", QUEUE_VIEW, "exfil.window"),
    ]
    description = "Next in review: open findings by score, people by gain of risk."
    return dashboard(site, "triage", description, rows, controls)
