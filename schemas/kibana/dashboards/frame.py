"""Parts that all dashboards share: the grid, the controls, and common panels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.kibana import panels
from schemas.kibana.data_views import (
    ASSET_DAYS_VIEW,
    ENTITY_DAYS_VIEW,
    HEALTH_VIEW,
    DataView,
)
from schemas.kibana.lens import (
    STATUS_COLOURS,
    Layer,
    by_day,
    figure,
    greatest,
    timeline,
    top,
    total,
)
from schemas.kibana.panels import Panel
from schemas.kibana.site import Site

COLUMNS = 48
TITLES = {
    "triage": "Triage queue",
    "user": "User",
    "asset": "Asset",
    "graph": "Graph",
    "health": "Detector and pipeline health",
}
"""The dashboards by name, in the order of the links between them."""


@dataclass(frozen=True)
class Control:
    """A list of a field's values to choose from; ``chosen`` are the first choices."""

    name: str
    title: str
    view: DataView
    field: str
    chosen: tuple[str, ...] = ()
    single: bool = False


def failed(severity: str) -> str:
    """KQL: expectations of a severity that were not met."""
    return (
        'exfil.health.kind: "expectation" and exfil.health.success: false '
        f'and exfil.health.severity: "{severity}"'
    )


def peers(measure: str) -> Any:
    """A measure by day, beside the median and 90th percentile of the peers."""
    return timeline(
        Layer(
            ENTITY_DAYS_VIEW,
            {"day": by_day(), "own": greatest(f"exfil.{measure}", f"Own {measure}")},
        ),
        Layer(
            ENTITY_DAYS_VIEW,
            {
                "day": by_day(),
                "median": greatest(f"exfil.peer_{measure}_median", "Peers' median"),
                "p90": greatest(f"exfil.peer_{measure}_p90", "Peers' 90th percentile"),
            },
        ),
        {
            "own": STATUS_COLOURS["bars"],
            "median": STATUS_COLOURS["middle"],
            "p90": STATUS_COLOURS["high"],
        },
    )


def by_identity(field: str) -> Any:
    """A sum by day and identity, the eight largest identities."""
    return timeline(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "day": by_day(),
                "user": top("user.id", "Identity", by="amount", size=8),
                "amount": total(field, "Amount"),
            },
        )
    )


def health_days(kind: str, figures: str) -> Any:
    """A sum of health figures by day and source or detector (``kind``), the fifteen largest."""
    return timeline(
        Layer(
            HEALTH_VIEW,
            {
                "day": by_day(),
                kind: top(f"exfil.health.{kind}", kind.title(), by="amount", size=15),
                "amount": total(f"exfil.health.{figures}", figures.title()),
            },
        )
    )


def figure_panel(
    site: Site,
    name: str,
    title: str,
    view: DataView,
    column: dict[str, Any],
    colour: str = STATUS_COLOURS["middle"],
) -> Panel:
    """A panel of one number."""
    return panels.chart(
        site, name, title, (12, 5), figure(Layer(view, {"figure": column}), colour), ""
    )


def dashboard(
    site: Site,
    name: str,
    description: str,
    rows: Sequence[Sequence[Panel]],
    controls: Sequence[Control],
) -> dict[str, Any]:
    """A dashboard: links to the other dashboards, and below them rows of panels side by side."""
    placed: list[dict[str, Any]] = []
    references = [{"name": f"tag-ref-{site.id('tag')}", "type": "tag", "id": site.id("tag")}]
    y = 0
    for row in [[panels.links(site, TITLES, name)], *rows]:
        x = 0
        for panel in row:
            placed.append(_placed(panel, x, y))
            x += panel.width
            references += [
                {**reference, "name": f"{panel.name}:{reference['name']}"}
                for reference in panel.references
            ]
        y += max(panel.height for panel in row)
    references += [
        {
            "name": f"controlGroup_{control.name}:optionsListDataView",
            "type": "index-pattern",
            "id": control.view.id(site),
        }
        for control in controls
    ]
    options = {
        "useMargins": True,
        "syncColors": True,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    source = {"query": {"language": "kuery", "query": ""}, "filter": []}
    return {
        "type": "dashboard",
        "id": site.id(f"dashboard-{name}"),
        "attributes": {
            "title": f"{site.prefix}: {TITLES[name]}",
            "description": description,
            "panelsJSON": _text(placed),
            "optionsJSON": _text(options),
            "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
            "controlGroupInput": _controls(controls),
            "timeRestore": True,
            "timeFrom": "now-30d/d",
            "timeTo": "now",
            "refreshInterval": {"pause": True, "value": 60000},
            "version": 1,
        },
        "references": references,
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "10.2.0",
    }


def _placed(panel: Panel, x: int, y: int) -> dict[str, Any]:
    placed = {
        "type": panel.type,
        "title": panel.title,
        "panelIndex": panel.name,
        "gridData": {"x": x, "y": y, "w": panel.width, "h": panel.height, "i": panel.name},
        "embeddableConfig": dict(panel.config),
    }
    return placed | ({} if panel.saved is None else {"panelRefName": panel.saved})


def _controls(controls: Sequence[Control]) -> dict[str, Any]:
    shown = {
        control.name: {
            "type": "optionsListControl",
            "order": order,
            "width": "medium",
            "grow": False,
            "explicitInput": {
                "id": control.name,
                "title": control.title,
                "fieldName": control.field,
                "selectedOptions": list(control.chosen),
                "singleSelect": control.single,
                "searchTechnique": "prefix",
                "sort": {"by": "_count", "direction": "desc"},
                "enhancements": {},
            },
        }
        for order, control in enumerate(controls)
    }
    ignored = ("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations")
    return {
        "controlStyle": "oneLine",
        "chainingSystem": "HIERARCHICAL",
        "showApplySelections": False,
        "ignoreParentSettingsJSON": _text(dict.fromkeys(ignored, False)),
        "panelsJSON": _text(shown),
    }


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
