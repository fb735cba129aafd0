"""Lens charts: the columns of each layer, and the way to draw them.

A layer is a table that one search makes. Its columns are buckets first, then metrics, each under
the name that the chart uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.kibana.data_views import DataView
from schemas.kibana.site import Site

Column = dict[str, Any]
"""A column in the form of Lens, without its data type."""

DATA_TYPES = {
    "keyword": "string",
    "date": "date",
    "float": "number",
    "integer": "number",
    "boolean": "boolean",
}
"""Type of a field → type in Lens. A text is grouped by its ``.keyword``."""
RISK_COLOURS = ((0, "#8b95a3"), (20, "#c2a43a"), (40, "#dd8a33"), (70, "#c2500e"), (90, "#b3202c"))
"""Least score and colour of the levels Unknown, Low, Moderate, High and Critical."""
STATUS_COLOURS = {"bars": "#7d9bc4", "middle": "#6f7b8b", "high": "#c2500e"}


@dataclass(frozen=True)
class Layer:
    """Columns over a data view.

    ``follows_dashboard`` False: the layer ignores filters, controls and the query bar of the
    dashboard, but not the time picker. Use it for a layer that lacks the field of a control and
    would otherwise show nothing. Kibana then drops the chart's own query as well, so the chart must
    have none.
    """

    view: DataView
    columns: Mapping[str, Column]
    follows_dashboard: bool = True


@dataclass(frozen=True)
class Chart:
    """A chart: its layers by id, the state that its visualization stores, and its own KQL."""

    visualization: str
    layers: Mapping[str, Layer]
    state: Mapping[str, Any]
    query: str = ""


def top(field: str, label: str, by: str, size: int = 10) -> Column:
    """One row for each value of a field, sorted downwards by the column ``by``."""
    return _bucket(
        "terms",
        field,
        label,
        "ordinal",
        {
            "size": size,
            "orderBy": {"type": "column", "columnId": by},
            "orderDirection": "desc",
            "otherBucket": False,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
        },
    )


def beside(field: str, label: str) -> Column:
    """A property of the row: the only value of a field, or "(missing value)"."""
    params = {
        "size": 3,
        "orderBy": {"type": "alphabetical", "fallback": True},
        "orderDirection": "asc",
        "otherBucket": False,
        "missingBucket": True,
        "parentFormat": {"id": "terms"},
    }
    return _bucket("terms", field, label, "ordinal", params)


def by_day(field: str = "@timestamp") -> Column:
    """One bucket for each day."""
    params = {"interval": "1d", "includeEmptyRows": True, "dropPartials": False}
    return _bucket("date_histogram", field, "Day", "interval", params)


def count(label: str, where: str = "") -> Column:
    """Number of documents that fit the KQL ``where``."""
    return _metric("count", "___records___", label, where, {"emptyAsNull": False})


def distinct(field: str, label: str, where: str = "") -> Column:
    """Number of different values."""
    return _metric("unique_count", field, label, where, {"emptyAsNull": False})


def greatest(field: str, label: str, where: str = "") -> Column:
    """The greatest value; of dates the latest."""
    return _metric("max", field, label, where, {})


def least(field: str, label: str, where: str = "") -> Column:
    """The least value; of dates the first."""
    return _metric("min", field, label, where, {})


def total(field: str, label: str, where: str = "") -> Column:
    """The sum."""
    return _metric("sum", field, label, where, {"emptyAsNull": True})


def figure(layer: Layer, colour: str = STATUS_COLOURS["middle"], query: str = "") -> Chart:
    """One figure: the layer's only column."""
    (name,) = layer.columns
    state = {"layerId": "figure", "layerType": "data", "metricAccessor": name, "color": colour}
    return Chart("lnsMetric", {"figure": layer}, state, query)


def table(layer: Layer, sort: str, risks: tuple[str, ...] = (), query: str = "") -> Chart:
    """A table of all columns, sorted downwards by ``sort``; levels colour the columns ``risks``."""
    columns: list[dict[str, Any]] = []
    for name in layer.columns:
        column: dict[str, Any] = {"columnId": name, "isTransposed": False}
        if name in risks:
            column |= {"colorMode": "text", "palette": _risk_palette()}
        columns.append(column)
    state = {
        "layerId": "rows",
        "layerType": "data",
        "columns": columns,
        "sorting": {"columnId": sort, "direction": "desc"},
        "paging": {"size": 20, "enabled": True},
    }
    return Chart("lnsDatatable", {"rows": layer}, state, query)


