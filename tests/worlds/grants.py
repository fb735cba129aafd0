"""Assets opened to strangers, links given away, and what looks like it."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.worlds.histories import HOME, World
from tests.worlds.place_plants import ABROAD
from tests.worlds.scored_day import DAY, back

OPENER, READER = "u009", "AIDAFOREIGNREADER"
FOREIGN, OWN = "444455556666", "111122223333"
CHECKPOINT = "ckpt-pretraining-2"


def opens(world: World, day: date, asset: str = "s3://ckpt", to: str = f"account://{FOREIGN}",
          **more: Any) -> str:  # fmt: skip
    """A policy for ``to``; returns its opener."""
    action = more.pop("action", "PutBucketPolicy")
    world.act(day, OPENER, asset, "share", object=asset, destination=to, action=action, **more)
    return OPENER


def takes(world: World, shards: list[str], user: str = READER, day: date = DAY,
          **more: Any) -> str:  # fmt: skip
    """A stranger reads shards; returns the stranger."""
    account = more.pop("account", FOREIGN)
    world.read(day, user, more.pop("asset", CHECKPOINT), shards, 3,
               **({"network": ABROAD, "kind": "unknown", "account": account} | more))  # fmt: skip
    return user


def stranger_uses_a_policy(world: World) -> str:
    opens(world, back(12))
    return takes(world, world.shards(CHECKPOINT)[:40])


def opens_for_a_minute_a_month_before(world: World) -> str:
    """Is refused at the foreign place before, opens 30 days before and closes at once."""
    world.act(back(33), OPENER, f"account://{FOREIGN}", "list", failed=True)
    opens(world, back(30), hour=9)
    world.act(back(30), OPENER, "s3://ckpt", "admin", hour=9, action="DeleteBucketPolicy")
    return takes(world, world.shards(CHECKPOINT)[:40])


def opens_an_access_point(world: World) -> str:
    """The policy is that of an access point, which names no bucket."""
    opens(world, back(20), asset=f"aws://{OWN}/s3", action="PutAccessPointPolicy")
    return takes(world, world.shards(CHECKPOINT)[:40])


def twenty_strangers_take_a_shard_each(world: World) -> str:
    """Twenty sessions of a foreign role; the finding is that of one of them."""
    opens(world, back(8))
    shards = world.shards(CHECKPOINT)
    return min(takes(world, shards[n : n + 1], f"AROAFOREIGN:{n:02d}") for n in range(20))


def link_after_a_visit_by_link(world: World) -> str:
    """A friend abroad reads by a link on many days before, so that the place looks known."""
    for days in range(1, 25):
        world.read(back(days), "u006", "data-1", ["shard-0000"], 4, network=ABROAD, linked=True)
    return reads_by_a_link_from_abroad(world)


def reads_by_a_link_from_abroad(world: World) -> str:
    shards = world.shards("ckpt-pretraining-1")[:40]
    world.read(DAY, "u006", "ckpt-pretraining-1", shards, 4, network=ABROAD, linked=True)
    return "u006"


def reads_by_a_link_at_home(world: World) -> str:
    """The person worked there before without a link."""
    world.read(back(2), "u006", "data-1", world.shards("data-1")[:2], 20, network=HOME)
    shards = world.shards("ckpt-pretraining-1")[:40]
    world.read(DAY, "u006", "ckpt-pretraining-1", shards, 4, network=HOME, linked=True)
    return "u006"
