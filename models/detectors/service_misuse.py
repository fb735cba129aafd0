"""A service identity outside its usual networks, programs, hours, actions and assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS
from models.features.novelty import novelty_habit
from models.features.rows import Floats, active_entities, each_group, explode, recent
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number, Whole
from models.reasons.parts import (
    Actions,
    Amount,
    Assets,
    Clock,
    Count,
    Networks,
    Programs,
)
from models.reasons.reason import Reason, Series

if TYPE_CHECKING:
    from models.features.history import History

INTERACTIVE = ("aws-cli", "aws-shell", "console", "mozilla", "chrome", "safari", "kubectl", "curl",
               "wget", "powershell", "gsutil", "gcloud", "azcopy", "rclone", "s3cmd", "s5cmd",
               "cyberduck", "postman", "winscp", "github-desktop", "insomnia")  # fmt: skip
"""Programs that people use; a service that begins to use one is in a person's hands."""
SETTLE_DAYS = 7
NEW_VALUES = {
    "network": "new_networks", "agent": "new_agents", "action": "new_actions",
    "hour": "new_hours", "asset": "new_assets",
}  # fmt: skip
"""Dimensions, and the columns of ``entity_days`` that count their new values."""


class ServiceMisuseSettings(DetectorSettings):
    """Settings of service_misuse.yml."""

    prior_days: Number
    of_network: Number
    of_program: Number
    of_action: Number
    of_hour: Number
    of_asset: Number
    interactive: Number
    external: Number
    min_novelties: Whole


def score(history: History, settings: ServiceMisuseSettings) -> list[Signal]:
    """Weighted sum of the largest surprisal in each dimension; higher is riskier.

    Dimensions: network (zone/country/asn), program, action class, hour of day, asset. The
    surprisal of a value is −log10 of the smoothed share of earlier active days with it. Interactive
    programs and the zone ``external`` weigh more when they are new. Row 1d for each service.
    """
    active = active_entities(history)
    kinds = active[active["user_kind"] == "service"].set_index("user_id")["user_kind"].to_dict()
    today = recent(history.entity_days, history.day, ["user_id", "days_before"], 1)
    today = today[today["user_id"].isin(kinds)].sort_values("user_id")
    days = today.set_index("user_id")["days_before"]
    if days.empty:
        return []
    weights = {
        "network": settings.of_network,
        "agent": settings.of_program,
        "action": settings.of_action,
        "hour": settings.of_hour,
        "asset": settings.of_asset,
    }
    total = pd.Series(0.0, index=days.index)
    count = pd.Series(0, index=days.index)
    novelties: dict[str, list[Reason]] = {}
    surprises = {kind: _surprises(history, kind, days, settings.prior_days) for kind in NEW_VALUES}
    for kind, found in surprises.items():
        emphasis = _emphasis(kind, found["value"], settings)
        if kind == "asset":
            emphasis = emphasis * sensitivity_shares(found.assign(asset_id=found["value"]), history)
        found = found.assign(surprise=found["surprise"] * emphasis)
        found = found.sort_values(["user_id", "surprise", "value"], ascending=[True, False, True])
        top = found.drop_duplicates("user_id").set_index("user_id")["surprise"]
        total = total.add(weights[kind] * top, fill_value=0.0)
        new = found[found["days_before"] == 0]
        count = count.add(new.groupby("user_id").size(), fill_value=0)
        for user, part in each_group(new, "user_id"):
            novelties.setdefault(user, []).append(_new_values(kind, part["value"]))
    assets = _strange_assets(history, days)
    return [
        Signal(
            entity=str(name),
            user_kind=kinds[name],
            window="1d",
            statistic=float(total[name]),
            observed=float(count[name]),
            expected=0.0,
            unit="novelties",
            reason=_reason(novelties.get(name, []), float(count[name]), float(days[name])),
            asset_ids=assets.get(name, []),
        )
        for name in days.index
    ]


def _reason(novelties: list[Reason], count: float, days: float) -> Reason:
    if not novelties:
        return Reason("service_as_usual")
    return Reason(
        "service_anew",
        count=Amount(count, "things"),
        days=Count(days),
        values=Series("; ", tuple(novelties)),
    )


