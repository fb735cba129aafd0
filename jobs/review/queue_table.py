"""The review queue as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.platform.terminal_text import table

HEADER = ("rank", "score", "severity", "entity", "assets", "reason", "finding")
WIDTHS = {"entity": 32, "assets": 40, "reason": 110}
ID_CHARS = 12
"""Shown characters of a finding's id; `exfilwatch explain` accepts any unique beginning."""
SHOWN_ASSETS = 2


def queue_table(documents: Sequence[dict[str, Any]]) -> str:
    """One line for each of ``documents`` (lines of findings.ndjson), best rank first."""
    if not documents:
        return "The queue is empty."
    ranked = sorted(documents, key=lambda document: document["exfil"]["queue_rank"])
    return table(HEADER, [_row(document) for document in ranked], WIDTHS)


def entity_name(document: dict[str, Any]) -> str:
    """The identity's name, with its id if that says more."""
    user = document["user"]
    name = user.get("name") or user["id"]
    return name if name == user["id"] else f"{name} ({user['id']})"


def _row(document: dict[str, Any]) -> tuple[object, ...]:
    event, exfil = document["event"], document["exfil"]
    assets = [asset["id"] for asset in exfil.get("assets", [])]
    more = f" +{len(assets) - SHOWN_ASSETS}" if len(assets) > SHOWN_ASSETS else ""
    return (
        exfil["queue_rank"],
        round(float(event["risk_score"]), 1),
        event["severity"],
        entity_name(document),
        ", ".join(assets[:SHOWN_ASSETS]) + more,
        event["reason"],
        event["id"][:ID_CHARS],
    )
