"""The Kibana objects: they are consistent, and the check finds every inconsistency."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.platform.kibana_server import build_objects
from models.detectors import describe, detector_names
from schemas.kibana.site import Site
from tests.worlds.kibana_check import problems
from tests.worlds.kibana_objects import SITE, Objects, find, layers_of, objects_of, panels_of
from tests.worlds.kibana_search import kql

if TYPE_CHECKING:
    pass

GOLDEN = Path(__file__).parents[2] / "schemas" / "kibana" / "exfilwatch.ndjson"


@pytest.mark.parametrize("site", [Site(), SITE, Site("lab", "insider-risk")])
def test_objects_fit_together(site: Site) -> None:
    assert problems(objects_of(site), site) == []


def test_each_space_has_its_own_objects() -> None:
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
    """The check must find each breakage."""
    breakage, expected = BREAKAGES[name]
    objects = copy.deepcopy(objects_of())
    breakage(objects)
    assert any(expected in problem for problem in problems(objects)), problems(objects)


def test_the_file_in_the_repository_is_up_to_date() -> None:
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


def test_kql_beyond_that_of_our_panels_is_refused() -> None:
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