def _new_values(dimension: str, values: pd.Series) -> Reason:
    if dimension == "hour":
        return Reason("new_hours", values=Clock(tuple(int(hour) for hour in values)))
    texts = tuple(str(value) for value in values)
    match dimension:
        case "network":
            return Reason("new_networks", values=Networks(texts))
        case "agent":
            return Reason("new_programs", values=Programs(texts))
        case "action":
            return Reason("new_actions", values=Actions(texts))
        case _:
            return Reason("new_assets", values=Assets(texts))


def _surprises(history: History, kind: str, days: pd.Series, prior_days: float) -> pd.DataFrame:
    """Today's values of each service: ``user_id``, ``value``, ``days_before``, ``surprise``.

    ``days``: days with access before the day, by user_id. An unseen value of an identity without a
    past is no surprise at all; after n days it is one of log10((n + prior) / prior), or less if new
    values are nothing new to the identity.
    """
    found = _values(history, kind)
    found = found[found["user_id"].isin(days.index)].reset_index(drop=True)
    before = days.reindex(found["user_id"]).to_numpy(dtype=np.float64)
    share = (found["days_before"].to_numpy() + prior_days) / (before + prior_days)
    surprise = -np.log10(np.minimum(share, 1.0))
    # Who does something new every few days surprises little by doing so today.
    habit = novelty_habit(history, NEW_VALUES[kind], SETTLE_DAYS).reindex(found["user_id"])
    habit = habit.fillna(0.0)
    odds = (habit["novel"].to_numpy() + prior_days) / (habit["days"].to_numpy() + prior_days)
    unheard = np.where(found["days_before"] == 0, -np.log10(odds), np.inf)
    settled_down = habit["days"].to_numpy() > 0
    return found.assign(surprise=np.where(settled_down, np.minimum(surprise, unheard), surprise))


def _values(history: History, kind: str) -> pd.DataFrame:
    """Today's values of a kind: ``user_id``, ``value``, ``days_before``."""
    if kind == "asset":
        rows = recent(history.pairs, history.day, ["user_id", "asset_id", "days_before"], 1)
        return rows.drop(columns="ago").rename(columns={"asset_id": "value"})
    rows = history.novelty[history.novelty["day"] == history.day]
    rows = rows.loc[rows["kind"] == kind, ["user_id", "value", "days_before"]]
    return rows.assign(value=rows["value"].astype(int)) if kind == "hour" else rows


def _emphasis(kind: str, values: pd.Series, settings: ServiceMisuseSettings) -> Floats:
    if kind == "agent":
        hits = [any(word in str(value).lower() for word in INTERACTIVE) for value in values]
        return np.where(hits, settings.interactive, 1.0)
    if kind == "network":
        hits = [str(value).startswith("external") for value in values]
        return np.where(hits, settings.external, 1.0)
    return np.ones(len(values))


def _strange_assets(history: History, days: pd.Series) -> dict[str, list[str]]:
    """Today's assets of each service: from strange networks or programs first, then by novelty."""
    rows = recent(history.access, history.day, ["user_id", "asset_id", "networks", "agents"], 1)
    rows = rows[rows["user_id"].isin(days.index)].reset_index(drop=True)
    users = rows["user_id"].to_numpy(dtype=object)
    strange = np.zeros(len(rows))
    for kind, column in {"network": "networks", "agent": "agents", "asset": "asset_id"}.items():
        if kind == "asset":
            place, values = np.arange(len(rows)), list(rows[column])
        else:
            place, values = explode(rows[column])
        found = _surprises(history, kind, days, 1.0).set_index(["user_id", "value"])["surprise"]
        keys = pd.MultiIndex.from_arrays([users[place], values])
        np.maximum.at(strange, place, found.reindex(keys).fillna(0.0).to_numpy())
    today = rows[["user_id", "asset_id"]].assign(
        strange=strange * sensitivity_shares(rows, history)
    )
    today = today.sort_values(["user_id", "strange", "asset_id"], ascending=[True, False, True])
    today = today.drop_duplicates(["user_id", "asset_id"])
    return {
        str(user): [str(asset) for asset in part["asset_id"].iloc[:EVIDENCE_ASSETS]]
        for user, part in each_group(today, "user_id")
    }
