"""The Kibana objects: their inner order, and every search of theirs against the real server.

Kibana itself is not here. What can be held without it is: each object has the shape that Kibana's
own exports have, nothing is named that does not exist, and each panel finds something.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from jobs.platform.kibana_server import build_objects, build_rule
from models.detectors import describe, detector_names
from schemas.elasticsearch.indices import (
    FINDINGS,
    GRAPH,
    INDICES,
    Index,
    document_id,
    index_name,
    search_name,
)
from schemas.elasticsearch.templates import template
from schemas.finding import SEVERITY_FROM
from schemas.kibana.data_views import SAME_ASSET, SAME_USER, VIEWS, DataView
from schemas.kibana.rule import SEVERITIES, TACTICS
from schemas.kibana.site import Site
from schemas.kibana.vega import ego_graph
from schemas.kibana.vega_coverage import coverage
from tests.worlds.kibana_documents import FIRST_TIME, LAST_TIME, lab_documents
from tests.worlds.kibana_search import kql, kql_fields, lens_rows, lens_search

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

pytest_plugins = ("tests.worlds.elastic_server",)

GOLDEN = Path(__file__).parents[2] / "schemas" / "kibana" / "exfilwatch.ndjson"
SITE = Site("kibanatest")
PNG = b"\x89PNG"
VERSIONS = {"tag": "8.0.0", "index-pattern": "8.0.0", "search": "7.9.3", "dashboard": "10.2.0"}
"""Oldest versions with the shapes we use: what is newer, an older Kibana refuses as a whole."""
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
"""Types of fields that each operation takes, in every licence."""
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


# The check of the inner order.


def problems(objects: Objects, site: Site = SITE) -> list[str]:
    """Every way in which the objects do not fit together, one sentence each."""
    views = {view.id(site): view for view in VIEWS}
    found = [
        f"{kind} {id_}: twice" for kind, id_ in _repeated((o["type"], o["id"]) for o in objects)
    ]
    known = {(each["type"], each["id"]) for each in objects}
    for each in objects:
        told = [*_outside(each, known)]
        if each["type"] == "index-pattern":
            told += _data_view(each, known, views)
        elif each["type"] == "search":
            told += _session(each, views)
        elif each["type"] == "dashboard":
            told += _dashboard(each, views)
        found += [f"{each['type']} {each['id']}: {problem}" for problem in told]
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
    """Name of each reference that the panel uses, or of one it has, with a problem or nothing."""
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
    if config["enhancements"]:  # drilldowns to addresses want a licence
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


@pytest.mark.parametrize("site", [Site(), SITE, Site("lab", "insider-risk")])
def test_objects_fit_together(site: Site) -> None:
    assert problems(objects_of(site), site) == []


def test_objects_of_one_space_are_not_those_of_another() -> None:
    one, other = ({each["id"] for each in objects_of(Site("lab", at))} for at in ("default", "hr"))
    assert one.isdisjoint(other)


def _edit_panel(change: Callable[[dict[str, Any]], None], name: str, dashboard: str) -> Any:
    def edit(objects: Objects) -> None:
        attributes = find(objects, "dashboard", f"dashboard-{dashboard}")["attributes"]
        panels = json.loads(attributes["panelsJSON"])
        change(next(panel for panel in panels if panel["panelIndex"] == name))
        attributes["panelsJSON"] = json.dumps(panels)

    return edit


def _rows(panel: dict[str, Any]) -> dict[str, Any]:
    layer: dict[str, Any] = layers_of(panel)["rows"]
    return layer


BREAKAGES: dict[str, tuple[Any, str]] = {
    "id twice": (lambda o: o.append(o[0]), "twice"),
    "newer": (lambda o: o[0].update(typeMigrationVersion="9.9.9"), "another version"),
    "attribute": (lambda o: o[-1]["attributes"].update(sections=[]), "unknown attributes"),
    "JSON": (lambda o: o[-1]["attributes"].update(optionsJSON={}), "text expected"),
    "gone": (lambda o: o.remove(find(o, "index-pattern", "queue")), "which is not here"),
    "link": (lambda o: o.remove(find(o, "dashboard", "dashboard-asset")), "link of exfil.asset.id"),
    "session": (
        lambda o: find(o, "search", "session-queue")["attributes"]["columns"].append("user.nam"),
        "no field user.nam",
    ),
    "sort": (
        lambda o: find(o, "search", "session-queue")["attributes"].update(
            sort=[["event.reason", "desc"]]
        ),
        "sorted by event.reason",
    ),
    "unused": (
        lambda o: o[-1]["references"].append({**o[-1]["references"][0], "name": "spare"}),
        "spare is not used",
    ),
    "undeclared": (lambda o: o[-1]["references"].pop(1), "is missing"),
    "wide": (
        _edit_panel(lambda p: p["gridData"].update(w=49), "queue", "triage"),
        "wider than the dashboard",
    ),
    "overlap": (
        _edit_panel(lambda p: p["gridData"].update(h=21), "queue", "triage"),
        "panels queue and gains overlap",
    ),
    "field": (
        _edit_panel(
            lambda p: _rows(p)["columns"]["gain"].update(sourceField="exfil.gains"),
            "gains",
            "triage",
        ),
        "max of exfil.gains",
    ),
    "text": (
        _edit_panel(
            lambda p: _rows(p)["columns"]["name"].update(sourceField="exfil.reasons"),
            "gains",
            "triage",
        ),
        "terms of exfil.reasons (text)",
    ),
    "order": (
        _edit_panel(lambda p: _rows(p)["columnOrder"].pop(), "gains", "triage"),
        "in the order",
    ),
    "metric first": (
        _edit_panel(lambda p: _rows(p)["columnOrder"].reverse(), "gains", "triage"),
        "a metric before a bucket",
    ),
    "ordered by": (
        _edit_panel(
            lambda p: _rows(p)["columns"]["user"]["params"]["orderBy"].update(columnId="x"),
            "gains",
            "triage",
        ),
        "ordered by x",
    ),
    "own query": (
        _edit_panel(
            lambda p: p["embeddableConfig"]["attributes"]["state"]["query"].update(
                query="exfil.gain > 0"
            ),
            "gains",
            "triage",
        ),
        "ignores the dashboard's filters",
    ),
    "KQL": (
        _edit_panel(
            lambda p: p["embeddableConfig"]["attributes"]["state"]["query"].update(
                query="exfil.in_budgt: true"
            ),
            "assets",
            "triage",
        ),
        "no field exfil.in_budgt",
    ),
    "accessor": (
        _edit_panel(
            lambda p: p["embeddableConfig"]["attributes"]["state"]["visualization"].update(
                metricAccessor="x"
            ),
            "waiting",
            "triage",
        ),
        "which are no columns",
    ),
    "drilldown": (
        _edit_panel(
            lambda p: p["embeddableConfig"].update(enhancements={"dynamicActions": {}}),
            "waiting",
            "triage",
        ),
        "has enhancements",
    ),
    "chart": (
        _edit_panel(
            lambda p: p["embeddableConfig"]["attributes"].update(visualizationType="lnsTagcloud"),
            "waiting",
            "triage",
        ),
        "a chart of another kind",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_the_check_finds(name: str) -> None:
    """A check that finds nothing wrong with this would find nothing at all."""
    breakage, told = BREAKAGES[name]
    objects = copy.deepcopy(objects_of())
    breakage(objects)
    assert any(told in problem for problem in problems(objects)), problems(objects)


def test_the_file_in_the_repository_is_what_is_built() -> None:
    assert GOLDEN.read_text(encoding="utf-8") == build_objects(Site()), (
        f"the objects have changed: exfilwatch kibana build --out {GOLDEN}"
    )


def test_next_steps_of_every_detector_are_shown() -> None:
    (panel,) = (
        panel
        for panel in panels_of(find(objects_of(), "dashboard", "dashboard-user"))
        if panel["panelIndex"] == "runbook"
    )
    text = panel["embeddableConfig"]["savedVis"]["params"]["markdown"]
    for name in detector_names():
        assert f"(`{name}`)" in text
        assert all(step in text for step in describe(name).runbook)


def test_kql_of_our_panels_is_understood_and_more_is_refused() -> None:
    assert kql('a.b: "x\\"y" and not (c >= 3 or d: *)') == {
        "bool": {
            "filter": [
                {"match_phrase": {"a.b": 'x"y'}},
                {
                    "bool": {
                        "must_not": [
                            {
                                "bool": {
                                    "should": [
                                        {"range": {"c": {"gte": 3.0}}},
                                        {"exists": {"field": "d"}},
                                    ],
                                    "minimum_should_match": 1,
                                }
                            }
                        ]
                    }
                },
            ]
        }
    }
    for text in ("a: (b or c)", "a: x*", "free text", "a:", "(a: b", "a: b c: d"):
        with pytest.raises(ValueError):
            kql(text)


# Every search, against the real server.


@pytest.fixture(scope="module")
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """The server with ten days of a small lab in every index."""
    from elasticsearch import Elasticsearch
    from elasticsearch.helpers import bulk

    with Elasticsearch(elasticsearch_url) as client:
        for index in INDICES:
            body = template(index, SITE.prefix)
            body["meta"] = body.pop("_meta")
            client.indices.put_index_template(name=search_name(index, SITE.prefix), **body)
        bulk(client, _actions(), refresh="true")
        yield client


def _actions() -> Iterator[dict[str, Any]]:
    for index, documents in lab_documents().items():
        ids = {document_id(index, document) for document in documents}
        assert len(ids) == len(documents), index.name
        for document in documents:
            unknown = set(_leaves(document, index)) - {field.path for field in index.fields}
            assert not unknown, (index.name, unknown)
            yield {
                "_index": index_name(index, SITE.prefix, document),
                "_id": document_id(index, document),
                "_source": document,
            }


def _leaves(value: Any, index: Index, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, index, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _leaves(value[0], index, path)
    else:
        yield path


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
"""The link by which one gets to a dashboard, and a value of it."""


def panel_of(dashboard: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = find(OBJECTS, "dashboard", f"dashboard-{dashboard}")
    return found, next(panel for panel in panels_of(found) if panel["panelIndex"] == name)


def link_query(field: str, value: str) -> dict[str, Any]:
    """The query that a link on a field's value opens its page with."""
    for each in OBJECTS:
        if each["type"] == "index-pattern":
            shown = json.loads(each["attributes"]["fieldFormatMap"]).get(field)
            if shown:
                text = shown["params"]["urlTemplate"].rpartition("query:'")[2].removesuffix("'))")
                return kql(unquote(text).replace("{{value}}", value))
    raise AssertionError(f"no link on {field}")


