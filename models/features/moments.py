"""Minutes in which keys are used at once, and how many keys would share them by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.features.rows import Codes, Floats, explode, explode_numbers

CLOCK_MINUTES, QUARTER = 5, 15
"""Minutes after each quarter of an hour in which clocks start programs, so that they say nothing.
"""
LEAST_MINUTES = 10
"""Distinct minutes with queries on a day below which a key's sample of them says little."""
MOST_CHANCE = 0.5
"""Chance of a query in a minute from which a key that is used in it says nothing: such a key
shares the minutes of everybody."""


def shared_moments(week: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """``key`` and ``value`` of the pairs of minutes of each key, and by value the keys by chance.

    ``week``: rows of ``api_days`` with ``key`` and ``ago``. A pair is two neighbours of the eight
    ``moments`` of a day. Keys with a share J of their minutes in common have a pair in common with
    the chance J² (Broder 1997). By chance means that the queries of each key are spread evenly over
    each hour: a minute has a query with the chance 1 − exp(−queries of the hour ÷ 60). The number
    sums the products of both minutes' chances over all keys; it is too high rather than too low.
    Linear in keys.
    """
    row, minutes = _pairs(week)
    chance = _chances(week)
    hours = minutes // 60
    rare = (chance[row[:, None], hours] <= MOST_CHANCE).all(axis=1)
    clock = (minutes % QUARTER < CLOCK_MINUTES).any(axis=1)
    usable = rare & ~clock
    row, minutes, hours = row[usable], minutes[usable], hours[usable]
    ago = week["ago"].to_numpy(np.int64)[row]
    value = (
        pd.Series(ago).astype(str)
        + ":"
        + minutes[:, 0].astype(str)
        + ":"
        + minutes[:, 1].astype(str)
    )
    found = pd.DataFrame({"key": week["key"].to_numpy(np.int64)[row], "value": value})
    expected = _expected(np.where(chance <= MOST_CHANCE, chance, 0.0), week, ago, minutes)
    by_value = pd.Series(expected, index=value, dtype=np.float64)
    return (
        found.drop_duplicates().reset_index(drop=True),
        by_value[~by_value.index.duplicated()],
    )


def _pairs(week: pd.DataFrame) -> tuple[Codes, Codes]:
    """Row and both minutes of each pair, shapes (pairs,), (pairs, 2)."""
    row, minutes = explode_numbers(week["moments"])
    even = len(minutes) // 2 * 2
    busy = week["minutes"].to_numpy(np.int64)[row[:even:2]] >= LEAST_MINUTES
    pairs = np.sort(minutes[:even].reshape(-1, 2), axis=1)
    return row[:even:2][busy], pairs[busy]


def _chances(week: pd.DataFrame) -> Floats:
    """Chance of a query in a minute of each hour, shape (rows, 24)."""
    hours = np.zeros((len(week), 24))
    row, items = explode(week["hours"])
    hours[row, np.arange(len(items)) % 24] = np.array(items, dtype=np.float64)
    return np.asarray(1 - np.exp(-hours / 60), dtype=np.float64)


def _expected(chance: Floats, week: pd.DataFrame, ago: Codes, minutes: Codes) -> Floats:
    """Keys that have each pair by chance, shape (pairs,)."""
    days = week["ago"].to_numpy(np.int64)
    found = np.zeros(len(ago))
    for day in np.unique(ago):
        rows = chance[days == day]
        both, one = rows.T @ rows, rows.sum(axis=0)
        here = ago == day
        first, second = minutes[here, 0], minutes[here, 1]
        found[here] = np.where(first == second, one[first // 60], both[first // 60, second // 60])
    return found
