"""Findings as documents: the evidence against an entity, in figures and in words.

One finding is one entity in one window (see models.scoring.points); the fields are those of
schemas.finding. Evidence is the entity's access in the window to the assets that its signals name;
if they name none, all of its access. What the roles of its jobs read counts as its access. For an
asset without a manifest, ``objects`` is the largest number of one day and class, because distinct
objects cannot be added up over days.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.features.assets import EVIDENCE_ASSETS, listed_assets
from models.features.coverage import measure_coverage
from models.features.job_readings import job_evidence
from models.features.people import people
from models.features.rows import explode, log_days, recent
from models.findings.doubts import doubts
from models.reasons.finding import SHOWN_CONTRIBUTIONS, with_reasons
from models.reasons.parts import Amount, Assets, Person, Team, Word
from models.reasons.reason import Reason, Series
from models.scoring.points import Contribution, ScoredEntity
from schemas.finding import MODULE, finding_id, severity
from schemas.tables.values import TAKE_CLASSES, WINDOW_DAYS

if TYPE_CHECKING:
    from models.detectors import Description
    from models.features.history import History
    from schemas.context import Derived

HOST_SCHEMES = frozenset({"k8s", "slurm", "host"})
CATEGORIES = {"cluster": "process", "identity": "iam", "novelty": "iam", "multivariate": "iam"}
"""ECS category of a family's finding; all others tell of files."""
JOBS_FAMILY = "jobs"
"""Family of what the roles of an entity's jobs did, which its own access does not hold."""
ADDRESSES_SHOWN = 50
ORIGINS_SHOWN = 2
"""Places whose origin a finding's sentence tells."""
AMOUNTS = ["asset_id", "action_class", "ago", "bytes_out", "bytes_estimated", "objects"]
"""Columns that say how much of an asset an identity took. Lists would take long to copy."""
DAYS_BEFORE_FIRST = 7
"""Days of log without the asset that make an access the first one; in a new log all are new."""


@dataclass(frozen=True)
class Finding:
    """A finding's document, and the sentences in it: its own, then one for each contribution."""

    document: dict[str, Any]
    reasons: tuple[Reason, ...]
    members: tuple[str, ...]
    """Other identities that its evidence names, sorted; no names of sessions, which are chosen."""


def write_findings(
    scored: Sequence[ScoredEntity],
    access: pd.DataFrame,
    coverage: pd.DataFrame,
    history: History,
    descriptions: Mapping[str, Description],
    queue_length: int,
) -> list[Finding]:
    """Findings of the entities in the order given, which is that of the queue.

    Each opens a case of its own (see models.scoring.stories).
    ``queue_length``: the number of the first ones that are in the queue.
    ``access``, ``coverage``: rows of ACCESS and COVERAGE of these entities in the 90 days that end
    with the history's day.
    """
    columns = ["user_id", "asset_id", "action_class", "events", "bytes_out", "bytes_estimated",
               "objects", "first_time", "last_time", "addresses", "acting_as", "sessions",
               "chosen_names"]  # fmt: skip
    by_job = job_evidence(history, _with_jobs(scored))[["day", *columns]]
    if len(by_job):
        sizes = {"bytes_out": "float64", "bytes_estimated": "float64"}
        access = pd.concat([access.astype(sizes), by_job.astype(sizes)])
    rows = dict(iter(recent(access, history.day, columns).groupby("user_id")))
    covered = _coverage(coverage, history)
    facts, names = listed_assets(history.context), people(history.context)
    derived = history.context.derived
    reach = log_days(history)
    findings = []
    for rank, entity in enumerate(scored, start=1):
        mine, window_days = rows[entity.entity], WINDOW_DAYS[entity.window]
        # Whoever acted right before a gap of the log may have done nothing on the day.
        days = max(window_days, int(mine["ago"].min()) + 1)
        evidence = mine[mine["ago"] < days]
        wanted = _evidence_assets(entity)
        named = evidence[evidence["asset_id"].isin(wanted)]
        evidence = named if len(named) else evidence
        there = set(evidence["asset_id"])
        shown = [a for a in (wanted if len(named) else sorted(there)) if a in there]
        shown = shown[:EVIDENCE_ASSETS]
        amounts = dict(iter(mine.loc[mine["asset_id"].isin(shown), AMOUNTS].groupby("asset_id")))
        assets = [
            _asset(asset, amounts[asset], days,
                   covered.get((entity.entity, asset, window_days)), facts, derived, reach)
            for asset in shown
        ]  # fmt: skip
        document = _document(
            entity, history.day, evidence, assets, names, facts, descriptions,
            rank=rank, in_budget=rank <= queue_length,
        )  # fmt: skip
        notes = (*_origins(shown, derived), *doubts(evidence, entity.entity, history))
        own = _own_reason(entity, _row_of(names, entity.entity), assets, notes)
        reasons = (own, *(contribution.reason for contribution in entity.contributions))
        findings.append(Finding(with_reasons(document, reasons), reasons, _members(entity)))
    return findings


