"""All documents of a published day: sent again, after a kill, by roles, to the next major."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli.doctor import check_elasticsearch
from jobs.platform.elasticsearch import connect
from jobs.platform.errors import RunError
from jobs.review.verdicts import give_verdict, list_verdicts
from jobs.stages import publish
from schemas.elasticsearch.indices import (
    ENTITY_DAYS,
    GRAPH,
    INDICES,
    QUEUE,
    VERDICTS_INDEX,
    document_id,
    search_name,
)
from tests.stages.publish.test_documents import check_contract
from tests.stages.publish.test_publish import make_config
from tests.worlds.publishing import PASSWORD_VARIABLE
from tests.worlds.reviews import put_day, stored, write_context
from tests.worlds.sample_findings import DAY, make_finding

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig
    from tests.worlds.elastic_server import SecureServer

pytest_plugins = ("tests.worlds.elastic_server",)


def test_publishing_a_day_again_changes_nothing(
    sail: SparkSession, config: JobConfig, client: Elasticsearch, tmp_path: Path
) -> None:
    write_context(tmp_path)
    next_day = DAY + timedelta(days=1)
    put_day(sail, config, DAY, ["u-ada", "u-bo"])
    put_day(sail, config, next_day, ["u-ada"])
    publish.STAGE.run(None, config, DAY)
    nodes_before = stored(client, config, GRAPH)
    assert any("u-bo" in key for key in nodes_before)
    publish.STAGE.run(None, config, next_day)
    everything = {index.name: stored(client, config, index) for index in INDICES}
    for index in INDICES:
        assert (everything[index.name] == {}) == (index == VERDICTS_INDEX), index.name
        for key, document in everything[index.name].items():
            assert key == document_id(index, document)
        if index.name not in ("verdicts", "findings"):
            check_contract(index, list(everything[index.name].values()))
    days = {each["exfil"]["day"] for each in everything["entity-days"].values()}
    assert days == {DAY.isoformat(), next_day.isoformat()}
    # The graph is only of the later day. Identities have the state of their latest day.
    assert {each["exfil"]["day"] for each in everything["graph"].values()} == {next_day.isoformat()}
    assert everything["entities"]["u-ada"]["exfil"]["day"] == next_day.isoformat()
    publish.STAGE.run(None, config, DAY)
    publish.STAGE.run(None, config, next_day)
    assert {index.name: stored(client, config, index) for index in INDICES} == everything
    # The documents of a day that shrinks are removed.
    put_day(sail, config, DAY, ["u-bo"])
    publish.STAGE.run(None, config, DAY)
    days = {
        (e["user"]["id"], e["exfil"]["day"]) for e in stored(client, config, ENTITY_DAYS).values()
    }
    # On the day after, u-bo still has a risk.
    assert days == {("u-bo", f"{DAY}"), ("u-ada", f"{next_day}"), ("u-bo", f"{next_day}")}


def test_the_run_after_a_killed_run_completes_its_work(
    sail: SparkSession, config: JobConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is killed before each of its requests that write."""
    from elasticsearch import Elasticsearch

    write_context(tmp_path)
    put_day(sail, config, DAY, ["u-ada", "u-bo"])
    changed = config.model_copy(update={"storage": str(tmp_path / "changed")})
    put_day(sail, changed, DAY, ["u-bo", "u-cy"])
    monkeypatch.setattr(publish, "make_report", lambda *_: "")

    def publish_both(prefix: str, kill_at: int) -> tuple[dict[str, Any], bool]:
        """All documents after an old, a killed and a new run; and whether the second was killed."""
        server = config.elasticsearch.model_copy(update={"prefix": prefix})
        old, new = (each.model_copy(update={"elasticsearch": server}) for each in (config, changed))
        publish.STAGE.run(None, old, DAY)
        with monkeypatch.context() as patch:
            patch.setattr(Elasticsearch, "bulk", killing(Elasticsearch.bulk, kill_at))
            was_killed = False
            try:
                publish.STAGE.run(None, new, DAY)
            except KeyboardInterrupt:
                was_killed = True
        publish.STAGE.run(None, new, DAY)
        with connect(server) as client:
            return {index.name: stored(client, new, index) for index in INDICES}, was_killed

    expected, _ = publish_both(f"{config.elasticsearch.prefix}-whole", -1)
    assert {each["user"]["id"] for each in expected["asset-days"].values()} == {"u-bo", "u-cy"}
    for kill_at in itertools.count():
        documents, was_killed = publish_both(f"{config.elasticsearch.prefix}-{kill_at}", kill_at)
        assert documents == expected, f"killed at {kill_at}"
        if not was_killed:
            break
    # Seven indices are written, and old documents are removed from three of them.
    assert kill_at == 10


