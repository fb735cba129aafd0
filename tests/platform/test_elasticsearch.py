"""Publishing to Elasticsearch, against the real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.platform.documents import SHOWN_FAILURES, Sent, install_templates, send
from jobs.platform.elasticsearch import check_ready, connect, session
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
from tests.worlds.sample_findings import DAY, make_finding, published

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from tests.worlds.elastic_server import SecureServer

pytest_plugins = ("tests.worlds.elastic_server",)

KEY_VARIABLE = "TEST_ELASTIC_API_KEY"
PASSWORD_VARIABLE = "TEST_ELASTIC_PASSWORD"
SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0"
PUBLISH_HALF = """\
import json, sys, time
import jobs.platform.documents as documents
from jobs.platform.elasticsearch import session
from schemas.config import Elasticsearch
from schemas.elasticsearch.indices import FINDINGS

documents.CHUNK_DOCUMENTS = 20
settings = Elasticsearch(**json.loads(sys.argv[1]))

def half():
    for number, line in enumerate(open(sys.argv[2])):
        if number == 200:
            print("half", flush=True)
            time.sleep(60)
        yield json.loads(line)

with session(settings, "pipeline", "") as client:
    documents.install_templates(client, settings.prefix)
    documents.send(client, settings.prefix, FINDINGS, half())
"""


def settings_for(url: str | None, prefix: str = "exfilwatch", **changes: Any) -> Settings:
    values = {
        "url": url,
        "api_key_env": KEY_VARIABLE,
        "username": None,
        "password_env": PASSWORD_VARIABLE,
        "ca_certs": None,
        "prefix": prefix,
        **changes,
    }
    return Settings(**values)


def findings(number: int, day: date = DAY) -> list[dict[str, Any]]:
    return [published(make_finding(f"u{n:04d}", day, n + 1), day) for n in range(number)]


def publish_findings(settings: Settings, documents: list[dict[str, Any]]) -> Sent:
    with session(settings, "pipeline", "nothing is lost") as client:
        check_ready(client, settings.prefix)
        install_templates(client, settings.prefix)
        return send(client, settings.prefix, FINDINGS, documents)


def index_of(settings: Settings, document: dict[str, Any]) -> str:
    return index_name(FINDINGS, settings.prefix, document)


@pytest.fixture
def settings(elasticsearch_url: str) -> Settings:
    """The plain server, with indices that no other test uses."""
    return settings_for(elasticsearch_url, f"t{uuid.uuid4().hex[:10]}")


@pytest.fixture
def client(settings: Settings) -> Iterator[Elasticsearch]:
    with connect(settings) as client:
        yield client


def count(client: Elasticsearch, settings: Settings) -> int:
    alias = search_name(FINDINGS, settings.prefix)
    client.indices.refresh(index=alias)
    return int(client.count(index=alias)["count"])


def test_index_follows_the_documents_own_date() -> None:
    document = {"@timestamp": "2026-10-31T23:59:59Z"}
    assert index_name(FINDINGS, "exfilwatch", document) == "exfilwatch-findings-2026.10"
    assert index_name(ENTITIES, "exfilwatch", document) == "exfilwatch-entities"


def test_ids_of_different_things_differ_whatever_the_logs_hold() -> None:
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


def test_an_older_template_is_replaced_and_a_newer_one_left(
    client: Elasticsearch, settings: Settings
) -> None:
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


def test_an_address_that_is_none_does_not_cost_the_finding(
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


def test_nothing_is_doubled_or_lost_when_killed_half_way(
    client: Elasticsearch, settings: Settings, tmp_path: Path
) -> None:
    documents = findings(400)
    file = tmp_path / "findings.ndjson"
    file.write_text("".join(json.dumps(document) + "\n" for document in documents))
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISH_HALF, settings.model_dump_json(), str(file)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    sent = count(client, settings)
    assert 0 < sent < 400
    answer = publish_findings(settings, documents)
    assert answer == Sent(written=400 - sent, kept=sent)
    assert count(client, settings) == 400
    alias = search_name(FINDINGS, settings.prefix)
    found = client.search(index=alias, size=400, source=False)["hits"]["hits"]
    assert {hit["_id"] for hit in found} == {document["event"]["id"] for document in documents}


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ("index.blocks.write", "write"),
        ("index.blocks.read_only", "read_only"),
        ("index.blocks.read_only_allow_delete", "read_only_allow_delete"),
    ],
)
def test_nothing_is_sent_to_a_blocked_index(
    client: Elasticsearch, settings: Settings, block: str, name: str
) -> None:
    """Read-only, or of a server whose disk is full: said before anything is sent."""
    publish_findings(settings, findings(1))
    index = index_of(settings, findings(1)[0])
    client.indices.put_settings(index=index, settings={block: True})
    with pytest.raises(RunError) as raised:
        publish_findings(settings, findings(3))
    assert f"{index} is blocked by index.blocks.{name}" in str(raised.value)
    assert "disk is full" in str(raised.value)
    client.indices.put_settings(index=index, settings={block: None})
    assert publish_findings(settings, findings(3)) == Sent(written=2, kept=1)


def test_a_disk_that_fills_up_is_waited_for_and_then_explained(
    client: Elasticsearch, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers 429 to writes while its disk is full, as it does when it is busy."""
    monkeypatch.setattr("jobs.platform.documents.FIRST_BACKOFF_SECONDS", 0.2)
    publish_findings(settings, findings(1))
    index = index_of(settings, findings(1)[0])
    block = "index.blocks.read_only_allow_delete"
    client.indices.put_settings(index=index, settings={block: True})
    lift = threading.Timer(
        0.7, lambda: client.indices.put_settings(index=index, settings={block: None})
    )
    lift.start()
    try:
        assert send(client, settings.prefix, FINDINGS, findings(3)) == Sent(written=2, kept=1)
    finally:
        lift.join()
    client.indices.put_settings(index=index, settings={block: True})
    monkeypatch.setattr("jobs.platform.documents.RETRIES", 1)
    with pytest.raises(RunError, match=r"(?s)refused 4 of 4.*\(429\).*disk is full"):
        send(client, settings.prefix, FINDINGS, findings(4))
    client.indices.put_settings(index=index, settings={block: None})


