"""Documents of identities: their risk, their activity of the day, and the assets they used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from jobs.stages.publish.elasticsearch.inputs import Tables
from models.scoring.entity_risk import RISK_DAYS, level, risk_on
from schemas.finding import detectors_of

COUNTED = ("open", "confirmed")
"""Statuses of findings that count for risk."""
GAIN_DAYS = 7
SHOWN_REASONS = 3


@dataclass(frozen=True)
class Entity:
    """Risks of one identity, and the findings of 30 days that they are made of, strongest first."""

    risk: float
    earlier_risk: float
    peak: float
    counted: list[dict[str, Any]]


def rate_entities(tables: Tables, statuses: Mapping[str, str]) -> dict[str, Entity]:
    """Every identity with a finding of the last 59 days → its rating on the day.

    ``statuses``: id of a finding → status of its review; a missing finding is open.
    """
    findings: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for finding in tables.findings:
        # An identity whose findings all count for nothing is rated too, with risk 0.
        counted = findings[finding["user"]["id"]]
        if statuses.get(finding["event"]["id"], "open") in COUNTED:
            counted.append(finding)
    return {user: _rate(tables.day, found) for user, found in findings.items()}


def entity_documents(
    tables: Tables, rated: Mapping[str, Entity], statuses: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One document for each identity of the directory, of the graph or with a rating."""
    people = _directory(tables)
    nodes = by_key(_user_nodes(tables), "node_id")
    fresh = _new_assets(tables)
    kinds = dict(zip(tables.access["user_id"], tables.access["user_kind"], strict=True))
    documents = []
    for user in sorted({*people, *nodes, *kinds, *rated}):
        person, node = people.get(user, {}), nodes.get(user)
        entity = rated.get(user, Entity(0.0, 0.0, 0.0, []))
        kind = person.get("kind") or kinds.get(user) or (node and node["kind"]) or "unknown"
        latest = max(entity.counted, key=_latest_first, default=None)
        documents.append(
            {
                "@timestamp": tables.end,
                "user": {
                    **_user(user, people),
                    "email": person.get("email") or None,
                    "risk": {
                        "calculated_score_norm": round(entity.risk, 2),
                        "calculated_level": level(entity.risk),
                    },
                },
                "exfil": {
                    "day": tables.day.isoformat(),
                    "gain": round(entity.risk - entity.earlier_risk, 2),
                    "peak": round(entity.peak, 2),
                    "open_findings": sum(
                        statuses.get(found["event"]["id"], "open") == "open"
                        for found in entity.counted
                    ),
                    "reasons": _first_few(found["event"]["reason"] for found in entity.counted),
                    "detectors": sorted(
                        {name for found in entity.counted for name in detectors_of(found)}
                    ),
                    "last_finding": latest and latest["event"]["id"],
                    "team": person.get("team") or None,
                    "title": person.get("title") or None,
                    "kind": kind,
                    "employment": person.get("employment") or None,
                    "notice_date": _iso(person.get("notice_date")),
                    "end_date": _iso(person.get("end_date")),
                    "peers": _peers(node),
                    "community": None if node is None else int(node["community"]),
                    "new_assets": fresh.get(user, []),
                },
            }
        )
    return documents


def entity_day_documents(tables: Tables, rated: Mapping[str, Entity]) -> list[dict[str, Any]]:
    """One document for each identity that was active on the day or has a risk."""
    people = _directory(tables)
    active = by_key(_totals(tables.access, ["user_id"]), "user_id")
    assets = tables.access.groupby("user_id")["asset_id"].nunique()
    nodes = by_key(_user_nodes(tables), "node_id")
    peers = {user: _peers(node) for user, node in nodes.items()}
    fresh = _new_assets(tables)
    found: dict[str, int] = defaultdict(int)
    for finding in tables.queue:
        found[finding["user"]["id"]] += 1
    risky = {user for user, entity in rated.items() if entity.risk > 0}
    documents = []
    for user in sorted({*active, *risky, *found}):
        day = active.get(user, {"bytes_out": 0, "objects": 0, "events": 0})
        around = [active.get(peer) for peer in peers.get(user, [])]
        # An inactive peer took 0 bytes. The bytes of an active peer may be unknown.
        taken = [0 if peer is None else _integer(peer["bytes_out"]) for peer in around]
        touched = [0 if peer is None else int(peer["objects"]) for peer in around]
        documents.append(
            {
                "@timestamp": tables.end,
                "user": {
                    **_user(user, people),
                    "risk": {
                        "calculated_score_norm": round(rated[user].risk, 2) if user in rated else 0
                    },
                },
                "exfil": {
                    "day": tables.day.isoformat(),
                    "team": people.get(user, {}).get("team") or None,
                    "bytes": _integer(day["bytes_out"]),
                    "objects": int(day["objects"]),
                    "events": int(day["events"]),
                    "assets": int(assets.get(user, 0)),
                    "new_assets": len(fresh.get(user, [])),
                    "findings": found[user],
                    **_compare("bytes", [value for value in taken if value is not None]),
                    **_compare("objects", touched),
                },
            }
        )
    return documents