def context(dashboard: dict[str, Any], arrives: tuple[str, str] | None) -> list[dict[str, Any]]:
    """The filters of a dashboard as it opens: what its controls hold, and the link's query."""
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


def chart_rows(
    client: Elasticsearch, dashboard: str, name: str, arrives: tuple[str, str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Rows of each layer of a chart as the dashboard opens."""
    found, panel = panel_of(dashboard, name)
    state = panel["embeddableConfig"]["attributes"]["state"]
    rows = {}
    for layer_name, layer in layers_of(panel).items():
        reference = f"{name}:indexpattern-datasource-layer-{layer_name}"
        (view_id,) = (each["id"] for each in found["references"] if each["name"] == reference)
        view = VIEW_OF[view_id]
        filters = in_time(view)
        if not layer["ignoreGlobalFilters"]:
            filters += [kql(state["query"]["query"]), *context(found, arrives)]
        answer = client.search(
            index=search_name(view.index, SITE.prefix), **lens_search(layer, filters)
        )
        rows[layer_name] = lens_rows(layer, answer.body)
    return rows


def session_hits(
    client: Elasticsearch, dashboard: str, name: str, arrives: tuple[str, str] | None = None
) -> list[dict[str, Any]]:
    found, panel = panel_of(dashboard, name)
    saved = f"{name}:{panel['panelRefName']}"
    (id_,) = (each["id"] for each in found["references"] if each["name"] == saved)
    session = next(each for each in OBJECTS if (each["type"], each["id"]) == ("search", id_))
    source = json.loads(session["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    (view_id,) = (
        each["id"] for each in session["references"] if each["name"] == source["indexRefName"]
    )
    view = VIEW_OF[view_id]
    filters = [*in_time(view), kql(source["query"]["query"]), *context(found, arrives)]
    answer = client.search(
        index=search_name(view.index, SITE.prefix),
        query={"bool": {"filter": filters}},
        sort=[{field: direction} for field, direction in session["attributes"]["sort"]],
        fields=["*"],
        size=500,
    )
    hits: list[dict[str, Any]] = answer["hits"]["hits"]
    for column in session["attributes"]["columns"]:
        assert any(column in hit["fields"] for hit in hits), f"{column} is empty in {name}"
    return hits


@pytest.mark.parametrize(("dashboard", "name"), PANELS)
def test_panel_finds_something(client: Elasticsearch, dashboard: str, name: str) -> None:
    """As the dashboard opens, and as a link opens it; every column has a value somewhere."""
    _, panel = panel_of(dashboard, name)
    for arrives in (None, ARRIVALS.get(dashboard)):
        if panel["type"] == "search":
            assert session_hits(client, dashboard, name, arrives)
            continue
        for layer, rows in chart_rows(client, dashboard, name, arrives).items():
            assert rows, layer
            for column in rows[0]:
                assert any(row[column] is not None for row in rows), (layer, column)
                if column == "figure" and arrives is None:
                    assert rows[0][column] > 0


def test_triage_shows_who_is_next(client: Elasticsearch) -> None:
    queue = session_hits(client, "triage", "queue")
    assert [hit["fields"]["user.id"][0] for hit in queue] == ["u0017", "u0019"]
    assert {hit["fields"]["exfil.status"][0] for hit in queue} == {"open"}
    (gains,) = chart_rows(client, "triage", "gains").values()
    assert [row["user"] for row in gains][:3] == ["u0017", "u0019", "svc-backup"]
    assert gains[0] == {
        "user": "u0017",
        "name": "Ada Kern",
        "team": "pretraining",
        "gain": 44.0,
        "score": 81.5,
        "peak": 85.5,
        "open": 2.0,
    }
    assert gains[2]["team"] == "__missing__"
    (figure,) = chart_rows(client, "triage", "severe").values()
    assert figure == [{"figure": 2}]


def test_a_person_stands_beside_his_peers(client: Elasticsearch) -> None:
    rows = chart_rows(client, "user", "bytes", ("user.id", "u0017"))
    assert [row["own"] for row in rows["bars"]][-2:] == [2e12, 2e12]
    assert rows["lines"][-1] | {"day": None} == {"day": None, "median": 1.25e11, "p90": 2.5e11}
    (touched,) = chart_rows(client, "user", "touched", ("user.id", "u0017")).values()
    assert touched[0]["objects"] == 90
    assert touched[0]["new"] < touched[0]["last"]


def test_verdicts_by_detector_are_counted(client: Elasticsearch) -> None:
    (rows,) = chart_rows(client, "health", "verdicts").values()
    by_name = {row["detector"]: row for row in rows}
    assert by_name["burst_self"]["confirmed"] == 1
    assert by_name["mass_clone"]["benign"] == 1
    assert by_name["service_misuse"]["duplicate"] == 1
    assert by_name["shard_coverage"]["open"] == 1


# Pictures: Vega itself draws what the real server answered.


def filled(
    client: Elasticsearch, spec: dict[str, Any], filters: list[dict[str, Any]]
) -> dict[str, Any]:
    """The spec with the answers of its searches, sent as Kibana would, in their place."""
    spec = copy.deepcopy(spec)
    for data in spec["data"]:
        if "url" not in data:
            continue
        url = data.pop("url")
        body = _with_context(url["body"], filters)
        if url.get("%context%"):
            assert "query" not in body
            times = {"gte": FIRST_TIME, "lte": LAST_TIME}
            body["query"] = {"bool": {"filter": [*filters, {"range": {url["%timefield%"]: times}}]}}
        answer: Any = client.search(index=url["index"], body=body).body
        for step in data.pop("format")["property"].split("."):
            answer = answer[step]
        data["values"] = answer
    assert "dashboard_context" not in json.dumps(spec)
    # Kibana's own function, which only Kibana has; ``if`` takes three values as well.
    told = json.loads(json.dumps(spec).replace("kibanaAddFilter(", "if("))
    return {**told, "width": 780, "height": 460, "background": "white"}


def _with_context(value: Any, filters: list[dict[str, Any]]) -> Any:
    if isinstance(value, dict):
        return {key: _with_context(inner, filters) for key, inner in value.items()}
    if not isinstance(value, list):
        return value
    listed: list[Any] = []
    for item in value:
        if item == "%dashboard_context-filter_clause%":
            listed += filters
        elif item not in ("%dashboard_context-must_clause%", "%dashboard_context-must_not_clause%"):
            listed.append(_with_context(item, filters))
    return listed


def drawn(spec: dict[str, Any], folder: Path) -> str:
    """The picture as SVG; a PNG of it is left in the test's folder, to be looked at."""
    import vl_convert

    (folder / "picture.png").write_bytes(vl_convert.vega_to_png(spec))
    assert (folder / "picture.png").read_bytes().startswith(PNG)
    return vl_convert.vega_to_svg(spec)


@pytest.mark.parametrize(("dashboard", "name"), PICTURES)
def test_picture_is_drawn(client: Elasticsearch, dashboard: str, name: str, tmp_path: Path) -> None:
    found, panel = panel_of(dashboard, name)
    for arrives in (None, ARRIVALS.get(dashboard)):
        svg = drawn(filled(client, spec_of(panel), context(found, arrives)), tmp_path)
        assert "ckpt-orion-90000" in svg
        assert "No finding" not in _visible_text(svg)
        assert "No graph" not in _visible_text(svg)


def _visible_text(svg: str) -> str:
    texts = re.findall(r"<text([^>]*)>([^<]*)</text>", svg)
    return " ".join(text for style, text in texts if 'opacity="0"' not in style)


def test_graph_of_a_person_is_his_picture(client: Elasticsearch, tmp_path: Path) -> None:
    spec = ego_graph(SITE)
    everybody = filled(client, spec, [])
    one = filled(client, spec, [{"term": {"user.id": "u0020"}}])
    counts = [
        {data["name"]: len(data["values"]) for data in each["data"] if "values" in data}
        for each in (everybody, one)
    ]
    assert counts[0] == {"nodes": 9, "edges": 10, "legend": 5}
    assert counts[1]["nodes"] == 4  # two people who share two assets
    assert counts[1]["edges"] == 4
    svg = drawn(one, tmp_path)
    assert "Dai Ito" in svg
    assert "Ben Osei" in svg
    assert "Ada Kern" not in svg
    assert len(re.findall(r"<line", svg)) == 2 * 4  # faintly, and for the pointer


def test_graph_is_drawn_without_ends_and_empty(client: Elasticsearch, tmp_path: Path) -> None:
    nobody = filled(client, ego_graph(SITE), [{"term": {"user.id": "nobody"}}])
    assert "No graph here" in _visible_text(drawn(nobody, tmp_path))
    cut = filled(client, ego_graph(SITE), [])
    nodes = next(data for data in cut["data"] if data["name"] == "nodes")
    nodes["values"] = [hit for hit in nodes["values"] if hit["_id"] != "node|user|u0017||"]
    assert len(nodes["values"]) == 8
    assert len(re.findall(r"<line", drawn(cut, tmp_path))) == 2 * 8


def test_names_in_a_picture_are_text(client: Elasticsearch, tmp_path: Path) -> None:
    spec = filled(client, ego_graph(SITE), [])
    nodes = next(data for data in spec["data"] if data["name"] == "nodes")
    node = nodes["values"][0]["_source"]["exfil"]["node"]
    node["name"] = "<script>alert(1)</script>"
    assert "<script" not in drawn(spec, tmp_path)


def test_coverage_tells_assets_of_one_finding_apart(client: Elasticsearch, tmp_path: Path) -> None:
    spec = filled(client, coverage(SITE), [{"term": {"user.id": "u0019"}}])
    (values,) = (data["values"] for data in spec["data"])
    assert {bucket["key"]: bucket["coverage"]["value"] for bucket in values} == {
        "ckpt-orion-90000": 0.71,
        "data-dialogue": 0.04,
    }
    told = _visible_text(drawn(spec, tmp_path))
    assert "71% · 142 of 200 objects · 412GB · first touched" in told
    assert "4% · 9 of 200 objects · 412GB" in told
    unknown = filled(client, coverage(SITE), [{"term": {"user.id": "svc-backup"}}])
    assert "142 objects · first touched" in _visible_text(drawn(unknown, tmp_path))


def test_a_click_filters_by_what_was_clicked(client: Elasticsearch) -> None:
    clicked = next(s for s in ego_graph(SITE)["signals"] if s["name"] == "clicked")
    person, asset = re.findall(
        r"kibanaAddFilter\((.*?), '(.*?)', datum\.id\)", clicked["on"][0]["update"]
    )
    assert person[1] == asset[1] == search_name(GRAPH, SITE.prefix)
    counts = {}
    for name, text, value in (("person", person[0], "u0020"), ("asset", asset[0], "ns-serving")):
        quoted = re.sub(r"(\w+):", r'"\1":', text.replace("datum.id", f'"{value}"')).replace(
            "'", '"'
        )
        query = json.loads(quoted)
        counts[name] = [
            client.count(index=search_name(index, SITE.prefix), query=query)["count"]
            for index in INDICES
            if index.name in ("graph", "queue", "asset-days", "findings")
        ]
    assert counts == {"person": [0, 0, 6, 8], "asset": [1, 1, 6, 5]}
    fields = {field.path for index in INDICES for field in index.fields}
    assert set(SAME_USER) | set(SAME_ASSET) <= fields


def test_fields_of_pictures_are_fields_of_the_index() -> None:
    graph = {field.path for field in GRAPH.fields}
    text = json.dumps(ego_graph(SITE))
    paths = set(re.findall(r"datum\._source\.([\w.]+)", text))
    assert len(paths) > 10
    assert paths <= graph
    findings = {field.path for field in FINDINGS.fields}
    asked = set(_values(coverage(SITE)["data"], "field"))
    assert {"exfil.assets.id", "exfil.assets.coverage"} <= asked
    assert asked <= findings


# The detection rule.


def rule_of(site: Site = SITE) -> dict[str, Any]:
    rule: dict[str, Any] = json.loads(build_rule(site, "https://kibana.example/base/"))
    return rule


def test_rule_finds_the_findings_in_budget(client: Elasticsearch) -> None:
    rule = rule_of()
    found = client.search(index=",".join(rule["index"]), query=kql(rule["query"]))
    assert found["hits"]["total"]["value"] == 5
    fields = {field.path: field.type for field in FINDINGS.fields}
    named = [mapping["field"] for mapping in rule["risk_score_mapping"] + rule["severity_mapping"]]
    named += [rule["rule_name_override"], *rule["investigation_fields"]["field_names"]]
    assert set(named) <= set(fields)
    assert fields[rule["rule_name_override"]] == "keyword"


def test_rule_knows_every_severity_and_technique() -> None:
    rule = rule_of()
    assert [each["value"] for each in rule["severity_mapping"]] == ["1", "2", "3", "4"]
    assert [each["severity"] for each in rule["severity_mapping"]] == list(SEVERITIES)
    assert len(SEVERITIES) == len(SEVERITY_FROM)
    named = dict(technique for listed in TACTICS.values() for technique in listed)
    tactics = {name for _, name in TACTICS}
    for detector in map(describe, detector_names()):
        for technique in detector.techniques:
            if technique.id.startswith("T"):
                assert technique.name.rpartition(": ")[2] == named[technique.id], technique
        # ATLAS has tactics that ATT&CK has not.
        assert set(detector.tactics) <= tactics | {"AI Model Access", "Impact"}, detector.name
    collection = next(each for each in rule["threat"] if each["tactic"]["name"] == "Collection")
    parent = next(each for each in collection["technique"] if each["id"] == "T1213")
    assert parent["subtechnique"] == [
        {
            "id": "T1213.003",
            "name": "Code Repositories",
            "reference": "https://attack.mitre.org/techniques/T1213/003/",
        }
    ]
    for threat in rule["threat"]:
        for technique in threat["technique"]:
            for part in technique.get("subtechnique", []):
                assert part["id"].startswith(f"{technique['id']}.")


def test_rule_links_to_the_persons_page_of_its_space() -> None:
    page = "https://kibana.example/base/s/hr/app/dashboards#/view/lab-hr-dashboard-user"
    rule = rule_of(Site("lab", "hr"))
    assert rule["references"] == [page]
    assert page in rule["note"]
    assert rule["index"] == ["lab-findings"]
    assert all(f"(`{name}`)" in rule["note"] for name in detector_names())
