"""Stage ``publish``: the day's findings to findings.ndjson, report.html and Elasticsearch.

No finding is computed anew: they are those of the table. All is read by way of
``jobs.pseudonyms.Inputs``, so that no identity is published where none may be. The two files are
replaced together; Elasticsearch comes last, so that a server that is down costs neither of them.
No engine is needed, so that a day can be published again at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobs.documents import Tables, read_findings, read_tables
from jobs.documents.ego_graph import graph_documents
from jobs.documents.entities import (
    asset_day_documents,
    entity_day_documents,
    entity_documents,
    rate_entities,
)
from jobs.documents.health import health_documents
from jobs.elastic import check_ready, find, install_templates, refresh, send, send_day, session
from jobs.pseudonyms import Inputs, check_published
from jobs.report import REPORT_DAYS, ReportData, render_report, shown_findings
from jobs.report.evidence import MAX_OTHERS, TRAIL_DAYS
from jobs.review_queue import FILE_NAME as QUEUE_NAME
from jobs.review_queue import queue_day, queue_lines, read_queue, with_day, write_files
from jobs.verdicts import latest_verdicts, review_queue
from models.detectors import Description, describe, detector_names
from schemas.config import JobConfig
from schemas.elastic import (
    ASSET_DAYS,
    ENTITIES,
    ENTITY_DAYS,
    FINDINGS,
    GRAPH,
    HEALTH,
    IDENTITIES,
    PRIVATE_INDICES,
    QUEUE,
    search_name,
)
from schemas.tables import ACCESS, EVENTS, GRAPH_EDGES, GRAPH_NODES, QUALITY, REJECTS, SIGNALS
from schemas.tables import FINDINGS as FINDINGS_TABLE

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch
    from pyspark.sql import SparkSession

INPUTS = (FINDINGS_TABLE, ACCESS, GRAPH_NODES, GRAPH_EDGES)
SENT_INPUTS = (EVENTS, REJECTS, QUALITY, SIGNALS)
REPORT_NAME = "report.html"
MIB = 1024 * 1024
NOT_SENT = (
    "findings.ndjson and the report are written; `exfilwatch publish` sends the rest of the day"
)


def run(_spark: SparkSession | None, config: JobConfig, day: date) -> str:
    """Publish the findings of ``day``; RunError if Elasticsearch does not take everything."""
    inputs = Inputs(config, day)
    folder = Path(config.output)
    published = read_queue(folder)
    check_published(config, published)
    documents = read_findings(inputs)
    queue = with_day(published, day, documents)
    report = make_report(inputs, queue)
    write_files({folder / QUEUE_NAME: queue_lines(queue), folder / REPORT_NAME: [report]})
    days = len({queue_day(finding) for finding in queue})
    size = len(report.encode("utf-8", "replace"))
    summary = f"{len(documents)} findings; {days} days in the queue, report {size / MIB:.1f} MiB"
    if config.elasticsearch.url is None:
        return summary
    return f"{summary}; Elasticsearch: {send_tables(inputs)}"


def send_tables(inputs: Inputs) -> str:
    """Bring Elasticsearch up to date with the day's tables; gives what was sent in words.

    Findings come first and are never changed. What a run that was killed left is made good by
    sending the day again.
    """
    settings, tables = inputs.config.elasticsearch, read_tables(inputs)
    prefix = settings.prefix
    this_day = {"term": {"exfil.day": tables.day.isoformat()}}
    with session(settings, "pipeline", NOT_SENT) as client:
        check_ready(client, prefix)
        install_templates(client, prefix)
        if inputs.names is not None:
            install_templates(client, prefix, PRIVATE_INDICES)
            send(client, prefix, IDENTITIES, inputs.identities())
        findings = send(client, prefix, FINDINGS, tables.queue)
        # A run a moment ago may have filled it.
        refresh(client, prefix, QUEUE)
        earlier = [hit["_source"] for hit in find(client, search_name(QUEUE, prefix), this_day)]
        ids = {finding["event"]["id"] for finding in (*tables.findings, *earlier)}
        verdicts = latest_verdicts(client, prefix, ids)
        statuses = {finding: given.verdict for finding, given in verdicts.items()}
        rated = rate_entities(tables, statuses)
        entities = entity_documents(tables, rated, statuses)
        others = [
            send(client, prefix, QUEUE, review_queue(tables.queue, verdicts, earlier)),
            send(client, prefix, ENTITIES, entities),
            send_day(client, prefix, ENTITY_DAYS, entity_day_documents(tables, rated), this_day),
            send_day(client, prefix, ASSET_DAYS, asset_day_documents(tables), this_day),
            send_day(client, prefix, HEALTH, health_documents(tables), this_day),
        ]
        if _is_latest(client, prefix, tables):
            graph = graph_documents(tables, rated)
            others.append(send_day(client, prefix, GRAPH, graph, {"match_all": {}}))
        for index in (QUEUE, ENTITIES):
            refresh(client, prefix, index)
    return (
        f"{findings.written} new, {findings.kept} already there, "
        f"{sum(sent.written for sent in others)} documents beside"
    )


def _is_latest(client: Elasticsearch, prefix: str, tables: Tables) -> bool:
    """Whether no later day's graph is there: the graph is that of the latest day only."""
    later = client.count(
        index=search_name(GRAPH, prefix),
        query={"range": {"exfil.day": {"gt": tables.day.isoformat()}}},
        ignore_unavailable=True,
    )
    return not later["count"]


