"""A check that Kibana objects are consistent.

It needs no Kibana. It checks that each object has the shape of Kibana's own exports and that every
named thing exists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from schemas.elasticsearch.indices import (
    INDICES,
)
from schemas.kibana.data_views import VIEWS, DataView
from schemas.kibana.site import Site
from tests.worlds.kibana_objects import SITE, Objects, controls_of, is_vega, layers_of, panels_of
from tests.worlds.kibana_search import kql_fields

if TYPE_CHECKING:
    pass
VERSIONS = {"tag": "8.0.0", "index-pattern": "8.0.0", "search": "7.9.3", "dashboard": "10.2.0"}
"""Oldest versions with these shapes. Kibana refuses an object of a version newer than itself."""
ATTRIBUTES = {
    "tag": "name description color",
    "index-pattern": "title name timeFieldName fieldFormatMap",
    "search": "title description hits version columns sort kibanaSavedObjectMeta",
    "dashboard": "title description panelsJSON optionsJSON kibanaSavedObjectMeta version "
    "controlGroupInput timeRestore timeFrom timeTo refreshInterval",
}
JSON_TEXTS = re.compile(r"JSON$|^fieldFormatMap$")
CHARTS = {"lnsDatatable", "lnsMetric", "lnsXY"}
OPERATIONS = {
    "terms": {"keyword", "integer", "float", "boolean"},
    "date_histogram": {"date"},
    "sum": {"integer", "float"},
    "max": {"integer", "float", "date"},
    "min": {"integer", "float", "date"},
    "unique_count": {"keyword", "integer", "float", "boolean", "date"},
}
"""Types of fields that each operation accepts, in every licence."""


# The check of consistency.


def problems(objects: Objects, site: Site = SITE) -> list[str]:
    """Every inconsistency of the objects, one sentence each."""
    views = {view.id(site): view for view in VIEWS}
    found = [
        f"{kind} {id_}: twice" for kind, id_ in _repeated((o["type"], o["id"]) for o in objects)
    ]
    known = {(each["type"], each["id"]) for each in objects}
    for each in objects:
        broken = [*_outside(each, known)]
        if each["type"] == "index-pattern":
            broken += _data_view(each, known, views)
        elif each["type"] == "search":
            broken += _session(each, views)
        elif each["type"] == "dashboard":
            broken += _dashboard(each, views)
        found += [f"{each['type']} {each['id']}: {problem}" for problem in broken]
    return found


def _repeated(values: Iterator[Any]) -> list[Any]:
    listed = list(values)
    return sorted({value for value in listed if listed.count(value) > 1})


def _outside(each: dict[str, Any], known: set[tuple[str, str]]) -> Iterator[str]:
    kind = each["type"]
    if (each["coreMigrationVersion"], each["typeMigrationVersion"]) != ("8.8.0", VERSIONS[kind]):
        yield "another version"
    unknown = set(each["attributes"]) - set(ATTRIBUTES[kind].split())
    if unknown:
        yield f"unknown attributes {unknown}"
    for reference in each["references"]:
        if (reference["type"], reference["id"]) not in known:
            yield f"refers to {reference['type']} {reference['id']}, which is not here"
    for name in _repeated(reference["name"] for reference in each["references"]):
        yield f"reference {name} twice"
    yield from _texts(each["attributes"], "")


def _texts(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if not JSON_TEXTS.search(key):
            yield from _texts(inner, f"{path}{key}.")
        elif not isinstance(inner, str):
            yield f"{path}{key}: text expected"
        else:
            try:
                json.loads(inner)
            except ValueError:
                yield f"{path}{key}: no JSON"


def _type(view: DataView, field: str) -> str | None:
    try:
        return view.kind(field)
    except KeyError:
        return None


def _query(text: str, view: DataView) -> Iterator[str]:
    try:
        fields = kql_fields(text)
    except ValueError as error:
        yield f"query: {error}"
        return
    yield from (f"query: no field {each}" for each in sorted(fields) if not _type(view, each))


def _data_view(
    each: dict[str, Any], known: set[tuple[str, str]], views: dict[str, DataView]
) -> Iterator[str]:
    view, attributes = views[each["id"]], each["attributes"]
    if "timeFieldName" in attributes and _type(view, attributes["timeFieldName"]) != "date":
        yield f"time field {attributes['timeFieldName']}"
    every_field = {field.path for index in INDICES for field in index.fields}
    for field, shown in json.loads(attributes["fieldFormatMap"]).items():
        if not _type(view, field):
            yield f"format of {field}, which is not a field"
        if shown["id"] != "url":
            continue
        link = re.fullmatch(
            r"\.\./app/(dashboards|discover)#/view/([\w-]+)\?.*&_a=\(query:\(language:kuery,"
            r"query:'([^']*)'\)\)",
            shown["params"]["urlTemplate"],
        )
        if link is None:
            yield f"link of {field}"
            continue
        app, target, query = link.groups()
        if ({"dashboards": "dashboard", "discover": "search"}[app], target) not in known:
            yield f"link of {field} leads to {target}, which is not here"
        missing = kql_fields(unquote(query)) - every_field
        if missing or "{{value}}" not in query:
            yield f"link of {field} asks for {missing or 'nothing'}"
        if shown["params"].get("labelTemplate") != "{{value}}":
            yield f"link of {field} shows its address"


def _session(each: dict[str, Any], views: dict[str, DataView]) -> Iterator[str]:
    attributes = each["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    ids = {reference["name"]: reference["id"] for reference in each["references"]}
    if source["indexRefName"] not in ids:
        yield "no data view"
        return
    view = views[ids[source["indexRefName"]]]
    yield from (f"no field {name}" for name in attributes["columns"] if not _type(view, name))
    for field, direction in attributes["sort"]:
        if _type(view, field) in (None, "text", "nested") or direction not in ("asc", "desc"):
            yield f"sorted by {field} {direction}"
    yield from _query(source["query"]["query"], view)


def _dashboard(each: dict[str, Any], views: dict[str, DataView]) -> Iterator[str]:
    declared = {reference["name"]: reference["id"] for reference in each["references"]}
    used = {name for name in declared if name.startswith("tag-ref-")}
    panels = panels_of(each)
    for name in _repeated(panel["panelIndex"] for panel in panels):
        yield f"panel {name} twice"
    for panel in panels:
        name, grid = panel["panelIndex"], panel["gridData"]
        if grid["i"] != name:
            yield f"panel {name} is {grid['i']} in the grid"
        if grid["x"] < 0 or grid["x"] + grid["w"] > 48:
            yield f"panel {name} is wider than the dashboard"
        for wanted, problem in _panel(panel, declared, views):
            used.add(f"{name}:{wanted}")
            if problem:
                yield f"panel {name}: {problem}"
    for one, other in combinations(panels, 2):
        if _overlap(one["gridData"], other["gridData"]):
            yield f"panels {one['panelIndex']} and {other['panelIndex']} overlap"
    for name, control in controls_of(each).items():
        reference = f"controlGroup_{name}:optionsListDataView"
        used.add(reference)
        field = control["explicitInput"]["fieldName"]
        view = views.get(declared.get(reference, ""))
        if view is None or _type(view, field) not in ("keyword", "integer", "float"):
            yield f"control {name} of {field}"
        if control["type"] != "optionsListControl" or control["explicitInput"]["id"] != name:
            yield f"control {name}"
    yield from (f"reference {name} is not used" for name in sorted(set(declared) - used))
    yield from (f"reference {name} is missing" for name in sorted(used - set(declared)))


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def _panel(
    panel: dict[str, Any], declared: dict[str, str], views: dict[str, DataView]
) -> Iterator[tuple[str, str]]:
    """Names of the panel's references, each with a problem or an empty text."""
    config, kind = panel["embeddableConfig"], panel["type"]
    if kind == "search":
        yield panel["panelRefName"], ""
    elif kind == "links":
        for link in config["attributes"]["links"]:
            yield link["destinationRefName"], "" if link["type"] == "dashboardLink" else "link"
    elif kind == "lens":
        yield from _lens(panel, declared, views)
    elif not is_vega(panel) and config["savedVis"]["type"] != "markdown":
        yield "", f"a visualization of type {config['savedVis']['type']}"
    if kind not in ("search", "links", "lens", "visualization"):
        yield "", f"type {kind}"
    if config["enhancements"]:  # drilldowns to addresses need a licence
        yield "", "has enhancements"


