"""The rule of Elastic Security: its search on the real server, its severities and links."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobs.platform.kibana_server import build_rule
from models.detectors import describe, detector_names
from schemas.elasticsearch.indices import (
    FINDINGS,
)
from schemas.finding import SEVERITY_FROM
from schemas.kibana.rule import SEVERITIES
from schemas.kibana.site import Site
from schemas.techniques import tactics
from tests.worlds.kibana_objects import SITE
from tests.worlds.kibana_search import kql

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

pytest_plugins = ("tests.worlds.elastic_server",)


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
    shown = {
        entry["id"]
        for threat in rule["threat"]
        for technique in threat["technique"]
        for entry in (technique, *technique.get("subtechnique", []))
    }
    claimed = {each.id for name in detector_names() for each in describe(name).techniques}
    assert {key for key in claimed if key.startswith("T")} <= shown
    assert [each["tactic"]["id"] for each in rule["threat"]] == [
        key for key, _ in tactics() if key in {each["tactic"]["id"] for each in rule["threat"]}
    ]
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
