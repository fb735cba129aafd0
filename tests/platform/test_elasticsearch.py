"""Publishing to the real Elasticsearch server: templates, indices, documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.platform.documents import SHOWN_FAILURES, Sent, install_templates, send
from jobs.platform.elasticsearch import connect
from jobs.platform.errors import RunError
from jobs.trial.bench import documents
from schemas.config import Elasticsearch as Settings
from schemas.elasticsearch.indices import (
    ASSET_DAYS,
    ENTITIES,
    FINDINGS,
    INDICES,
    document_id,
    index_name,
    search_name,
)
from schemas.elasticsearch.templates import TEMPLATE_VERSION, mapping, template
from tests.worlds.publishing import count, findings, index_of, publish_findings, settings_for
from tests.worlds.sample_findings import make_finding, published

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


pytest_plugins = ("tests.worlds.elastic_server",)


def test_index_follows_the_documents_own_date() -> None:
    document = {"@timestamp": "2026-10-31T23:59:59Z"}
    assert index_name(FINDINGS, "exfilwatch", document) == "exfilwatch-findings-2026.10"
    assert index_name(ENTITIES, "exfilwatch", document) == "exfilwatch-entities"


def test_ids_of_different_things_differ_for_any_values() -> None:
    def of(asset: str, user: str) -> str:
        document = {"exfil": {"asset": {"id": asset}, "day": "2026-10-05"}, "user": {"id": user}}
        return document_id(ASSET_DAYS, document)

    assert of("orion", "u1") == "orion|u1|2026-10-05"
    pairs = [("a|b", "c"), ("a", "b|c"), ("a%7Cb", "c"), ("a", "b%7Cc"), ("é" * 400, "c")]
    pairs += [("é" * 400, "d"), ("é" * 401, "c")]
    ids = {of(*pair) for pair in pairs}
    assert len(ids) == len(pairs)
    assert all(len(each.encode()) <= 512 for each in ids)


def test_mapping_covers_every_field_of_a_finding() -> None:
    def paths(value: Any, prefix: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from paths(inner, f"{prefix}.{key}" if prefix else key)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from paths(value[0], prefix)
        else:
            yield prefix

    def mapped(properties: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for name, definition in properties.items():
            path = f"{prefix}.{name}" if prefix else name
            if "properties" in definition:
                yield from mapped(definition["properties"], path)
            else:
                yield path

    assert set(paths(findings(1)[0])) == set(mapped(mapping(FINDINGS)["properties"]))


def test_findings_are_created_once(client: Elasticsearch, settings: Settings) -> None:
    documents = findings(3)
    assert publish_findings(settings, documents) == Sent(written=3, kept=0)
    changed = [published(make_finding("u0000", score=20.0, rank=9)), *findings(4)]
    assert publish_findings(settings, changed) == Sent(written=1, kept=4)
    assert count(client, settings) == 4
    index = index_of(settings, documents[0])
    kept = client.get(index=index, id=documents[0]["event"]["id"])["_source"]
    assert kept == documents[0]


def test_template_is_installed_once_and_serves_searches(
    client: Elasticsearch, settings: Settings
) -> None:
    alias = search_name(FINDINGS, settings.prefix)
    install_templates(client, settings.prefix)
    first = client.indices.get_index_template(name=alias).body
    install_templates(client, settings.prefix)
    assert client.indices.get_index_template(name=alias).body == first
    assert first["index_templates"][0]["index_template"]["_meta"]["version"] == TEMPLATE_VERSION
    later = date(2026, 11, 2)
    send(client, settings.prefix, FINDINGS, [*findings(2), *findings(1, later)])
    held = client.indices.get_alias(name=alias)
    assert sorted(held) == [f"{alias}-2026.10", f"{alias}-2026.11"]
    client.indices.refresh(index=alias)
    found = client.search(
        index=alias,
        query={
            "bool": {
                "filter": [
                    {"term": {"related.ip": "10.1.0.0/16"}},
                    {"range": {"exfil.day": {"lte": "2026-10-31"}}},
                    {"match": {"event.reason": "objects"}},
                    {
                        "nested": {
                            "path": "exfil.assets",
                            "query": {
                                "bool": {
                                    "filter": [
                                        {"term": {"exfil.assets.id": "orion-7"}},
                                        {"range": {"exfil.assets.coverage": {"gte": 0.7}}},
                                    ]
                                }
                            },
                        }
                    },
                ]
            }
        },
        aggs={"teams": {"terms": {"field": "exfil.assets.owner_team"}}},
    )
    assert found["hits"]["total"]["value"] == 2
    assert found["aggregations"]["teams"]["buckets"] == [{"key": "pretraining", "doc_count": 2}]


def test_only_an_older_template_is_replaced(client: Elasticsearch, settings: Settings) -> None:
    alias = search_name(FINDINGS, settings.prefix)

    def put(version: int) -> None:
        old = template(FINDINGS, settings.prefix)
        del old["template"]["mappings"]["properties"]["exfil"]
        old["_meta"]["version"] = version
        client.indices.put_index_template(
            name=alias, meta=old.pop("_meta"), **{k: v for k, v in old.items() if k != "_meta"}
        )

    put(TEMPLATE_VERSION - 1)
    index = f"{alias}-2026.09"
    client.indices.create(index=index)
    install_templates(client, settings.prefix)
    upgraded = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert upgraded["exfil"]["properties"]["assets"]["type"] == "nested"
    put(TEMPLATE_VERSION + 1)
    before = client.indices.get_index_template(name=alias).body
    install_templates(client, settings.prefix)
    assert client.indices.get_index_template(name=alias).body == before


def test_a_finding_with_an_invalid_address_is_kept(
    client: Elasticsearch, settings: Settings
) -> None:
    document = published(make_finding(address="cloudformation.amazonaws.com"))
    assert publish_findings(settings, [document]).written == 1
    client.indices.refresh(index=search_name(FINDINGS, settings.prefix))
    query = {"term": {"related.ip.text": "cloudformation.amazonaws.com"}}
    assert client.count(index=search_name(FINDINGS, settings.prefix), query=query)["count"] == 1


def test_refused_documents_are_named_and_the_others_kept(
    client: Elasticsearch, settings: Settings
) -> None:
    documents = findings(6)
    for document in documents[1:5]:
        document["exfil"]["day"] = "no day"
    with pytest.raises(RunError) as raised:
        publish_findings(settings, documents)
    message = str(raised.value)
    assert "refused 4 of 6 documents (findings)" in message
    assert message.count("failed to parse field [exfil.day]") == SHOWN_FAILURES
    index = index_of(settings, documents[1])
    assert f"{index}/{documents[1]['event']['id']}" in message
    assert "and 1 more" in message
    assert count(client, settings) == 2
    assert publish_findings(settings, findings(6)) == Sent(written=4, kept=2)


def test_an_older_document_never_replaces_a_newer(
    client: Elasticsearch, settings: Settings
) -> None:
    def entity(day: str, score: float) -> dict[str, Any]:
        user = {"id": "u1", "risk": {"calculated_score_norm": score}}
        return {"@timestamp": f"{day}T23:59:59Z", "user": user, "exfil": {"day": day}}

    install_templates(client, settings.prefix)

    def sent(document: dict[str, Any]) -> Sent:
        return send(client, settings.prefix, ENTITIES, [document])

    assert sent(entity("2026-10-05", 10.0)) == Sent(written=1, kept=0)
    assert sent(entity("2026-10-04", 90.0)) == Sent(written=0, kept=1)
    assert sent(entity("2026-10-05", 20.0)) == Sent(written=1, kept=0)
    stored = client.get(index=search_name(ENTITIES, settings.prefix), id="u1")["_source"]
    assert stored == entity("2026-10-05", 20.0)


def test_the_server_accepts_every_template(client: Elasticsearch, settings: Settings) -> None:
    install_templates(client, settings.prefix)
    held = client.indices.get_index_template(name=f"{settings.prefix}-*")["index_templates"]
    assert {each["name"] for each in held} == {
        search_name(index, settings.prefix) for index in INDICES
    }
    # Each index gets only its own mapping.
    for index in INDICES:
        name = index_name(index, settings.prefix, {"@timestamp": "2026-10-05T00:00:00Z"})
        client.indices.create(index=name)
        made = client.indices.get(index=name)[name]
        assert set(made["mappings"]["properties"]) == set(mapping(index)["properties"])
        aliases = {search_name(index, settings.prefix)} if index.monthly else set()
        assert set(made["aliases"]) == aliases


def test_findings_of_the_first_release_survive_the_upgrade(
    client: Elasticsearch, settings: Settings
) -> None:
    """Version 1 had one template, for findings. Here is a copy of it."""
    text = (Path(__file__).parent / "elastic" / "findings-template-1.json").read_text("utf-8")
    shipped = json.loads(text.replace("PREFIX", settings.prefix))
    name = search_name(FINDINGS, settings.prefix)
    meta = shipped.pop("_meta")
    client.indices.put_index_template(name=name, meta=meta, **shipped)
    assert meta["version"] < TEMPLATE_VERSION
    assert send(client, settings.prefix, FINDINGS, findings(3)) == Sent(written=3, kept=0)
    assert publish_findings(settings, findings(5)) == Sent(written=2, kept=3)
    held = client.indices.get_index_template(name=name)["index_templates"][0]["index_template"]
    assert held["_meta"]["version"] == TEMPLATE_VERSION
    assert count(client, settings) == 5
    index = index_of(settings, findings(1)[0])
    upgraded = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    fresh = client.indices.simulate_template(name=name)["template"]["mappings"]["properties"]
    assert upgraded == fresh


def test_the_next_major_accepts_everything(elasticsearch_9_url: str) -> None:
    settings = settings_for(elasticsearch_9_url)
    assert publish_findings(settings, findings(3)) == Sent(written=3, kept=0)
    assert publish_findings(settings, findings(4)) == Sent(written=1, kept=3)
    with connect(settings) as client:
        client.indices.put_settings(
            index=index_of(settings, findings(1)[0]), settings={"index.blocks.write": True}
        )
    with pytest.raises(RunError, match="is blocked by index"):
        publish_findings(settings, findings(1))


def test_the_benchmark_leaves_nothing_behind(
    elasticsearch_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert documents.main(["--url", elasticsearch_url, "--documents", "1200"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed] == [["new", "1,200"], ["again", "1,200"]]
    with connect(settings_for(elasticsearch_url)) as client:
        assert not client.indices.exists(index=f"{documents.PREFIX}-*", allow_no_indices=False)
        assert not client.indices.exists_index_template(name=f"{documents.PREFIX}-*")
