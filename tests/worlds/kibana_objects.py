"""The Kibana objects that the tests read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobs.platform.kibana_server import build_objects
from schemas.kibana.site import Site

if TYPE_CHECKING:
    pass
SITE = Site("kibanatest")
Objects = list[dict[str, Any]]


def objects_of(site: Site = SITE) -> Objects:
    return [json.loads(line) for line in build_objects(site).splitlines()]


def panels_of(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(dashboard["attributes"]["panelsJSON"])
    return panels


def controls_of(dashboard: dict[str, Any]) -> dict[str, Any]:
    controls: dict[str, Any] = json.loads(
        dashboard["attributes"]["controlGroupInput"]["panelsJSON"]
    )
    return controls


def layers_of(panel: dict[str, Any]) -> dict[str, Any]:
    state = panel["embeddableConfig"]["attributes"]["state"]
    layers: dict[str, Any] = state["datasourceStates"]["formBased"]["layers"]
    return layers


def find(objects: Objects, kind: str, name: str, site: Site = SITE) -> dict[str, Any]:
    return next(each for each in objects if (each["type"], each["id"]) == (kind, site.id(name)))


def spec_of(panel: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(panel["embeddableConfig"]["savedVis"]["params"]["spec"])
    return spec


def is_vega(panel: dict[str, Any]) -> bool:
    return panel["embeddableConfig"].get("savedVis", {}).get("type") == "vega"
