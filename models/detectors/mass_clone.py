"""Many private repositories cloned, zipped or fetched for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, listed_assets, repositories
from models.features.baselines import row_quantile
from models.features.novelty import trust_after
from models.features.people import settled_days, teams
from models.features.rows import Floats, active_entities, each_part, log_days, recent
from models.features.settings import Number, Whole
from models.features.strangers import united_strangers
from models.reasons.parts import Amount, Assets, Count, Days
from models.reasons.reason import Reason
from schemas.tables.values import HISTORY_DAYS, WINDOW_DAYS

if TYPE_CHECKING:
    from models.features.history import History

USUAL_QUANTILE = 0.9
PARTS = ("is_new", "newness", "asset_id", "archived", "member")
FLAGS = ("cloned", "fetched", "archived", "new_credential")


class MassCloneSettings(DetectorSettings):
    """Settings of mass_clone.yml."""

    known_repository: Number
    fetch: Number
    own_team: Number
    archive: Number
    new_credential: Number
    onboarding_days: Whole
    settle_days: Whole
    min_repositories: Whole


def score(history: History, settings: MassCloneSettings) -> list[Signal]:
    """log2 of (1 + weighted repositories) over (1 + the identity's usual); higher is riskier.

    A repository weighs 1 where it was never cloned or fetched before, and less with each day on
    which it was, down to ``known_repository``; a mere look does not make it known. It weighs
    ``fetch`` where it was only fetched; times sensitivity ÷ 3 (at most 1), ``own_team`` for the own
    team's, ``archive`` for ZIP downloads and ``new_credential`` for an unknown token. Public
    repositories (sensitivity 1) don't count. The usual is the 90 % quantile of earlier windows.
    Less in the first ``onboarding_days`` of identities of the directory. Strangers of one address
    are one. Windows 1d and 7d.
    """
    active = active_entities(history)
    rows = _taken(history, settings)
    today = rows[rows["ago"] == 0] if len(rows) else rows
    if today.empty or active.empty:
        return []
    kinds = active.set_index("user_id")["user_kind"].to_dict()
    users = np.array(sorted(set(today["user_id"]) & set(kinds)), dtype=object)
    rows = rows[rows["user_id"].isin(users)]
    settled = settled_days(history, users)
    trust = trust_after(log_days(history), settings.settle_days) * np.array(
        [trust_after(settled[user], settings.onboarding_days) for user in users]
    )
    found: list[Signal] = []
    for window in ("1d", "7d"):
        days = WINDOW_DAYS[window]
        weights, usual = _weights(rows, users, days, log_days(history))
        near = rows[rows["ago"] < days]
        near = near.sort_values(["user_id", "weight", "asset_id"], ascending=[True, False, True])
        near = near.drop_duplicates(["user_id", "asset_id"])
        parts = dict(each_part(near, "user_id", PARTS))
        for number, user in enumerate(users):
            part = parts[user]
            surplus = max(0.0, float(np.log2((1 + weights[number]) / (1 + usual[number]))))
            count, new = len(part["asset_id"]), int(part["is_new"].sum())
            assets = [str(asset) for asset in part["asset_id"][:EVIDENCE_ASSETS]]
            archived = int(part["archived"].sum())
            reason = Reason(
                "clones",
                count=Amount(count, "repositories"),
                days=Days(days),
                new=Count(new),
                archived=Count(archived) if archived else None,
                assets=Assets(tuple(assets)),
            )
            found.append(
                Signal(
                    entity=user,
                    user_kind=kinds[user],
                    window=window,
                    statistic=float(trust[number]) * surplus,
                    observed=float(part["newness"].sum()),
                    expected=None,
                    unit="repositories",
                    reason=reason,
                    asset_ids=assets,
                    related_users=sorted({*map(str, part["member"])} - {str(user)}),
                )
            )
    return found


def _taken(history: History, settings: MassCloneSettings) -> pd.DataFrame:
    """Clones and fetches of private repositories with ``weight``, ``is_new``, ``archived``."""
    columns = ["user_id", "asset_id", *FLAGS]
    rows = recent(history.pairs, history.day, columns).astype(dict.fromkeys(FLAGS, bool))
    private = {
        asset: sensitivity
        for asset, sensitivity in repositories(rows["asset_id"].unique(), history.context).items()
        if sensitivity > 1
    }
    taken = (rows["cloned"] | rows["fetched"]) & (rows["user_id"] != "")
    rows = rows[taken & rows["asset_id"].isin(private)].reset_index(drop=True)
    rows["member"] = rows["user_id"].astype(object)
    united = united_strangers(history, rows.loc[rows["ago"] == 0, "member"].unique())
    rows["user_id"] = rows["member"].map(united).fillna(rows["member"])
    # Each of these rows is a day on which the identity took the repository.
    rows = rows.sort_values("ago", ascending=False, kind="stable", ignore_index=True)
    rows["once"] = np.where(rows["cloned"], 1.0, settings.fetch)
    before = (rows.groupby(["user_id", "asset_id"])["once"].cumsum() - rows["once"]).to_numpy()
    rows["is_new"], rows["newness"] = before == 0, 1.0 / (1.0 + before)
    declared = teams(history.context)
    owners = listed_assets(history.context)["owner_team"].to_dict()
    own = [
        bool(declared.get(user)) and declared.get(user) == owners.get(asset)
        for user, asset in zip(rows["user_id"], rows["asset_id"], strict=True)
    ]
    weight = np.minimum(rows["asset_id"].map(private).to_numpy(dtype=np.float64) / 3, 1.0)
    weight *= np.maximum(settings.known_repository, rows["newness"])
    weight *= np.where(rows["cloned"], 1.0, settings.fetch)
    weight *= np.where(np.array(own, dtype=bool), settings.own_team, 1.0)
    weight *= np.where(rows["archived"], settings.archive, 1.0)
    weight *= np.where(rows["new_credential"], settings.new_credential, 1.0)
    return rows.assign(weight=weight)


def _weights(rows: pd.DataFrame, users: Any, days: int, reach: int) -> tuple[Floats, Floats]:
    """Weighted repositories of each user in the window that ends today, and its usual window.

    Within a window a repository counts once, with its largest weight.
    """
    width = HISTORY_DAYS // days
    bucket = rows["ago"].to_numpy() // days
    cells = rows.assign(bucket=bucket).groupby(["user_id", "bucket", "asset_id"])["weight"].max()
    sums = cells.groupby(level=["user_id", "bucket"]).sum().reset_index()
    table = np.zeros((len(users), width + 1))
    table[np.searchsorted(users, sums["user_id"].to_numpy(dtype=object)), sums["bucket"]] = sums[
        "weight"
    ]
    whole = (reach + 1) // days
    past = table[:, 1 : max(1, min(width, whole))]
    past = np.where(past > 0, past, np.nan)
    return table[:, 0], np.nan_to_num(row_quantile(past, USUAL_QUANTILE))
