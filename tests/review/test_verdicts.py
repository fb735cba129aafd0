"""Verdicts on findings: given, read back, kept through every re-run; and the rest of publishing."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli.app import main
from jobs.cli.doctor import check_elasticsearch
from jobs.platform.documents import find
from jobs.platform.elasticsearch import connect
from jobs.platform.errors import RunError
from jobs.review import verdicts
from jobs.review.queue import Verdict, review_queue
from jobs.review.verdicts import give_verdict, list_verdicts
from jobs.stages import publish
from jobs.stages.publish.elasticsearch import send_day
from schemas.elasticsearch.indices import (
    ENTITIES,
    ENTITY_DAYS,
    GRAPH,
    INDICES,
    QUEUE,
    VERDICTS_INDEX,
    document_id,
    search_name,
)
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from tests.platform.test_elasticsearch import PASSWORD_VARIABLE
from tests.stages.publish.test_documents import check_contract
from tests.stages.publish.test_publish import access, edge, make_config, node, put, store
from tests.worlds.sample_findings import DAY, make_finding, published

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig
    from tests.worlds.elastic_server import SecureServer

pytest_plugins = ("tests.worlds.elastic_server",)

BENIGN = Verdict("", "benign", "weekly backup", "m.okafor", "2026-10-06T08:00:00.000Z")
TRUE, LATER = "true_positive", "2026-10-07T08:00:00.000Z"


def judged(finding: dict[str, Any], **changes: str) -> dict[str, Verdict]:
    values = {**vars(BENIGN), "finding": finding["event"]["id"], **changes}
    return {values["finding"]: Verdict(**values)}


def standing(documents: list[dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    """Id → status and what it supersedes."""
    return {
        document["event"]["id"]: (document["exfil"]["status"], document["exfil"]["supersedes"])
        for document in documents
    }


def finding(user: str = "u-ada", assets: tuple[str, ...] = ("orion-7",), **changes: Any) -> Any:
    return published(make_finding(user, assets=assets, **changes))


def test_the_queue_is_findings_with_their_verdicts() -> None:
    one, other = finding(), finding("u-bo")
    documents = review_queue([one, other], judged(one), [])
    check_contract(QUEUE, documents)
    assert standing(documents) == {
        one["event"]["id"]: ("benign", None),
        other["event"]["id"]: ("open", None),
    }
    exfil = documents[0]["exfil"]
    assert (exfil["verdict_by"], exfil["verdict_reason"]) == ("m.okafor", "weekly backup")
    assert exfil["verdict_at"] == BENIGN.at
    assert exfil["asset_ids"] == ["orion-7"]
    assert exfil["detectors"] == ["shard_coverage", "burst_self"]
    assert review_queue([one, other], judged(one), documents) == documents


def test_other_evidence_asks_for_review_again() -> None:
    first, second, third = (finding(assets=(asset,)) for asset in ("a", "b", "c"))
    ids = [each["event"]["id"] for each in (first, second, third)]
    queue = review_queue([first], judged(first), [])
    queue = review_queue([second], judged(first), queue)
    assert standing(queue) == {ids[1]: ("open", ids[0]), ids[0]: ("superseded", None)}
    # The verdict is not lost, and not carried over.
    assert [each["exfil"]["verdict_by"] for each in queue] == [None, "m.okafor"]
    queue = review_queue([third], judged(first), queue)
    expected = {ids[2]: ("open", ids[1]), ids[1]: ("superseded", ids[0])}
    assert standing(queue) == {**expected, ids[0]: ("superseded", None)}
    assert review_queue([third], judged(first), queue) == queue
    # The first evidence again is the first finding, which was judged.
    queue = review_queue([first], judged(first), queue)
    assert standing(queue)[ids[0]] == ("benign", ids[2])


def test_a_finding_that_is_gone_keeps_its_verdict() -> None:
    one, other = finding(), finding("u-bo")
    queue = review_queue([one, other], judged(one, verdict="confirmed"), [])
    queue = review_queue([], judged(one, verdict="confirmed"), queue)
    check_contract(QUEUE, queue)
    assert standing(queue) == {
        one["event"]["id"]: ("confirmed", None),
        other["event"]["id"]: ("superseded", None),
    }


def test_another_window_or_user_is_another_review() -> None:
    first = finding(assets=("a",))
    queue = review_queue([first], judged(first), [])
    others = [finding(assets=("b",), window="7d"), finding("u-bo", assets=("b",))]
    queue = review_queue(others, judged(first), queue)
    assert [each["exfil"]["supersedes"] for each in queue] == [None] * 3
    assert standing(queue)[first["event"]["id"]] == ("benign", None)


@pytest.fixture
def config(tmp_path: Path, elasticsearch_url: str) -> JobConfig:
    """The plain server, with indices that no other test uses."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    return make_config(tmp_path, f"{{url: '{elasticsearch_url}', prefix: {prefix}}}")


