"""A day unlike the days of people like this, in all its features at once (isolation forest)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS
from models.features.baselines import row_quantile
from models.features.rows import Codes, Floats, active_entities, explode, recent
from models.features.sensitivity import leading_assets
from models.features.settings import Whole
from models.reasons.parts import WORDS, Word
from models.reasons.reason import Reason, Series

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

    from models.features.history import History

FEATURES = tuple(WORDS["feature"])
"""Features of a day; amounts are logs relative to the entity's own median day."""
AMOUNTS = {
    "bytes": "bytes", "objects": "objects", "assets": "touched", "sensitive": "sensitive",
    "clones": "clones", "lists": "lists", "writes": "writes", "executes": "executes",
    "failures": "failures", "gives": "gives",
}  # fmt: skip
"""Features that are compared with the entity's own median day, and their columns."""
AS_COUNTED = {"networks": "rare_networks", "agents": "rare_agents", "credentials": "roles"}
"""Features that are taken as they are, and their columns."""
PUSHING_SHOWN = 3


class OddDaySettings(DetectorSettings):
    """Settings of odd_day.yml."""

    train_days: Whole
    least_rows: Whole
    trees: Whole
    sample: Whole
    seed: Whole


def score(history: History, settings: OddDaySettings) -> list[Signal]:
    """Isolation score of the day's features, 0 to 1, about 0.5 on ordinary days; higher is riskier.

    One forest for each kind of identity, grown on the person-days of the ``train_days`` days before
    the day, so the day itself can't make itself usual. Liu, Ting & Zhou 2008, "Isolation Forest".
    The explanation replaces each feature by its reference median. The features with the largest
    drop of the score are named. No row where a kind has fewer than ``least_rows`` earlier days.
    Fails where odd days lie close together.
    """
    active = active_entities(history)
    columns = ["user_id", "hours", *AMOUNTS.values(), *AS_COUNTED.values()]
    rows = recent(history.entity_days, history.day, columns, settings.train_days + 1)
    rows = rows[rows["user_id"].isin(active["user_id"])].reset_index(drop=True)
    if rows.empty:
        return []
    days = measure_days(rows)
    kinds = active.set_index("user_id")["user_kind"]
    days["kind"] = days["user_id"].map(kinds)
    today = recent(history.pairs, history.day, ["user_id", "asset_id", "events"], 1)
    assets = leading_assets(today, "events", history, EVIDENCE_ASSETS)
    found: list[Signal] = []
    for _, part in days.groupby("kind"):
        past, today = part[part["ago"] > 0], part[part["ago"] == 0]
        if len(past) < settings.least_rows or today.empty:
            continue
        names = list(FEATURES)
        forest = grow_forest(past[names].to_numpy(dtype=np.float64), settings)
        reference = past[names].median().to_numpy(dtype=np.float64)
        values = today[names].to_numpy(dtype=np.float64)
        scores, pushes, usual = explain(forest, values, reference)
        for number, (user, kind) in enumerate(zip(today["user_id"], today["kind"], strict=True)):
            score_ = float(scores[number])
            reason = _reason(values[number], reference, pushes[number])
            leading = assets.get(user, [])
            found.append(
                Signal(user, kind, "1d", score_, score_, usual, "isolation", reason, leading)
            )
    return sorted(found, key=lambda signal: signal.entity)


def grow_forest(past: Floats, settings: OddDaySettings) -> IsolationForest:
    """The forest over earlier days, (days, features)."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(
        n_estimators=settings.trees,
        max_samples=min(settings.sample, len(past)),
        random_state=settings.seed,
    )
    return forest.fit(past)


def explain(
    forest: IsolationForest, values: Floats, reference: Floats
) -> tuple[Floats, Floats, float]:
    """Scores (rows,), pushes (rows, features) and the score of the reference itself.

    A push is how much of the score falls when the feature is as usual; > 0 speaks against the day.
    """
    count, width = values.shape
    changed = np.repeat(values[:, None, :], width, axis=1)
    changed[:, np.arange(width), np.arange(width)] = reference
    asked = np.vstack([values, changed.reshape(count * width, width), reference])
    # One question for all, because each costs a walk over every tree.
    answers = np.asarray(-forest.score_samples(asked), dtype=np.float64)
    scores, usual = answers[:count], answers[count:-1].reshape(count, width)
    return scores, scores[:, None] - usual, float(answers[-1])


def _reason(values: Floats, reference: Floats, pushes: Floats) -> Reason:
    order = np.lexsort((np.arange(len(pushes)), -pushes))
    named = tuple(
        Reason(
            "more_of_feature" if values[place] >= reference[place] else "less_of_feature",
            feature=Word("feature", FEATURES[place]),
        )
        for place in order[:PUSHING_SHOWN]
        if pushes[place] > 0
    )
    return Reason("odd_day", features=Series(", ", named)) if named else Reason("slightly_odd_day")


def measure_days(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per user and day of ``entity_days``: ``user_id``, ``ago`` and FEATURES.

    Amounts are log(1 + x) minus the median of the user's earlier days. Hours are compared with the
    user's other days, so that a day does not make itself usual.
    """
    rows = rows.sort_values(["user_id", "ago"], ignore_index=True)
    users, user = np.unique(rows["user_id"].to_numpy(dtype=object), return_inverse=True)
    ago = rows["ago"].to_numpy()
    width = int(ago.max()) + 1
    features = {}
    for name, column in AMOUNTS.items():
        values = np.nan_to_num(pd.to_numeric(rows[column]).to_numpy(dtype=np.float64))
        features[name] = _relative(values, user, ago, len(users), width)
    features["hours"] = _strange_hours(rows["hours"], user)
    for name, column in AS_COUNTED.items():
        features[name] = rows[column].to_numpy(dtype=np.float64)
    return rows[["user_id", "ago"]].assign(**features)


def _relative(values: Floats, user: Codes, ago: Codes, users: int, width: int) -> Floats:
    logs = np.log1p(values)
    table = np.full((users, width), np.nan)
    table[user, ago] = logs
    usual = np.nan_to_num(row_quantile(table[:, 1:], 0.5))
    return np.asarray(logs - usual[user], dtype=np.float64)


def _strange_hours(hours: pd.Series, user: Codes) -> Floats:
    """Mean surprisal (log10) of the day's hours by the hours of the user's other days."""
    table = np.array(explode(hours)[1], dtype=np.float64).reshape(-1, 24)
    # A million requests in an hour say little more about the clock than a few.
    table = np.log1p(table)
    totals = np.zeros((int(user.max(initial=0)) + 1, 24))
    np.add.at(totals, user, table)
    others = totals[user] - table
    near = others + 0.5 * (np.roll(others, 1, axis=1) + np.roll(others, -1, axis=1))
    odds = (near + 0.5) / (near.sum(axis=1, keepdims=True) + 12.0)
    weight = table.sum(axis=1)
    strange = (table * -np.log10(odds)).sum(axis=1) / np.maximum(weight, 1e-9)
    return np.where(weight > 0, strange, 0.0)
