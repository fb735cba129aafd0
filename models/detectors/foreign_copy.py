"""Content given to a place that is not ours: copied, opened to others, or written there."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import (
    EVIDENCE_ASSETS,
    assets_below,
    listed_assets,
    sensitivity_shares,
)
from models.features.novelty import trust_after
from models.features.places import gifts, own_places
from models.features.rows import active_or_in, each_row, log_days
from models.features.settings import Number, Texts, Whole
from models.features.takings import sensitive_of_week
from models.reasons.parts import Amount, Destinations
from models.reasons.reason import Reason
from schemas.tables.values import MAX_LISTED

if TYPE_CHECKING:
    from models.features.history import History

KEYS = ["user_id", "asset_id", "action_class"]
Rows = list[dict[Hashable, Any]]


class ForeignCopySettings(DetectorSettings):
    """Settings of foreign_copy.yml."""

    own_accounts: Texts
    foreign: Number
    known_users: Whole
    settle_days: Whole
    min_objects: Whole


def score(history: History, settings: ForeignCopySettings) -> list[Signal]:
    """log2(1 + objects) × sensitivity ÷ 5 × strangeness of the place, summed; higher is riskier.

    A place is the container or the grantee (an account, a user, everybody) that something went to.
    :meth:`models.features.places.OwnPlaces.place_is` says which places are ours. Strangeness is 0
    for these, ``foreign`` for those that are surely not, else the trust in the days watched.
    Row 1d for everyone, 0 for those who gave nothing away.
    """
    given = _given(history, settings)
    everyone = active_or_in(history, given)
    if everyone.empty:
        return []
    shares = sensitivity_shares(given["asset_id"], history.context)
    amount = given["amount"].to_numpy(dtype=np.float64)
    given["value"] = np.log2(1 + amount) * shares * given["strange"].to_numpy(dtype=np.float64)
    return _describe(given, everyone, set(history.assets.index))


def _given(history: History, settings: ForeignCopySettings) -> pd.DataFrame:
    """Rows of strange places with ``amount`` (objects) for each asset whose content went there."""
    today = gifts(history.access[history.access["day"] == history.day])
    today["strange"] = _strangeness(history, today, settings)
    today = today[today["strange"] > 0].sort_values([*KEYS, "strange", "to"])
    worst = today.drop_duplicates(KEYS, keep="last")
    written = worst["action_class"] == "write"
    rows = _opened(history, worst[~written]) + _written(history, worst[written])
    return pd.DataFrame(rows, columns=[*worst.columns, "evidence", "amount"])


def _strangeness(
    history: History, today: pd.DataFrame, settings: ForeignCopySettings
) -> list[float]:
    own = own_places(history, settings.own_accounts, int(settings.known_users))
    trust = float(trust_after(log_days(history), settings.settle_days))
    weight = {"ours": 0.0, "unknown": trust, "foreign": float(settings.foreign)}
    judged = {
        (to, user): weight[own.place_is(to, user)]
        for to, user in set(zip(today["to"], today["user_id"], strict=True))
    }
    # A full list hides further places behind those that come first.
    return [
        max(judged[to, user], trust if named >= MAX_LISTED else 0.0)
        for to, user, named in zip(today["to"], today["user_id"], today["named"], strict=True)
    ]


def _opened(history: History, worst: pd.DataFrame) -> Rows:
    """Copies and shares; what opens a container opens every listed asset below it."""
    sizes = listed_assets(history.context)["objects"].to_dict()
    written = history.assets["written"].to_dict()
    rows: Rows = []
    for row in worst.to_dict("records"):
        container = str(row["asset_id"])
        row |= {"evidence": container, "amount": max(1.0, float(row["objects"]))}
        below = assets_below(container, history.context) if row["action_class"] == "share" else ()
        rows += [
            row | {"asset_id": asset, "amount": _size(sizes.get(asset), written.get(asset))}
            for asset in below
        ] or [row]
    return rows


def _size(listed: float | None, written: float | None) -> float:
    """Objects of an asset: those listed, else the most that were written on a day, at least 1."""
    return max([1.0, *(n for n in (listed, written) if n is not None and not np.isnan(n))])


def _written(history: History, worst: pd.DataFrame) -> Rows:
    """Sensitive assets read in the week that ends with the day, by those who write elsewhere.

    Content can be packed before it is written, so its size is the size of what was read.
    """
    read = sensitive_of_week(history)
    amounts = read[read["user_id"].isin(worst["user_id"])]
    amounts = amounts.assign(objects=amounts["objects"].clip(lower=1))
    place = worst.sort_values(["strange", "to"]).drop_duplicates("user_id", keep="last")
    rows = amounts.rename(columns={"objects": "amount"}).merge(
        place.drop(columns=["asset_id"]), on="user_id"
    )
    return [{**row, "evidence": row["asset_id"]} for row in rows.to_dict("records")]


def _describe(given: pd.DataFrame, everyone: pd.DataFrame, known: set[str]) -> list[Signal]:
    order = ["user_id", "value", "asset_id"]
    given = given.sort_values(order, ascending=[True, False, True])
    parts = dict(iter(given[given["value"] > 0].groupby("user_id")))
    rows: list[Signal] = []
    for user, kind in each_row(everyone):
        part = parts.get(user)
        if part is None:
            nothing = Reason("gave_nothing_away")
            rows.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", nothing))
            continue
        touched = [str(asset) for asset in (*part["asset_id"], *part["evidence"]) if asset in known]
        assets = list(dict.fromkeys(touched))[:EVIDENCE_ASSETS]
        objects = float(part["amount"].sum())
        names = sorted(set(part["to"]))
        reason = Reason(
            "gave_away", objects=Amount(objects, "objects"), places=Destinations(tuple(names))
        )
        value = float(part["value"].sum())
        rows.append(Signal(user, kind, "1d", value, objects, 0.0, "objects", reason, assets))
    return rows
