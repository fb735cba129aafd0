"""Copies, shares and grants to a place that is not ours; hardly a byte comes out for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, sensitivity_shares
from models.features.novelty import trust_after
from models.features.rows import active_entities, each_row, explode, log_days, recent
from models.features.settings import Number, Texts, Whole
from models.reasons.parts import Amount, Destinations
from models.reasons.reason import Reason
from schemas.context import names_of

if TYPE_CHECKING:
    from models.features.history import History


class ForeignCopySettings(DetectorSettings):
    """Settings of foreign_copy.yml."""

    own_accounts: Texts
    foreign: Number
    known_days: Whole
    settle_days: Whole
    min_objects: Whole


def score(history: History, settings: ForeignCopySettings) -> list[Signal]:
    """log2(1 + objects) × sensitivity ÷ 5 × strangeness of the destination; higher is riskier.

    A destination is the container, or the identity, that something is copied to or shared with,
    then ``#`` and its account where the log names it. It is foreign if the account is not one of
    ``own_accounts`` (where both are known), and strange so far as nobody has used it before: as a
    destination by two identities or on ``known_days`` days, or as a container of our own logs. Row
    1d for everyone, 0 for those who copied and shared nothing.
    """
    active = active_entities(history)
    if active.empty:
        return []
    columns = ["user_id", "asset_id", "given", "gives", "destinations"]
    pairs = recent(history.pairs, history.day, columns, 1)
    given = pairs[(pairs["gives"] > 0) & pairs["user_id"].isin(active["user_id"])]
    today = given.reset_index(drop=True)
    place, targets = explode(today["destinations"])
    sent = pd.DataFrame({"row": place, "container": [str(target) for target in targets]})
    used = recent(history.novelty, history.day, ["user_id", "kind", "value"])
    used = used[(used["kind"] == "destination") & (used["ago"] > 0)]
    own = {str(account) for account in settings.own_accounts}
    ours = {container_of(str(asset)) for asset in history.assets.index if "://" in str(asset)}
    ours |= {container_of(str(pattern)) for pattern in history.context.assets["pattern"]}
    ours |= _identities(history)
    trust = float(trust_after(log_days(history), settings.settle_days))
    strange = {
        name: _strangeness(name, used, own, ours, trust, settings)
        for name in sorted(set(sent["container"]))
    }
    sent["strange"] = sent["container"].map(strange).astype(np.float64)
    worst = sent.sort_values(["row", "strange", "container"])
    worst = worst.drop_duplicates("row", keep="last").set_index("row")
    today["strange"] = worst["strange"].reindex(today.index).fillna(0.0).to_numpy(dtype=np.float64)
    today["to"] = worst["container"].reindex(today.index).fillna("").to_numpy()
    shares = sensitivity_shares(today["asset_id"], history.context)
    amount = np.maximum(1, today["given"].to_numpy(dtype=np.float64))
    today["value"] = np.log2(1 + amount) * shares * today["strange"].to_numpy()
    return _describe(today, active)


def _describe(today: pd.DataFrame, active: pd.DataFrame) -> list[Signal]:
    today = today.sort_values(["user_id", "value", "asset_id"], ascending=[True, False, True])
    parts = dict(iter(today[today["value"] > 0].groupby("user_id")))
    rows: list[Signal] = []
    for user, kind in each_row(active):
        part = parts.get(user)
        if part is None:
            nothing = Reason("gave_nothing_away")
            rows.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", nothing))
            continue
        assets = list(dict.fromkeys(str(asset) for asset in part["asset_id"]))[:EVIDENCE_ASSETS]
        objects = float(np.maximum(1, part["given"]).sum())
        names = sorted(set(part["to"]) - {""})
        reason = Reason(
            "gave_away", objects=Amount(objects, "objects"), places=Destinations(tuple(names))
        )
        value = float(part["value"].sum())
        rows.append(Signal(user, kind, "1d", value, objects, 0.0, "objects", reason, assets))
    return rows


def _strangeness(
    name: str,
    used: pd.DataFrame,
    own: set[str],
    ours: set[str],
    trust: float,
    settings: ForeignCopySettings,
) -> float:
    """0 for a place that is surely ours, 1 for a foreign one; earlier uses lower it."""
    container, _, account = name.partition("#")
    if account and own:
        return 0.0 if account in own else settings.foreign
    if container_of(container) in ours:
        return 0.0
    before = used[used["value"] == name]
    days, users = before["ago"].nunique(), before["user_id"].nunique()
    known = max(days / max(1.0, settings.known_days), (users - 1.0))
    return trust * max(0.0, 1.0 - known) if len(before) else trust


def _identities(history: History) -> set[str]:
    """Names under which our own people may be given something."""
    rows = history.context.directory
    named = {str(name) for names in rows["aliases"] for name in names_of(names)}
    return named | set(rows["user_id"]) | set(rows["email"]) - {""}


def container_of(uri: str) -> str:
    """Scheme and first part of a URI's path: ``s3://bucket``; a text that is no URI stays whole."""
    scheme, mark, path = uri.partition("://")
    return f"{scheme}://{path.split('/')[0]}" if mark else uri
