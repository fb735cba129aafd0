"""Reading the rows of the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

import pandas as pd

from jobs.privacy.masked_tables import Inputs
from jobs.stages.publish.queue_file import queue_day
from jobs.stages.publish.report.evidence import MAX_OTHERS, TRAIL_DAYS
from jobs.stages.publish.report.finding_view import ReportData
from jobs.stages.publish.report.page import REPORT_DAYS, render_report, shown_findings
from models.detectors import Description, describe, detector_names
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES


def make_report(inputs: Inputs, queue: list[dict[str, Any]]) -> str:
    """The page of all findings in ``queue``."""
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
    """Daily activity of all users whose days are drawn; bytes are null if none are known."""
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
    """Edges of the findings' users and their peers, and the strongest edges of their assets.

    A popular asset has thousands of edges, of which a dozen are drawn.
    """
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
    """Descriptions of the detectors in the findings, from the detectors' own files."""
    named = {part["detector"] for f in findings for part in f["exfil"]["contributions"]}
    named |= {finding["rule"]["name"] for finding in findings}
    return {name: describe(name) for name in sorted(named & set(detector_names()))}
