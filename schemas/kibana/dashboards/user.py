"""The dashboard User."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.kibana import panels, vega, vega_coverage
from schemas.kibana.dashboards.frame import Control, dashboard, peers
from schemas.kibana.dashboards.triage import runbook_text
from schemas.kibana.data_views import (
    ASSET_DAYS_VIEW,
    ENTITIES_VIEW,
    ENTITY_DAYS_VIEW,
)
from schemas.kibana.lens import (
    STATUS_COLOURS,
    Chart,
    Layer,
    by_day,
    greatest,
    least,
    table,
    timeline,
    top,
    total,
)
from schemas.kibana.sessions import (
    FINDINGS_SESSION,
    HISTORY_SESSION,
    PEOPLE_SESSION,
)
from schemas.kibana.site import Runbook, Site


def user_dashboard(site: Site, runbooks: Mapping[str, Runbook]) -> dict[str, Any]:
    """The dashboard: trend, peers, assets, graph, verdicts and next steps of one identity."""
    alone = "Own figures beside the median and the 90th percentile of the learned peers."
    rows = [
        [panels.session(site, "person", (48, 7), PEOPLE_SESSION)],
        [
            panels.chart(site, "risk", "Risk and findings", (24, 10), _risk(), "Risk is 0 to 100."),
            panels.chart(
                site, "new", "Assets, and what is new", (24, 10), _new(), "Distinct, a day."
            ),
        ],
        [
            panels.chart(site, "bytes", "Bytes and peers", (24, 10), peers("bytes"), alone),
            panels.chart(site, "objects", "Objects and peers", (24, 10), peers("objects"), alone),
        ],
        [
            panels.vega(
                "ego",
                "Who touches what",
                (28, 20),
                vega.ego_graph(site),
                "The person's part of the graph of the latest day. Click a node to filter by it.",
            ),
            panels.vega(
                "coverage",
                "How much of each asset, by findings",
                (20, 20),
                vega_coverage.coverage(site),
                "The largest share of its objects that a finding names.",
            ),
        ],
        [
            panels.chart(
                site, "touched", "Assets touched", (28, 14), _touched(), "Sums of the time range."
            ),
            panels.markdown("runbook", "Next steps by detector", (20, 14), runbook_text(runbooks)),
        ],
        [panels.session(site, "history", (48, 12), HISTORY_SESSION)],
        [panels.session(site, "findings", (48, 14), FINDINGS_SESSION)],
    ]
    controls = [Control("user", "Identity", ENTITIES_VIEW, "user.id", single=True)]
    description = (
        "One person or service: trend, peers, new assets, graph, verdicts, next steps. "
        "Follow the link of a user.id to get here, or choose an identity."
    )
    return dashboard(site, "user", description, rows, controls)


def _risk() -> Chart:
    """Risk and findings by day."""
    return timeline(
        Layer(ENTITY_DAYS_VIEW, {"day": by_day(), "findings": total("exfil.findings", "Findings")}),
        Layer(
            ENTITY_DAYS_VIEW,
            {"day": by_day(), "risk": greatest("user.risk.calculated_score_norm", "Risk")},
        ),
        {"findings": STATUS_COLOURS["bars"], "risk": STATUS_COLOURS["high"]},
    )


def _new() -> Chart:
    """Assets touched, and those touched for the first time, by day."""
    return timeline(
        Layer(
            ENTITY_DAYS_VIEW,
            {
                "day": by_day(),
                "assets": greatest("exfil.assets", "Assets touched"),
            },
        ),
        Layer(
            ENTITY_DAYS_VIEW,
            {"day": by_day(), "new": greatest("exfil.new_assets", "of these new")},
        ),
        {"assets": STATUS_COLOURS["bars"], "new": STATUS_COLOURS["high"]},
    )


def _touched() -> Chart:
    """Amounts by asset."""
    return table(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "asset": top("exfil.asset.id", "Asset", by="bytes", size=50),
                "sensitivity": greatest("exfil.asset.sensitivity", "Sensitivity"),
                "objects": total("exfil.objects", "Objects"),
                "bytes": total("exfil.bytes", "Bytes"),
                "events": total("exfil.events", "Events"),
                "new": least("@timestamp", "New on", "exfil.is_new: true"),
                "last": greatest("@timestamp", "Last"),
            },
        ),
        sort="bytes",
    )
