"""Sightings of one identity in two countries, and the speed that a journey would have needed.

``country_centroids.csv`` holds the middle of each country (ISO 3166-1 alpha-2; degrees), after the
field "geographic coordinates" of the CIA World Factbook, which is in the public domain. A test
compares them with ``zone.tab`` of the tz database, which is in the public domain too.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.features.rows import Floats, recent
from schemas.tables.values import OUR_ZONES

if TYPE_CHECKING:
    from models.features.history import History

EARTH_KM = 6371.0
MACHINE_ZONES = ("datacenter", "cloud")
STILL_ZONES = (*OUR_ZONES, "cloud")
"""Zones whose addresses do not travel with a person."""
DAY_HOURS = 24


@cache
def centroids() -> pd.DataFrame:
    """``latitude`` and ``longitude`` of the middle of each country, in degrees, by country."""
    file = resources.files(__package__).joinpath("country_centroids.csv")
    with file.open(encoding="utf-8") as text:
        # "NA" is Namibia.
        return pd.read_csv(text, keep_default_na=False).set_index("country").astype(np.float64)


def kilometres(one: Any, other: Any) -> Floats:
    """Great-circle distance between the middles of countries; NaN where one is not known.

    Haversine formula (Sinnott 1984, "Virtues of the Haversine"). Shapes: (pairs,).
    """
    start, end = (
        np.radians(centroids().reindex(list(names)).to_numpy(dtype=np.float64))
        for names in (one, other)
    )
    half = np.sin((end - start) / 2) ** 2
    chord = half[:, 0] + np.cos(start[:, 0]) * np.cos(end[:, 0]) * half[:, 1]
    distance: Floats = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return distance


def impossible_travel(history: History) -> pd.DataFrame:
    """Fastest journey of each identity to a country of the day, from another of the two last days.

    Columns: ``user_id``, ``country``, ``origin``, ``kilometres``, ``hours``, ``speed`` (km/h,
    higher is less possible). Sightings are hours with a success. The time between two of them is
    the longest that they allow, so two countries in one hour are at most one hour apart. The speed
    is then the least that was needed. Addresses of our own zones and of clouds do not count.
    """
    columns = ["user_id", "zone", "country", "hours"]
    rows = recent(history.place_days, history.day, columns, 2)
    rows = rows[rows["country"].notna() & ~rows["zone"].isin(STILL_ZONES)]
    known = rows["country"].isin(centroids().index)
    several = rows[known].groupby("user_id")["country"].transform("nunique") > 1
    seen = _sightings(rows[known][several])
    pairs = seen[seen["hour"] >= 0].merge(seen, on="user_id", suffixes=("", "_other"))
    pairs = pairs[pairs["country"] != pairs["country_other"]].reset_index(drop=True)
    pairs["kilometres"] = kilometres(pairs["country"], pairs["country_other"])
    pairs["hours"] = (pairs["hour"] - pairs["hour_other"]).abs() + 1.0
    pairs["speed"] = pairs["kilometres"] / pairs["hours"]
    pairs = pairs.rename(columns={"country_other": "origin"})
    order = ["user_id", "country", "speed", "origin", "hours"]
    pairs = pairs.sort_values(order, ascending=[True, True, False, True, True])
    found = pairs.drop_duplicates(["user_id", "country"])
    return found[["user_id", "country", "origin", "kilometres", "hours", "speed"]]


def presence(history: History) -> pd.DataFrame:
    """``user_id``, ``place``, ``present``: share of the identity's hours at each place, 0 to 1.

    Of the hours with a success on the day and the day before. Hours in which only machines could be
    somewhere (zones ``datacenter`` and ``cloud``) count for these places alone. A traveller works
    from one place; whoever lost a session is at the usual places besides.
    """
    rows = recent(history.place_days, history.day, ["user_id", "place", "zone", "hours"], 2)
    bits = rows["hours"].to_numpy(dtype=np.int64)[:, None] >> np.arange(DAY_HOURS) & 1
    rows["count"] = bits.sum(axis=1)
    found = rows.groupby(["user_id", "place"], as_index=False)["count"].sum()
    moving = rows[~rows["zone"].isin(MACHINE_ZONES)]
    total = found["user_id"].map(moving.groupby("user_id")["count"].sum()).fillna(0)
    whole = np.maximum(np.maximum(total, found["count"]), 1)
    shares: pd.DataFrame = found[["user_id", "place"]].assign(present=found["count"] / whole)
    return shares


def _sightings(rows: pd.DataFrame) -> pd.DataFrame:
    """``user_id``, ``country``, ``hour`` (0 to 23; of yesterday -24 to -1) of each hour seen."""
    bits = rows["hours"].to_numpy(dtype=np.int64)[:, None] >> np.arange(DAY_HOURS) & 1
    row, hour = np.nonzero(bits)
    found = rows[["user_id", "country"]].iloc[row].reset_index(drop=True)
    found["hour"] = hour - DAY_HOURS * rows["ago"].to_numpy(dtype=np.int64)[row]
    return found.drop_duplicates()