def _document(
    entity: ScoredEntity,
    day: date,
    evidence: pd.DataFrame,
    assets: list[dict[str, Any]],
    names: pd.DataFrame,
    facts: pd.DataFrame,
    descriptions: Mapping[str, Description],
    *,
    rank: int,
    in_budget: bool,
) -> dict[str, Any]:
    """The document without its sentences."""
    start, end = _moment(evidence["first_time"].min()), _moment(evidence["last_time"].max())
    leading = _leading(entity)
    known = [descriptions[contribution.detector] for contribution in leading]
    person = _row_of(names, entity.entity)
    amounts = [(asset["id"], asset["objects"], asset["bytes"]) for asset in assets]
    related = {entity.entity, *_members(entity)}
    related |= {str(name) for name in explode(evidence["sessions"])[1]}
    own_id = finding_id(entity.entity, day, entity.window, start, end, amounts)
    return {
        "@timestamp": end,
        "event": {
            "id": own_id,
            "kind": "alert",
            "category": sorted({CATEGORIES.get(c.family, "file") for c in leading}),
            "module": MODULE,
            "risk_score": entity.score,
            "severity": severity(entity.score),
            "start": start,
            "end": end,
        },
        "user": {
            "id": entity.entity,
            "name": _text(person, "display_name") or entity.entity,
            "email": _text(person, "email"),
        },
        "related": {
            "user": sorted(related),
            "ip": sorted({str(ip) for ips in evidence["addresses"] for ip in ips})[
                :ADDRESSES_SHOWN
            ],
            "hosts": _hosts(evidence, facts),
        },
        "rule": {"name": entity.contributions[0].detector},
        "threat": {
            "technique": {"id": _unique(t.id for d in known for t in d.techniques)},
            "tactic": {"name": _unique(name for d in known for name in d.tactics)},
        },
        "exfil": {
            "assets": assets,
            "contributions": [_contribution(c) for c in entity.contributions],
            "queue_rank": rank,
            "in_budget": in_budget,
            "window": entity.window,
            "case_id": own_id,
        },
    }


def _members(entity: ScoredEntity) -> tuple[str, ...]:
    named = {user for c in _leading(entity) for user in c.related_users}
    return tuple(sorted(named - {entity.entity}))


def _with_jobs(scored: Sequence[ScoredEntity]) -> list[str]:
    """Entities against whom the reading of a job speaks."""
    return [
        entity.entity
        for entity in scored
        if any(contribution.family == JOBS_FAMILY for contribution in entity.contributions)
    ]


def _leading(entity: ScoredEntity) -> list[Contribution]:
    """Contributions with points; the first one where none has any."""
    return [c for c in entity.contributions if c.points > 0] or list(entity.contributions[:1])


def _origins(shown: Sequence[str], derived: Mapping[str, Derived]) -> tuple[Reason, ...]:
    """A note on each of the first places that hold content of a listed asset."""
    found = [(place, derived[place]) for place in shown if place in derived]
    return tuple(
        Reason(
            "holds_copy" if of.logged else "may_hold_copy",
            place=Assets((place,)),
            origin=Assets((of.origin,)),
        )
        for place, of in found[:ORIGINS_SHOWN]
    )


def _own_reason(
    entity: ScoredEntity,
    person: Any,
    assets: Sequence[Mapping[str, Any]],
    more: Sequence[Reason],
) -> Reason:
    """The sentence of the finding: actor, leading reasons, estimated bytes, notes and ``more``."""
    notes = (*entity.notes, *more)
    name, team = _text(person, "display_name"), _text(person, "team")
    unknown = [asset for asset in assets if asset["bytes"] is None]
    estimated = [asset["bytes_estimated"] for asset in unknown if asset["bytes_estimated"]]
    # Of the leading asset a figure would be missed.
    missed = estimated and unknown[0] is assets[0]
    sentence = "bytes_of_one" if len(estimated) == 1 else "bytes_of_several"
    leading = _leading(entity)[:SHOWN_CONTRIBUTIONS]
    return Reason(
        "finding",
        kind=Word("kind", "service") if entity.user_kind == "service" else None,
        who=Person(entity.entity, name or entity.entity),
        team=Team(team) if team else None,
        told=Series("; also ", tuple(contribution.reason for contribution in leading)),
        estimated=Reason(sentence, bytes=Amount(sum(estimated), "bytes")) if missed else None,
        notes=Series(", ", notes) if notes else None,
    )


