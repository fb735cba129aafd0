"""Panels of a dashboard: their size, their content, and the objects to which they refer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.kibana import lens
from schemas.kibana.sessions import Session
from schemas.kibana.site import Site


@dataclass(frozen=True)
class Panel:
    """One panel. ``width`` is in columns (of 48), ``height`` in rows of about 20 pixels.

    ``config``: the panel's config, in Kibana's form. ``references``: name within the panel, type
    and id. ``saved``: name of the reference that the panel shows, if it shows another object.
    """

    name: str
    title: str
    width: int
    height: int
    type: str
    config: Mapping[str, Any]
    references: Sequence[Mapping[str, str]] = field(default=())
    saved: str | None = None


def chart(
    site: Site, name: str, title: str, size: tuple[int, int], drawn: lens.Chart, description: str
) -> Panel:
    """A Lens chart, kept in the dashboard itself."""
    config = {
        "attributes": lens.attributes(site, title, drawn),
        "description": description,
        "enhancements": {},
    }
    return Panel(name, title, *size, "lens", config, lens.references(site, drawn))


def session(site: Site, name: str, size: tuple[int, int], shown: Session) -> Panel:
    """A Discover session."""
    saved = f"panel_{name}"
    references = [{"name": saved, "type": "search", "id": shown.id(site)}]
    config = {"description": shown.description, "enhancements": {}}
    return Panel(name, shown.title, *size, "search", config, references, saved)


def vega(
    name: str, title: str, size: tuple[int, int], spec: Mapping[str, Any], description: str
) -> Panel:
    """A Vega picture."""
    text = json.dumps(spec, ensure_ascii=False, indent=1)
    config = _visualization(title, "vega", {"spec": text}) | {"description": description}
    return Panel(name, title, *size, "visualization", config)


def markdown(name: str, title: str, size: tuple[int, int], text: str) -> Panel:
    """A text."""
    params = {"markdown": text, "fontSize": 12, "openLinksInNewTab": False}
    return Panel(name, title, *size, "visualization", _visualization(title, "markdown", params))


def links(site: Site, targets: Mapping[str, str], here: str) -> Panel:
    """Links to all dashboards ``targets`` (name → title) except ``here``.

    A link keeps the time range. It drops filters, because no two dashboards share all their fields.
    """
    shown, references = [], []
    for order, (name, title) in enumerate(targets.items()):
        if name == here:
            continue
        reference = f"link_{name}_dashboard"
        shown.append(
            {
                "type": "dashboardLink",
                "id": f"link_{name}",
                "label": title,
                "order": order,
                "destinationRefName": reference,
                "options": {
                    "openInNewTab": False,
                    "useCurrentDateRange": True,
                    "useCurrentFilters": False,
                },
            }
        )
        references.append(
            {"name": reference, "type": "dashboard", "id": site.id(f"dashboard-{name}")}
        )
    config = {
        "attributes": {"layout": "horizontal", "links": shown},
        "hidePanelTitles": True,
        "enhancements": {},
    }
    return Panel("links", "", 48, 3, "links", config, references)


def _visualization(title: str, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "savedVis": {
            "id": "",
            "title": title,
            "description": "",
            "type": kind,
            "params": dict(params),
            "uiState": {},
            "data": {
                "aggs": [],
                "searchSource": {"query": {"language": "kuery", "query": ""}, "filter": []},
            },
        },
        "enhancements": {},
    }
