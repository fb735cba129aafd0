"""A day unlike the days of people like this, in all its features at once (isolation forest)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, leading_assets, sensitivity_shares
from models.features.baselines import row_quantile
from models.features.rows import (
    TAKE_CLASSES,
    Codes,
    Floats,
    active_entities,
    explode,
    explode_hours,
    recent,
)
from models.features.settings import Whole
from models.reasons.parts import WORDS, Word
from models.reasons.reason import Reason, Series

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

    from models.features.history import History

FEATURES = tuple(WORDS["feature"])
"""Features of a day; amounts are logs relative to the entity's own median day."""
COLUMNS = ("user_id", "user_kind", "asset_id", "action_class", "events", "failures", "bytes_out",
           "objects", "hourly", "networks", "agents", "acting_as")  # fmt: skip
PUSHING_SHOWN = 3
RARE_SHARE = 0.1
SENSITIVE = 0.8
"""Sensitivity ÷ 5 from which an asset is a sensitive one (4 and 5)."""


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
    rows = recent(history.access, history.day, COLUMNS, settings.train_days + 1)
    rows = rows[rows["user_id"].isin(active["user_id"])].reset_index(drop=True)
    if rows.empty:
        return []
    days = measure_days(rows, history)
    kinds = active.set_index("user_id")["user_kind"]
    days["kind"] = days["user_id"].map(kinds)
    assets = leading_assets(rows[rows["ago"] == 0], "events", history.context, EVIDENCE_ASSETS)
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


def measure_days(rows: pd.DataFrame, history: History) -> pd.DataFrame:
    """One row per user and active day: ``user_id``, ``ago`` and FEATURES.

    Amounts are log(1 + x) minus the median of the user's earlier days; rarities are counts by the
    user's other days, so that a day does not make itself usual.
    """
    pairs = rows[["user_id", "ago"]].drop_duplicates().sort_values(["user_id", "ago"])
    pairs = pairs.reset_index(drop=True)
    users, user = np.unique(pairs["user_id"].to_numpy(dtype=object), return_inverse=True)
    width = int(pairs["ago"].max()) + 1
    cell_of = np.full(len(users) * width, -1, dtype=np.int64)
    cell_of[user * width + pairs["ago"].to_numpy()] = np.arange(len(pairs))
    row_user = np.searchsorted(users, rows["user_id"].to_numpy(dtype=object))
    cell = cell_of[row_user * width + rows["ago"].to_numpy()]
    amounts = _amounts(rows, cell, len(pairs), history)
    features = {name: _relative(values, user, pairs["ago"].to_numpy(), len(users), width)
                for name, values in amounts.items()}  # fmt: skip
    features["hours"] = _strange_hours(rows, cell, user, len(pairs))
    features["networks"] = _rarities(rows["networks"], cell, user, len(pairs))
    features["agents"] = _rarities(rows["agents"], cell, user, len(pairs))
    place, items = explode(rows["acting_as"])
    roles = pd.DataFrame({"cell": cell[place], "role": items}).drop_duplicates()
    features["credentials"] = np.bincount(roles["cell"], minlength=len(pairs)).astype(np.float64)
    return pairs.assign(**features)


def _amounts(rows: pd.DataFrame, cell: Codes, count: int, history: History) -> dict[str, Floats]:
    """Amount of each person-day, by feature."""
    action = rows["action_class"]
    events = rows["events"].to_numpy(dtype=np.float64)
    taken = action.isin(TAKE_CLASSES).to_numpy()
    size = np.nan_to_num(pd.to_numeric(rows["bytes_out"]).to_numpy(dtype=np.float64))
    objects = rows["objects"].to_numpy(dtype=np.float64)
    touched = pd.DataFrame({"cell": cell, "asset": rows["asset_id"]}).drop_duplicates()
    share = sensitivity_shares(touched["asset"], history.context)

    def total(values: Floats) -> Floats:
        return np.bincount(cell, values, count).astype(np.float64)

    return {
        "bytes": total(size * taken),
        "objects": total(objects * taken),
        "assets": np.bincount(touched["cell"], minlength=count).astype(np.float64),
        "sensitive": np.bincount(touched["cell"], share >= SENSITIVE, count).astype(np.float64),
        "clones": total(objects * (action == "clone").to_numpy()),
        "lists": total(events * action.isin(["list", "inspect"]).to_numpy()),
        "writes": total(events * action.isin(["write", "delete"]).to_numpy()),
        "executes": total(events * (action == "execute").to_numpy()),
        "failures": total(rows["failures"].to_numpy(dtype=np.float64)),
        "gives": total(events * action.isin(["copy", "share"]).to_numpy()),
    }


def _relative(values: Floats, user: Codes, ago: Codes, users: int, width: int) -> Floats:
    logs = np.log1p(values)
    table = np.full((users, width), np.nan)
    table[user, ago] = logs
    usual = np.nan_to_num(row_quantile(table[:, 1:], 0.5))
    return np.asarray(logs - usual[user], dtype=np.float64)


def _strange_hours(rows: pd.DataFrame, cell: Codes, user: Codes, count: int) -> Floats:
    """Mean surprisal (log10) of the day's hours by the hours of the user's other days."""
    place, found = explode_hours(rows["hourly"])
    hours, events = found[:, 0].astype(np.int64), found[:, 1]
    table = np.bincount(cell[place] * 24 + hours, events, count * 24).reshape(count, 24)
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


def _rarities(lists: pd.Series, cell: Codes, user: Codes, count: int) -> Floats:
    """Values of each person-day that the user has on less than a tenth of its other days."""
    place, items = explode(lists)
    used = pd.DataFrame({"cell": cell[place], "value": items}).drop_duplicates()
    used["user"] = user[used["cell"].to_numpy(dtype=np.int64)]
    others = used.groupby(["user", "value"])["cell"].transform("size").to_numpy() - 1
    days = np.bincount(user)[used["user"].to_numpy(dtype=np.int64)] - 1
    rare = others < RARE_SHARE * np.maximum(days, 1)
    return np.bincount(used["cell"].to_numpy(dtype=np.int64), rare & (days > 0), count).astype(
        np.float64
    )
