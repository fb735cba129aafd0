"""The finding: its fields, the recipe of its id, and a check of whole documents.

A document is nested objects throughout (``{"event": {"id": …}}``), ECS names where ECS has them.
Times are ISO 8601 in UTC with ``Z``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from schemas.tables.values import WINDOWS

MODULE = "exfilwatch"
TYPES = ("keyword", "date", "float", "integer", "text", "boolean", "nested")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
ID = re.compile(r"[0-9a-f]{32}")
SEVERITY_FROM = (0, 22, 48, 74)
"""Least score of severity 1 low, 2 medium, 3 high, 4 critical."""


@dataclass(frozen=True)
class Field:
    """One field by its dotted path; ``many``: a list; ``nullable``: may be null (not known)."""

    path: str
    type: str
    meaning: str
    many: bool = False
    nullable: bool = False


FIELDS = (
    Field("@timestamp", "date", "when the window's evidence ends"),
    Field("event.id", "keyword", "deterministic id, see finding_id"),
    Field("event.kind", "keyword", "always `alert`"),
    Field("event.category", "keyword", "ECS categories that fit", many=True),
    Field("event.module", "keyword", "name of the product"),
    Field("event.risk_score", "float", "0–100, the sum of the contributions' points"),
    Field("event.severity", "integer", "1 low, 2 medium, 3 high, 4 critical"),
    Field("event.reason", "text", "one plain sentence with the figures that matter"),
    Field("event.start", "date", "first event of the evidence"),
    Field("event.end", "date", "last event of the evidence"),
    Field("user.id", "keyword", "user_id of the directory, else the raw principal"),
    Field("user.name", "keyword", "display name, else the id"),
    Field("user.email", "keyword", "of the directory", nullable=True),
    Field("related.user", "keyword", "all identities in the evidence", many=True),
    Field("related.ip", "keyword", "all addresses in the evidence", many=True),
    Field("related.hosts", "keyword", "all hosts and clusters in the evidence", many=True),
    Field("rule.name", "keyword", "detector with the most points"),
    Field("threat.technique.id", "keyword", "ATT&CK and ATLAS ids", many=True),
    Field("threat.tactic.name", "keyword", "names of their tactics", many=True),
    Field("exfil.assets", "nested", "assets of the evidence, most telling first", many=True),
    Field("exfil.assets.id", "keyword", "asset_id, or the URI of a container that is not listed"),
    Field("exfil.assets.kind", "keyword", "kind of asset", nullable=True),
    Field("exfil.assets.owner_team", "keyword", "team that owns it", nullable=True),
    Field("exfil.assets.sensitivity", "integer", "1 public to 5 frontier weights", nullable=True),
    Field("exfil.assets.objects", "integer", "distinct objects touched in the window"),
    Field("exfil.assets.objects_total", "integer", "objects of the whole asset", nullable=True),
    Field("exfil.assets.bytes", "integer", "bytes taken in the window", nullable=True),
    Field(
        "exfil.assets.bytes_estimated",
        "integer",
        "bytes taken besides, which no log tells, estimated from the asset's size",
        nullable=True,
    ),
    Field("exfil.assets.coverage", "float", "share of the asset read, 0–1", nullable=True),
    Field("exfil.assets.first_access", "boolean", "first touched within the window"),
    Field("exfil.contributions", "nested", "what the score is made of", many=True),
    Field("exfil.contributions.detector", "keyword", "name of the detector"),
    Field("exfil.contributions.family", "keyword", "detectors that see the same facts"),
    Field("exfil.contributions.points", "float", "part of the score"),
    Field("exfil.contributions.p_value", "float", "calibrated, lower is more unusual"),
    Field("exfil.contributions.observed", "float", "what was seen, in `unit`"),
    Field("exfil.contributions.expected", "float", "what was expected, in `unit`", nullable=True),
    Field("exfil.contributions.unit", "keyword", "unit of observed and expected"),
    Field("exfil.contributions.reason", "text", "one plain sentence"),
    Field("exfil.queue_rank", "integer", "place in the day's queue, 1 is first"),
    Field("exfil.in_budget", "boolean", "within the day's alert budget"),
    Field("exfil.window", "keyword", "1h, 1d, 7d, 30d or 90d"),
)
"""Every field of a finding; a document has all of them and no other."""


def finding_id(
    entity: str,
    day: date,
    window: str,
    start: str,
    end: str,
    assets: Sequence[tuple[str, int, int | None]],
) -> str:
    """Id of a finding: a hash of who, when, and the raw amounts (asset, objects, bytes) touched.

    Scores, p-values and ranks are left out, because they move with the conduct of others: the same
    evidence gives the same id. Changing this recipe is a breaking change.
    """
    evidence = [entity, day.isoformat(), window, start, end, sorted(map(list, assets), key=str)]
    text = json.dumps(evidence, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def detectors_of(finding: Mapping[str, Any]) -> list[str]:
    """Detectors that gave points to a finding, in its order."""
    parts = finding["exfil"]["contributions"]
    return list(dict.fromkeys(part["detector"] for part in parts if part["points"] > 0))


def validate_finding(document: Mapping[str, Any]) -> list[str]:
    """Every way in which a document breaks the contract, one sentence each; empty if none."""
    problems: list[str] = []
    _check_object(document, "", problems)
    if problems:
        return problems
    event, exfil = document["event"], document["exfil"]
    score, points = event["risk_score"], [c["points"] for c in exfil["contributions"]]
    if not 0 <= score <= 100:
        problems.append(f"event.risk_score: 0 to 100 expected, not {score}")
    if sum(points) != score:
        problems.append(f"exfil.contributions: points sum to {sum(points)}, not to {score}")
    level = sum(score >= least for least in SEVERITY_FROM)
    if event["severity"] != level:
        problems.append(f"event.severity: {level} expected for {score}, not {event['severity']}")
    if not ID.fullmatch(event["id"]):
        problems.append(f"event.id: 32 hexadecimal digits expected, not {event['id']!r}")
    if event["kind"] != "alert" or event["module"] != MODULE:
        problems.append(f"event.kind, event.module: `alert`, `{MODULE}` expected")
    if exfil["window"] not in WINDOWS:
        problems.append(f"exfil.window: one of {', '.join(WINDOWS)} expected")
    if exfil["queue_rank"] < 1:
        problems.append(f"exfil.queue_rank: at least 1 expected, not {exfil['queue_rank']}")
    if event["start"] > event["end"] or document["@timestamp"] != event["end"]:
        problems.append("event.start ≤ event.end = @timestamp expected")
    if (
        not exfil["contributions"]
        or exfil["contributions"][0]["detector"] != document["rule"]["name"]
    ):
        problems.append("rule.name: the detector of the first contribution expected")
    for place, contribution in enumerate(exfil["contributions"]):
        if not 0 <= contribution["p_value"] <= 1:
            problems.append(f"exfil.contributions[{place}].p_value: 0 to 1 expected")
        if contribution["points"] < 0:
            problems.append(f"exfil.contributions[{place}].points: at least 0 expected")
    for place, asset in enumerate(exfil["assets"]):
        if asset["coverage"] is not None and not 0 <= asset["coverage"] <= 1:
            problems.append(f"exfil.assets[{place}].coverage: 0 to 1 expected")
    return problems


def _check_object(value: Mapping[str, Any], prefix: str, problems: list[str]) -> None:
    """Fields below ``prefix``: all there, none else, each of its type."""
    below = [field for field in FIELDS if field.path.startswith(prefix)]
    names = {field.path[len(prefix) :].split(".")[0] for field in below}
    problems += [f"{prefix}{name}: no such field" for name in sorted(set(value) - names)]
    for name in sorted(names):
        path = f"{prefix}{name}"
        if name not in value:
            problems.append(f"{path}: missing")
            continue
        field = next((field for field in below if field.path == path), None)
        if field is None:
            _check_inner(value[name], path, problems)
        else:
            _check_value(value[name], field, problems)


def _check_inner(value: Any, path: str, problems: list[str]) -> None:
    if isinstance(value, Mapping):
        _check_object(value, f"{path}.", problems)
    else:
        problems.append(f"{path}: an object expected")


def _check_value(value: Any, field: Field, problems: list[str]) -> None:
    if field.many and not isinstance(value, list):
        problems.append(f"{field.path}: a list expected")
        return
    for item in value if field.many else [value]:
        if field.type == "nested":
            _check_inner(item, field.path, problems)
        elif not (item is None and field.nullable) and not _fits(item, field.type):
            problems.append(f"{field.path}: {field.type} expected, not {item!r}")


def _fits(value: Any, type_: str) -> bool:
    if type_ in ("keyword", "text"):
        return isinstance(value, str) and bool(value)
    if type_ == "boolean":
        return isinstance(value, bool)
    if type_ == "date":
        return isinstance(value, str) and bool(TIME.fullmatch(value)) and _is_time(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) if type_ == "integer" else math.isfinite(value)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