def killing(bulk: Any, kill_at: int) -> Any:
    """A bulk request that raises KeyboardInterrupt at the ``kill_at``-th call, counted from 0."""
    requests = itertools.count()

    def kill_or_send(self: Any, **options: Any) -> Any:
        if next(requests) == kill_at:
            raise KeyboardInterrupt
        return bulk(self, **options)

    return kill_or_send


def test_each_role_has_only_its_own_rights(
    sail: SparkSession,
    tmp_path: Path,
    secure_elasticsearch: SecureServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from elasticsearch import AuthorizationException

    server = secure_elasticsearch
    monkeypatch.setenv(PASSWORD_VARIABLE, server.password)
    options = f"url: '{server.url}', ca_certs: {server.ca_certs}, password_env: {PASSWORD_VARIABLE}"

    def as_user(name: str) -> JobConfig:
        return make_config(tmp_path, f"{{{options}, username: {name}}}")

    found = make_finding("u-roles")
    as_user("pipeline")
    write_context(tmp_path)
    put_day(sail, as_user("pipeline"), DAY, ["u-roles"])
    publish.STAGE.run(None, as_user("pipeline"), DAY)
    publish.STAGE.run(None, as_user("pipeline"), DAY)
    assert check_elasticsearch(as_user("pipeline")).state == "ok"
    lacking = check_elasticsearch(as_user("analyst"))
    assert lacking.state == "missing"
    assert "exfilwatch-queue: index" in lacking.found
    investigator = as_user("investigator").elasticsearch
    given = give_verdict(investigator, found["event"]["id"], "benign", "backup", "m.o")
    assert list_verdicts(investigator) == [given]
    publish.STAGE.run(None, as_user("pipeline"), DAY)
    for name in ("pipeline", "analyst", "privacy_officer"):
        with pytest.raises(RunError, match=r"\(403\)|no published|refused 1 of 1"):
            give_verdict(as_user(name).elasticsearch, found["event"]["id"], "benign", "no", name)
    assert list_verdicts(investigator) == [given]
    forbidden = {
        "pipeline": ["exfilwatch-findings", "exfilwatch-identities", "exfilwatch-unmaskings"],
        "investigator": ["exfilwatch-identities", "exfilwatch-unmaskings"],
        "analyst": ["exfilwatch-identities", ".alerts-security.alerts-default"],
        "privacy_officer": ["exfilwatch-findings", "exfilwatch-entities"],
    }
    for name, indices in forbidden.items():
        with connect(as_user(name).elasticsearch) as client:
            for index in indices:
                with pytest.raises(AuthorizationException):
                    client.search(index=index)
            with pytest.raises(AuthorizationException):
                client.indices.delete(index="exfilwatch-queue")
    with connect(as_user("pipeline").elasticsearch) as client:
        index = f"exfilwatch-findings-{DAY:%Y.%m}"
        for change in (
            lambda: client.index(index=index, id=found["event"]["id"], document={}),
            lambda: client.delete(index=index, id=found["event"]["id"]),
        ):
            with pytest.raises(AuthorizationException):
                change()
    with connect(as_user("analyst").elasticsearch) as client:
        for each in INDICES:
            client.search(index=search_name(each, "exfilwatch"))


def test_the_next_major_accepts_all_documents_and_verdicts(
    sail: SparkSession, tmp_path: Path, elasticsearch_9_url: str
) -> None:
    config = make_config(tmp_path, f"{{url: '{elasticsearch_9_url}', prefix: verdicts}}")
    put_day(sail, config, DAY, ["u-ada", "u-bo"])
    publish.STAGE.run(None, config, DAY)
    found = make_finding("u-ada", DAY, 1)
    given = give_verdict(config.elasticsearch, found["event"]["id"], "benign", "backup", "m.o")
    publish.STAGE.run(None, config, DAY)
    assert list_verdicts(config.elasticsearch) == [given]
    with connect(config.elasticsearch) as client:
        queue = stored(client, config, QUEUE)
    assert queue[found["event"]["id"]]["exfil"]["status"] == "benign"
