"""Ten days of a small lab: documents of every index of Elasticsearch."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from models.detectors import detector_names
from schemas.elasticsearch.indices import (
    ASSET_DAYS,
    ENTITIES,
    ENTITY_DAYS,
    FINDINGS,
    GRAPH,
    HEALTH,
    QUEUE,
    VERDICTS_INDEX,
    Index,
)
from tests.worlds.sample_findings import make_finding, published

LAST = date(2026, 10, 12)
DAYS = [LAST - timedelta(days=n) for n in range(9, -1, -1)]
FIRST_TIME, LAST_TIME = f"{DAYS[0]}T00:00:00Z", f"{LAST}T23:59:59Z"
TB = 1_000_000_000_000
PEOPLE = {
    "u0017": ("Ada Kern", "pretraining", 81.5, 44.0),
    "u0018": ("Ben Osei", "pretraining", 22.0, -3.0),
    "u0019": ("Cleo Marsh", "evaluation", 47.5, 12.5),
    "u0020": ("Dai Ito", "serving", 3.0, 0.0),
    "svc-backup": ("svc-backup", None, 9.0, 1.0),
}
ASSETS = {
    "ckpt-orion-90000": ("checkpoint", "pretraining", 5),
    "data-dialogue": ("dataset", "finetuning", 4),
    "repo-kernel-fusion": ("repo", "kernels", 3),
    "ns-serving": ("namespace", "serving", 4),
}
SOURCES = ("checkpoints", "repositories")
PLACES = [(-0.9, 0.4), (0.8, 0.7), (0.1, -0.8), (-0.3, 0.9), (0.6, -0.4)]


def lab_documents() -> dict[Index, list[dict[str, Any]]]:
    """Documents by index. Ada took most of a checkpoint; Cleo a part of it and of a dataset."""
    findings = _findings()
    return {
        FINDINGS: findings,
        QUEUE: _queue(findings),
        VERDICTS_INDEX: _verdicts(findings),
        ENTITIES: [_entity(user, findings) for user in PEOPLE],
        ENTITY_DAYS: [_entity_day(user, day) for user in PEOPLE for day in DAYS],
        ASSET_DAYS: [_asset_day(asset, user, day) for user, asset in _ties() for day in DAYS[-3:]],
        GRAPH: _graph(),
        HEALTH: [document for day in DAYS for document in _health(day)],
    }


def _end(day: date) -> str:
    return f"{day}T23:59:59Z"


def _findings() -> list[dict[str, Any]]:
    orion, dialogue = "ckpt-orion-90000", "data-dialogue"
    made = [
        ("u0017", DAYS[-1], 1, 91.0, (orion,), "shard_coverage"),
        ("u0019", DAYS[-1], 2, 52.0, (dialogue, orion), "burst_peers"),
        ("u0018", DAYS[-3], 1, 31.0, ("repo-kernel-fusion",), "mass_clone"),
        ("svc-backup", DAYS[-5], 1, 24.0, ("ns-serving",), "service_misuse"),
        ("u0017", DAYS[-2], 1, 76.0, (orion,), "burst_self"),
    ]
    documents = [
        published(
            make_finding(
                user,
                day,
                rank,
                score=score,
                name=PEOPLE[user][0],
                assets=assets,
                detector=detector,
            ),
            day,
        )
        for user, day, rank, score, assets, detector in made
    ]
    # Nobody has read much of the dataset, so its share differs from the checkpoint's.
    documents[1]["exfil"]["assets"][0] |= {"coverage": 0.04, "objects": 9, "first_access": False}
    documents[3]["exfil"]["assets"][0] |= {"coverage": None, "objects_total": None, "bytes": None}
    return documents


def _queue(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    statuses = ("open", "open", "benign", "duplicate", "confirmed")
    documents = []
    for finding, status in zip(findings, statuses, strict=True):
        exfil = finding["exfil"]
        event = {key: finding["event"][key] for key in ("id", "risk_score", "severity", "reason")}
        verdict = {} if status == "open" else _verdict(status)
        documents.append(
            {
                "@timestamp": finding["@timestamp"],
                "event": event,
                "user": {key: finding["user"][key] for key in ("id", "name")},
                "rule": finding["rule"],
                "threat": finding["threat"],
                "exfil": {
                    **{key: exfil[key] for key in ("day", "queue_rank", "in_budget", "window")},
                    "asset_ids": [asset["id"] for asset in exfil["assets"]],
                    "detectors": [part["detector"] for part in exfil["contributions"]],
                    "families": [part["family"] for part in exfil["contributions"]],
                    "status": status,
                    **verdict,
                },
            }
        )
    documents[0]["exfil"]["supersedes"] = findings[-1]["event"]["id"]
    return documents


def _verdict(status: str) -> dict[str, str]:
    return {
        "verdict_reason": f"Looked at it with the team's lead: {status}.",
        "verdict_by": "r.vale",
        "verdict_at": _end(LAST),
    }


def _verdicts(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    said = _verdict("benign")
    body = {"verdict": "benign", **{key: said[key] for key in ("verdict_reason", "verdict_by")}}
    event = {"id": findings[2]["event"]["id"]}
    return [{"@timestamp": said["verdict_at"], "event": event, "exfil": body}]


def _entity(user: str, findings: list[dict[str, Any]]) -> dict[str, Any]:
    name, team, risk, gain = PEOPLE[user]
    own = [finding for finding in findings if finding["user"]["id"] == user]
    return {
        "@timestamp": _end(LAST),
        "user": {
            "id": user,
            "name": name,
            "email": f"{user}@example.com",
            "risk": {
                "calculated_score_norm": risk,
                "calculated_level": "High" if risk >= 70 else "Moderate" if risk >= 40 else "Low",
            },
        },
        "exfil": {
            "day": LAST.isoformat(),
            "gain": gain,
            "peak": risk + 4,
            "open_findings": len(own),
            "reasons": [finding["event"]["reason"] for finding in own],
            "detectors": [finding["rule"]["name"] for finding in own],
            "last_finding": own[0]["event"]["id"] if own else None,
            "team": team,
            "title": "Research engineer",
            "kind": "service" if team is None else "human",
            "employment": None if team is None else "employee",
            "notice_date": "2026-10-01" if user == "u0017" else None,
            "peers": [other for other in PEOPLE if other != user][:3],
            "community": 1,
            "new_assets": ["ckpt-orion-90000"] if user == "u0017" else [],
        },
    }


def _entity_day(user: str, day: date) -> dict[str, Any]:
    name, team, risk, gain = PEOPLE[user]
    late = (day - DAYS[0]).days / (len(DAYS) - 1)
    is_burst = user == "u0017" and day >= DAYS[-2]
    return {
        "@timestamp": _end(day),
        "user": {
            "id": user,
            "name": name,
            "risk": {"calculated_score_norm": max(0.0, risk - gain * (1 - late))},
        },
        "exfil": {
            "day": day.isoformat(),
            "team": team,
            "bytes": 2 * TB if is_burst else TB // 10,
            "objects": 180 if is_burst else 20,
            "events": 400 if is_burst else 60,
            "assets": 9 if is_burst else 4,
            "new_assets": 5 if is_burst else 0,
            "findings": 1 if is_burst else 0,
            "peer_bytes_median": TB / 8,
            "peer_bytes_p90": TB / 4,
            "peer_objects_median": 22.0,
            "peer_objects_p90": 41.0,
        },
    }


def _ties() -> list[tuple[str, str]]:
    return [
        (user, asset)
        for u, user in enumerate(PEOPLE)
        for a, asset in enumerate(ASSETS)
        if (u + a) % 2 == 0
    ]


def _asset_day(asset: str, user: str, day: date) -> dict[str, Any]:
    kind, team, sensitivity = ASSETS[asset]
    return {
        "@timestamp": _end(day),
        "user": {"id": user, "name": PEOPLE[user][0]},
        "exfil": {
            "day": day.isoformat(),
            "asset": {"id": asset, "kind": kind, "owner_team": team, "sensitivity": sensitivity},
            "bytes": TB // 20,
            "objects": 30,
            "events": 44,
            "is_new": day == DAYS[-3],
        },
    }


def _graph() -> list[dict[str, Any]]:
    """The picture of a person holds all people who share an asset with that person."""
    ties = _ties()
    shares = {user: {asset for other, asset in ties if other == user} for user in PEOPLE}
    pictures = {
        asset: sorted(user for user in PEOPLE if asset in shares[user]) for asset in ASSETS
    } | {user: sorted(other for other in PEOPLE if shares[other] & shares[user]) for user in PEOPLE}
    documents = []
    for place, (user, (name, team, risk, _)) in zip(PLACES, PEOPLE.items(), strict=True):
        node = {"id": user, "type": "user", "name": name, "risk": risk}
        node["kind"] = "service" if team is None else "human"
        documents.append(_element("node", node, place, pictures[user], shares[user]))
    for place, (asset, (kind, _, _)) in zip(PLACES, ASSETS.items(), strict=False):
        node = {"id": asset, "type": "asset", "name": asset, "risk": 0.0, "kind": kind}
        inner = (place[1] / 2, -place[0] / 2)
        documents.append(_element("node", node, inner, pictures[asset], {asset}))
    for number, (user, asset) in enumerate(ties):
        edge = {
            "user": user,
            "asset": asset,
            "weight": 1.5 + number,
            "is_new": number == 0,
            "today": number % 2 == 0,
        }
        documents.append(_element("edge", edge, None, pictures[asset], {asset}))
    return documents


def _element(
    kind: str,
    body: dict[str, Any],
    place: tuple[float, float] | None,
    picture: list[str],
    assets: set[str],
) -> dict[str, Any]:
    if place is not None:
        body |= {"community": 1, "x": place[0], "y": place[1]}
    return {
        "@timestamp": _end(LAST),
        "user": {"id": picture},
        "exfil": {
            "day": LAST.isoformat(),
            "element": kind,
            kind: body,
            "ego": picture,
            "asset": {"id": sorted(assets)},
        },
    }


def _health(day: date) -> list[dict[str, Any]]:
    bodies: list[dict[str, Any]] = [
        {
            "kind": "source",
            "source": source,
            "events": 120_000 + 1000 * day.day,
            "rejects": day.day,
            "last_event": f"{day}T23:40:00Z",
        }
        for source in SOURCES
    ]
    bodies += [
        {
            "kind": "expectation",
            "source": "checkpoints",
            "expectation": expectation,
            "column": "bytes_out",
            "severity": severity,
            "success": day.day % 4 > 0,
            "message": "3.2% of the rows have no value, at most 1% expected.",
        }
        for expectation, severity in (("not_null", "critical"), ("volume", "warning"))
    ]
    bodies += [
        {"kind": "detector", "detector": name, "signals": 40 + number, "findings": number % 3}
        for number, name in enumerate(detector_names())
    ]
    return [
        {"@timestamp": _end(day), "exfil": {"day": day.isoformat(), "health": body}}
        for body in bodies
    ]
