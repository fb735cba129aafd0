"""Publishing to a real server that is full, blocked or refusing, and after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.platform.documents import Sent, send
from jobs.platform.errors import RunError
from schemas.config import Elasticsearch as Settings
from schemas.elasticsearch.indices import (
    FINDINGS,
    search_name,
)
from tests.worlds.publishing import count, findings, index_of, publish_findings

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


pytest_plugins = ("tests.worlds.elastic_server",)
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
    """A read-only index or a full disk is reported before anything is sent."""
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
    """A server with a full disk answers 429 to writes, like a busy server."""
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


def test_only_failed_documents_are_sent_again(
    client: Elasticsearch, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two months refuses for a while: the other month's findings are sent once."""
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
    # Each document is an action and a body: nine documents, then the four of the full month.
    assert asked == [18, 8]
