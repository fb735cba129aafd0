"""Stage ``publish``: the day's findings to findings.ndjson, report.html and Elasticsearch.

Nothing is computed anew: the findings are those of the table. The two files are replaced as a
whole; Elasticsearch comes last, so that a server that is down costs neither of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobs.context import load_context
from jobs.elastic import publish_findings
from jobs.report import REPORT_DAYS, ReportData, render_report, shown_findings
from jobs.report.evidence import MAX_OTHERS, TRAIL_DAYS
from jobs.review_queue import (
    KEPT_PER_BUDGET,
    queue_day,
    read_queue,
    replace_queue_day,
    write_atomically,
)
from jobs.warehouse import stored_frame
from models.detectors import Description, describe, detector_names
from schemas.config import JobConfig
from schemas.tables import ACCESS, FINDINGS, GRAPH_EDGES, GRAPH_NODES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REPORT_NAME = "report.html"
MIB = 1024 * 1024


def run(_spark: SparkSession, config: JobConfig, day: date) -> str:
    """Publish the findings of ``day``; RunError if Elasticsearch does not take them all."""
    documents = day_queue(config, day)
    folder = Path(config.output)
    days = replace_queue_day(folder, day, documents)
    size = write_report(config, folder, day)
    summary = f"{len(documents)} findings; {days} days in the queue, report {size / MIB:.1f} MiB"
    if config.elasticsearch.url is None:
        return summary
    sent = publish_findings(config.elasticsearch, documents)
    return f"{summary}; Elasticsearch: {sent.created} new, {sent.present} already there"


def day_queue(config: JobConfig, day: date) -> list[dict[str, Any]]:
    """The findings of a day that are published: in budget, then those just below, by rank."""
    most = config.alert_budget * KEPT_PER_BUDGET
    columns = ["queue_rank", "event_id", "document"]
    rows = stored_frame(config.storage, FINDINGS, day, columns=columns)
    rows = rows[rows["queue_rank"] <= most].sort_values(["queue_rank", "event_id"]).head(most)
    return [_document(text, day) for text in rows["document"]]


def write_report(config: JobConfig, folder: Path, day: date) -> int:
    """Make the report of everything in the folder's queue anew; gives its bytes."""
    queue = read_queue(folder)
    findings = shown_findings(queue)
    last = max([day, *(queue_day(finding) for finding in findings)])
    nodes = stored_frame(config.storage, GRAPH_NODES, last, REPORT_DAYS - 1)
    peers = _peers(findings, nodes)
    data = ReportData(
        totals=_daily_totals(config, last, peers),
        nodes=nodes,
        edges=_edges(config, last, findings, peers),
        context_of=cache(lambda at: load_context(config.context, at)),
        descriptions=_descriptions(findings),
    )
    text = render_report(queue, data, last)
    write_atomically(folder / REPORT_NAME, [text])
    return len(text.encode("utf-8", "replace"))


def _document(text: str, day: date) -> dict[str, Any]:
    """The finding as it is published: with the day of its queue."""
    # Names in logs may hold halves of surrogate pairs, which no UTF-8 file and no server takes.
    sound = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
    document: dict[str, Any] = json.loads(sound)
    document["exfil"]["day"] = day.isoformat()
    return document


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
    config: JobConfig, last: date, peers: dict[tuple[date, str], list[str]]
) -> pd.DataFrame:
    """Activity a day of everyone whose days are drawn; bytes are null where none are known."""
    users = {user for (_, user), others in peers.items() for user in (user, *others)}
    columns = ["day", "user_id", "bytes_out", "objects", "events"]
    access = stored_frame(config.storage, ACCESS, last, REPORT_DAYS + TRAIL_DAYS - 1, columns)
    drawn = access[access["user_id"].isin(users)].rename(columns={"bytes_out": "bytes"})
    return drawn.groupby(["day", "user_id"], as_index=False).sum(min_count=1)


def _edges(
    config: JobConfig,
    last: date,
    findings: Sequence[dict[str, Any]],
    peers: dict[tuple[date, str], list[str]],
) -> pd.DataFrame:
    """The graph's edges of the findings' users and their peers, and the strongest ones of each of
    their assets: a popular asset has thousands, of which a dozen are drawn."""
    users = {(day, user) for (day, own), others in peers.items() for user in (own, *others)}
    assets = {(queue_day(f), asset["id"]) for f in findings for asset in f["exfil"]["assets"]}
    columns = ["day", "user_id", "asset_id", "weight", "is_new"]
    edges = stored_frame(config.storage, GRAPH_EDGES, last, REPORT_DAYS - 1, columns)
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
