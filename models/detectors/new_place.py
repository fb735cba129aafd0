"""Content taken from a country or network where neither the identity nor others ever are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, WHOLE_WORTH
from models.features.novelty import trust_after
from models.features.people import people
from models.features.rows import Floats, active_entities, each_row, explode, log_days, recent
from models.features.settings import Number, Whole
from models.features.takings import sized_objects, weigh_takings, whole_objects
from models.features.travel import impossible_travel, presence
from models.reasons.parts import Amount, Assets, Count, Networks
from models.reasons.reason import Reason
from schemas.tables.features import PLACE_DAYS
from schemas.tables.values import OUR_ZONES

if TYPE_CHECKING:
    from models.features.history import History

PLACE_COLUMNS = [name for name in PLACE_DAYS.column_names if name != "day"]
UNLISTED = "a network that is not listed"
WELL_BEYOND = 3.0
"""Doublings of the possible speed that count fully: 8 times as fast."""
LEAST_WORTH = 1.0
"""Worth below which amounts are alike, in hundredths of an object."""
SAID_STRANGENESS = 0.05
"""Strangeness from which the sentence names a place."""


class NewPlaceSettings(DetectorSettings):
    """Settings of new_place.yml."""

    approvable = False

    home_weeks: Whole
    country_share: Number
    of_move: Number
    team_mate: Number
    of_travel: Number
    possible_speed: Number
    settle_days: Whole
    min_objects: Whole


def score(history: History, settings: NewPlaceSettings) -> list[Signal]:
    """Strangeness of a place × weighed content taken there, summed; higher is riskier.

    :func:`_strangeness` is 0 to 1, plus ``of_travel`` for a journey that nobody can make. The
    content is weighed by :func:`models.features.takings.weigh_takings`: log2(1 + objects), by
    sensitivity; of the identity's usual work a third. A file at a place with content of a listed
    asset counts by its size. Row 1d for each person and unknown identity;
    service_misuse judges the networks of services.
    """
    active = active_entities(history)
    active = active[active["user_kind"] != "service"]
    if active.empty:
        return []
    places = _strangeness(history, settings)
    places = places[places["user_id"].isin(active["user_id"]) & (places["strange"] > 0)]
    taken = recent(
        history.place_access, history.day, ["user_id", "place", "asset_id", "objects"], 1
    )
    taken = taken[taken["objects"] > 0].drop(columns="ago")
    taken = taken.merge(places.drop(columns="objects"), on=["user_id", "place"])
    trust = float(trust_after(log_days(history), settings.settle_days))
    taken["sized"] = sized_objects(history, taken)
    weighed = weigh_takings(history, taken.assign(objects=taken["sized"]))
    taken["value"] = trust * taken["strange"].to_numpy() * weighed
    order = ["user_id", "value", "asset_id", "place"]
    taken = taken.sort_values(order, ascending=[True, False, True, True])
    parts = dict(iter(taken.groupby("user_id")))
    return [_describe(user, kind, parts.get(user)) for user, kind in each_row(active)]


def _strangeness(history: History, settings: NewPlaceSettings) -> pd.DataFrame:
    """The day's places of each identity with ``strange``, and what there is to say of them.

    Network and country are each (1 − known) × rarity. ``known`` grows with the weeks in which the
    identity took as much there, and is whole after ``home_weeks``, see :func:`_known`. The country
    of the directory is known. ``rarity`` is log2((1 + n) / (1 + others)) ÷ log2(1 + n) for n
    identities of the last 89 days, where a team-mate counts ``team_mate`` times. The more of its
    hours the identity spends there, the more it is on a journey: up to ``of_move`` of the
    strangeness goes.
    """
    rows = recent(history.place_days, history.day, PLACE_COLUMNS, 1)
    rows = rows[(rows["events"] > rows["failures"]) & ~rows["zone"].isin(OUR_ZONES)]
    rows = rows.reset_index(drop=True)
    past = recent(history.entity_days, history.day, ["user_id"])
    count = past.loc[past["ago"] > 0, "user_id"].nunique()
    home = people(history.context)["country"].to_dict()
    at_home = rows["country"].notna() & (rows["country"] == rows["user_id"].map(home))
    network = _rarity(rows, "", count, settings)
    country = np.where(at_home, 0.0, _rarity(rows, "country_", count, settings))
    rows["strange"] = settings.country_share * country + (1 - settings.country_share) * network
    present = rows[["user_id", "place"]].merge(presence(history), how="left")["present"]
    rows["strange"] *= 1 - min(1.0, settings.of_move) * present.to_numpy(dtype=np.float64)
    return _with_travel(history, rows, at_home.to_numpy(dtype=bool), settings)


def _rarity(rows: pd.DataFrame, of: str, count: int, settings: NewPlaceSettings) -> Floats:
    """(1 − known) × rarity of the place (``of`` empty) or the country (``country_``)."""
    known = _known(rows, of, settings)
    others = rows[f"{of}others"] + (settings.team_mate - 1) * rows[f"{of}team_others"]
    rarity = 1 - np.log2(1 + others) / np.log2(1 + max(count, 1))
    strange: Floats = ((1 - known) * np.clip(rarity, 0.0, 1.0)).to_numpy(dtype=np.float64)
    return strange


def _known(rows: pd.DataFrame, of: str, settings: NewPlaceSettings) -> Floats:
    """How well the place or country is known, 0 to 1.

    A week counts as far as log2(1 + worth) of its largest day reaches up to today's. So cheap
    content of many weeks makes no place known for what is worth more. Looks, refused attempts and
    more days of one week do not count. Rows of older versions count their weeks alone.
    """
    here = [rows["user_id"], rows["country"].fillna("-")] if of else [rows.index]
    today = rows["worth"].astype("float64").groupby(here).transform("sum", min_count=1)
    row, worths = explode(rows[f"{of}week_worths"])
    past = np.array(worths, dtype=np.float64)
    most = np.log2(1 + np.maximum(today.fillna(0.0).to_numpy()[row], LEAST_WORTH) / WHOLE_WORTH)
    share = np.log2(1 + np.maximum(past, 0.0) / WHOLE_WORTH) / most
    alike = np.where(past < 0, 1.0, np.minimum(1.0, share))
    weeks = np.bincount(row, alike, minlength=len(rows))
    weeks = np.where(today.isna(), rows[f"{of}weeks"], weeks)
    known: Floats = np.minimum(1.0, weeks / max(1, settings.home_weeks))
    return known


def _with_travel(
    history: History, rows: pd.DataFrame, at_home: Any, settings: NewPlaceSettings
) -> pd.DataFrame:
    """The rows with travel added to ``strange``: ``kilometres`` and ``hours`` of it, else NaN.

    Of the two places the one that is less known is the strange one.
    """
    journeys = impossible_travel(history)
    journeys = journeys[journeys["speed"] > settings.possible_speed]
    rows = rows.drop(columns="hours").merge(journeys, on=["user_id", "country"], how="left")
    doublings = np.log2(rows["speed"].fillna(settings.possible_speed) / settings.possible_speed)
    known = _known(rows, "country_", settings)
    unknown = np.where(at_home, 0.0, 1 - known)
    rows["strange"] += settings.of_travel * np.minimum(1.0, doublings / WELL_BEYOND) * unknown
    rows.loc[unknown == 0, ["kilometres", "speed"]] = np.nan
    return rows


def _describe(user: str, kind: str, taken: pd.DataFrame | None) -> Signal:
    told = None if taken is None else taken[taken["strange"] >= SAID_STRANGENESS]
    if taken is None or told is None or told.empty:
        value = 0.0 if taken is None else float(taken["value"].sum())
        usual = Reason("took_from_known_places")
        return Signal(user, kind, "1d", value, 0.0, 0.0, "objects", usual)
    value, objects = float(taken["value"].sum()), float(told["objects"].sum())
    first = told.iloc[0]
    assets = tuple(dict.fromkeys(str(asset) for asset in told["asset_id"]))[:EVIDENCE_ASSETS]
    listed = [place if zone else UNLISTED for place, zone in _places(told)]
    far = told.loc[told["kilometres"].idxmax()] if told["kilometres"].notna().any() else None
    reason = Reason(
        "took_from_new_place",
        objects=Amount(objects, "objects"),
        assets=Assets(assets),
        places=Networks(tuple(dict.fromkeys(listed))),
        days=Count(float(first["days"])),
        others=Count(float(first["others"])),
        mates=Count(float(first["team_others"])),
        kilometres=None if far is None else Count(round(float(far["kilometres"]), -2)),
        hours=None if far is None else Count(float(far["hours"])),
    )
    observed = float(whole_objects(np.array([told["sized"].sum()]), np.array([value]))[0])
    return Signal(user, kind, "1d", value, observed, 0.0, "objects", reason, assets)


def _places(told: pd.DataFrame) -> list[tuple[str, bool]]:
    known = told["zone"].notna() | told["country"].notna()
    return list(zip(told["place"].astype(str), known, strict=True))
