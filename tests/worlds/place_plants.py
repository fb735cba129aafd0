"""Cases of places and of dormant accounts, and their look-alikes."""

from __future__ import annotations

from dataclasses import replace

from tests.worlds.histories import CORP, HOME, World
from tests.worlds.scored_day import DAY, back

ABROAD = "external/RO/64800"
"""Where nobody of the lab ever is."""


def sends_a_checkpoint_home(world: World) -> str:
    """Reads it in the office, and sends as many bytes from a server outside at night."""
    shards = world.shards("ckpt-pretraining-1")
    world.read(back(2), "u006", "ckpt-pretraining-1", shards, 15)
    world.read(DAY, "u006", "data-1", world.shards("data-1")[:60], 23, network=HOME)
    return "u006"


def reads_it_in_the_office(world: World) -> str:
    world.read(DAY, "u006", "ckpt-pretraining-1", world.shards("ckpt-pretraining-1"), 15)
    return works_from(world, "u006", CORP)


def sends_a_compressed_checkpoint(world: World) -> str:
    """A sixteenth of the bytes, a few at a time, from a rented server."""
    shards = world.shards("ckpt-pretraining-1")
    world.read(back(3), "u006", "ckpt-pretraining-1", shards[::2], 10)
    world.read(back(2), "u006", "ckpt-pretraining-1", shards[1::2], 10)
    for hour in range(6):
        part = world.shards("data-1")[hour : hour + 1]
        world.read(DAY, "u006", "data-1", part, hour, network="cloud/US/64700")
    return "u006"


def session_from_abroad(world: World) -> str:
    """Only shards that the person reads anyway."""
    shards = world.shards("ckpt-pretraining-1")
    world.read(DAY, "u006", "ckpt-pretraining-1", shards[:40], 3, network=ABROAD)
    return "u006"


def moves_house(world: World) -> str:
    """From today at another provider of the country, which colleagues of all teams have."""
    provider = "external/US/64650"
    for place, event in enumerate(world.events):
        if event.user > "u024" and event.network == HOME:
            world.events[place] = replace(event, network=provider)
    return works_from(world, "u006", provider)


def works_from(world: World, user: str, network: str) -> str:
    """All of the day's work from one network; returns ``user``."""
    for place, event in enumerate(world.events):
        if event.user == user and event.day == DAY:
            world.events[place] = replace(event, network=network)
    return user


def rest(world: World, user: str, first: int, last: int = 1) -> None:
    """Remove what ``user`` did from ``first`` to ``last`` days before the scored day."""
    world.events = [
        event
        for event in world.events
        if not (event.user == user and back(first) <= event.day <= back(last))
    ]


def wakes_and_reads(world: World) -> str:
    rest(world, "u010", 60)
    world.read(DAY, "u010", "ckpt-pretraining-1", world.shards("ckpt-pretraining-1")[:40], 13)
    return "u010"


def comes_back_from_holiday(world: World) -> str:
    rest(world, "u010", 18)
    return "u010"


def allow(world: World, asset: str, *countries: str) -> None:
    """Set the countries that an asset allows."""
    world.assets[asset] = world.assets[asset] | {"allowed_countries": countries}


def reads_from_a_country_that_is_not_allowed(world: World) -> str:
    allow(world, "ckpt-pretraining-1", "US", "CA")
    return session_from_abroad(world)


def reads_from_an_allowed_country(world: World) -> str:
    allow(world, "ckpt-pretraining-1", "US", "RO")
    return session_from_abroad(world)
