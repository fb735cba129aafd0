"""The dashboards, in the order of Kibana's list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.kibana.dashboards.asset import asset
from schemas.kibana.dashboards.graph import graph
from schemas.kibana.dashboards.health import health
from schemas.kibana.dashboards.triage import triage
from schemas.kibana.dashboards.user import user
from schemas.kibana.site import Runbook, Site


def dashboards(site: Site, runbooks: Mapping[str, Runbook]) -> list[dict[str, Any]]:
    """All five dashboards as saved objects."""
    return [
        triage(site),
        user(site, runbooks),
        asset(site),
        graph(site),
        health(site),
    ]
