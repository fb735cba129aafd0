"""Access from a country that assets.csv does not allow for the asset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, listed_assets
from models.features.rows import active_entities, each_row, recent
from models.features.sensitivity import are_other, sensitivity_shares
from models.features.settings import Number, Whole
from models.reasons.parts import Amount, Assets, Networks
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

ELSEWHERE_ZONES = ("vpn",)
"""Zones whose country is not that of the caller."""


class ResidencySettings(DetectorSettings):
    """Settings of residency.yml."""

    of_look: Number
    min_objects: Whole


def score(history: History, settings: ResidencySettings) -> list[Signal]:
    """(``of_look`` + log2(1 + objects)) × sensitivity ÷ 5, summed; higher is riskier.

    Counted are assets reached with success from a country outside their ``allowed_countries``. A
    row without objects is a look. Row 1d for everyone, 0 for those who kept to the countries.
    """
    active = active_entities(history)
    if active.empty:
        return []
    found = _violations(history)
    shares = sensitivity_shares(found, history)
    amount = np.log2(1 + found["objects"].to_numpy(dtype=np.float64))
    found["value"] = (settings.of_look + amount) * shares
    order = ["user_id", "value", "asset_id", "place"]
    found = found.sort_values(order, ascending=[True, False, True, True])
    parts = dict(iter(found.groupby("user_id")))
    return [_describe(user, kind, parts.get(user)) for user, kind in each_row(active)]


def _violations(history: History) -> pd.DataFrame:
    """Successful rows of ``place_access`` from countries that their asset does not allow.

    A place that holds content of an asset allows the countries of the asset.
    """
    columns = ["user_id", "place", "zone", "country", "asset_id", "events", "failures", "objects"]
    rows = recent(history.place_access, history.day, columns, 1)
    allowed = listed_assets(history.context)["allowed_countries"]
    copies = {place: of.origin for place, of in history.context.derived.items()}
    bounded = {
        str(asset): {str(country).upper() for country in countries}
        for asset, countries in allowed.items()
        if len(countries)
    }
    bounded |= {place: bounded[origin] for place, origin in copies.items() if origin in bounded}
    rows = rows[
        (rows["events"] > rows["failures"])
        & rows["country"].notna()
        & ~rows["zone"].isin(ELSEWHERE_ZONES)
        & rows["asset_id"].isin(list(bounded))
        & ~are_other(rows, history)
    ].reset_index(drop=True)
    outside = [
        str(country).upper() not in bounded[asset]
        for asset, country in zip(rows["asset_id"], rows["country"], strict=True)
    ]
    return rows[np.array(outside, dtype=bool)].reset_index(drop=True)


def _describe(user: str, kind: str, found: pd.DataFrame | None) -> Signal:
    if found is None:
        kept = Reason("kept_to_countries")
        return Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", kept)
    assets = tuple(dict.fromkeys(str(asset) for asset in found["asset_id"]))[:EVIDENCE_ASSETS]
    objects = float(found["objects"].sum())
    reason = Reason(
        "left_countries",
        objects=Amount(objects, "objects"),
        assets=Assets(assets),
        places=Networks(tuple(dict.fromkeys(str(place) for place in found["place"]))),
    )
    value = float(found["value"].sum())
    return Signal(user, kind, "1d", value, objects, 0.0, "objects", reason, assets)
