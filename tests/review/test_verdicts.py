"""Verdicts, and their effect on the queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli.app import main
from jobs.platform.documents import find
from jobs.platform.errors import RunError
from jobs.review import verdicts
from jobs.review.queue import Verdict, review_queue
from jobs.review.verdicts import give_verdict, list_verdicts
from jobs.stages import publish
from jobs.stages.publish.elasticsearch import send_day
from schemas.elasticsearch.indices import (
    ENTITIES,
    QUEUE,
    VERDICTS_INDEX,
)
from tests.stages.publish.test_documents import check_contract
from tests.stages.publish.test_publish import put, store
from tests.worlds.reviews import (
    BENIGN,
    LATER,
    TRUE,
    delete_index,
    finding,
    judged,
    standing,
    stored,
)
from tests.worlds.sample_findings import DAY, make_finding

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

pytest_plugins = ("tests.worlds.elastic_server",)

KEYWORD, DATE = {"type": "keyword"}, {"type": "date"}
ALERT_FIELDS = {
    "event.id": KEYWORD,
    "event.module": KEYWORD,
    "kibana.alert.workflow_status": KEYWORD,
    "kibana.alert.workflow_reason": KEYWORD,
    "kibana.alert.workflow_tags": KEYWORD,
    "kibana.alert.workflow_user": KEYWORD,
    "kibana.alert.workflow_status_updated_at": DATE,
    "@timestamp": DATE,
}
WORKFLOWS = {
    "u-1": {"workflow_status": "closed", "workflow_reason": TRUE},
    "u-2": {"workflow_status": "closed", "workflow_reason": "false_positive"},
    "u-3": {"workflow_status": "closed", "workflow_reason": "duplicate"},
    "u-4": {"workflow_status": "closed", "workflow_tags": ["x", "False Positive"]},
    # These closing reasons are no verdicts.
    "u-5": {"workflow_status": "closed", "workflow_reason": "other"},
    "u-6": {"workflow_status": "closed"},
    "u-7": {"workflow_status": "acknowledged", "workflow_tags": ["Duplicate"]},
    "u-8": {"workflow_status": "open"},
}


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


def test_other_evidence_needs_a_new_review() -> None:
    first, second, third = (finding(assets=(asset,)) for asset in ("a", "b", "c"))
    ids = [each["event"]["id"] for each in (first, second, third)]
    queue = review_queue([first], judged(first), [])
    queue = review_queue([second], judged(first), queue)
    assert standing(queue) == {ids[1]: ("open", ids[0]), ids[0]: ("superseded", None)}
    # The verdict is kept, and the new finding does not inherit it.
    assert [each["exfil"]["verdict_by"] for each in queue] == [None, "m.okafor"]
    queue = review_queue([third], judged(first), queue)
    expected = {ids[2]: ("open", ids[1]), ids[1]: ("superseded", ids[0])}
    assert standing(queue) == {**expected, ids[0]: ("superseded", None)}
    assert review_queue([third], judged(first), queue) == queue
    # The first evidence makes the first finding again, with its verdict.
    queue = review_queue([first], judged(first), queue)
    assert standing(queue)[ids[0]] == ("benign", ids[2])


def test_a_finding_that_runs_no_longer_make_keeps_its_verdict() -> None:
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
    # The latest verdict counts, and all are kept.
    again = give_verdict(config.elasticsearch, one["event"]["id"], "confirmed", "no", "j.d")
    assert list_verdicts(config.elasticsearch) == [again]
    assert len(stored(client, config, VERDICTS_INDEX)) == 2
    # The same day gets other evidence.
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
    """The verdict comes after the run has read the verdicts and before it writes the queue."""
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
    """Documents in the form of the detection engine: dotted names beside the finding's fields."""
    # The server is shared, and Elastic Security fixes the name of this index.
    alerts = f".alerts-security.alerts-{config.elasticsearch.prefix}"
    monkeypatch.setattr(verdicts, "SECURITY_ALERTS", alerts.replace("alerts-t", "alerts-t*", 1))
    client.indices.create(index=alerts, mappings={"dynamic": False, "properties": ALERT_FIELDS})
    request.addfinalizer(lambda: delete_index(config, alerts))
    documents = {user: make_finding(user, rank=n) for n, user in enumerate(WORKFLOWS, start=1)}
    store(sail, config, DAY, list(documents.values()))
    for user, workflow in WORKFLOWS.items():
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
    # With budget 2 up to twenty findings are published, so all eight are.
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
    # A later verdict of ours replaces the closed alert's.
    give_verdict(config.elasticsearch, documents["u-1"]["event"]["id"], "benign", "after all", "x")
    latest = {given.finding: given.verdict for given in list_verdicts(config.elasticsearch)}
    assert latest[documents["u-1"]["event"]["id"]] == "benign"
    assert len(latest) == 4
    after = {hit["_id"]: hit["_source"] for hit in find(client, alerts, {"match_all": {}})}
    assert after == before


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
    # There is no engine: its start would take longer than this whole test.
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
