"""The dashboard Asset."""

from __future__ import annotations

from typing import Any

from schemas.kibana import panels, vega
from schemas.kibana.dashboards.frame import by_identity, dashboard
from schemas.kibana.data_views import (
    ASSET_DAYS_VIEW,
)
from schemas.kibana.lens import (
    Chart,
    Layer,
    beside,
    count,
    distinct,
    greatest,
    least,
    table,
    top,
    total,
)
from schemas.kibana.sessions import (
    FINDINGS_SESSION,
    FIRST_TOUCHES_SESSION,
    HISTORY_SESSION,
)
from schemas.kibana.site import Site


def asset_dashboard(site: Site) -> dict[str, Any]:
    """The dashboard: amounts by identity, identities new to an asset, findings that name it."""
    rows = [
        [
            panels.chart(site, "listed", "Assets", (24, 14), _listed(), "Click an id to see one."),
            panels.chart(
                site, "takers", "Who took how much", (24, 14), _takers(), "Sums of the time range."
            ),
        ],
        [
            panels.chart(
                site,
                "bytes",
                "Bytes by identity",
                (24, 11),
                by_identity("exfil.bytes"),
                "The eight largest.",
            ),
            panels.chart(
                site,
                "objects",
                "Objects by identity",
                (24, 11),
                by_identity("exfil.objects"),
                "The eight largest.",
            ),
        ],
        [
            panels.session(site, "first-touches", (24, 14), FIRST_TOUCHES_SESSION),
            panels.session(site, "history", (24, 14), HISTORY_SESSION),
        ],
        [
            panels.vega(
                "ego",
                "Who touches it",
                (48, 20),
                vega.ego_graph(site),
                "Its part of the graph of the latest day. Click a node to filter by it.",
            )
        ],
        [panels.session(site, "findings", (48, 14), FINDINGS_SESSION)],
    ]
    description = (
        "One checkpoint, dataset, repository or cluster: who took how much of it and when, who is "
        "new to it, and the findings that name it. Follow the link of an asset's id to get here."
    )
    return dashboard(site, "asset", description, rows, [])


def _takers() -> Chart:
    """Amounts by identity."""
    return table(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "user": top("user.id", "Identity", by="bytes", size=50),
                "name": beside("user.name", "Name"),
                "objects": total("exfil.objects", "Objects"),
                "bytes": total("exfil.bytes", "Bytes"),
                "events": total("exfil.events", "Events"),
                "new": least("@timestamp", "New on", "exfil.is_new: true"),
                "last": greatest("@timestamp", "Last"),
            },
        ),
        sort="bytes",
    )


def _listed() -> Chart:
    """Assets by bytes."""
    return table(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "asset": top("exfil.asset.id", "Asset", by="bytes", size=50),
                "team": beside("exfil.asset.owner_team", "Owner"),
                "sensitivity": greatest("exfil.asset.sensitivity", "Sensitivity"),
                "identities": distinct("user.id", "Identities"),
                "new": count("First touches", "exfil.is_new: true"),
                "bytes": total("exfil.bytes", "Bytes"),
            },
        ),
        sort="bytes",
    )
