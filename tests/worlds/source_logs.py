"""``source_days`` and ``rare_acts`` of a world, counted slowly and plainly from its events.

Two logs hold what happens to buckets, one each for repositories, clusters and models. A
:class:`Silence` keeps records out of a log; the events stay in the world, as other logs have them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from schemas.acts import BUILD_ACTS, CLUSTER_ACTS, CLUSTER_LOGS, LOG_ACT, LOG_ENDS, LOG_NARROWS
from schemas.tables.sources import RARE_ACTS, SOURCE_DAYS

if TYPE_CHECKING:
    from tests.worlds.histories import Event

LOGS = {
    "s3": ("trail", "bucket-logs"),
    "github": ("github",),
    "k8s": ("cluster",),
    "model": ("gateway",),
}
PATTERNS = {LOG_ACT: (*LOG_ENDS, *LOG_NARROWS), **BUILD_ACTS}
KINDS = {kind: re.compile("|".join(patterns)) for kind, patterns in PATTERNS.items()}


@dataclass(frozen=True)
class Silence:
    """Hours of a day in which a log keeps a ``share`` of its records of a scope (empty: all)."""

    day: date
    source: str
    scope: str = ""
    first: int = 0
    last: int = 23
    share: float = 0.0


def source_frame(events: Iterable[Event], assets: Mapping[str, Mapping[str, Any]],
                 silences: Iterable[Silence]) -> pd.DataFrame:  # fmt: skip
    """Rows of SOURCE_DAYS."""
    scopes: dict[str, str] = {}
    counts: Counter[tuple[date, str, int]] = Counter()
    for event in events:
        if event.asset not in scopes:
            uri = assets.get(event.asset, {}).get("pattern", event.asset)
            found = re.match(r"(?:host|model)://|[a-z0-9+.-]+://[^/]*", uri)
            scopes[event.asset] = found.group(0) if found else "-"
        counts[event.day, scopes[event.asset], event.hour] += 1
    kept = [*silences]
    rows: dict[tuple[date, str, str], list[int]] = {}
    for (day, scope, hour), count in counts.items():
        for source in LOGS.get(scope.partition(":")[0], ("trail",)):
            share = min(
                (each.share for each in kept if each.day == day and each.source == source
                 and each.scope in ("", scope) and each.first <= hour <= each.last), default=1.0
            )  # fmt: skip
            rows.setdefault((day, source, scope), [0] * 24)[hour] += round(count * share)
    made = [
        {"day": day, "source": source, "scope": scope, "records": sum(hours), "hours": hours}
        for (day, source, scope), hours in rows.items() if sum(hours)
    ]  # fmt: skip
    frame = pd.DataFrame(made, columns=SOURCE_DAYS.column_names)
    return frame.sort_values(["day", *SOURCE_DAYS.key], ignore_index=True)


def kind_of(action: str, asset: str) -> str | None:
    """The kind of act, or None."""
    for kind, pattern in KINDS.items():
        if pattern.search(action.lower()):
            return kind
    part = asset.split("/")[4] if asset.startswith("k8s://") and asset.count("/") >= 4 else ""
    changes = action in ("create", "update", "patch", "delete", "deletecollection")
    if changes and re.search(CLUSTER_LOGS, part):
        return LOG_ACT
    return CLUSTER_ACTS.get(part) if changes else None


def act_frame(events: Iterable[Event]) -> pd.DataFrame:
    """Rows of RARE_ACTS."""
    groups: dict[tuple[date, str, str, str, str], list[Event]] = {}
    known: dict[tuple[str, str], str | None] = {}
    for event in events:
        pair = event.action, event.asset
        if pair not in known:
            known[pair] = kind_of(*pair)
        if kind := known[pair]:
            key = (event.day, event.user, kind, event.action, event.asset)
            groups.setdefault(key, []).append(event)
    made = [
        {
            "day": day, "user_id": user, "user_kind": found[0].kind, "kind": kind,
            "action": action, "resource": asset, "asset_id": asset,
            "effect": min((each.effect for each in found if each.effect), default=None),
            "events": len(found), "failures": sum(each.failed for each in found),
            "first_time": pd.Timestamp(day) + pd.Timedelta(hours=min(e.hour for e in found)),
            "last_time": pd.Timestamp(day) + pd.Timedelta(hours=max(e.hour for e in found)),
        }
        for (day, user, kind, action, asset), found in groups.items()
    ]  # fmt: skip
    frame = pd.DataFrame(made, columns=RARE_ACTS.column_names)
    return frame.sort_values(["day", *RARE_ACTS.key], ignore_index=True)