@pytest.fixture
def client(config: JobConfig) -> Iterator[Elasticsearch]:
    with connect(config.elasticsearch) as client:
        yield client


def stored(client: Elasticsearch, config: JobConfig, index: Any) -> dict[str, dict[str, Any]]:
    name = search_name(index, config.elasticsearch.prefix)
    client.indices.refresh(index=name, ignore_unavailable=True)
    return {hit["_id"]: hit["_source"] for hit in find(client, name, {"match_all": {}})}


def test_a_verdict_survives_every_run(
    sail: SparkSession, config: JobConfig, client: Elasticsearch
) -> None:
    one, other = make_finding(score=80.0), make_finding("u-bo", rank=2)
    store(sail, config, DAY, [one, other])
    publish.STAGE.run(sail, config, DAY)
    risks = {
        user: entity["user"]["risk"] for user, entity in stored(client, config, ENTITIES).items()
    }
    assert risks["u-ada"]["calculated_score_norm"] > risks["u-bo"]["calculated_score_norm"] > 0
    given = give_verdict(config.elasticsearch, one["event"]["id"][:8], "benign", "backup", "m.o")
    queue = stored(client, config, QUEUE)
    assert queue[one["event"]["id"]]["exfil"]["status"] == "benign"
    assert queue[other["event"]["id"]]["exfil"]["status"] == "open"
    before = stored(client, config, VERDICTS_INDEX)
    publish.STAGE.run(sail, config, DAY)
    assert stored(client, config, QUEUE) == queue
    assert stored(client, config, VERDICTS_INDEX) == before
    ada = stored(client, config, ENTITIES)["u-ada"]
    assert ada["user"]["risk"]["calculated_score_norm"] == 0
    assert ada["exfil"]["open_findings"] == 0
    assert list_verdicts(config.elasticsearch) == [given]
    # The latest counts, and all are kept.
    again = give_verdict(config.elasticsearch, one["event"]["id"], "confirmed", "no", "j.d")
    assert list_verdicts(config.elasticsearch) == [again]
    assert len(stored(client, config, VERDICTS_INDEX)) == 2
    # Other evidence on the same day.
    changed = make_finding(assets=("other",))
    store(sail, config, DAY, [changed, other])
    publish.STAGE.run(sail, config, DAY)
    queue = stored(client, config, QUEUE)
    assert queue[changed["event"]["id"]]["exfil"]["status"] == "open"
    assert queue[changed["event"]["id"]]["exfil"]["supersedes"] == one["event"]["id"]
    assert queue[one["event"]["id"]]["exfil"]["status"] == "superseded"
    with pytest.raises(RunError, match="is superseded"):
        give_verdict(config.elasticsearch, one["event"]["id"], "benign", "late", "m.o")
    assert list_verdicts(config.elasticsearch) == [again]


def test_a_run_that_did_not_see_a_verdict_does_not_undo_it(
    sail: SparkSession, config: JobConfig, client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody judges after the run has read the verdicts and before it writes the queue."""
    found = make_finding()
    store(sail, config, DAY, [found])
    publish.STAGE.run(sail, config, DAY)
    read = verdicts.latest_verdicts

    def read_too_early(*args: Any) -> dict[str, Verdict]:
        early = read(*args)
        give_verdict(config.elasticsearch, found["event"]["id"], "benign", "backup", "m.o")
        return early

    monkeypatch.setattr(send_day, "latest_verdicts", read_too_early)
    publish.STAGE.run(sail, config, DAY)
    assert stored(client, config, QUEUE)[found["event"]["id"]]["exfil"]["status"] == "benign"


def test_closed_alerts_of_elastic_security_are_verdicts(
    sail: SparkSession,
    config: JobConfig,
    client: Elasticsearch,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Documents as the detection engine writes them: dotted names beside the finding's fields."""
    # The server is shared, and the name of this index is not ours to choose.
    alerts = f".alerts-security.alerts-{config.elasticsearch.prefix}"
    monkeypatch.setattr(verdicts, "SECURITY_ALERTS", alerts.replace("alerts-t", "alerts-t*", 1))
    keyword, date = {"type": "keyword"}, {"type": "date"}
    fields = {
        "event.id": keyword,
        "event.module": keyword,
        "kibana.alert.workflow_status": keyword,
        "kibana.alert.workflow_reason": keyword,
        "kibana.alert.workflow_tags": keyword,
        "kibana.alert.workflow_user": keyword,
        "kibana.alert.workflow_status_updated_at": date,
        "@timestamp": date,
    }
    client.indices.create(index=alerts, mappings={"dynamic": False, "properties": fields})
    request.addfinalizer(lambda: delete_index(config, alerts))
    told = {
        "u-1": {"workflow_status": "closed", "workflow_reason": TRUE},
        "u-2": {"workflow_status": "closed", "workflow_reason": "false_positive"},
        "u-3": {"workflow_status": "closed", "workflow_reason": "duplicate"},
        "u-4": {"workflow_status": "closed", "workflow_tags": ["x", "False Positive"]},
        # These say nothing of what the alert was.
        "u-5": {"workflow_status": "closed", "workflow_reason": "other"},
        "u-6": {"workflow_status": "closed"},
        "u-7": {"workflow_status": "acknowledged", "workflow_tags": ["Duplicate"]},
        "u-8": {"workflow_status": "open"},
    }
    documents = {user: make_finding(user, rank=n) for n, user in enumerate(told, start=1)}
    store(sail, config, DAY, list(documents.values()))
    for user, workflow in told.items():
        alert = {f"kibana.alert.{name}": value for name, value in workflow.items()}
        alert |= {"kibana.alert.workflow_status_updated_at": LATER, "@timestamp": LATER}
        alert |= {"event.kind": "signal", **documents[user]}
        client.index(index=alerts, id=user, document=alert)
    other = {"event": {"id": documents["u-8"]["event"]["id"], "module": "endpoint"}}
    closed = {"kibana.alert.workflow_status": "closed", "kibana.alert.workflow_reason": TRUE}
    client.index(index=alerts, document={**other, **closed, "@timestamp": LATER})
    client.indices.refresh(index=alerts)
    before = {hit["_id"]: hit["_source"] for hit in find(client, alerts, {"match_all": {}})}
    publish.STAGE.run(sail, config, DAY)
    # Budget 2: twenty findings are published, so all eight.
    statuses = {
        document["user"]["id"]: document["exfil"]["status"]
        for document in stored(client, config, QUEUE).values()
    }
    assert statuses == {
        "u-1": "confirmed",
        "u-2": "benign",
        "u-3": "duplicate",
        "u-4": "benign",
        "u-5": "open",
        "u-6": "open",
        "u-7": "open",
        "u-8": "open",
    }
    # A verdict given here after the alert was closed counts.
    give_verdict(config.elasticsearch, documents["u-1"]["event"]["id"], "benign", "after all", "x")
    latest = {given.finding: given.verdict for given in list_verdicts(config.elasticsearch)}
    assert latest[documents["u-1"]["event"]["id"]] == "benign"
    assert len(latest) == 4
    after = {hit["_id"]: hit["_source"] for hit in find(client, alerts, {"match_all": {}})}
    assert after == before


def delete_index(config: JobConfig, name: str) -> None:
    with connect(config.elasticsearch) as client:
        client.indices.delete(index=name)


def test_everything_of_a_day_is_sent_and_sending_again_changes_nothing(
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
    # The graph is that of the later day only, and identities stand as of their latest.
    assert {each["exfil"]["day"] for each in everything["graph"].values()} == {next_day.isoformat()}
    assert everything["entities"]["u-ada"]["exfil"]["day"] == next_day.isoformat()
    publish.STAGE.run(None, config, DAY)
    publish.STAGE.run(None, config, next_day)
    assert {index.name: stored(client, config, index) for index in INDICES} == everything
    # A day that shrinks leaves nothing of what it was.
    put_day(sail, config, DAY, ["u-bo"])
    publish.STAGE.run(None, config, DAY)
    days = {
        (e["user"]["id"], e["exfil"]["day"]) for e in stored(client, config, ENTITY_DAYS).values()
    }
    # On the day after, u-bo still has a risk.
    assert days == {("u-bo", f"{DAY}"), ("u-ada", f"{next_day}"), ("u-bo", f"{next_day}")}


def test_a_run_killed_at_any_point_is_made_good_by_the_next(
    sail: SparkSession, config: JobConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each request that writes: what is there by then is all that the next run finds."""
    from elasticsearch import Elasticsearch

    write_context(tmp_path)
    put_day(sail, config, DAY, ["u-ada", "u-bo"])
    changed = config.model_copy(update={"storage": str(tmp_path / "changed")})
    put_day(sail, changed, DAY, ["u-bo", "u-cy"])
    monkeypatch.setattr(publish, "make_report", lambda *_: "")

    def publish_both(prefix: str, kill_at: int) -> tuple[dict[str, Any], bool]:
        """All documents after an old run, one killed, and another; and whether it was killed."""
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
    # Seven indices are written, and what is gone is removed from three of them.
    assert kill_at == 10


def killing(bulk: Any, kill_at: int) -> Any:
    """A bulk request that ends the process instead of being sent for the ``kill_at``-th time."""
    requests = itertools.count()

    def kill_or_send(self: Any, **options: Any) -> Any:
        if next(requests) == kill_at:
            raise KeyboardInterrupt
        return bulk(self, **options)

    return kill_or_send


def write_context(folder: Path) -> None:
    (folder / "context" / "directory.csv").write_text(
        "user_id,email,display_name,kind,team,manager_id,title,employment,country,start_date,"
        "notice_date,end_date,aliases\nu-ada,a@x.example,Ada,human,evals,,,employee,,,,,ada\n"
    )
    (folder / "context" / "assets.csv").write_text(
        "asset_id,kind,name,owner_team,sensitivity,objects,bytes,allowed_countries,pattern\n"
        "evals,repo,,evals,2,,,,github://lab/evals\n"
    )


def put_day(spark: SparkSession, config: JobConfig, day: Any, users: list[str]) -> None:
    store(spark, config, day, [make_finding(u, day, n) for n, u in enumerate(users, start=1)])
    put(spark, config, ACCESS, day, [access(day, user) for user in users])
    nodes = [node("user", user, 0.1, 0.2, []) for user in users]
    nodes = [row | {"day": day} for row in [*nodes, node("asset", "evals", 0.0, 0.0, [])]]
    put(spark, config, GRAPH_NODES, day, nodes)
    edges = [edge(user, "evals", True) | {"day": day} for user in users]
    put(spark, config, GRAPH_EDGES, day, edges)


def test_commands(
    sail: SparkSession, config: JobConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ["--config", str(tmp_path / "job.yml")]
    one, other = make_finding(), make_finding("u-bo", rank=2)
    for table in (*publish.STAGE.needs, *publish.STAGE.sent):
        put(sail, config, table, DAY, [])
    store(sail, config, DAY, [one, other])
    said = ["--as", "benign", "--reason", "backup", "--by", "m.okafor"]
    assert main(["verdict", "0000", *said, *job]) == 1
    assert "no published finding's id begins with '0000'" in capsys.readouterr().err
    assert main(["verdicts", "list", *job]) == 0
    assert "no verdict has been given" in capsys.readouterr().err
    # No engine: it would take longer to start than all of this.
    assert main(["publish", *job, "--day", DAY.isoformat()]) == 0
    assert "2 new, 0 already there" in capsys.readouterr().out
    assert main(["verdict", "", *said, *job]) == 1
    assert "several findings' ids begin with ''" in capsys.readouterr().err
    assert main(["verdict", one["event"]["id"][:10], *said, *job]) == 0
    assert f"finding {one['event']['id']} is benign, says m.okafor" in capsys.readouterr().out
    assert main(["verdicts", "list", *job]) == 0
    out = capsys.readouterr().out
    assert one["event"]["id"][:12] in out
    assert "m.okafor" in out
    assert main(["verdict", "0", "--as", "odd", "--reason", "x", "--by", "y", *job]) == 2
    assert main(["verdict", "0", "--as", "benign", "--reason", " ", "--by", "y", *job]) == 2
    (tmp_path / "job.yml").write_text(
        (tmp_path / "job.yml").read_text().replace("elasticsearch: {", "elasticsearch: {} #")
    )
    assert main(["verdict", "0", *said, *job]) == 2
    assert "elasticsearch.url is not set" in capsys.readouterr().err


def test_each_role_may_do_its_part_and_no_more(
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


def test_the_next_major_takes_all_documents_and_verdicts(
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