def _contribution(contribution: Contribution) -> dict[str, Any]:
    return {
        "detector": contribution.detector,
        "family": contribution.family,
        "points": contribution.points,
        "p_value": float(f"{contribution.p_value:.6g}"),
        "observed": float(f"{contribution.observed:.12g}"),
        "expected": None
        if contribution.expected is None
        else float(f"{contribution.expected:.6g}"),
        "unit": contribution.unit,
    }


def _evidence_assets(entity: ScoredEntity) -> list[str]:
    """Assets that the contributions name, in the order of their points."""
    named = (a for c in entity.contributions if c.points > 0 for a in c.asset_ids)
    return _unique(named) or _unique(a for c in entity.contributions for a in c.asset_ids)


def _asset(
    asset: str,
    rows: pd.DataFrame,
    window_days: int,
    cover: Any,
    facts: pd.DataFrame,
    derived: Mapping[str, Derived],
    reach: int,
) -> dict[str, Any]:
    near = rows[rows["ago"] < window_days]
    taken = near[near["action_class"].isin(TAKE_CLASSES)]
    listed = _row_of(facts, asset)
    known = pd.to_numeric(taken["bytes_out"]).dropna()
    size: float | None = float(known.sum()) if len(known) else None
    objects, total = int(near["objects"].max()), _number(listed, "objects")
    if cover is not None:
        objects = int(cover.objects)
        total = total or int(cover.total)
        if not math.isnan(cover.bytes):
            size = max(size or 0.0, float(cover.bytes))
    estimated = _estimated(taken, cover, _number(listed, "objects"), _number(listed, "bytes"))
    ago = int(rows["ago"].max())
    first = ago < window_days and reach - ago >= DAYS_BEFORE_FIRST
    return {
        "id": asset,
        "kind": _text(listed, "kind"),
        "owner_team": _text(listed, "owner_team"),
        "sensitivity": _number(listed, "sensitivity") or _inherited(derived.get(asset)),
        "objects": objects,
        "objects_total": total,
        "bytes": None if size is None else int(size),
        "bytes_estimated": estimated,
        "coverage": None if cover is None else round(float(cover.share), 4),
        "first_access": first,
    }


def _inherited(of: Derived | None) -> int | None:
    return None if of is None else int(of.sensitivity + 0.5)


def _estimated(
    taken: pd.DataFrame, cover: Any, objects: int | None, size: int | None
) -> int | None:
    """Bytes that no log tells, at most those of the asset; None if nothing can be said.

    Of objects that are followed each counts once in the window, of others on each day.
    """
    if cover is None:
        amount = pd.to_numeric(taken["bytes_estimated"]).sum()
    else:
        amount = cover.unsized * size / objects if size and objects else 0
    amount = amount if size is None else min(amount, size)
    return int(amount) or None


def _coverage(coverage: pd.DataFrame, history: History) -> dict[tuple[str, str, int], Any]:
    """Coverage by user, asset and window.

    The window of an asset that was not read on the day ends with the last day on which it was read.
    """
    rows = coverage.sort_values("day").drop_duplicates(["user_id", "asset_id"], keep="last")
    ago = np.array([(history.day - day).days for day in rows["day"]], dtype=np.int64)
    found = {}
    for days in sorted(set(WINDOW_DAYS.values())):
        cover = measure_coverage(rows[ago < days], history, days)
        for row in cover[cover["objects"] > 0].itertuples(index=False):
            found[(str(row.user_id), str(row.asset_id), days)] = row
    return found


def _hosts(evidence: pd.DataFrame, facts: pd.DataFrame) -> list[str]:
    """Clusters and hosts that the evidence's assets lie on."""
    patterns = facts["pattern"]
    found = set()
    for asset in evidence["asset_id"].unique():
        scheme, _, path = str(patterns.get(asset, asset)).partition("://")
        host = path.split("/")[0]
        if scheme in HOST_SCHEMES and host and "*" not in host:
            found.add(host)
    return sorted(found)


def _moment(value: Any) -> str:
    moment: datetime = pd.Timestamp(value).to_pydatetime().replace(tzinfo=None)
    return f"{moment.isoformat()}Z"


def _row_of(frame: pd.DataFrame, key: str) -> Any:
    return frame.loc[key] if key in frame.index else None


def _text(row: Any, column: str) -> str | None:
    value = None if row is None else row[column]
    return str(value) if isinstance(value, str) and value else None


def _number(row: Any, column: str) -> int | None:
    value = None if row is None else row[column]
    return None if value is None or pd.isna(value) else int(value)


def _unique(values: Any) -> list[str]:
    return list(dict.fromkeys(values))
