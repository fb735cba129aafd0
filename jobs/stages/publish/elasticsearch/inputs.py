"""Documents for Elasticsearch, made of a day's tables.

:func:`read_tables` reads all inputs of the documents. The modules beside this one are functions of
:class:`Tables` alone, so names of people come from nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.platform.delta_tables import open_table, table_exists
from jobs.privacy.masked_tables import Inputs
from models.reasons.finding import with_reasons
from models.reasons.reason import load_reasons
from models.scoring.entity_risk import RISK_DAYS
from schemas.context import Context
from schemas.finding import KEPT_PER_BUDGET
from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.findings import FINDINGS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.quality import QUALITY
from schemas.tables.signals import SIGNALS

if TYPE_CHECKING:
    import pandas as pd

FINDING_DAYS = 2 * RISK_DAYS - 1
"""Days of findings needed for the highest risk of the last ``RISK_DAYS`` days."""


@dataclass(frozen=True)
class Tables:
    """Inputs of the documents of ``day``.

    ``findings``: as published, of the day and the 58 days before, by day and rank. Frames: rows of
    the day. ``access``: user_id, user_kind, asset_id, bytes_out, objects, events; ``nodes``,
    ``edges``: columns of GRAPH_NODES and GRAPH_EDGES; ``quality``: columns of QUALITY; ``sources``:
    source, events, last_event (UTC), rejects; ``signals``: detector, signals.
    """

    day: date
    findings: list[dict[str, Any]]
    access: pd.DataFrame
    nodes: pd.DataFrame
    edges: pd.DataFrame
    context: Context
    quality: pd.DataFrame
    sources: pd.DataFrame
    signals: pd.DataFrame

    @property
    def queue(self) -> list[dict[str, Any]]:
        """The findings of the day itself."""
        return [found for found in self.findings if found["exfil"]["day"] == self.day.isoformat()]

    @property
    def end(self) -> str:
        """``@timestamp`` of documents that stand for the whole day."""
        return f"{self.day}T23:59:59Z"


def read_tables(inputs: Inputs) -> Tables:
    """The tables of the inputs' day, read without an engine."""
    day = inputs.day
    columns = ["user_id", "user_kind", "asset_id", "bytes_out", "objects", "events"]
    signals = inputs.table(SIGNALS, day, columns=["detector"])
    return Tables(
        day=day,
        findings=read_findings(inputs, FINDING_DAYS - 1),
        access=inputs.table(ACCESS, day, columns=columns),
        nodes=inputs.table(GRAPH_NODES, day),
        edges=inputs.table(GRAPH_EDGES, day),
        context=inputs.context(day),
        quality=inputs.table(QUALITY, day),
        sources=_sources(inputs),
        signals=signals.groupby("detector").size().rename("signals").reset_index(),
    )


def read_findings(inputs: Inputs, look_back: int = 0) -> list[dict[str, Any]]:
    """Findings that are published, by day and rank: in budget, then those just below.

    Of the inputs' day and the ``look_back`` days before it.
    """
    most = inputs.config.alert_budget * KEPT_PER_BUDGET
    columns = ["day", "queue_rank", "event_id", "document", "reasons"]
    rows = inputs.table(FINDINGS, inputs.day, look_back, columns)
    rows = rows[rows["queue_rank"] <= most].sort_values(["day", "queue_rank", "event_id"])
    rows = rows.groupby("day", sort=False).head(most)
    cells = zip(rows["document"], rows["reasons"], rows["day"], strict=True)
    return [_published(text, reasons, day) for text, reasons, day in cells]


def _published(text: str, reasons: str | None, day: date) -> dict[str, Any]:
    """The published form of a finding: sentences made of their parts, and the day of its queue.

    A row of another version without known parts is published unchanged.
    """
    stored, known = json.loads(text), load_reasons(reasons) or []
    fits = len(known) == 1 + len(stored["exfil"]["contributions"])
    worded = with_reasons(stored, known) if fits else stored
    # Names in logs may hold halves of surrogate pairs, which UTF-8 and the server refuse.
    sound = json.dumps(worded, ensure_ascii=False).encode("utf-8", "replace")
    document: dict[str, Any] = json.loads(sound)
    document["exfil"]["day"] = day.isoformat()
    # A finding of an earlier version is a case of its own.
    document["exfil"].setdefault("case_id", document["event"]["id"])
    return document


def _sources(inputs: Inputs) -> pd.DataFrame:
    """Events, time of the last one, and rejects of every configured source on the day."""
    import pandas as pd
    import pyarrow.compute as pc

    storage, names = inputs.config.storage, [source.name for source in inputs.config.sources]
    events = dict.fromkeys(names, 0)
    last_events: dict[str, pd.Timestamp] = {}
    if table_exists(storage, EVENTS):
        scanner = (
            open_table(storage, EVENTS)
            .to_pyarrow_dataset()
            .scanner(
                columns=["source", "event_time"], filter=pc.field("day") == pc.scalar(inputs.day)
            )
        )
        # A day has millions of events, so only one batch is in memory at a time.
        for batch in scanner.to_batches():
            for name, times in batch.to_pandas().groupby("source")["event_time"]:
                source, last = str(name), times.max()
                events[source] = events.get(source, 0) + len(times)
                last_events[source] = max(last_events.get(source, last), last)
    rows = inputs.table(REJECTS, inputs.day, columns=["source", "records"])
    # A row may stand for many records that are only counted.
    rejects = rows["records"].astype("Float64").fillna(1).groupby(rows["source"]).sum()
    return pd.DataFrame(
        [
            {
                "source": name,
                "events": events[name],
                "last_event": last_events.get(name),
                "rejects": int(rejects.get(name, 0)),
            }
            for name in names
        ],
        columns=["source", "events", "last_event", "rejects"],
    )