def asset_day_documents(tables: Tables) -> list[dict[str, Any]]:
    """One document for each identity and asset of the day: listed assets and assets of findings."""
    people = _directory(tables)
    listed = tables.context.assets.set_index("asset_id").to_dict("index")
    suspected = {asset["id"] for finding in tables.queue for asset in finding["exfil"]["assets"]}
    new = {(user, asset) for user, assets in _new_assets(tables).items() for asset in assets}
    rows = _totals(tables.access, ["asset_id", "user_id"])
    documents = []
    for row in rows.to_dict("records"):
        asset, user = row["asset_id"], row["user_id"]
        if asset not in listed and asset not in suspected:
            continue
        known = listed.get(asset, {})
        documents.append(
            {
                "@timestamp": tables.end,
                "user": _user(user, people),
                "exfil": {
                    "day": tables.day.isoformat(),
                    "asset": {
                        "id": asset,
                        "kind": known.get("kind"),
                        "owner_team": known.get("owner_team") or None,
                        "sensitivity": _integer(known.get("sensitivity")),
                    },
                    "bytes": _integer(row["bytes_out"]),
                    "objects": int(row["objects"]),
                    "events": int(row["events"]),
                    "is_new": (user, asset) in new,
                },
            }
        )
    return documents


def display_names(tables: Tables) -> dict[str, str]:
    """user_id → display name in the directory, for identities that have one."""
    people = tables.context.directory
    names = zip(people["user_id"], people["display_name"], strict=True)
    return {user: name for user, name in names if name}


def _rate(day: date, findings: list[dict[str, Any]]) -> Entity:
    scored = [
        (date.fromisoformat(finding["exfil"]["day"]), float(finding["event"]["risk_score"]))
        for finding in findings
    ]
    risks = [risk_on(day - timedelta(days=back), scored) for back in range(RISK_DAYS)]
    first = (day - timedelta(days=RISK_DAYS - 1)).isoformat()
    counted = [finding for finding in findings if finding["exfil"]["day"] >= first]
    return Entity(risks[0], risks[GAIN_DAYS], max(risks), sorted(counted, key=_strongest_first))


def _strongest_first(finding: Mapping[str, Any]) -> tuple[float, str, str]:
    return -finding["event"]["risk_score"], finding["exfil"]["day"], finding["event"]["id"]


def _latest_first(finding: Mapping[str, Any]) -> tuple[str, float, str]:
    return finding["exfil"]["day"], finding["event"]["risk_score"], finding["event"]["id"]


def _first_few(sentences: Any) -> list[str]:
    return list(dict.fromkeys(sentences))[:SHOWN_REASONS]


def _directory(tables: Tables) -> dict[str, dict[str, Any]]:
    """Rows of the directory by user_id."""
    return by_key(tables.context.directory, "user_id")


def by_key(rows: pd.DataFrame, key: str) -> dict[str, dict[str, Any]]:
    """Rows by their value of ``key``, which is unique."""
    return {str(row[key]): {str(k): v for k, v in row.items()} for row in rows.to_dict("records")}


def _user(user: str, people: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"id": user, "name": people.get(user, {}).get("display_name") or user}


def _user_nodes(tables: Tables) -> pd.DataFrame:
    return tables.nodes[tables.nodes["node_type"] == "user"]


def _peers(node: Mapping[str, Any] | None) -> list[str]:
    peers = None if node is None else node["peers"]
    return [] if peers is None else [str(peer) for peer in peers]


def _new_assets(tables: Tables) -> dict[str, list[str]]:
    """user_id → assets touched on the day for the first time in the graph's window, sorted."""
    edges = tables.edges
    new: dict[str, list[str]] = defaultdict(list)
    fresh = edges[edges["today"].astype(bool) & edges["is_new"].astype(bool)]
    for user, asset in sorted(zip(fresh["user_id"], fresh["asset_id"], strict=True)):
        new[user].append(asset)
    return new


def _totals(access: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sums by ``keys``, sorted; bytes are null if none are known."""
    columns = ["bytes_out", "objects", "events"]
    # A column without a known value has dtype object.
    numbers = access[columns].apply(pd.to_numeric).astype("float64")
    frame = pd.concat([access[keys], numbers], axis=1)
    return frame.groupby(keys, as_index=False).sum(min_count=1)


def _compare(name: str, values: Collection[int]) -> dict[str, float | None]:
    """Median and 90th percentile of the peers' values; None without peers."""
    if not values:
        return {f"peer_{name}_median": None, f"peer_{name}_p90": None}
    median, high = np.percentile(list(values), [50, 90])
    return {f"peer_{name}_median": float(median), f"peer_{name}_p90": float(high)}


def _integer(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _iso(value: date | None) -> str | None:
    return None if value is None or pd.isna(value) else value.isoformat()
