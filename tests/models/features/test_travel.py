"""Distances between countries, and journeys that nobody can make."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.features.travel import centroids, impossible_travel, kilometres, presence
from tests.worlds.histories import World, history_of
from tests.worlds.plants import DAY

ZONES = Path("/usr/share/zoneinfo/zone.tab")
US, GB, RO = (f"external/{country}/64700" for country in ("US", "GB", "RO"))


def slow_kilometres(one: str, other: str) -> float:
    """By the spherical law of cosines."""
    (a, b), (c, d) = (map(math.radians, centroids().loc[name]) for name in (one, other))
    cosine = math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(b - d)
    return 6371 * math.acos(cosine)


@pytest.mark.parametrize(("one", "other"), [("US", "RO"), ("NZ", "ES"), ("NA", "FJ")])
def test_distance(one: str, other: str) -> None:
    assert kilometres([one], [other])[0] == pytest.approx(slow_kilometres(one, other))
    assert kilometres([one, "??"], [one, other])[0] == 0
    assert np.isnan(kilometres(["??"], [other])[0])


def test_every_middle_is_near_a_place_of_its_country() -> None:
    """zone.tab of the tz database has a place or several in each country."""
    if not ZONES.exists():
        pytest.skip("no zone.tab on this machine")
    lines = [line.split("\t") for line in ZONES.read_text("utf-8").splitlines()]
    near: dict[str, float] = {}
    for country, where, *_ in (line for line in lines if not line[0].startswith("#")):
        if country in centroids().index:
            cut = max(where.rfind("+"), where.rfind("-"))
            latitude, longitude = (_degrees(text) for text in (where[:cut], where[cut:]))
            middle = centroids().loc[country]
            north = 111 * abs(middle["latitude"] - latitude)
            around = abs((middle["longitude"] - longitude + 180) % 360 - 180)
            east = 111 * around * math.cos(math.radians(latitude))
            near[country] = min(near.get(country, math.inf), math.hypot(north, east))
    assert len(near) > 240
    assert {country: far for country, far in near.items() if far > 2100} == {}


def _degrees(text: str) -> float:
    """Degrees of ``+DDMM``, ``-DDDMMSS`` and the like."""
    digits, sign = text[1:], -1 if text[0] == "-" else 1
    wide = 2 if len(digits) in (4, 6) else 3
    return sign * (int(digits[:wide]) + int(digits[wide : wide + 2]) / 60)


def journeys(*sightings: tuple[int, int, str], failed: bool = False) -> pd.DataFrame:
    """Of sightings by days ago, hour and network."""
    world = World()
    for ago, hour, network in sightings:
        day = DAY - timedelta(days=ago)
        world.read(day, "u0", "s3://x", ["x"], hour, network=network, failed=failed)
    return impossible_travel(history_of(world, DAY))


def test_speed_is_the_least_that_was_needed() -> None:
    far = slow_kilometres("US", "RO")
    found = journeys((0, 9, US), (0, 12, RO), (0, 22, US)).set_index("country")
    assert found["speed"]["RO"] == pytest.approx(far / 4)
    assert found["hours"]["RO"] == 4
    assert found["origin"].to_dict() == {"RO": "US", "US": "RO"}


def test_yesterday_counts_and_the_day_before_does_not() -> None:
    (found,) = journeys((1, 23, US), (0, 1, GB)).itertuples()
    assert (found.country, found.hours) == ("GB", 3)
    assert journeys((2, 23, US), (0, 1, GB)).empty


@pytest.mark.parametrize("network", ["vpn/RO/64512", "cloud/RO/1", "corp/RO/64512", "192.0.2.0/24"])
def test_machines_and_unknown_countries_do_not_travel(network: str) -> None:
    assert journeys((0, 9, US), (0, 9, network)).empty


def test_refused_attempts_are_no_sightings() -> None:
    assert journeys((0, 9, US), (0, 9, RO), failed=True).empty


def test_presence_is_a_share_of_the_hours_of_two_days() -> None:
    world = World()
    for ago, hour, network in (
        (2, 9, GB), (1, 9, US), (1, 10, US), (0, 9, US), (0, 9, RO),
        (0, 11, "datacenter/US/1"), (0, 12, "datacenter/US/1"),
    ):  # fmt: skip
        world.read(DAY - timedelta(days=ago), "u0", "s3://x", ["x"], hour, network=network)
    found = presence(history_of(world, DAY)).set_index("place")["present"].to_dict()
    assert found == {US: 3 / 4, RO: 1 / 4, "datacenter/US/1": 2 / 4}
