"""Every chart and table of the dashboards finds rows on the real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schemas.elasticsearch.indices import (
    search_name,
)
from tests.worlds.kibana_objects import SITE, layers_of
from tests.worlds.kibana_panels import (
    ARRIVALS,
    OBJECTS,
    PANELS,
    VIEW_OF,
    context,
    in_time,
    panel_of,
)
from tests.worlds.kibana_search import kql, lens_rows, lens_search

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

pytest_plugins = ("tests.worlds.elastic_server",)


def chart_rows(
    client: Elasticsearch, dashboard: str, name: str, arrives: tuple[str, str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Rows of each layer of a chart when the dashboard opens."""
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
def test_panel_finds_rows(client: Elasticsearch, dashboard: str, name: str) -> None:
    """Opened directly and by a link; every column has a value in some row."""
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


def test_triage_shows_the_next_findings(client: Elasticsearch) -> None:
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


def test_a_person_is_shown_beside_the_peers(client: Elasticsearch) -> None:
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
