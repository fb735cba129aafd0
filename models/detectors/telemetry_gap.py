"""Logging switched off or narrowed, and who was near sensitive assets meanwhile."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, assets_below
from models.features.rows import active_or_in, each_row, explode
from models.features.settings import Number, Whole
from models.features.takings import sensitive_of_week
from models.reasons.parts import Amount, Assets, Count
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.features.history import History

ENDS = re.compile(
    r"""
    # AWS: CloudTrail, its lake, flow logs, CloudWatch, Config, GuardDuty, Security Hub
    ^(stop|delete)(logging|trail|eventdatastore\w*|configurationrecorder)$
    | ^delete(flowlogs|loggroup|logstream|subscriptionfilter|deliverychannel|detector)$
    | ^(disablesecurityhub|disablemacie|stopmonitoringmembers|disassociatemembers)$
    | ^delete(bucketlogging|loggingconfiguration|modelinvocationloggingconfiguration)$
    # Google Cloud: sinks, exclusions, buckets of logs
    | (configservicev2|loggingservicev2)\.(deletesink|createexclusion|deletelog|deletebucket
        |deleteview|deletelink)$
    # Azure: diagnostic settings
    | diagnosticsettings/delete$ | insights/\w*logprofiles/delete$
    # GitHub and GitLab: streams of the audit log
    | audit_log_stream\w*\.(destroy|delete|disable)\w*$
    | (audit_event\w*_?stream|event_streaming_destination)\w*(destroy|delete|remove)\w*$
    | (destroy|delete|remove)\w*(audit_event|event_streaming)\w*$
    # MinIO: the target of its audit log
    | ^(admin\.)?delconfigkv(handler)?$
    """,
    re.VERBOSE,
)
"""Actions, in lower case, after which events are no longer logged."""
NARROWS = re.compile(
    r"""
    ^(puteventselectors|putinsightselectors|updatetrail|updateeventdatastore)$
    | ^(putbucketlogging|putretentionpolicy|updatedetector|putconfigurationrecorder)$
    | ^(put|update)\w*loggingconfiguration$ | ^disableorganizationadminaccount$
    | configservicev2\.update(sink|exclusion|bucket|settings|cmeksettings)$
    | diagnosticsettings/write$ | ^set(blob|queue|table|file)serviceproperties$
    | audit_log_stream\w*\.update$ | disable_source_ip_disclosure$ | audit_log_git_event\w*disable
    | (audit_event\w*_?stream|event_streaming_destination)\w*update\w*$
    | ^(admin\.)?setconfigkv(handler)?$
    """,
    re.VERBOSE,
)
"""Actions that may leave out events, or say how long they are kept; their requests tell which."""
KUBERNETES = re.compile(r"auditsinks|auditpolic", re.IGNORECASE)
"""Parts of the asset or action of a change of what Kubernetes logs."""
CHANGES = ("admin", "delete", "write", "share", "other")


class TelemetryGapSettings(DetectorSettings):
    """Settings of telemetry_gap.yml."""

    narrowed: Number
    refused: Number
    reading: Number
    min_changes: Whole


def score(history: History, settings: TelemetryGapSettings) -> list[Signal]:
    """Sum over the logs of the weight of the change × (1 + ``reading`` × what was read); ≥ 0.

    Higher is riskier. A change weighs 1 if it ends a log, ``narrowed`` if it may leave out events,
    ``refused`` of that if all attempts failed. What was read: log2(1 + objects of sensitive assets
    taken in the seven days that end with the day). Row 1d for everyone, 0 for those who changed no
    log. Fails where logging is changed in files that a pipeline applies: the pipeline is named.
    """
    changes = _changes(history, settings)
    everyone = active_or_in(history, changes)
    groups, taken = dict(iter(changes.groupby("user_id"))), _sensitive_taken(history)
    known = set(history.assets.index)
    rows: list[Signal] = []
    for user, kind in each_row(everyone):
        mine = groups.get(user)
        if mine is None:
            nothing = Reason("changed_no_log")
            rows.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "changes", nothing))
            continue
        read = taken.get(user, pd.Series(dtype=np.float64))
        objects = float(read.sum())
        worth = 1 + float(settings.reading) * float(np.log2(1 + objects))
        logs = mine.sort_values(["weight", "asset_id"], ascending=[False, True])["asset_id"]
        below = [asset for log in logs.unique() for asset in assets_below(log, history.context)]
        # Its reading tells what the gap may hide; the logs themselves are listed behind.
        named = [asset for asset in (*read.index, *below, *logs) if asset in known]
        count = float(len(mine.drop_duplicates("asset_id")))
        reason = Reason(
            "changed_logs",
            changes=Count(count),
            logs=Assets(tuple(dict.fromkeys(logs))),
            objects=Amount(objects, "objects") if objects else None,
        )
        assets = list(dict.fromkeys(named))[:EVIDENCE_ASSETS]
        value = float(mine.groupby("asset_id")["weight"].max().sum()) * worth
        rows.append(Signal(user, kind, "1d", value, count, 0.0, "changes", reason, assets))
    return rows


def _changes(history: History, settings: TelemetryGapSettings) -> pd.DataFrame:
    """The day's changes of logs: ``user_id``, ``user_kind``, ``asset_id``, ``action``, ``weight``.

    An identity that only looks at settings has no row.
    """
    today = history.access[history.access["day"] == history.day]
    today = today[today["action_class"].isin(CHANGES) & (today["user_id"] != "")]
    row, actions = explode(today["actions"])
    columns = ["user_id", "user_kind", "asset_id", "events", "failures"]
    found = today[columns].iloc[row].reset_index(drop=True)
    found["action"] = [str(action) for action in actions]
    weights = {action: weigh_action(action, settings.narrowed) for action in set(found["action"])}
    found["weight"] = found["action"].map(weights).astype(np.float64)
    cluster = _of_kubernetes(found["asset_id"])
    found["weight"] = np.where(cluster, np.maximum(found["weight"], 1.0), found["weight"])
    refused = found["failures"] >= found["events"]
    found["weight"] *= np.where(refused, float(settings.refused), 1.0)
    return found.loc[found["weight"] > 0, [*columns[:3], "action", "weight"]]


def _of_kubernetes(assets: Iterable[str]) -> list[bool]:
    return [
        str(asset).startswith("k8s://") and KUBERNETES.search(str(asset)) is not None
        for asset in assets
    ]


def weigh_action(action: str, narrowed: float) -> float:
    """1 for an action that ends a log, ``narrowed`` for one that may narrow it, else 0."""
    name = action.casefold()
    if ENDS.search(name) or KUBERNETES.search(name):
        return 1.0
    return narrowed if NARROWS.search(name) else 0.0


def _sensitive_taken(history: History) -> dict[str, pd.Series]:
    """Objects of each sensitive asset that an identity took in the last days, most first."""
    sums = sensitive_of_week(history)
    sums = sums.assign(objects=sums["objects"].clip(lower=1))
    sums = sums.sort_values(["objects", "asset_id"], ascending=[False, True])
    return {
        str(user): part.set_index("asset_id")["objects"].astype(np.float64)
        for user, part in sums.groupby("user_id")
    }
