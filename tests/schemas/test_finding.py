"""The finding's contract: its fields, its messages, and the JSON Schema for consumers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from schemas.finding import FIELDS, TYPES, validate_finding
from schemas.finding_schema import PATH, finding_schema
from tests.worlds.sample_findings import make_finding, published

Change = Callable[[dict[str, Any]], object]


def test_fields_are_named_once_and_explained() -> None:
    assert {field.type for field in FIELDS} <= set(TYPES)
    assert len({field.path for field in FIELDS}) == len(FIELDS)
    assert [field.path for field in FIELDS if not field.meaning] == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d["event"].pop("kind"), "event.kind: missing"),
        (lambda d: d.pop("threat"), "threat: missing"),
        (lambda d: d["exfil"]["assets"][0].pop("id"), "exfil.assets.id: missing"),
        (lambda d: d["exfil"].update(extra=1), "exfil.extra: no such field"),
        (lambda d: d.update(timestamp="2026-10-05T15:00:00Z"), "timestamp: no such field"),
        (lambda d: d["user"].update(id=3), "user.id: keyword expected, not 3"),
        (lambda d: d["user"].update(name=""), "user.name: keyword expected, not ''"),
        (lambda d: d["event"].update(reason=None), "event.reason: text expected, not None"),
        (lambda d: d.update(user="u1"), "user: an object expected"),
        (lambda d: d["exfil"].update(assets={}), "exfil.assets: a list expected"),
        (lambda d: d["exfil"].update(assets=["a"]), "exfil.assets: an object expected"),
        (lambda d: d["related"].update(ip="192.0.2.1"), "related.ip: a list expected"),
        (lambda d: d["related"].update(ip=[7]), "related.ip: keyword expected, not 7"),
        (
            lambda d: d.update({"@timestamp": "2026-13-01T00:00:00Z"}),
            "@timestamp: date expected, not '2026-13-01T00:00:00Z'",
        ),
        (
            lambda d: d["event"].update(risk_score=float("nan")),
            "event.risk_score: float expected, not nan",
        ),
        (lambda d: d["event"].update(severity=True), "event.severity: integer expected, not True"),
        (lambda d: d["exfil"].update(in_budget=1), "exfil.in_budget: boolean expected, not 1"),
    ],
)
def test_each_problem_is_named_by_its_path(change: Change, problem: str) -> None:
    document = make_finding()
    change(document)
    assert validate_finding(document) == [problem]


def test_all_problems_are_reported_at_once() -> None:
    document = make_finding()
    document["event"].pop("kind")
    document["exfil"]["extra"] = 1
    document["user"]["id"] = 3
    assert len(validate_finding(document)) == 3


def test_names_may_hold_halves_of_surrogate_pairs() -> None:
    assert validate_finding(make_finding(name="Ada \ud83d")) == []


def test_the_shipped_schema_is_that_of_the_model() -> None:
    shipped = json.loads(PATH.read_text("utf-8"))
    assert shipped == finding_schema(), "write it with: python -m schemas.finding_schema"


def test_a_published_finding_fits_the_schema() -> None:
    check = jsonschema.Draft202012Validator(finding_schema())
    document = published(make_finding())
    assert list(check.iter_errors(document)) == []
    broken = [copy.deepcopy(document) for _ in range(4)]
    broken[0]["event"]["severity"] = 5
    broken[1]["exfil"]["assets"][0]["coverage"] = 1.5
    del broken[2]["exfil"]["day"]
    broken[3]["user"]["title"] = "x"
    assert all(list(check.iter_errors(each)) for each in broken)
