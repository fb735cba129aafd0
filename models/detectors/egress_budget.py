"""Bytes that leave our networks, beside the size of the artefacts that were read before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, listed_assets
from models.features.rows import Floats, active_or_in, each_row, recent
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number
from models.features.takings import sensitive_of_week
from models.reasons.parts import Amount, Assets, Share
from models.reasons.reason import Reason
from schemas.context import MANIFEST_KINDS
from schemas.tables.values import OUR_ZONES

if TYPE_CHECKING:
    from models.features.history import History

COMPRESSIONS = (1.0, 16.0, 100.0)
"""How many times smaller weights may be when they leave: not at all, well packed, and the most."""


class EgressBudgetSettings(DetectorSettings):
    """Settings of egress_budget.yml."""

    of_16: Number
    of_100: Number
    own_bytes: Number
    min_bytes: Number


def score(history: History, settings: EgressBudgetSettings) -> list[Signal]:
    """Largest over the artefacts of sensitivity ÷ 5 × part read × part that may have left, 0 to 1.

    Higher is riskier. The part read is of the week that ends with the day. The part that may have
    left is the mean of min(1, compression × bytes ÷ size) over COMPRESSIONS, weighted 1, ``of_16``
    and ``of_100``. Bytes are those that went to addresses outside our networks on the day; those
    below ``own_bytes`` are everybody's. Row 1d for everyone, 0 for those who sent less or read no
    sensitive artefact. What was read of an artefact's copies counts with it. Fails where the way
    out is not logged with its bytes.
    """
    out = bytes_out(history)
    everyone = active_or_in(history, out)
    sent = out.set_index("user_id")["bytes"].to_dict()
    read = _artefacts_read(history)
    read["sent"] = read["user_id"].map(sent).fillna(0.0).astype(np.float64)
    read = read[read["sent"] >= settings.own_bytes].reset_index(drop=True)
    parts = left(read["sent"].to_numpy(), read["size"].to_numpy(), settings)
    read["value"] = read["sensitivity"] / 5 * read["share"] * parts
    read = read.sort_values(["user_id", "value", "asset_id"], ascending=[True, False, True])
    groups = dict(iter(read.groupby("user_id")))
    rows: list[Signal] = []
    for user, kind in each_row(everyone):
        mine, total = groups.get(user), float(sent.get(user, 0.0))
        if mine is None:
            nothing = Reason("sent_nothing_like_an_artefact")
            rows.append(Signal(user, kind, "1d", 0.0, total, None, "bytes", nothing))
            continue
        first = mine.iloc[0]
        reason = Reason(
            "sent_beside_artefact",
            bytes=Amount(total, "bytes"),
            asset=Assets((str(first["asset_id"]),)),
            share=Share(float(first["share"])),
            size=Amount(float(first["size"]), "bytes"),
        )
        assets = [str(asset) for asset in mine["asset_id"].iloc[:EVIDENCE_ASSETS]]
        value = float(first["value"])
        rows.append(Signal(user, kind, "1d", value, total, None, "bytes", reason, assets))
    return rows


def bytes_out(history: History) -> pd.DataFrame:
    """Known bytes that each identity sent outside our networks: ``user_id, user_kind, bytes``."""
    columns = ["user_id", "user_kind", "zone", "bytes"]
    rows = recent(history.place_access, history.day, columns, 1)
    rows = rows[~rows["zone"].isin(OUR_ZONES) & (rows["user_id"] != "")]
    rows = rows.assign(bytes=rows["bytes"].astype("float64").fillna(0.0))
    sums = rows.groupby("user_id").agg({"user_kind": "min", "bytes": "sum"}).reset_index()
    return sums[sums["bytes"] > 0].reset_index(drop=True)


def left(sent: Floats, size: Floats, settings: EgressBudgetSettings) -> Floats:
    """Part of each artefact that ``sent`` bytes can hold, 0 to 1; shapes (artefacts,)."""
    weights = np.array([1.0, settings.of_16, settings.of_100])
    held = np.minimum(1.0, sent[:, None] * COMPRESSIONS / size[:, None])
    return np.asarray(held @ weights / weights.sum(), dtype=np.float64)


def _artefacts_read(history: History) -> pd.DataFrame:
    """Sensitive artefacts of known size that were read in the week, a row for each reader.

    Columns: ``user_id``, ``asset_id``, ``sensitivity``, ``size`` (bytes), ``share`` (0 to 1). A
    place that holds content of an artefact has a row of its own. Its size is that of the artefact,
    and the share is of all that was read of the artefact at any place.
    """
    facts, derived = listed_assets(history.context), history.context.derived
    known = facts[
        facts["kind"].isin(MANIFEST_KINDS) & (facts["bytes"] > 0) & (facts["objects"] > 0)
    ]
    sums = sensitive_of_week(history)
    origins = [derived[asset].origin if asset in derived else asset for asset in sums["asset_id"]]
    sums = sums.assign(origin=np.array(origins, dtype=object))
    sums = sums[sums["origin"].isin(known.index)].reset_index(drop=True)
    mine = known.loc[sums["origin"]].reset_index(drop=True)
    read = sums.groupby(["user_id", "origin"])["objects"].transform("sum").astype("float64")
    return sums.assign(
        sensitivity=5 * sensitivity_shares(sums, history),
        size=mine["bytes"],
        share=np.minimum(1.0, read / mine["objects"]),
    )
