"""Bringing Elasticsearch up to date with a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.platform.documents import find, install_templates, refresh, send, send_day
from jobs.platform.elasticsearch import check_ready, session
from jobs.privacy.masked_tables import Inputs
from jobs.review.queue import review_queue
from jobs.review.verdicts import latest_verdicts
from jobs.stages.publish.elasticsearch.entities import (
    asset_day_documents,
    entity_day_documents,
    entity_documents,
    rate_entities,
)
from jobs.stages.publish.elasticsearch.graph import graph_documents
from jobs.stages.publish.elasticsearch.health import health_documents
from jobs.stages.publish.elasticsearch.inputs import Tables, read_tables
from schemas.elasticsearch.indices import (
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

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


NOT_SENT = (
    "findings.ndjson and the report are written; `exfilwatch publish` sends the rest of the day"
)


def send_tables(inputs: Inputs) -> str:
    """Bring Elasticsearch up to date with the day's tables; returns a sentence with the counts.

    Findings come first and are never changed. After a killed run, sending the day again completes
    it.
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
    """Whether no later day's graph is there: the index holds the graph of the latest day only."""
    later = client.count(
        index=search_name(GRAPH, prefix),
        query={"range": {"exfil.day": {"gt": tables.day.isoformat()}}},
        ignore_unavailable=True,
    )
    return not later["count"]