def test_only_what_failed_is_tried_again(
    client: Elasticsearch, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two months is full for a while: the other month's findings are sent once."""
    monkeypatch.setattr("jobs.platform.documents.FIRST_BACKOFF_SECONDS", 0.2)
    november = date(2026, 11, 2)
    publish_findings(settings, [*findings(1), *findings(1, november)])
    index = index_of(settings, findings(1)[0])
    block = "index.blocks.read_only_allow_delete"
    client.indices.put_settings(index=index, settings={block: True})
    asked: list[int] = []
    bulk = type(client).bulk

    def counted(self: Elasticsearch, **options: Any) -> Any:
        asked.append(len(options["operations"]))
        if len(asked) == 2:
            client.indices.put_settings(index=index, settings={block: None})
        return bulk(self, **options)

    monkeypatch.setattr(type(client), "bulk", counted)
    mixed = [*findings(4), *findings(5, november)]
    assert send(client, settings.prefix, FINDINGS, mixed) == Sent(written=7, kept=2)
    # An action and a document each: nine, then the four of the full month.
    assert asked == [18, 8]


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


def test_every_template_is_taken_by_the_server(client: Elasticsearch, settings: Settings) -> None:
    install_templates(client, settings.prefix)
    held = client.indices.get_index_template(name=f"{settings.prefix}-*")["index_templates"]
    assert {each["name"] for each in held} == {
        search_name(index, settings.prefix) for index in INDICES
    }
    # Each index, made by the server, gets its own mapping and none of another's.
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
    """Version 1 had one template, of findings; it is kept here as it was shipped."""
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


def test_the_next_major_takes_everything(elasticsearch_9_url: str) -> None:
    settings = settings_for(elasticsearch_9_url)
    assert publish_findings(settings, findings(3)) == Sent(written=3, kept=0)
    assert publish_findings(settings, findings(4)) == Sent(written=1, kept=3)
    with connect(settings) as client:
        client.indices.put_settings(
            index=index_of(settings, findings(1)[0]), settings={"index.blocks.write": True}
        )
    with pytest.raises(RunError, match="is blocked by index"):
        publish_findings(settings, findings(1))


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(RunError, match=r"http://127\.0\.0\.1:1 cannot be reached .*check"):
        publish_findings(settings_for("http://127.0.0.1:1"), findings(1))


def test_another_server_is_not_taken_for_elasticsearch(tmp_path: Path) -> None:
    import http.server

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(RunError, match="Elasticsearch at"):
            publish_findings(settings_for(f"http://127.0.0.1:{server.server_port}"), findings(1))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("url", "changes", "variables", "message"),
    [
        ("http://es.example:9200", {}, {KEY_VARIABLE: SECRET}, "unencrypted; use https"),
        (
            "http://es.example:9200",
            {"username": "pipeline"},
            {PASSWORD_VARIABLE: SECRET},
            "unencrypted; use https",
        ),
        ("https://es.example:9200", {"username": "pipeline"}, {}, PASSWORD_VARIABLE),
        ("https://es.example:9200", {"ca_certs": "/no/such.pem"}, {}, "/no/such.pem is not a file"),
        ("http://es.example:port", {}, {}, "expected https://host:9200"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    url: str,
    changes: dict[str, str],
    variables: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(RunError) as raised,
        connect(settings_for(url, **changes)),
    ):
        pass
    assert message in str(raised.value)
    assert SECRET not in str(raised.value)


def test_api_key_is_sent_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test server knows no API keys, so what is sent is looked at."""
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    with connect(settings_for("https://es.example")) as client:
        assert client._headers["authorization"] == f"ApiKey {SECRET}"
        node = next(iter(client.transport.node_pool.all()))
        assert node.config.port == 443
        assert node.config.verify_certs


def test_users_certificates_and_privileges(
    secure_elasticsearch: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS and the documented least privileges; every refusal says what to do, none the secret."""
    server = secure_elasticsearch
    monkeypatch.setenv(PASSWORD_VARIABLE, server.password)
    good = settings_for(server.url, username="pipeline", ca_certs=server.ca_certs)
    assert publish_findings(good, findings(2)) == Sent(written=2, kept=0)
    assert publish_findings(good, findings(3)) == Sent(written=1, kept=2)
    later = findings(1, DAY + timedelta(days=31))
    assert publish_findings(good, later) == Sent(written=1, kept=0)
    refusals = {
        "no trusted TLS connection": good.model_copy(update={"ca_certs": server.other_ca_certs}),
        "ca_certs (not set)": good.model_copy(update={"ca_certs": None}),
        "exfilwatch-graph: delete": good.model_copy(update={"username": "analyst"}),
        "cluster: manage_index_templates": good.model_copy(update={"username": "analyst"}),
        "does not accept the credentials (401)": good.model_copy(update={"username": "nobody"}),
    }
    for message, settings in refusals.items():
        with pytest.raises(RunError) as raised:
            publish_findings(settings, findings(4))
        assert message in str(raised.value)
        assert server.password not in str(raised.value)
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    keyed = settings_for(server.url, ca_certs=server.ca_certs)
    with pytest.raises(RunError, match="API key in " + KEY_VARIABLE) as raised:
        publish_findings(keyed, findings(1))
    assert SECRET not in str(raised.value)


def test_the_role_for_upgrades_may_upgrade(
    secure_elasticsearch: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = secure_elasticsearch
    monkeypatch.setenv(PASSWORD_VARIABLE, server.password)
    good = settings_for(server.url, username="pipeline", ca_certs=server.ca_certs)
    publish_findings(good, findings(1, date(2026, 12, 1)))
    monkeypatch.setattr("jobs.platform.documents.TEMPLATE_VERSION", TEMPLATE_VERSION + 1)
    upgrading = good.model_copy(update={"username": "upgrade"})
    assert publish_findings(upgrading, findings(2, date(2026, 12, 1))) == Sent(written=1, kept=1)


def test_the_benchmark_leaves_nothing_behind(
    elasticsearch_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert documents.main(["--url", elasticsearch_url, "--documents", "1200"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in told] == [["new", "1,200"], ["again", "1,200"]]
    with connect(settings_for(elasticsearch_url)) as client:
        assert not client.indices.exists(index=f"{documents.PREFIX}-*", allow_no_indices=False)
        assert not client.indices.exists_index_template(name=f"{documents.PREFIX}-*")
