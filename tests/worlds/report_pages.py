"""A queue of findings and its report, once with plain and once with hostile names."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from jobs.stages.publish.report.finding_view import ReportData
from jobs.stages.publish.report.page import render_report
from models.detectors import describe
from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
    Context,
)
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from tests.worlds.sample_findings import DAY, make_finding, published

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    '" onmouseover="alert(3)',
    "'><svg onload=alert(4)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(5)",
    "</style><style>*{display:none}</style>",
    "<!-- --!><base href='http://evil.example/'>",
    "&lt;b&gt; ]]> &#60;i&#62;",
)

BIDI = "gnp.\u202eexe\x1b[31m"

NAMES = {
    "u-ada": "Ada Abara",
    "u-bo": "Bo Bauer",
    "u-cy": "Cy Costa",
    "u-di": "Di Duarte",
    "u-ed": "Ed Eriksen",
}

USERS = tuple(NAMES)

DETECTORS = ("shard_coverage", "first_access", "mass_clone")


def make_queue(names: dict[str, str] = NAMES, assets: str = "") -> list[dict[str, Any]]:
    """Three days, each with the five users in the budget and one finding below it."""
    queue = []
    for back in (2, 1, 0):
        day = DAY - timedelta(days=back)
        for rank, user in enumerate(USERS, start=1):
            finding = make_finding(
                user,
                day,
                rank,
                score=90.0 - 15 * rank + back,
                name=names[user],
                assets=(f"orion-{rank % 2}{assets}", f"own-{user}"),
                detector=DETECTORS[rank % 3],
                window=("1d", "7d", "30d")[rank % 3],
            )
            finding["exfil"]["assets"][1] |= {"bytes": None, "bytes_estimated": 1_234 * 10**9}
            queue.append(published(finding, day))
        below = make_finding("u-ed", day, 6, score=12.0, in_budget=False, window="90d")
        queue.append(published(below, day))
    return queue


def make_data(queue: list[dict[str, Any]]) -> ReportData:
    """Activity, graph and context of the queue's users and assets."""
    rng = np.random.default_rng(1)
    days = [DAY - timedelta(days=back) for back in range(40)]
    totals = pd.DataFrame(
        [
            (day, user, float(rng.integers(1, 9)) * 1e9, int(rng.integers(1, 50)), 60)
            for day in days
            for user in USERS
            if rng.random() < 0.8
        ],
        columns=["day", "user_id", "bytes", "objects", "events"],
    )
    assets = sorted({a["id"] for f in queue for a in f["exfil"]["assets"]})
    nodes, edges = [], []
    for day in days[:3]:
        for side, keys in (("user", USERS), ("asset", assets)):
            for key in keys:
                x, y = rng.uniform(-1, 1, 2)
                peers = [u for u in USERS if u != key][:3] if side == "user" else []
                nodes.append((day, key, side, None, 0, 3, 1.0, peers, float(x), float(y)))
        edges += [
            (day, user, asset, 1.0 + len(asset) / 50, 1, True, asset.startswith("own"), 0.1)
            for user in USERS
            for asset in assets
            if not asset.startswith("own") or user in asset
        ]
    context = Context(
        directory=pd.DataFrame(
            [
                (user, "", NAMES[user], "human", "evals", "", "Engineer", "employee", "US",
                 date(2024, 1, 1), None, None, ())
                for user in USERS
            ],
            columns=list(DIRECTORY_COLUMNS),
        ),
        assets=pd.DataFrame(
            [(a, "checkpoint", a, "evals", 5, 200, None, (), f"s3://c/{a}/*") for a in assets],
            columns=list(ASSET_COLUMNS),
        ),
        approvals=pd.DataFrame(columns=list(APPROVAL_COLUMNS)),
        networks=pd.DataFrame(columns=list(NETWORK_COLUMNS)),
    )  # fmt: skip
    return ReportData(
        totals=totals,
        nodes=pd.DataFrame(nodes, columns=GRAPH_NODES.column_names),
        edges=pd.DataFrame(edges, columns=GRAPH_EDGES.column_names),
        context_of=lambda day: context,
        descriptions={name: describe(name) for name in (*DETECTORS, "burst_self")},
    )


@cache
def sample_page() -> str:
    """The report of a plain queue."""
    queue = make_queue()
    return render_report(queue, make_data(queue), DAY)


def hostile_page() -> str:
    """The report of a queue in which every text is hostile."""
    names = dict(zip(USERS, HOSTILE, strict=False))
    queue = make_queue(names, assets=HOSTILE[1])
    for finding, text in zip(queue, [*HOSTILE, BIDI, *HOSTILE], strict=False):
        finding["event"]["reason"] = text
        finding["user"]["email"] = text
        finding["related"] = {"user": [text], "ip": [text], "hosts": [text]}
        finding["threat"]["technique"]["id"] = [text]
        finding["exfil"]["contributions"][0] |= {"reason": text, "unit": text, "family": text}
        finding["exfil"]["assets"][0] |= {"kind": text, "owner_team": text}
        finding["rule"]["name"] = text
    return render_report(queue, make_data(queue), DAY)
