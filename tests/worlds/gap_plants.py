"""Thieves near a gap in a log, and look-alikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.worlds.scored_day import DAY, back
from tests.worlds.source_logs import Silence

if TYPE_CHECKING:
    from tests.worlds.histories import World

BUCKET = "s3://ckpt"


def silences_one_bucket_and_copies(world: World) -> str:
    """Changes the bucket's log the day before; the trail alone shows the copy."""
    world.act(back(1), "u016", BUCKET, "admin", hour=17, action="PutBucketLogging")
    world.silences.append(Silence(DAY, "bucket-logs", BUCKET, 9, 18))
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:60], 13)
    return "u016"


def keeps_a_heartbeat(world: World) -> str:
    """No change of a log is known; every tenth record still comes, and another bucket is noisy."""
    world.silences.append(Silence(DAY, "bucket-logs", BUCKET, 9, 18, share=0.1))
    for number in range(400):
        world.act(DAY, "u016", "data-2", "inspect", hour=9 + number % 9, action="HeadObject")
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:60], 13)
    return "u016"


def takes_before_all_logs_of_the_bucket_end(world: World) -> str:
    """Both logs of the bucket are silent from eleven on; only the hours before are seen."""
    for source in ("bucket-logs", "trail"):
        world.silences.append(Silence(DAY, source, BUCKET, 11, 23))
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:40], 10)
    return "u016"


def log_that_comes_late(world: World) -> str:
    """Nothing of the bucket log has come, for any bucket; a colleague's first day of a run."""
    world.silences.append(Silence(DAY, "bucket-logs"))
    world.read(DAY, "u006", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:60], 13)
    return "u006"


def holiday_of_all_sources(world: World) -> str:
    """One in ten works; somebody reads a run for the first time."""
    for source in ("trail", "bucket-logs", "github", "cluster"):
        world.silences.append(Silence(DAY, source, share=0.1))
    world.read(DAY, "u006", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:60], 13)
    return "u006"
