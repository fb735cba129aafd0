"""Documents of the day's health: one for each source, expectation and detector."""

from __future__ import annotations

from typing import Any

import pandas as pd

from jobs.stages.publish.elasticsearch.inputs import Tables
from models.detectors import detector_names
from schemas.finding import detectors_of


def health_documents(tables: Tables) -> list[dict[str, Any]]:
    """Documents of sources, then of expectations, then of detectors."""
    entries = [*_sources(tables), *_expectations(tables), *_detectors(tables)]
    day = tables.day.isoformat()
    return [{"@timestamp": tables.end, "exfil": {"day": day, "health": entry}} for entry in entries]


def _sources(tables: Tables) -> list[dict[str, Any]]:
    return [
        {
            "kind": "source",
            "source": row["source"],
            "events": int(row["events"]),
            "rejects": int(row["rejects"]),
            "last_event": _time(row["last_event"]),
        }
        for row in tables.sources.to_dict("records")
    ]


def _expectations(tables: Tables) -> list[dict[str, Any]]:
    rows = tables.quality.sort_values(["source", "expectation", "column"])
    return [
        {
            "kind": "expectation",
            "source": row["source"],
            "expectation": row["expectation"],
            "column": row["column"],
            "severity": row["severity"],
            "success": bool(row["success"]),
            "message": row["message"],
        }
        for row in rows.to_dict("records")
    ]


def _detectors(tables: Tables) -> list[dict[str, Any]]:
    signals = dict(zip(tables.signals["detector"], tables.signals["signals"], strict=True))
    shown = [finding for finding in tables.queue if finding["exfil"]["in_budget"]]
    used = [name for finding in shown for name in detectors_of(finding)]
    return [
        {
            "kind": "detector",
            "detector": name,
            "signals": int(signals.get(name, 0)),
            "findings": used.count(name),
        }
        for name in detector_names()
    ]


def _time(value: Any) -> str | None:
    if value is None or pd.isna(value):
        return None
    return f"{pd.Timestamp(value).tz_localize(None).isoformat(timespec='milliseconds')}Z"
