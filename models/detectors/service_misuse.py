"""A service identity outside its usual networks, programs, hours, actions and assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, sensitivity_shares
from models.features.novelty import novelty_days
from models.features.rows import (
    Codes,
    Floats,
    active_entities,
    each_group,
    explode,
    explode_hours,
    recent,
)
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
DIMENSIONS = ("networks", "agents", "action", "hour", "asset_id")
COLUMNS = ("user_id", "user_kind", "asset_id", "action_class", "events", "networks", "agents",
           "hourly")  # fmt: skip


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
    rows = recent(history.access, history.day, COLUMNS)
    rows = rows[rows["user_id"].isin(kinds)].reset_index(drop=True)
    if rows.empty:
        return []
    users, user = np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)
    days = _active_days(user, rows["ago"].to_numpy(), len(users))
    total = np.zeros(len(users))
    novelties: list[list[Reason]] = [[] for _ in users]
    count = np.zeros(len(users))
    weights = {
        "networks": settings.of_network,
        "agents": settings.of_program,
        "action": settings.of_action,
        "hour": settings.of_hour,
        "asset_id": settings.of_asset,
    }
    for dimension in DIMENSIONS:
        values = _values(rows, dimension)
        found = _surprises(user, rows["ago"].to_numpy(), values, days, settings.prior_days)
        found["surprise"] *= _emphasis(dimension, found["value"], settings)
        if dimension == "asset_id":
            found["surprise"] *= sensitivity_shares(found["value"], history.context)
        found = found.sort_values(["user", "surprise", "value"], ascending=[True, False, True])
        top = found.drop_duplicates("user")
        total[top["user"]] += weights[dimension] * top["surprise"]
        for code, part in each_group(found[found["days"] == 0], "user"):
            novelties[code].append(_new_values(dimension, part["value"]))
            count[code] += len(part)
    assets = _strange_assets(rows, user, users, history, days)
    return [
        Signal(
            entity=str(name),
            user_kind=kinds[name],
            window="1d",
            statistic=float(total[code]),
            observed=float(count[code]),
            expected=0.0,
            unit="novelties",
            reason=_reason(novelties[code], float(count[code]), float(days[code])),
            asset_ids=assets.get(code, []),
        )
        for code, name in enumerate(users)
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
        case "networks":
            return Reason("new_networks", values=Networks(texts))
        case "agents":
            return Reason("new_programs", values=Programs(texts))
        case "action":
            return Reason("new_actions", values=Actions(texts))
        case _:
            return Reason("new_assets", values=Assets(texts))


def _active_days(user: Codes, ago: Codes, count: int) -> Floats:
    """Earlier days on which each user was active."""
    pairs = np.unique((user * 1000 + ago)[ago > 0])
    return np.bincount(pairs // 1000, minlength=count).astype(np.float64)


def _values(rows: pd.DataFrame, dimension: str) -> tuple[Codes, list[Any]]:
    """Row position and value of each item of the dimension."""
    if dimension == "asset_id":
        return np.arange(len(rows)), list(rows["asset_id"])
    if dimension == "action":
        return np.arange(len(rows)), list(rows["action_class"])
    if dimension == "hour":
        row, hours = explode_hours(rows["hourly"])
        return row, [int(hour) for hour in hours[:, 0]]
    return explode(rows[dimension])


def _surprises(
    user: Codes, ago: Codes, values: tuple[Codes, list[Any]], days: Floats, prior_days: float
) -> pd.DataFrame:
    """Today's distinct values of each user: ``days`` seen before, ``surprise``.

    An unseen value of an identity without a past is no surprise at all; after n days it is one of
    log10((n + prior) / prior), or less if new values are nothing new to the identity.
    """
    row, items = values
    seen = pd.DataFrame({"user": user[row], "value": items, "ago": ago[row]}).drop_duplicates()
    before = seen[seen["ago"] > 0].groupby(["user", "value"]).size().rename("days")
    found = seen[seen["ago"] == 0].merge(before.reset_index(), how="left", on=["user", "value"])
    found["days"] = found["days"].fillna(0.0)
    share = (found["days"] + prior_days) / (days[found["user"]] + prior_days)
    surprise = -np.log10(np.minimum(share, 1.0))
    # Who does something new every few days surprises little by doing so today.
    habit = novelty_days(seen, SETTLE_DAYS).set_index("user").reindex(found["user"]).fillna(0.0)
    odds = (habit["novel"] + prior_days) / (habit["days"] + prior_days)
    unheard = np.where(found["days"] == 0, -np.log10(odds.to_numpy()), np.inf)
    settled_down = habit["days"].to_numpy() > 0
    return found.assign(surprise=np.where(settled_down, np.minimum(surprise, unheard), surprise))


def _emphasis(dimension: str, values: pd.Series, settings: ServiceMisuseSettings) -> Floats:
    if dimension == "agents":
        hits = [any(word in str(value).lower() for word in INTERACTIVE) for value in values]
        return np.where(hits, settings.interactive, 1.0)
    if dimension == "networks":
        hits = [str(value).startswith("external") for value in values]
        return np.where(hits, settings.external, 1.0)
    return np.ones(len(values))


def _strange_assets(
    rows: pd.DataFrame, user: Codes, users: Any, history: History, days: Floats
) -> dict[int, list[str]]:
    """Today's assets of each service: from strange networks or programs first, then by novelty."""
    ago = rows["ago"].to_numpy()
    strange = np.zeros(len(rows))
    for dimension in ("networks", "agents", "asset_id"):
        values = _values(rows, dimension)
        found = _surprises(user, ago, values, days, 1.0)
        surprise = dict(zip(zip(found["user"], found["value"], strict=True), found["surprise"],
                            strict=True))  # fmt: skip
        for place, value in zip(*values, strict=True):
            if ago[place] == 0:
                strange[place] = max(strange[place], surprise[(user[place], value)])
    today = rows.assign(user=user, strange=strange)[ago == 0]
    today["strange"] *= sensitivity_shares(today["asset_id"], history.context)
    today = today.sort_values(["user", "strange", "asset_id"], ascending=[True, False, True])
    today = today.drop_duplicates(["user", "asset_id"])
    return {
        int(code): [str(asset) for asset in part["asset_id"].iloc[:EVIDENCE_ASSETS]]
        for code, part in each_group(today, "user")
    }