def _lens(
    panel: dict[str, Any], declared: dict[str, str], views: dict[str, DataView]
) -> Iterator[tuple[str, str]]:
    attributes = panel["embeddableConfig"]["attributes"]
    state = attributes["state"]
    query = state["query"]["query"]
    inner = {reference["name"]: reference["id"] for reference in attributes["references"]}
    if attributes["visualizationType"] not in CHARTS or "textBased" in state["datasourceStates"]:
        yield "", "a chart of another kind"
    for name, layer in layers_of(panel).items():
        reference = f"indexpattern-datasource-layer-{name}"
        outer = declared.get(f"{panel['panelIndex']}:{reference}")
        same = outer is not None and outer == inner.get(reference)
        yield reference, "" if same else f"layer {name} has no data view"
        if same:
            yield from ((reference, problem) for problem in _layer(layer, views[outer], query))
    columns = {key for layer in layers_of(panel).values() for key in layer["columns"]}
    accessors = set(_accessors(state["visualization"]))
    if accessors - columns:
        yield "", f"shows {accessors - columns}, which are no columns"
    if columns - accessors:
        yield "", f"columns {columns - accessors} are not shown"
    layers = set(_values(state["visualization"], "layerId"))
    if layers != set(layers_of(panel)):
        yield "", f"layers {layers} are drawn"


