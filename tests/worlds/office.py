"""A dozen people who read a few shards of one checkpoint on every day, in the office."""

from __future__ import annotations

from functools import cache

from schemas.context import DIRECTORY_COLUMNS
from tests.worlds.histories import CORP, World
from tests.worlds.plants import back

SHARDS = [f"shard-{n:04d}" for n in range(40)]


def small_world(days: int = 30) -> World:
    """Twelve people of two teams; the log begins ``days`` - 1 days before the scored day."""
    return _small_world(days).copy()


@cache
def _small_world(days: int) -> World:
    world = World()
    world.assets["ckpt"] = {
        "asset_id": "ckpt", "kind": "checkpoint", "name": "ckpt", "owner_team": "a",
        "sensitivity": 5, "objects": 96, "bytes": None, "allowed_countries": (),
        "pattern": "s3://ckpt/*",
    }  # fmt: skip
    for number in range(12):
        user = f"u{number}"
        world.directory.append(
            dict.fromkeys(DIRECTORY_COLUMNS, "")
            | {"user_id": user, "kind": "human", "team": "ab"[number % 2], "country": "US"}
            | {"start_date": None, "notice_date": None, "end_date": None, "aliases": ()}
        )
        for ago in range(days):
            world.read(back(ago), user, "ckpt", SHARDS[:2], 9, network=CORP)
    return world
