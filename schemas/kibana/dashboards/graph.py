"""The dashboard Graph."""

from __future__ import annotations

from typing import Any

from schemas.kibana import panels, vega
from schemas.kibana.dashboards.frame import Control, dashboard
from schemas.kibana.data_views import (
    GRAPH_VIEW,
)
from schemas.kibana.lens import (
    Layer,
    beside,
    greatest,
    table,
    top,
)
from schemas.kibana.site import Site


def graph_dashboard(site: Site) -> dict[str, Any]:
    """The dashboard: the strongest ties of the latest graph, and the graph around a choice."""
    ties = table(
        Layer(
            GRAPH_VIEW,
            {
                "user": top("exfil.edge.user", "Identity", by="weight", size=20),
                "asset": top("exfil.edge.asset", "Asset", by="weight", size=5),
                "weight": greatest("exfil.edge.weight", "Weight"),
            },
        ),
        sort="weight",
        query="exfil.edge.is_new: true",
    )
    risky = table(
        Layer(
            GRAPH_VIEW,
            {
                "user": top("exfil.node.id", "Identity", by="risk", size=20),
                "name": beside("exfil.node.name", "Name"),
                "community": greatest("exfil.node.community", "Community"),
                "risk": greatest("exfil.node.risk", "Risk"),
            },
        ),
        sort="risk",
        risks=("risk",),
        query='exfil.node.type: "user"',
    )
    rows = [
        [
            panels.vega(
                "graph",
                "Who touches what",
                (48, 32),
                vega.ego_graph(site),
                "The latest day. Choose identities above for their pictures, or click a node.",
            )
        ],
        [
            panels.chart(
                site, "ties", "New ties", (24, 14), ties, "Not there in the window before."
            ),
            panels.chart(
                site, "risky", "Riskiest in the picture", (24, 14), risky, "Risk is 0 to 100."
            ),
        ],
    ]
    controls = [Control("user", "In the picture of", GRAPH_VIEW, "user.id")]
    description = "Identities and assets, and the ties between them, on the latest day."
    return dashboard(site, "graph", description, rows, controls)
