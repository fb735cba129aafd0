"""Panels of the dashboards, and the filters of their searches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from schemas.kibana.data_views import VIEWS, DataView
from tests.worlds.kibana_documents import FIRST_TIME, LAST_TIME
from tests.worlds.kibana_objects import SITE, controls_of, find, is_vega, objects_of, panels_of
from tests.worlds.kibana_search import kql

if TYPE_CHECKING:
    pass


OBJECTS = objects_of()
VIEW_OF = {view.id(SITE): view for view in VIEWS}
PANELS = [
    (dashboard["id"].removeprefix(SITE.id("dashboard-")), panel["panelIndex"])
    for dashboard in OBJECTS
    if dashboard["type"] == "dashboard"
    for panel in panels_of(dashboard)
    if panel["type"] in ("lens", "search")
]
PICTURES = [
    (dashboard["id"].removeprefix(SITE.id("dashboard-")), panel["panelIndex"])
    for dashboard in OBJECTS
    if dashboard["type"] == "dashboard"
    for panel in panels_of(dashboard)
    if is_vega(panel)
]
ARRIVALS = {"user": ("user.id", "u0017"), "asset": ("exfil.asset.id", "ckpt-orion-90000")}
"""The link that leads to a dashboard, and a value of its field."""


def panel_of(dashboard: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = find(OBJECTS, "dashboard", f"dashboard-{dashboard}")
    return found, next(panel for panel in panels_of(found) if panel["panelIndex"] == name)


def link_query(field: str, value: str) -> dict[str, Any]:
    """The query with which a link on a field's value opens its page."""
    for each in OBJECTS:
        if each["type"] == "index-pattern":
            shown = json.loads(each["attributes"]["fieldFormatMap"]).get(field)
            if shown:
                text = shown["params"]["urlTemplate"].rpartition("query:'")[2].removesuffix("'))")
                return kql(unquote(text).replace("{{value}}", value))
    raise AssertionError(f"no link on {field}")


def context(dashboard: dict[str, Any], arrives: tuple[str, str] | None) -> list[dict[str, Any]]:
    """The filters of a dashboard when it opens: values of its controls and the link's query."""
    filters = [
        {
            "terms": {
                control["explicitInput"]["fieldName"]: control["explicitInput"]["selectedOptions"]
            }
        }
        for control in controls_of(dashboard).values()
        if control["explicitInput"]["selectedOptions"]
    ]
    return filters + ([] if arrives is None else [link_query(*arrives)])


def in_time(view: DataView) -> list[dict[str, Any]]:
    if view.time_field is None:
        return []
    return [{"range": {view.time_field: {"gte": FIRST_TIME, "lte": LAST_TIME}}}]
