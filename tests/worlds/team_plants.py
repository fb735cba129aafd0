"""People who take what is far from their team's work, and a team that comes to work with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.worlds.scored_day import DAY, back

if TYPE_CHECKING:
    from tests.worlds.histories import World

FAR = "ckpt-pretraining-2"
MATES = ("u004", "u010", "u022", "u028", "u034")
"""Colleagues of u016 in the team `data`."""


def second_visit_to_a_far_checkpoint(world: World) -> str:
    """One shard three weeks ago, the bulk today."""
    world.read(back(21), "u016", FAR, ["shard-0000"], 14)
    world.read(DAY, "u016", FAR, world.shards(FAR)[:45], 14)
    return "u016"


def project_of_the_whole_team(world: World) -> str:
    """Five colleagues have read it for two weeks."""
    for place, mate in enumerate(MATES):
        for ago in (2 + place, 9 + place):
            world.read(back(ago), mate, FAR, world.shards(FAR)[place : place + 9], 11)
    return second_visit_to_a_far_checkpoint(world)


def comes_every_third_day(world: World) -> str:
    """Four shards every third day for weeks, as if that were the work; one colleague helps."""
    shards = world.shards(FAR)
    world.read(back(17), MATES[0], FAR, shards[:9], 11)
    for number in range(10):
        world.read(back(3 * number), "u016", FAR, shards[4 * number : 4 * number + 4], 14)
    return "u016"


def hides_behind_harmless_reading(world: World) -> str:
    """Reads much of near datasets and looks at all teams' checkpoints beside the second visit."""
    for number in range(5):
        world.read(DAY, "u016", f"data-{number}", world.shards(f"data-{number}"), 9 + number)
    for asset in [name for name in world.assets if name.startswith("ckpt")]:
        world.act(back(5), "u016", asset, "list", action="ListObjects")
    return second_visit_to_a_far_checkpoint(world)
