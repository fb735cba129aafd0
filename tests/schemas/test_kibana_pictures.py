"""Vega draws every picture from the real server's answers."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.elasticsearch.indices import (
    FINDINGS,
    GRAPH,
    INDICES,
    search_name,
)
from schemas.kibana.data_views import SAME_ASSET, SAME_USER
from schemas.kibana.vega import ego_graph
from schemas.kibana.vega_coverage import coverage
from tests.worlds.kibana_check import _values
from tests.worlds.kibana_documents import FIRST_TIME, LAST_TIME
from tests.worlds.kibana_objects import SITE, spec_of
from tests.worlds.kibana_panels import ARRIVALS, PICTURES, context, panel_of

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

pytest_plugins = ("tests.worlds.elastic_server",)
PNG = b"\x89PNG"


# Vega itself draws the real server's answers.


def filled(
    client: Elasticsearch, spec: dict[str, Any], filters: list[dict[str, Any]]
) -> dict[str, Any]:
    """The spec with its searches replaced by their answers. Searches are sent as by Kibana."""
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
    # Only Kibana has its own function; ``if`` takes three values, too.
    plain = json.loads(json.dumps(spec).replace("kibanaAddFilter(", "if("))
    return {**plain, "width": 780, "height": 460, "background": "white"}


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
    """The picture as SVG. A PNG for the developer stays in the test's folder."""
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


def test_graph_of_a_person_holds_the_ego_graph(client: Elasticsearch, tmp_path: Path) -> None:
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
    assert len(re.findall(r"<line", svg)) == 2 * 4  # once faint, once for the pointer


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


def test_coverage_keeps_the_assets_of_one_finding_apart(
    client: Elasticsearch, tmp_path: Path
) -> None:
    spec = filled(client, coverage(SITE), [{"term": {"user.id": "u0019"}}])
    (values,) = (data["values"] for data in spec["data"])
    assert {bucket["key"]: bucket["coverage"]["value"] for bucket in values} == {
        "ckpt-orion-90000": 0.71,
        "data-dialogue": 0.04,
    }
    shown = _visible_text(drawn(spec, tmp_path))
    assert "71% · 142 of 200 objects · 412GB · first touched" in shown
    assert "4% · 9 of 200 objects · 412GB" in shown
    unknown = filled(client, coverage(SITE), [{"term": {"user.id": "svc-backup"}}])
    assert "142 objects · first touched" in _visible_text(drawn(unknown, tmp_path))


def test_a_click_filters_by_the_clicked_value(client: Elasticsearch) -> None:
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
