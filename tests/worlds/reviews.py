"""Findings, verdicts and published days to review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.platform.documents import find
from jobs.platform.elasticsearch import connect
from jobs.review.queue import Verdict
from schemas.elasticsearch.indices import (
    search_name,
)
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from tests.stages.publish.test_publish import access, edge, node, put, store
from tests.worlds.sample_findings import make_finding, published

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

BENIGN = Verdict("", "benign", "weekly backup", "m.okafor", "2026-10-06T08:00:00.000Z")
TRUE, LATER = "true_positive", "2026-10-07T08:00:00.000Z"


def judged(finding: dict[str, Any], **changes: str) -> dict[str, Verdict]:
    values = {**vars(BENIGN), "finding": finding["event"]["id"], **changes}
    return {values["finding"]: Verdict(**values)}


def standing(documents: list[dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    """Id → status, and the id of the superseded finding."""
    return {
        document["event"]["id"]: (document["exfil"]["status"], document["exfil"]["supersedes"])
        for document in documents
    }


def finding(user: str = "u-ada", assets: tuple[str, ...] = ("orion-7",), **changes: Any) -> Any:
    return published(make_finding(user, assets=assets, **changes))


def stored(client: Elasticsearch, config: JobConfig, index: Any) -> dict[str, dict[str, Any]]:
    name = search_name(index, config.elasticsearch.prefix)
    client.indices.refresh(index=name, ignore_unavailable=True)
    return {hit["_id"]: hit["_source"] for hit in find(client, name, {"match_all": {}})}


def delete_index(config: JobConfig, name: str) -> None:
    with connect(config.elasticsearch) as client:
        client.indices.delete(index=name)


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
