"""Logging switched off or narrowed, a log that fell silent, and who was near sensitive assets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, assets_below
from models.features.gap_people import log_changes, reaches, readers_of_gap
from models.features.rows import active_or_in, each_row
from models.features.settings import Number, Whole
from models.features.silences import WHOLE, Silence, find_silences
from models.features.takings import sensitive_of_week, whole_objects
from models.reasons.parts import Amount, Assets, Clock, Count, Word
from models.reasons.reason import Reason
from schemas.acts import CLUSTER_LOGS, LOG_ENDS, LOG_NARROWS

if TYPE_CHECKING:
    from models.features.history import History

ENDS, NARROWS, OF_CLUSTER = (
    re.compile(pattern) for pattern in ("|".join(LOG_ENDS), "|".join(LOG_NARROWS), CLUSTER_LOGS)
)
CHANGE_COLUMNS = ["user_id", "user_kind", "asset_id", "action", "effect", "weight", "ago", "hour"]
READ_COLUMNS = ["user_id", "user_kind", "asset_id", "objects", "value", "gap"]


class TelemetryGapSettings(DetectorSettings):
    """Settings of telemetry_gap.yml."""

    together = True

    narrowed: Number
    refused: Number
    reading: Number
    silence: Number
    in_gap: Number
    silent_share: Number
    least_records: Whole
    beside: Number
    elsewhere: Number
    change_days: Whole
    min_changes: Whole
    min_objects: Number


def score(history: History, settings: TelemetryGapSettings) -> list[Signal]:
    """Changes of logs × (1 + reading + gaps that follow them), and sensitive reading in a gap; ≥ 0.

    Higher is riskier. A change weighs 1 if it ends a log or its request leaves out events,
    ``narrowed`` if it may leave out events, 0 if it adds some, ``refused`` of that if all attempts
    failed. Reading: ``reading`` × log2(1 + objects of sensitive assets taken in the seven days that
    end with the day). Gaps: ``silence`` × their severity (see :mod:`models.features.silences`); a
    change of the ``change_days`` before counts too if such a gap is there. Whoever took sensitive
    content of the silent part in the gap, as other sources tell, or right before it gets ``in_gap``
    × severity × the taking's weight × the reader's part of all such takings.

    Row 1d for everyone, 0 for those who did neither. A source that has nothing until the end of the
    day may be late: it counts against nobody, and the sentence about a change says so. Fails where
    logging is changed in files that a pipeline applies: the pipeline is named.
    """
    rule = Silence(
        float(settings.silent_share), float(settings.least_records), float(settings.beside),
        float(settings.elsewhere),
    )  # fmt: skip
    gaps = list(each_row(find_silences(history, rule)))
    present = set(history.access.loc[history.access["day"] == history.day, "user_id"]) - {""}
    changes = _changes(history, settings, gaps)
    changes, reads = changes[changes["user_id"].isin(present)], _reads(history, gaps)
    kinds = ["user_id", "user_kind"]
    everyone = active_or_in(history, pd.concat([changes[kinds], reads[kinds]]))
    changed, read = (dict(iter(rows.groupby("user_id"))) for rows in (changes, reads))
    taken = _sensitive_taken(history, set(changes["user_id"]))
    signals = []
    for user, kind in each_row(everyone):
        own, near = changed.get(user), read.get(user)
        if own is not None:
            week = taken.get(user, pd.Series(dtype=np.float64))
            signals.append(_of_change(history, settings, gaps, user, kind, own, week, near))
        elif near is not None:
            signals.append(_of_reading(history, settings, gaps, user, kind, near))
        else:
            nothing = Reason("changed_no_log")
            signals.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "changes", nothing))
    return signals


def _of_change(history: History, settings: TelemetryGapSettings, gaps: list[Any], user: str,
               kind: str, mine: pd.DataFrame, week: pd.Series, near: pd.DataFrame | None
               ) -> Signal:  # fmt: skip
    objects = float(week.sum())
    scopes = _scopes(history)
    after = [
        gap for gap in gaps if any(_precedes(change, gap, scopes) for change in each_row(mine))
    ]
    after.sort(key=lambda gap: -gap.severity)
    worth = 1 + float(settings.reading) * float(np.log2(1 + objects))
    worth += float(settings.silence) * sum(gap.severity for gap in after)
    logs = mine.sort_values(["weight", "asset_id"], ascending=[False, True])["asset_id"]
    below = [asset for log in logs.unique() for asset in assets_below(log, history.context)]
    count = float(len(mine.drop_duplicates("asset_id")))
    value = float(mine.groupby("asset_id")["weight"].max().sum()) * worth
    if near is not None:
        value += _gap_value(settings, near, gaps)
    # Its reading tells what the gap may hide; the logs themselves are listed behind.
    assets = _named(history, [*([] if near is None else near["asset_id"]), *week.index, *below],
                    list(logs))  # fmt: skip
    reason = Reason(
        "changed_logs",
        changes=Count(count),
        logs=Assets(tuple(dict.fromkeys(logs))),
        objects=Amount(objects, "objects") if objects else None,
        gap=_said(after[0]) if after else None,
    )
    return Signal(user, kind, "1d", value, count, 0.0, "changes", reason, assets)


def _of_reading(history: History, settings: TelemetryGapSettings, gaps: list[Any], user: str,
                kind: str, near: pd.DataFrame) -> Signal:  # fmt: skip
    value = _gap_value(settings, near, gaps)
    near = near.sort_values(["value", "asset_id"], ascending=[False, True])
    gap = gaps[int(near["gap"].iloc[0])]
    objects = near.drop_duplicates("asset_id")["objects"].to_numpy(dtype=np.float64).sum()
    meant = float(whole_objects(np.array([objects]), np.array([value]))[0])
    assets = _named(history, list(near["asset_id"]), [])
    reason = Reason(
        "read_near_gap",
        objects=Amount(float(objects), "objects"),
        assets=Assets(tuple(dict.fromkeys(near["asset_id"]))[:EVIDENCE_ASSETS]),
        gap=_said(gap),
    )
    return Signal(user, kind, "1d", value, meant, 0.0, "objects", reason, assets)


def _gap_value(settings: TelemetryGapSettings, near: pd.DataFrame, gaps: list[Any]) -> float:
    severity = near["gap"].map(lambda number: gaps[number].severity).to_numpy(dtype=np.float64)
    return float(settings.in_gap) * float((severity * near["value"].to_numpy()).sum())


def _named(history: History, first: list[str], then: list[str]) -> list[str]:
    known = set(history.assets.index)
    return list(dict.fromkeys(asset for asset in (*first, *then) if asset in known))[
        :EVIDENCE_ASSETS
    ]


def _said(gap: Any) -> Reason:
    if gap.late:
        return Reason(
            "log_is_late", source=Assets((gap.source,)), hours=Clock((gap.first,)),
        )  # fmt: skip
    return Reason(
        "log_is_silent",
        source=Assets((gap.source,)),
        scope=Assets((gap.scope,)) if gap.scope != WHOLE else None,
        first=Clock((gap.first,)),
        last=Clock((gap.last,)),
        observed=Count(gap.observed),
        expected=Count(round(gap.expected)),
        evidence=Word("in_use", gap.evidence),
    )


def _changes(history: History, settings: TelemetryGapSettings, gaps: list[Any]) -> pd.DataFrame:
    """CHANGE_COLUMNS of the day's changes of logs, and of earlier ones that a gap follows."""
    acts = log_changes(history, int(settings.change_days) + 1)
    acts["hour"] = [pd.Timestamp(time).hour for time in acts["first_time"]]
    acts["weight"] = [
        _weight(action, asset, effect, float(settings.narrowed))
        for action, asset, effect in zip(
            acts["action"], acts["asset_id"], acts["effect"], strict=True
        )
    ]
    refused = acts["failures"] >= acts["events"]
    acts["weight"] *= np.where(refused, float(settings.refused), 1.0)
    scopes, real = _scopes(history), [gap for gap in gaps if gap.severity > 0]
    counts = [
        act.ago == 0 or any(_precedes(act, gap, scopes) for gap in real) for act in each_row(acts)
    ]
    kept = (acts["weight"] > 0) & (acts["user_id"] != "") & np.array(counts, dtype=bool)
    return acts.loc[kept, CHANGE_COLUMNS]