def make_report(inputs: Inputs, queue: list[dict[str, Any]]) -> str:
    """The page of everything in ``queue``."""
    findings = shown_findings(queue)
    last = max([inputs.day, *(queue_day(finding) for finding in findings)])
    nodes = inputs.table(GRAPH_NODES, last, REPORT_DAYS - 1)
    peers = _peers(findings, nodes)
    data = ReportData(
        totals=_daily_totals(inputs, last, peers),
        nodes=nodes,
        edges=_edges(inputs, last, findings, peers),
        context_of=cache(inputs.context),
        descriptions=_descriptions(findings),
    )
    return render_report(queue, data, last)


def _peers(
    findings: Sequence[dict[str, Any]], nodes: pd.DataFrame
) -> dict[tuple[date, str], list[str]]:
    """Day and user of each finding → the user's learned peers on that day."""
    users = nodes[nodes["node_type"] == "user"]
    known = {
        (day, user): [] if peers is None else list(peers)
        for day, user, peers in zip(users["day"], users["node_id"], users["peers"], strict=True)
    }
    keys = sorted({(queue_day(finding), finding["user"]["id"]) for finding in findings})
    return {key: known.get(key, []) for key in keys}


def _daily_totals(
    inputs: Inputs, last: date, peers: dict[tuple[date, str], list[str]]
) -> pd.DataFrame:
    """Activity a day of everyone whose days are drawn; bytes are null where none are known."""
    users = {user for (_, user), others in peers.items() for user in (user, *others)}
    columns = ["day", "user_id", "bytes_out", "objects", "events"]
    access = inputs.table(ACCESS, last, REPORT_DAYS + TRAIL_DAYS - 1, columns)
    drawn = access[access["user_id"].isin(users)].rename(columns={"bytes_out": "bytes"})
    return drawn.groupby(["day", "user_id"], as_index=False).sum(min_count=1)


def _edges(
    inputs: Inputs,
    last: date,
    findings: Sequence[dict[str, Any]],
    peers: dict[tuple[date, str], list[str]],
) -> pd.DataFrame:
    """The graph's edges of the findings' users and their peers, and the strongest ones of each of
    their assets: a popular asset has thousands, of which a dozen are drawn."""
    users = {(day, user) for (day, own), others in peers.items() for user in (own, *others)}
    assets = {(queue_day(f), asset["id"]) for f in findings for asset in f["exfil"]["assets"]}
    columns = ["day", "user_id", "asset_id", "weight", "is_new"]
    edges = inputs.table(GRAPH_EDGES, last, REPORT_DAYS - 1, columns)
    own = edges[_in(edges[["day", "user_id"]], users)]
    around = edges[_in(edges[["day", "asset_id"]], assets)]
    strongest = (
        around.sort_values(["weight", "user_id"], ascending=[False, True])
        .groupby(["day", "asset_id"])
        .head(MAX_OTHERS + 1)
    )
    return pd.concat([own, strongest]).drop_duplicates(["day", "user_id", "asset_id"])


def _in(pairs: pd.DataFrame, wanted: set[tuple[date, str]]) -> pd.Series[bool]:
    found = [pair in wanted for pair in pairs.itertuples(index=False, name=None)]
    return pd.Series(found, index=pairs.index, dtype=bool)


def _descriptions(findings: Sequence[dict[str, Any]]) -> dict[str, Description]:
    """What the detectors' own files say of the detectors in the findings."""
    told = {part["detector"] for f in findings for part in f["exfil"]["contributions"]}
    told |= {finding["rule"]["name"] for finding in findings}
    return {name: describe(name) for name in sorted(told & set(detector_names()))}