def _layer(layer: dict[str, Any], view: DataView, query: str) -> Iterator[str]:
    columns, order = layer["columns"], layer["columnOrder"]
    if sorted(columns) != sorted(order):
        yield f"columns {sorted(columns)} in the order {order}"
        return
    buckets = [columns[name]["isBucketed"] for name in order]
    if buckets != sorted(buckets, reverse=True):
        yield "a metric before a bucket"
    # Kibana drops a chart's own query together with the dashboard's.
    if layer["ignoreGlobalFilters"] and query:
        yield "ignores the dashboard's filters and has a query"
    yield from _query(query, view)
    for name, column in columns.items():
        operation, field = column["operationType"], column["sourceField"]
        type_ = _type(view, field)
        if operation == "count":
            fits = field == "___records___"
        else:
            fits = type_ in OPERATIONS.get(operation, ())
        if not fits:
            yield f"column {name}: {operation} of {field} ({type_})"
            continue
        numeric = operation in ("count", "sum", "unique_count") or type_ in ("integer", "float")
        expected = "number" if numeric else {"keyword": "string"}.get(str(type_), type_)
        if column["dataType"] != expected:
            yield f"column {name}: data type {column['dataType']}"
        yield from _query(column.get("filter", {}).get("query", ""), view)
        params = column["params"]
        by = params.get("orderBy", {})
        if by.get("type") == "column":
            metric = columns.get(by["columnId"])
            if metric is None or metric["isBucketed"] or "filter" in metric:
                yield f"column {name}: ordered by {by['columnId']}"
        if params.get("missingBucket") and type_ != "keyword":
            yield f"column {name}: missing values of a {type_}"


def _accessors(value: Any) -> Iterator[str]:
    for key in ("columnId", "xAccessor", "splitAccessor", "metricAccessor", "forAccessor"):
        yield from _values(value, key)
    for listed in _values(value, "accessors"):
        yield from listed


def _values(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from _values(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)
