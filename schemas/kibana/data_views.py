"""Data views: the indices for Kibana, the format of values, and the values that are links.

Links are field formatters rather than drilldowns, because URL drilldowns need a licence.
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
    """An index with a title for people.

    ``time_field`` None: the view ignores the time picker, because the index holds only the latest
    state of each entity.
    """

    index: Index
    title: str
    time_field: str | None = "@timestamp"

    def id(self, site: Site) -> str:
        """Id of the data view."""
        return site.id(self.index.name)

    def kind(self, field: str) -> str:
        """Type of a field, as in ``schemas.finding``; KeyError if the index has no such field."""
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
"""A person's id, also in elements of the graph around that person."""
SAME_ASSET = ("exfil.asset.id", "exfil.asset_ids", "exfil.assets.id")
"""An asset's id in documents about it, in findings in review, and in published findings."""
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
    """KQL: one of the fields holds the value. An index may lack some of the fields."""
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

    Kibana completes only the form ``../app`` correctly under a base path and in a space. It
    percent-encodes the value except for ``'`` and ``!``; the link of an id that holds one of them
    finds nothing.
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
