"""The dashboards, in the order of Kibana's list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.kibana.dashboards.asset import asset_dashboard
from schemas.kibana.dashboards.graph import graph_dashboard
from schemas.kibana.dashboards.health import health_dashboard
from schemas.kibana.dashboards.triage import triage_dashboard
from schemas.kibana.dashboards.user import user_dashboard
from schemas.kibana.site import Runbook, Site


def dashboards(site: Site, runbooks: Mapping[str, Runbook]) -> list[dict[str, Any]]:
    """All five dashboards as saved objects."""
    return [
        triage_dashboard(site),
        user_dashboard(site, runbooks),
        asset_dashboard(site),
        graph_dashboard(site),
        health_dashboard(site),
    ]
