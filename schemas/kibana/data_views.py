"""Data views: the indices as Kibana sees them, how values are shown, and which are links.

Links are field formatters and not drilldowns: those to a URL need a licence, formatters do not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from schemas.elasticsearch.indices import (
    ASSET_DAYS,
    ENTITIES,
    ENTITY_DAYS,
    FINDINGS,
    GRAPH,
    HEALTH,
    QUEUE,
    VERDICTS_INDEX,
    Index,
    search_name,
)
from schemas.kibana.site import Site


@dataclass(frozen=True)
class DataView:
    """An index with a title for people; ``time_field`` None: the time picker has no say.

    That is so for what holds only the latest state: a person nobody saw this week still stands.
    """

    index: Index
    title: str
    time_field: str | None = "@timestamp"

    def id(self, site: Site) -> str:
        """Id of the data view."""
        return site.id(self.index.name)

    def kind(self, field: str) -> str:
        """Type of a field as ``schemas.finding`` names it; KeyError where the index has none."""
        types = {each.path: each.type for each in self.index.fields}
        path = field.removesuffix(".keyword")
        if path != field and types[path] != "text":
            raise KeyError(field)
        return "keyword" if path != field else types[field]


QUEUE_VIEW = DataView(QUEUE, "findings in review")
FINDINGS_VIEW = DataView(FINDINGS, "findings as published")
ENTITIES_VIEW = DataView(ENTITIES, "people and services", None)
ENTITY_DAYS_VIEW = DataView(ENTITY_DAYS, "people and services by day")
ASSET_DAYS_VIEW = DataView(ASSET_DAYS, "assets by person and day")
GRAPH_VIEW = DataView(GRAPH, "graph", None)
HEALTH_VIEW = DataView(HEALTH, "health of detectors and pipeline")
VERDICTS_VIEW = DataView(VERDICTS_INDEX, "verdicts")
VIEWS = (
    QUEUE_VIEW,
    FINDINGS_VIEW,
    ENTITIES_VIEW,
    ENTITY_DAYS_VIEW,
    ASSET_DAYS_VIEW,
    GRAPH_VIEW,
    HEALTH_VIEW,
    VERDICTS_VIEW,
)

SAME_USER = ("user.id",)
"""A person's id, of elements of the graph too: those of the picture of him."""
SAME_ASSET = ("exfil.asset.id", "exfil.asset_ids", "exfil.assets.id")
"""An asset's id: of documents about it, of findings in review, of findings as published."""
USER_LINKS = (*SAME_USER, "exfil.ego", "related.user", "exfil.peers", "exfil.edge.user")
ASSET_LINKS = (*SAME_ASSET, "exfil.new_assets", "exfil.edge.asset")
FINDING_LINKS = ("event.id", "exfil.last_finding", "exfil.supersedes")
SCORES = (
    "event.risk_score",
    "user.risk.calculated_score_norm",
    "exfil.gain",
    "exfil.peak",
    "exfil.node.risk",
    "exfil.contributions.points",
)
BYTES = (
    "exfil.bytes",
    "exfil.assets.bytes",
    "exfil.assets.bytes_estimated",
    "exfil.peer_bytes_median",
    "exfil.peer_bytes_p90",
)


def data_views(site: Site) -> list[dict[str, Any]]:
    """One data view for each index."""
    return [_data_view(site, view) for view in VIEWS]


def same(fields: tuple[str, ...], value: str) -> str:
    """KQL: one of the fields holds the value; an index that lacks a field does not mind."""
    return " or ".join(f'{field}:"{value}"' for field in fields)


def _data_view(site: Site, view: DataView) -> dict[str, Any]:
    formats = {
        field.path: shown
        for field in view.index.fields
        if (shown := _format(site, field.path)) is not None
    }
    attributes = {
        "title": search_name(view.index, site.prefix),
        "name": f"{site.prefix}: {view.title}",
        "fieldFormatMap": json.dumps(formats, sort_keys=True),
    }
    if view.time_field is not None:
        attributes["timeFieldName"] = view.time_field
    return {
        "type": "index-pattern",
        "id": view.id(site),
        "attributes": attributes,
        "references": [],
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "8.0.0",
    }


def _format(site: Site, field: str) -> dict[str, Any] | None:
    if field in USER_LINKS:
        return _dashboard_link(site, "user", same(SAME_USER, "{{value}}"))
    if field == "user.name":
        return _dashboard_link(site, "user", same(("user.name",), "{{value}}"))
    if field in ASSET_LINKS:
        return _dashboard_link(site, "asset", same(SAME_ASSET, "{{value}}"))
    if field in FINDING_LINKS:
        query = same(("event.id",), "{{value}}")
        return _link(f"discover#/view/{site.id('session-findings')}", query)
    if field in SCORES:
        return {"id": "number", "params": {"pattern": "0.0"}}
    if field in BYTES:
        return {"id": "bytes", "params": {"pattern": "0.0b"}}
    if field == "exfil.assets.coverage":
        return {"id": "percent", "params": {"pattern": "0%"}}
    return None


def _dashboard_link(site: Site, name: str, query: str) -> dict[str, Any]:
    return _link(f"dashboards#/view/{site.id(f'dashboard-{name}')}", query)


def _link(place: str, query: str) -> dict[str, Any]:
    """A formatter that opens a page of Kibana with a query.

    ``../app`` is the one form that Kibana completes rightly under a base path and in a space, too.
    Kibana percent-encodes the value but for ``'`` and ``!``: an id that holds one gives a link
    that does not find it.
    """
    encoded = query.replace(" ", "%20").replace('"', "%22")
    state = f"_g=(time:(from:now-90d,to:now))&_a=(query:(language:kuery,query:'{encoded}'))"
    return {
        "id": "url",
        "params": {
            "type": "a",
            "urlTemplate": f"../app/{place}?{state}",
            "labelTemplate": "{{value}}",
            "openLinkInCurrentTab": True,
        },
    }
