"""Commands, copies and tunnels into pods by those who hardly ever do that there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS
from models.features.novelty import trust_after
from models.features.people import teams
from models.features.rows import active_entities, each_row, log_days, recent
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number, Whole
from models.reasons.parts import Amount, Assets, Count
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History


class ClusterEgressSettings(DetectorSettings):
    """Settings of cluster_egress.yml."""

    prior_days: Whole
    own_share: Number
    usual_sessions: Whole
    surprise_cap: Whole
    settle_days: Whole
    min_sessions: Whole


def score(history: History, settings: ClusterEgressSettings) -> list[Signal]:
    """Sum over entered namespaces of surprisal × sensitivity ÷ 5 × size; higher is riskier.

    The surprisal is −log10 of the smoothed share of earlier active days on which the identity
    entered this namespace, shrunk to how often it enters any and how often its team enters this
    one. Only successful entries count. Row 1d for everyone, 0 for those who
    entered none.
    """
    active = active_entities(history)
    if active.empty:
        return []
    pairs = recent(history.pairs, history.day, ["user_id", "asset_id", "entries"])
    entries = pairs[pairs["entries"] > 0].reset_index(drop=True)
    found = _surprises(history, entries, settings)
    groups = dict(iter(found.groupby("user_id")))
    trust = float(trust_after(log_days(history), settings.settle_days))
    result: list[Signal] = []
    for user, kind in each_row(active):
        mine = groups.get(user)
        if mine is None:
            result.append(
                Signal(user, kind, "1d", 0.0, 0.0, 0.0, "sessions", Reason("entered_no_pod"))
            )
            continue
        assets = [str(asset) for asset in mine["asset_id"].iloc[:EVIDENCE_ASSETS]]
        events, days = float(mine["count"].sum()), float(mine["before"].iloc[0])
        expected = float((mine["odds"] * mine["count"]).sum())
        reason = Reason(
            "entered_pods",
            sessions=Amount(events, "times"),
            assets=Assets(tuple(assets)),
            days=Count(days),
        )
        statistic = trust * float(mine["surprise"].sum())
        result.append(
            Signal(user, kind, "1d", statistic, events, expected, "sessions", reason, assets)
        )
    return result


def _surprises(
    history: History, entries: pd.DataFrame, settings: ClusterEgressSettings
) -> pd.DataFrame:
    """Today's entered assets of each user with ``surprise``, ``count``, ``before``, ``odds``."""
    prior = settings.prior_days
    declared = teams(history.context)
    by_pair = entries[entries["ago"] > 0]
    active_days = recent(history.entity_days, history.day, ["user_id"])
    active_days = active_days[active_days["ago"] > 0]
    days = active_days.groupby("user_id").size()
    pair_days = by_pair.groupby(["user_id", "asset_id"]).size()
    any_days = by_pair.drop_duplicates(["user_id", "ago"]).groupby("user_id").size()
    team_pairs = by_pair.assign(team=by_pair["user_id"].map(declared)).groupby(["team", "asset_id"])
    team_touches = team_pairs.size()
    team_days = active_days.assign(team=active_days["user_id"].map(declared)).groupby("team").size()
    overall = (
        (len(by_pair) + 0.5) / (len(active_days) + 1.0) / max(1, by_pair["asset_id"].nunique())
    )
    entered = entries[entries["ago"] == 0].groupby(["user_id", "asset_id"])["entries"].sum()
    records = []
    for user, asset, count in each_row(entered.reset_index()):
        team = declared.get(user, "")
        by_team = (float(team_touches.get((team, asset), 0)) + prior * overall) / (
            float(team_days.get(team, 0)) + prior
        )
        n, k = float(days.get(user, 0)), float(pair_days.get((user, asset), 0))
        anywhere = (float(any_days.get(user, 0)) + prior * by_team) / (n + prior)
        of_team, of_own = by_team ** (1 - settings.own_share), anywhere**settings.own_share
        mean = max(1e-6, of_team * of_own)
        odds = min(1.0, (k + prior * min(1.0, mean)) / (n + prior))
        records.append((user, asset, float(count), k, odds))
    found = pd.DataFrame(records, columns=["user_id", "asset_id", "count", "before", "odds"])
    size = np.log2(1 + found["count"]) / np.log2(1 + settings.usual_sessions)
    size = np.clip(size, 0.5, 2.0)
    surprise = -np.log10(found["odds"].to_numpy(dtype=np.float64))
    shares = sensitivity_shares(found, history)
    found["surprise"] = np.minimum(surprise, settings.surprise_cap) * size * shares
    return found.sort_values(["user_id", "surprise", "asset_id"], ascending=[True, False, True])