def _weight(action: str, asset: str, effect: object, narrowed: float) -> float:
    if effect == "widens":
        return 0.0
    if effect == "narrows" or OF_CLUSTER.search(asset.casefold()):
        return 1.0
    return weigh_action(action, narrowed) or narrowed


def weigh_action(action: str, narrowed: float) -> float:
    """1 for an action that ends a log, ``narrowed`` for one that may narrow it, else 0."""
    name = action.casefold()
    if ENDS.search(name) or OF_CLUSTER.search(name):
        return 1.0
    return narrowed if NARROWS.search(name) else 0.0


def _scopes(history: History) -> dict[str, set[str]]:
    """Scopes of each source in all days that are kept."""
    rows = history.source_days[["source", "scope"]].drop_duplicates()
    return {str(source): set(part) for source, part in rows.groupby("source")["scope"]}


def _precedes(change: Any, gap: Any, scopes: dict[str, set[str]]) -> bool:
    """Whether the change may have made the gap: its log, and before the gap's end."""
    in_time = change.ago > 0 or change.hour <= gap.last
    return in_time and reaches(change.asset_id, gap.scope, scopes.get(gap.source, set()))


def _reads(history: History, gaps: list[Any]) -> pd.DataFrame:
    """READ_COLUMNS of sensitive takings in or right before gaps that are none of delivery."""
    parts = [
        readers_of_gap(history, gap).assign(gap=number)
        for number, gap in enumerate(gaps)
        if gap.severity > 0
    ]
    parts = [part[READ_COLUMNS] for part in parts if not part.empty]
    if not parts:
        return pd.DataFrame(columns=READ_COLUMNS)
    return pd.concat(parts, ignore_index=True)


def _sensitive_taken(history: History, users: set[str]) -> dict[str, pd.Series]:
    """Objects of each sensitive asset that each of ``users`` took in the last days, most first."""
    sums = sensitive_of_week(history)
    sums = sums[sums["user_id"].isin(users)]
    sums = sums.assign(objects=sums["objects"].clip(lower=1))
    sums = sums.sort_values(["objects", "asset_id"], ascending=[False, True])
    return {
        str(user): part.set_index("asset_id")["objects"].astype(np.float64)
        for user, part in sums.groupby("user_id")
    }
