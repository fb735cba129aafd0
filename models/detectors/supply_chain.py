"""A build identity that reads what it never read, after somebody changed what it runs or where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, repositories
from models.features.build_ties import (
    BROAD_TIES,
    build_changes,
    family_of,
    new_to_builder,
    tied_changes,
)
from models.features.novelty import trust_after
from models.features.rows import active_entities, each_row, log_days
from models.features.sensitivity import are_sensitive, sensitivity_shares
from models.features.settings import Number, Whole
from models.features.takings import sized_objects, whole_objects
from models.reasons.parts import Amount, Assets, Count, Identities, Word
from models.reasons.reason import Reason
from schemas.tables.values import TAKE_CLASSES

if TYPE_CHECKING:
    from models.features.history import History

SECRETS = ("/secretsmanager", "/ssm", "k8s://", "/kms")
"""Parts of the container of secrets."""
WEAK_ACTS = ("image", "secret")
"""Changes that pipelines make themselves every day."""


class SupplyChainSettings(DetectorSettings):
    """Settings of supply_chain.yml."""

    change_days: Whole
    broad: Number
    weak: Number
    by_service: Number
    secrets: Number
    settle_days: Whole
    min_objects: Number


def score(history: History, settings: SupplyChainSettings) -> list[Signal]:
    """Sum over readings of weight × log2(1 + objects) × newness × the surest change before it; ≥ 0.

    Higher is riskier. Readings are those of today by identities that are no people: sensitive
    assets besides repositories, weight (sensitivity ÷ 5)², and secrets, weight ``secrets``.
    Newness, 0–1, falls with the days before the change on which the identity took as much of the
    family. A change of the ``change_days`` that end today counts 1, ÷ √ of the identities that are
    tied to it alike, × ``broad`` for a tie to an organisation or to a newborn identity, × ``weak``
    for images and settings of environments, × ``by_service`` if a service made it.

    Row 1d for everyone. The entity is who made the change if active today, else the identity that
    read; the other one is related. Fails where the change is a plain commit: logs do not tell which
    files a push changes.
    """
    active = active_entities(history)
    found = _found(history, settings)
    present = set(active["user_id"])
    found["entity"] = np.where(found["changer"].isin(present), found["changer"], found["builder"])
    groups = dict(iter(found.groupby("entity")))
    signals = []
    for user, kind in each_row(active):
        if user in groups:
            signals.append(_signal(user, kind, groups[user]))
        else:
            nothing = Reason("no_build_reads_anew")
            signals.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", nothing))
    return signals


def _found(history: History, settings: SupplyChainSettings) -> pd.DataFrame:
    """One row for each reading and its surest change: ``value`` > 0, most first."""
    columns = ["builder", "asset_id", "objects", "changer", "kind", "where", "ago", "value"]
    reads, acts = _reads(history), build_changes(history, int(settings.change_days))
    if reads.empty or acts.empty:
        return pd.DataFrame(columns=columns)
    ties = tied_changes(history, acts, sorted(reads["user_id"].unique()))
    acts = acts.rename(columns={"user_id": "changer", "user_kind": "by", "asset_id": "where"})
    ties = ties.merge(acts, left_on="act", right_index=True)
    ties["sure"] = (
        ties["candidates"].to_numpy(dtype=np.float64) ** -0.5
        * np.where(ties["tie"].isin(BROAD_TIES), float(settings.broad), 1.0)
        * np.where(ties["kind"].isin(WEAK_ACTS), float(settings.weak), 1.0)
        * np.where(ties["by"] == "service", float(settings.by_service), 1.0)
    )
    rows = reads.merge(ties, left_on="user_id", right_on="builder").reset_index(drop=True)
    rows["family"] = family_of(history, rows["asset_id"])
    weight = sensitivity_shares(rows, history) ** 2
    rows["value"] = (
        np.where(are_sensitive(rows, history), weight, float(settings.secrets))
        * np.log2(1 + rows["objects"].to_numpy(dtype=np.float64))
        * new_to_builder(history, rows[["user_id", "asset_id", "objects", "family", "ago"]])
        * rows["sure"].to_numpy(dtype=np.float64)
        * float(trust_after(log_days(history), settings.settle_days))
    )
    rows = rows[rows["value"] > 0].sort_values(
        ["value", "builder", "asset_id", "ago", "changer", "kind", "where"],
        ascending=[False, True, True, True, True, True, True],
    )
    return rows.drop_duplicates(["builder", "asset_id"])[columns]


def _reads(history: History) -> pd.DataFrame:
    """``user_id``, ``asset_id``, ``objects`` that no people took today: sensitive, or secrets.

    A place that holds content of a sensitive asset counts by size. Without repositories, which
    build identities fetch all day.
    """
    rows = history.access
    rows = rows[
        (rows["day"] == history.day)
        & (rows["user_kind"] != "human")
        & rows["action_class"].isin(TAKE_CLASSES)
        & (rows["events"] > rows["failures"])
        & rows["user_id"].isin(set(active_entities(history)["user_id"]))
    ]
    secret = [any(part in asset for part in SECRETS) for asset in rows["asset_id"].astype(str)]
    rows = rows[are_sensitive(rows, history) | np.array(secret, dtype=bool)]
    rows = rows[~rows["asset_id"].isin(repositories(rows["asset_id"].unique(), history.context))]
    read = pd.DataFrame(rows.groupby(["user_id", "asset_id"])["objects"].sum()).reset_index()
    return read.assign(objects=sized_objects(history, read))


def _signal(user: str, kind: str, mine: pd.DataFrame) -> Signal:
    first = mine.iloc[0]
    statistic, objects = float(mine["value"].sum()), float(mine["objects"].sum())
    meant = float(whole_objects(np.array([objects]), np.array([statistic]))[0])
    assets = tuple(dict.fromkeys(str(asset) for asset in mine["asset_id"]))[:EVIDENCE_ASSETS]
    reason = Reason(
        "build_reads_anew",
        changer=Identities((str(first["changer"]),)),
        act=Word("build_act", str(first["kind"])),
        where=Assets((str(first["where"]),)),
        days=Count(float(first["ago"])),
        builder=Identities((str(first["builder"]),)),
        objects=Amount(objects, "objects"),
        assets=Assets(assets),
    )
    related = sorted({*mine["changer"].astype(str), *mine["builder"].astype(str)} - {user})
    return Signal(user, kind, "1d", statistic, meant, 0.0, "objects", reason, assets, related)
