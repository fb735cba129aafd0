"""Writes the last files and the truth of the sample lab."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.trial.lab.case import Case
from jobs.trial.lab.context_files import aliases
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.world import OWN_ACCOUNTS, Lab


def _instant(t: float) -> str:
    return datetime.fromtimestamp(int(t), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def finish(case: Case, lab: Lab) -> dict[str, Any]:
    """The truth record of a case, from its written evidence."""
    per_day, taken, moved = [], 0, 0
    assets = case.asset_ids or sorted({asset for asset, _ in case.seen})
    everything = len(case.seen)
    for day in sorted(case.evidence):
        e = case.evidence[day]
        taken, moved = taken + e.objects, moved + e.moved
        per_day.append(
            {
                "day": lab.iso(day),
                "from": _instant(e.first),
                "to": _instant(e.last),
                "events": e.events,
                "new_objects": e.objects,
                "objects_so_far": taken,
                "bytes": e.moved,
                "bytes_so_far": moved,
                "artefact_fraction": round(taken / max(1, case.total or everything), 4),
                "taken_fraction": round(taken / max(1, everything), 4),
            }
        )
    return {
        "id": case.case_id,
        "kind": case.kind,
        "is_incident": case.is_incident,
        "user_ids": case.user_ids,
        "asset_ids": assets,
        "description": case.description,
        "knobs": case.knobs,
        "objects_total": case.total or everything,
        "first_day": per_day[0]["day"] if per_day else None,
        "last_day": per_day[-1]["day"] if per_day else None,
        "evidence": per_day,
        "event_ids": case.event_ids,
    }


def write_truth(folder: Path, lab: Lab, feed: Feed, cases: list[Case]) -> dict[str, Any]:
    """Contents of truth.json: the cases, the numbers of events and the planted defects."""
    done = [finish(c, lab) for c in cases]
    truth = {
        "seed": lab.seed,
        "first_day": lab.iso(0),
        "last_day": lab.iso(lab.days - 1),
        "incidents": [c for c in done if c["is_incident"]],
        "look_alikes": [c for c in done if not c["is_incident"]],
        "events": feed.counts,
        "records": feed.rows,
        "duplicate_records": feed.duplicates,
        "unknown_field_records": feed.unknown_fields,
        "malformed_records": feed.malformed,
        "truncated_files": feed.truncated,
        "own_accounts": list(OWN_ACCOUNTS),
        "principals": {p.user_id: aliases(p) for p in [*lab.people, *lab.services]},
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth
