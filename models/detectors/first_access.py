"""Assets touched for the first time, by how unlikely the user–asset graph holds that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, listed_assets, owner_teams
from models.features.job_readings import own_readings
from models.features.novelty import LIKE_TODAY, known_objects, novelty_habit, trust_after
from models.features.people import settled_days, teams
from models.features.rows import active_entities, each_part, each_row, log_days
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number, Whole
from models.reasons.parts import Amount, Assets, Likelihood
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

SETTLE_DAYS = 7
RARE_NOVELTY_DAYS = 10
"""Days between new assets from which on each is fully surprising."""
LEAST_CURIOSITY = 0.35


class FirstAccessSettings(DetectorSettings):
    """Settings of first_access.yml."""

    surprise_cap: Whole
    own_team: Number
    known_sibling: Number
    look_only: Number
    shared_today: Number
    young_days: Whole
    young_asset: Number
    onboarding_days: Whole
    settle_days: Whole
    min_assets: Whole


def score(history: History, settings: FirstAccessSettings) -> list[Signal]:
    """Sum over today's new assets of −log10 probability × sensitivity ÷ 5, the k-th by 1/k.

    0 for whoever touched nothing new; higher is riskier. Discounts apply to assets of the own team,
    assets with a known sibling, assets that are new to everybody, mere looks and listings, assets
    that others of the team touch for the first time on the same day, people who have just joined or
    often touch new assets, and logs that have just begun. What a role surely read for a job is no
    touch of the role.
    """
    active = active_entities(history)
    edges = history.edges
    edges = edges[(edges["day"] == history.day) & edges["user_id"].isin(active["user_id"])]
    edges = edges.astype({"today": bool, "is_new": bool})
    if active.empty or edges.empty:
        return []
    new = _surprises(history, edges, settings)
    new = new.sort_values(["user_id", "surprise", "asset_id"], ascending=[True, False, True])
    groups = dict(each_part(new, "user_id", ["surprise", "probability", "asset_id"]))
    settled = settled_days(history, active["user_id"])
    curious = _curiosity(history)
    watched = float(trust_after(log_days(history), settings.settle_days))
    rows: list[Signal] = []
    for user, kind in each_row(active):
        mine = groups.get(user)
        if mine is None:
            rows.append(
                Signal(user, kind, "1d", 0.0, 0.0, 0.0, "assets", Reason("touched_nothing_new"))
            )
            continue
        trust = watched * float(trust_after(settled[user], settings.onboarding_days))
        statistic = (
            trust
            * curious.get(user, 1.0)
            * float((mine["surprise"] / np.arange(1, len(mine["surprise"]) + 1)).sum())
        )
        expected = float(mine["probability"].sum())
        assets = [str(asset) for asset in mine["asset_id"][:EVIDENCE_ASSETS]]
        count = float(len(mine["asset_id"]))
        reason = Reason(
            "touched_new",
            count=Amount(len(mine["asset_id"]), "assets"),
            assets=Assets(tuple(assets)),
            odds=Likelihood(float(mine["probability"][0])),
        )
        rows.append(Signal(user, kind, "1d", statistic, count, expected, "assets", reason, assets))
    return rows


def _surprises(
    history: History, edges: pd.DataFrame, settings: FirstAccessSettings
) -> pd.DataFrame:
    """Today's new edges with ``surprise``."""
    facts = listed_assets(history.context)
    group = edges["asset_id"].map(facts["group"]).fillna("")
    amounts = known_objects(history, edges)
    siblings = amounts["before"].where(group != "", 0.0).groupby([edges["user_id"], group]).max()
    least = LIKE_TODAY * amounts["now"]
    # A cheap look on an earlier day makes nothing known.
    new = edges["today"] & (edges["is_new"] | (amounts["before"] < least))
    new &= own_readings(history, edges)
    groups, edges, least = group[new], edges[new], least[new]
    of_group = siblings.reindex(pd.MultiIndex.from_arrays([edges["user_id"], groups])).to_numpy()
    known = (of_group > 0) & (of_group >= least.to_numpy())
    today = history.pairs[history.pairs["day"] == history.day]
    first = today.drop_duplicates("asset_id").set_index("asset_id")["asset_first_day"]
    born = first.map(lambda seen: (history.day - seen).days)
    content = today[today["content"].astype(bool)]
    touched = set(zip(content["user_id"], content["asset_id"], strict=True))
    declared, owners = teams(history.context), owner_teams(history.context)
    colleagues = _team_readers(history, edges, declared)
    shared, of_team = settings.shared_today, settings.own_team
    of_sibling, of_look = settings.known_sibling, settings.look_only
    factors = [
        (of_team if _owns(declared.get(user), owners.get(asset)) else 1.0)
        * (of_sibling if sibling else 1.0)
        * (1.0 if (user, asset) in touched else of_look)
        / (1 + shared * (colleagues.get((declared.get(user, ""), asset), 1) - 1))
        for user, asset, sibling in zip(edges["user_id"], edges["asset_id"], known, strict=True)
    ]
    young = edges["asset_id"].map(born).fillna(0).to_numpy() < settings.young_days
    odds = np.clip(edges["probability"].to_numpy(dtype=np.float64), 1e-9, 1.0)
    surprise = np.minimum(-np.log10(odds), settings.surprise_cap)
    surprise = surprise * np.array(factors) * sensitivity_shares(edges, history)
    # Of an asset that nobody touched before, the graph can say little.
    surprise = np.where(young, surprise * settings.young_asset, surprise)
    return edges.assign(surprise=surprise)[["user_id", "asset_id", "probability", "surprise"]]


def _curiosity(history: History) -> dict[str, float]:
    """Factor of each user, LEAST_CURIOSITY to 1: less for who touches something new every week."""
    habit = novelty_habit(history, "new_assets", SETTLE_DAYS)
    surprise = np.log10((habit["days"] + 1) / (habit["novel"] + 1))
    factor = np.clip(surprise / np.log10(RARE_NOVELTY_DAYS), LEAST_CURIOSITY, 1.0)
    # Before anything is known of a user, nothing is known of the curiosity.
    factor = np.where(habit["days"] < RARE_NOVELTY_DAYS, np.maximum(factor, 0.7), factor)
    return dict(zip(habit.index, factor, strict=True))


def _team_readers(
    history: History, edges: pd.DataFrame, declared: Mapping[str, str]
) -> dict[tuple[str, str], int]:
    """How many of a team touched the same asset anew today: a new task of the team, not of one."""
    team = [declared.get(user, "") for user in edges["user_id"]]
    counts = edges.assign(team=team)[np.array(team, dtype=object) != ""]
    sizes = counts.groupby(["team", "asset_id"]).size()
    return {(str(name), str(asset)): int(size) for (name, asset), size in sizes.items()}


def _owns(team: str | None, owner: str | None) -> bool:
    return bool(team) and team == owner
