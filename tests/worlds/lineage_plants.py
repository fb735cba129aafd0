"""Content that comes to a place outside every asset pattern, and whoever reads it there."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.worlds.histories import CORP, DATACENTER, HOME, SHARD_BYTES, World
from tests.worlds.place_plants import ABROAD, allow, rest
from tests.worlds.scored_day import back
from tests.worlds.stagings import writes

SCRATCH, EXPORTS, RESULTS = "s3://scratch", "s3://exports", "s3://results"
FRONTIER = "ckpt-pretraining-2"
CONVERTER = "arn:aws:iam::111122223333:role/converter"
OF_SERVICE: dict[str, Any] = {"kind": "service", "network": DATACENTER}
READER = "u016"
"""Somebody of the data team, who has no work with pretraining."""


def used_for_weeks(world: World, place: str) -> None:
    """Give the place a history: people of pretraining keep their notes there."""
    for ago in range(28, 0, -1):
        user = f"u{6 * (ago % 4):03d}"
        world.act(back(ago), user, place, "write", object=f"notes-{ago}", size=9_000)
        world.act(back(ago), user, place, "read", object="notes-28", size=9_000)


def takes(
    world: World,
    place: str,
    name: str,
    size: int,
    user: str = READER,
    network: str = CORP,
    day: date | None = None,
) -> str:
    """The reader fetches one object of the place, today if no day is given."""
    world.act(day or back(0), user, place, "read", object=name, action="GetObject", size=size,
              network=network)  # fmt: skip
    return user


def exported(world: World) -> int:
    """An export job puts the checkpoint as one file into a common bucket; returns its bytes."""
    used_for_weeks(world, SCRATCH)
    shards = world.shards(FRONTIER)
    world.read(back(5), "u000", FRONTIER, shards, 9)
    writes(world, 5, "u000", SCRATCH, len(shards) * SHARD_BYTES, 1, hour=11)
    return len(shards) * SHARD_BYTES


def reads_the_export_of_a_colleague(world: World) -> str:
    return takes(world, SCRATCH, "f0", exported(world))


def wakes_and_reads_one_file(world: World) -> str:
    """An account that was idle for two months reads the export, which is one object."""
    rest(world, "u010", 60)
    return takes(world, SCRATCH, "f0", exported(world), "u010")


def reads_one_file_from_abroad(world: World) -> str:
    return takes(world, SCRATCH, "f0", exported(world), "u010", ABROAD)


def reads_the_quantised_variant(world: World) -> str:
    """A converter's role reads the checkpoint until midnight and writes a quarter of it after."""
    used_for_weeks(world, EXPORTS)
    shards = world.shards(FRONTIER)
    world.read(back(4), CONVERTER, FRONTIER, shards, 23, **OF_SERVICE)
    writes(world, 3, CONVERTER, EXPORTS, len(shards) * SHARD_BYTES // 4, 4, hour=1, **OF_SERVICE)
    return takes(world, EXPORTS, "f1", len(shards) * SHARD_BYTES // 16)


def reads_after_copies_in_small_parts(world: World) -> str:
    """Two shards a day are copied over 30 days, by two services."""
    used_for_weeks(world, SCRATCH)
    shards = world.shards(FRONTIER)
    for ago in range(30, 0, -1):
        for number in (0, 1):
            copies(world, ago, ("svc-backup", "svc-load")[number], shards[2 * ago + number])
    return takes(world, SCRATCH, shards[-1], SHARD_BYTES)


def reads_where_one_object_was_copied(world: World) -> str:
    """A single object of the checkpoint lies in the common bucket."""
    used_for_weeks(world, SCRATCH)
    copies(world, 3, "svc-load", "shard-0000")
    return takes(world, SCRATCH, "notes-28", 9_000)


def reads_the_artefact_itself(world: World) -> str:
    """What the reader avoids: all shards of the listed checkpoint."""
    used_for_weeks(world, SCRATCH)
    world.read(back(0), READER, FRONTIER, world.shards(FRONTIER))
    return READER


def copied_whole(world: World, ago: int = 4) -> list[str]:
    """A job of the lab copies the checkpoint into the common bucket; returns its shards."""
    used_for_weeks(world, SCRATCH)
    shards = world.shards(FRONTIER)
    for name in shards:
        copies(world, ago, "svc-load", name)
    return shards


def takes_the_copy_home(world: World) -> str:
    """Never comes near the checkpoint itself."""
    shards = copied_whole(world)
    world.read(back(0), READER, SCRATCH, shards, 21, network=HOME)
    return READER


def reads_the_copy_and_sends_a_pack(world: World) -> str:
    """Half of it at the checkpoint and half at its copy; a sixteenth of the bytes leaves."""
    shards = copied_whole(world)
    world.read(back(3), READER, FRONTIER, shards[::2], 11)
    world.read(back(2), READER, SCRATCH, shards[1::2], 11)
    world.act(back(0), READER, "s3://own", "read", object="pack", network=HOME,
              size=len(shards) * SHARD_BYTES // 16)  # fmt: skip
    return READER


def reads_the_copy_in_three_days(world: World) -> str:
    """Works with the common bucket anyway: a third of the copy on each of three days."""
    shards = copied_whole(world, ago=20)
    for ago in range(28, 0, -2):
        takes(world, SCRATCH, "notes-28", 9_000, day=back(ago))
    for ago in (2, 1, 0):
        world.read(back(ago), READER, SCRATCH, shards[ago::3], 11)
    return READER


def leaves_with_the_copy(world: World) -> str:
    world.person(READER)["notice_date"] = back(5)
    return reads_the_copy_in_three_days(world)


def drips_from_the_copy(world: World) -> str:
    """Nine tenths of a shard, in pieces, every eighth day: never a whole one in a week."""
    copied_whole(world, ago=34)
    for ago in range(32, -1, -8):
        for part in range(3):
            takes(world, SCRATCH, f"part-{ago}-{part}", 3 * SHARD_BYTES // 10, day=back(ago))
    return READER


def has_the_copy_copied(world: World) -> str:
    """Another job copies the copy to a third bucket, to which the thief comes."""
    for name in copied_whole(world):
        copies(world, 3, "svc-backup", name, SCRATCH, RESULTS)
    world.read(back(0), READER, RESULTS, world.shards(FRONTIER)[:45], 14)
    return READER


def pipeline_reads_the_copy(world: World) -> str:
    """After a changed workflow CI reads the copy, packed as one file."""
    world.act(back(3), "u017", "repo-7", "write", action="protected_branch.policy_override")
    world.read(back(0), "u017", "data-1", ["shard-0001"], 10)
    world.act(back(0), "svc-ci", SCRATCH, "read", object="f0", size=exported(world), **OF_SERVICE)
    return "u017"


def reads_the_copy_abroad(world: World) -> str:
    """The checkpoint may be read at home alone; nobody says that of its copy."""
    allow(world, FRONTIER, "US")
    world.read(back(0), "u006", SCRATCH, copied_whole(world)[:6], network=ABROAD)
    return "u006"


def opens_the_copy(world: World) -> str:
    copied_whole(world)
    world.act(back(0), READER, SCRATCH, "share", action="PutBucketPolicy", object=SCRATCH,
              destination="public://all")  # fmt: skip
    return READER


def silences_the_log_of_the_copy(world: World) -> str:
    """Switches off the log of the common bucket, after reading the checkpoint there."""
    world.read(back(1), READER, SCRATCH, copied_whole(world), 11)
    world.act(back(0), READER, SCRATCH, "admin", object=SCRATCH, action="PutBucketLogging")
    return READER


def reads_notes_beside_the_copy(world: World) -> str:
    """No theft: a newcomer to the common bucket, who has nothing to do with the checkpoint."""
    copied_whole(world)
    return takes(world, SCRATCH, "notes-28", 9_000)


def copies_one_shard_each_day(world: World) -> str:
    """Somebody tries to make the common bucket look sensitive."""
    used_for_weeks(world, SCRATCH)
    for ago in range(28, 0, -1):
        copies(world, ago, "svc-load", "shard-0000")
    return takes(world, SCRATCH, "notes-28", 9_000)


def copies(
    world: World, ago: int, user: str, name: str, source: str = FRONTIER, place: str = SCRATCH
) -> None:
    world.act(back(ago), user, source, "copy", object=name, action="CopyObject",
              destination=place, **OF_SERVICE)  # fmt: skip


def converts_in_every_way(world: World, last: date) -> None:
    """Readings and writings on `last` and before it that come to a place, or just do not."""
    world.assets["ckpt-unsized"] = world.assets["ckpt-evals-1"] | {
        "asset_id": "ckpt-unsized", "bytes": None, "pattern": "s3://unsized/*",
    }  # fmt: skip
    one, other = "ckpt-evals-2", "ckpt-inference-2"
    size = len(world.shards(one)) * SHARD_BYTES
    for user, ago, asset, share in (
        ("over-midnight", 1, one, 0.3), ("over-midnight", 0, one, 0.3),
        ("both", 0, one, 1.0), ("both", 0, other, 1.0), ("twice", 0, one, 1.0),
        ("twice", 1, one, 1.0), ("too-little", 0, one, 0.3), ("too-late", 2, one, 1.0),
        ("unsized", 0, "ckpt-unsized", 0.7),
    ):  # fmt: skip
        shards = world.shards(asset)
        world.read(last - timedelta(ago), user, asset, shards[: int(share * len(shards))])
    for user, place, written in (
        ("over-midnight", "s3://midnight", size // 8), ("both", "s3://both", 3 * size // 2),
        ("both", "s3://one", size // 4), ("twice", "s3://twice", size),
        ("twice", "s3://too-much", size * 2), ("twice", "s3://too-small", size // 40),
        ("twice", one, size), ("twice", "s3://unknown", None), ("too-little", "s3://no-1", size),
        ("too-late", "s3://no-2", size), ("unsized", "s3://unsized", size // 4),
    ):  # fmt: skip
        world.act(last, user, place, "write", object="out", size=written)
    for name in world.shards(other)[:9]:
        world.act(last, "both", other, "copy", object=name, destination="s3://both")
    for ago in (2, 1, 0):
        for user, names in (("twice", world.shards(other)[ago : ago + 2]), ("one", ["shard-0001"])):
            for name in names:
                world.act(last - timedelta(ago), user, other, "copy", object=name, size=ago or None,
                          destination=f"s3://{user}-daily")  # fmt: skip
        world.act(last - timedelta(ago), "one", "github://lab/unlisted", "copy", object="x",
                  destination="s3://code")  # fmt: skip
    world.act(last, "both", "s3://both", "copy", object="x", destination="s3://copy-of-a-copy")
    world.act(last, "both", other, "copy", object="x", destination=one)


HELD = (
    (reads_after_copies_in_small_parts, SCRATCH, True),
    (reads_the_quantised_variant, EXPORTS, False),
    (reads_where_one_object_was_copied, SCRATCH, None),
    (copies_one_shard_each_day, SCRATCH, None),
    (has_the_copy_copied, RESULTS, True),
)
"""Cases, the place of each, and whether a log tells of its content; None: it holds too little."""
