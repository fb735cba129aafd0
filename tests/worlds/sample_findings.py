"""Findings in the pipeline's form, for tests of publishing and review."""

from __future__ import annotations

from datetime import date
from typing import Any

from schemas.finding import finding_id, severity, validate_finding

DAY = date(2026, 10, 5)


def make_finding(
    user_id: str = "u-ada",
    day: date = DAY,
    rank: int = 1,
    *,
    score: float = 60.0,
    name: str | None = None,
    assets: tuple[str, ...] = ("orion-7",),
    detector: str = "shard_coverage",
    window: str = "1d",
    in_budget: bool = True,
    reason: str | None = None,
    address: str = "10.1.2.3",
) -> dict[str, Any]:
    """A sound finding of ``day``; its evidence ends on that day at 15:00."""
    start, end = f"{day}T09:00:00Z", f"{day}T15:00:00Z"
    own_id = finding_id(user_id, day, window, start, end, [(a, 142, None) for a in assets])
    sentence = reason or f"{name or user_id} read 142 of 200 objects of {assets[0]}."
    document = {
        "@timestamp": end,
        "event": {
            "id": own_id,
            "kind": "alert",
            "category": ["file"],
            "module": "exfilwatch",
            "risk_score": score,
            "severity": severity(score),
            "reason": sentence,
            "start": start,
            "end": end,
        },
        "user": {"id": user_id, "name": name or user_id, "email": f"{user_id}@lab.example"},
        "related": {"user": [user_id], "ip": [address], "hosts": ["k8s://prod-east"]},
        "rule": {"name": detector},
        "threat": {
            "technique": {"id": ["T1530", "AML.T0035"]},
            "tactic": {"name": ["Collection"]},
        },
        "exfil": {
            "assets": [_asset(asset) for asset in assets],
            "contributions": [
                _contribution(detector, "coverage", score - 10, 0.71, 0.04, "share"),
                _contribution("burst_self", "volume", 10.0, 4.12e11, None, "bytes"),
            ],
            "queue_rank": rank,
            "in_budget": in_budget,
            "window": window,
            "case_id": own_id,
        },
    }
    assert validate_finding(document) == []
    return document


def published(document: dict[str, Any], day: date = DAY) -> dict[str, Any]:
    """The finding in its published form, with the day of its queue."""
    return {**document, "exfil": {**document["exfil"], "day": day.isoformat()}}


def _asset(asset: str) -> dict[str, Any]:
    return {
        "id": asset,
        "kind": "checkpoint",
        "owner_team": "pretraining",
        "sensitivity": 5,
        "objects": 142,
        "objects_total": 200,
        "bytes": 412_000_000_000,
        "bytes_estimated": None,
        "coverage": 0.71,
        "first_access": True,
    }


def _contribution(
    detector: str, family: str, points: float, observed: float, expected: float | None, unit: str
) -> dict[str, Any]:
    return {
        "detector": detector,
        "family": family,
        "points": points,
        "p_value": 0.000083,
        "observed": observed,
        "expected": expected,
        "unit": unit,
        "reason": f"{detector} saw more than it expected.",
    }
