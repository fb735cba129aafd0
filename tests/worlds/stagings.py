"""Content that leaves in steps, and what looks like it."""

from __future__ import annotations

from typing import Any

from tests.worlds.histories import DATACENTER, HOME, SHARD_BYTES, World
from tests.worlds.place_plants import ABROAD
from tests.worlds.scored_day import back

SCRATCH = "s3://u010-scratch"
CHECKPOINT = "ckpt-pretraining-3"


def writes(world: World, ago: int, user: str, place: str, total: int, files: int,
           **more: Any) -> None:  # fmt: skip
    """Files of ``total`` bytes together."""
    for number in range(files):
        world.act(back(ago), user, place, "write", object=f"f{number}", action="PutObject",
                  size=total // files, **more)  # fmt: skip


def deletes(world: World, ago: int, user: str, place: str, files: int, **more: Any) -> None:
    for number in range(files):
        world.act(back(ago), user, place, "delete", object=f"f{number}", action="DeleteObject",
                  **more)  # fmt: skip


def staged_exit(world: World, compression: float = 4.0, days: tuple[int, ...] = (5, 4, 1, 0),
                user: str = "u010", place: str = SCRATCH) -> str:  # fmt: skip
    """Reads a checkpoint, writes a pack of it, takes that home, deletes it."""
    shards = world.shards(CHECKPOINT)
    world.read(back(days[0]), user, CHECKPOINT, shards, 10)
    writes(world, days[1], user, place, int(len(shards) * SHARD_BYTES / compression), 8, hour=12)
    for number in range(8):
        world.act(back(days[2]), user, place, "read", object=f"f{number}", action="GetObject",
                  network=HOME, hour=20)  # fmt: skip
    deletes(world, days[3], user, place, 8, hour=21)
    return user


def rehearses_with_harmless_content(world: World) -> str:
    """Does the same with a dataset each week, at last over 13 days and packed 15 times."""
    for week in (2, 3, 4):
        ago = 7 * week
        world.read(back(ago + 2), "u010", "data-1", world.shards("data-1"), 10)
        writes(world, ago + 1, "u010", SCRATCH, 100 * SHARD_BYTES, 8)
        deletes(world, ago, "u010", SCRATCH, 8)
    return staged_exit(world, 15.0, (13, 9, 3, 0))


def copies_on_and_cleans_up(world: World) -> str:
    """Copies by the server in four portions, copies on to another bucket, and never packs."""
    shards, other = world.shards(CHECKPOINT), "s3://u010-results"
    for part in range(4):
        for name in shards[part::4]:
            world.act(back(9 - part), "u010", CHECKPOINT, "copy", object=name, destination=SCRATCH,
                      action="CopyObject")  # fmt: skip
    for name in shards:
        world.act(back(2), "u010", SCRATCH, "copy", object=name, destination=other,
                  action="CopyObject")  # fmt: skip
    deletes(world, 0, "u010", SCRATCH, len(shards))
    return "u010"


def packs_a_release_each_week(world: World) -> str:
    """A service reads the same checkpoint, writes a release, checks it from outside, tidies up."""
    more = {"kind": "service", "network": DATACENTER}
    shards = world.shards("ckpt-inference-1")
    for ago in range(28, -1, -7):
        world.read(back(ago), "svc-load", "ckpt-inference-1", shards, 2, **more)
        writes(world, ago, "svc-load", "s3://releases", len(shards) * SHARD_BYTES // 2, 4, hour=5,
               **more)  # fmt: skip
        world.act(back(ago), "svc-load", "s3://releases", "read", object="f0", hour=8,
                  kind="service", network=ABROAD)  # fmt: skip
        deletes(world, ago, "svc-load", "s3://releases", 4, hour=9, **more)
    return "svc-load"


def staged_exit_today(world: World) -> str:
    return staged_exit(world)