def timeline(
    bars: Layer,
    lines: Layer | None = None,
    colours: Mapping[str, str] | None = None,
    query: str = "",
) -> Chart:
    """Stacked bars over time, and lines over them.

    The first column of a layer is the time. A second bucket, if any, splits the bars. ``colours``:
    name of a metric column → its colour.
    """
    layers = {"bars": bars} | ({} if lines is None else {"lines": lines})
    drawn = []
    for name, layer in layers.items():
        buckets = [key for key, column in layer.columns.items() if column["isBucketed"]]
        metrics = [key for key in layer.columns if key not in buckets]
        drawn.append(
            {
                "layerId": name,
                "layerType": "data",
                "seriesType": "bar_stacked" if name == "bars" else "line",
                "xAccessor": buckets[0],
                "accessors": metrics,
                "yConfig": [
                    {"forAccessor": key, "color": colour}
                    for key, colour in (colours or {}).items()
                    if key in metrics
                ],
            }
            | ({"splitAccessor": buckets[1]} if len(buckets) > 1 else {})
        )
    shown = {"x": False, "yLeft": False, "yRight": False}
    state = {
        "layers": drawn,
        "preferredSeriesType": "bar_stacked",
        "legend": {"isVisible": True, "position": "bottom", "showSingleSeries": True},
        "valueLabels": "hide",
        "fittingFunction": "Linear",
        "axisTitlesVisibilitySettings": shown,
    }
    return Chart("lnsXY", layers, state, query)


def attributes(site: Site, title: str, chart: Chart) -> dict[str, Any]:
    """The chart in the form of a panel; :func:`references` gives its references."""
    return {
        "title": title,
        "description": "",
        "type": "lens",
        "visualizationType": chart.visualization,
        "references": references(site, chart),
        "state": {
            "datasourceStates": {
                "formBased": {
                    "layers": {name: _layer(layer) for name, layer in chart.layers.items()}
                }
            },
            "visualization": dict(chart.state),
            "query": {"language": "kuery", "query": chart.query},
            "filters": [],
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def references(site: Site, chart: Chart) -> list[dict[str, str]]:
    """The data view of each layer."""
    return [
        {
            "type": "index-pattern",
            "id": layer.view.id(site),
            "name": f"indexpattern-datasource-layer-{name}",
        }
        for name, layer in chart.layers.items()
    ]


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "columns": {
            name: {**column, "dataType": _data_type(layer.view, column)}
            for name, column in layer.columns.items()
        },
        "columnOrder": list(layer.columns),
        "sampling": 1,
        "ignoreGlobalFilters": not layer.follows_dashboard,
        "incompleteColumns": {},
    }


def _data_type(view: DataView, column: Column) -> str:
    if column["operationType"] in ("count", "unique_count", "sum"):
        return "number"
    return DATA_TYPES[view.kind(column["sourceField"])]


def _bucket(operation: str, field: str, label: str, scale: str, params: dict[str, Any]) -> Column:
    return {
        "operationType": operation,
        "sourceField": field,
        "label": label,
        "customLabel": True,
        "isBucketed": True,
        "scale": scale,
        "params": params,
    }


def _metric(operation: str, field: str, label: str, where: str, params: dict[str, Any]) -> Column:
    column = {
        "operationType": operation,
        "sourceField": field,
        "label": label,
        "customLabel": True,
        "isBucketed": False,
        "scale": "ratio",
        "params": params,
    }
    return column | ({"filter": {"language": "kuery", "query": where}} if where else {})


def _risk_palette() -> dict[str, Any]:
    """The palette of risk levels. A colour begins at its colour stop and ends at its stop."""
    ends = [least for least, _ in RISK_COLOURS[1:]] + [100]
    return {
        "type": "palette",
        "name": "custom",
        "params": {
            "name": "custom",
            "steps": len(RISK_COLOURS),
            "rangeType": "number",
            "rangeMin": 0,
            "rangeMax": None,
            "progression": "fixed",
            "continuity": "above",
            "colorStops": [{"color": colour, "stop": least} for least, colour in RISK_COLOURS],
            "stops": [
                {"color": colour, "stop": end}
                for (_, colour), end in zip(RISK_COLOURS, ends, strict=True)
            ],
        },
    }
