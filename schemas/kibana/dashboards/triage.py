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
    Chart,
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
from schemas.kibana.panels import Panel
from schemas.kibana.sessions import (
    QUEUE_SESSION,
)
from schemas.kibana.site import Runbook, Site

IN_BUDGET = "exfil.in_budget: true"
VERDICT_HELP = """\
Give a verdict in the shell, with the finding's `event.id`:

    exfilwatch verdict EVENT_ID --as confirmed --by YOU --reason "..."

`--as` takes `confirmed`, `benign` or `duplicate`. The row leaves this queue; the published
finding does not change. If the detection rule is installed, closing the alert in Elastic
Security does the same.
"""


def runbook_text(runbooks: Mapping[str, Runbook]) -> str:
    """The next steps of every detector, as Markdown."""
    parts = []
    for name, runbook in runbooks.items():
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(runbook.steps, start=1))
        parts.append(f"**{runbook.title}** (`{name}`)\n\n{steps}\n")
    return "\n".join(parts)


def triage_dashboard(site: Site) -> dict[str, Any]:
    """The dashboard: open findings, identities by gain of risk, how to give a verdict."""
    rows = [
        _figures(site),
        [panels.session(site, "queue", (48, 20), QUEUE_SESSION)],
        [
            panels.chart(
                site,
                "gains",
                "Identities by gain",
                (28, 15),
                _gains(),
                "Risk today minus risk seven days ago. The controls above do not apply here.",
            ),
            panels.chart(
                site,
                "detectors",
                "By detector",
                (20, 15),
                _by_detector(),
                "Findings by detector.",
            ),
        ],
        [
            panels.chart(
                site, "days", "By day and status", (20, 12), _days(), "Set Status to any."
            ),
            panels.chart(
                site, "assets", "Assets concerned", (16, 12), _assets(), "Of these findings."
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


def _figures(site: Site) -> list[Panel]:
    """The row of figures at the top."""
    return [
        figure_panel(
            site, "waiting", "Findings", QUEUE_VIEW, count("in the day's budget", IN_BUDGET)
        ),
        figure_panel(
            site,
            "severe",
            "High and critical",
            QUEUE_VIEW,
            count("severity 3 and 4", f"{IN_BUDGET} and event.severity >= 3"),
            STATUS_COLOURS["high"],
        ),
        figure_panel(
            site,
            "identities",
            "Identities",
            QUEUE_VIEW,
            distinct("user.id", "different", IN_BUDGET),
        ),
        figure_panel(
            site,
            "again",
            "To review again",
            QUEUE_VIEW,
            count("their evidence changed", "exfil.supersedes: *"),
        ),
    ]


def _gains() -> Chart:
    """Identities whose risk rose most."""
    return table(
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


def _by_detector() -> Chart:
    """In-budget findings by detector."""
    return table(
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
        query=IN_BUDGET,
    )


def _days() -> Chart:
    """In-budget findings by day and status."""
    return timeline(
        Layer(
            QUEUE_VIEW,
            {
                "day": by_day(),
                "status": top("exfil.status", "Status", by="findings", size=5),
                "findings": count("Findings"),
            },
        ),
        query=IN_BUDGET,
    )


def _assets() -> Chart:
    """In-budget findings by asset."""
    return table(
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
        query=IN_BUDGET,
    )
