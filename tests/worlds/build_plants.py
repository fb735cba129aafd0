"""Changes of build pipelines and what build identities then read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.worlds.scored_day import DAY, back

if TYPE_CHECKING:
    from tests.worlds.histories import World

FRONTIER = "ckpt-pretraining-2"
CI = {"kind": "service", "network": "datacenter/US/64512"}
SPACE = "k8s://prod/builds"


def ci_reads_after_a_changed_workflow(world: World) -> str:
    """A person passes over a rule of a branch; three days later the CI service reads weights."""
    world.act(back(3), "u017", "repo-7", "write", action="protected_branch.policy_override")
    world.read(DAY, "u017", "data-1", ["shard-0001"], 10)
    world.read(DAY, "svc-ci", FRONTIER, world.shards(FRONTIER)[:40], 15, **CI)
    return "u017"


def engineer_registers_a_runner(world: World) -> str:
    """A platform engineer adds a runner to the organisation; CI and services read as ever."""
    world.act(back(2), "u005", "github://lab/-", "admin", action="org.register_self_hosted_runner")
    world.act(DAY, "u005", "repo-5", "admin", action="hook.create")
    world.read(DAY, "u005", "data-1", ["shard-0001"], 10)
    return "u005"


def stays_away_after_a_cheap_look(world: World) -> str:
    """CI reads one shard weeks before; somebody changes thirteen repositories and goes on leave."""
    world.read(back(20), "svc-ci", FRONTIER, ["shard-0000"], 15, **CI)
    for number in range(13):
        world.act(back(13), "u017", f"repo-{number}", "admin", action="environment.create")
        world.act(back(13), "u017", f"repo-{number}", "share", action="repo.create_deploy_key")
    world.events[:] = [e for e in world.events if (e.user, e.day) != ("u017", DAY)]
    world.read(DAY, "svc-ci", FRONTIER, world.shards(FRONTIER)[:40], 15, **CI)
    return "svc-ci"


def new_runner_reads_in_parts(world: World) -> str:
    """A runner that nobody knew reads a third on each of three days, each after the other."""
    world.act(back(4), "u017", "github://lab/-", "admin", action="org.register_self_hosted_runner")
    runner = "arn:aws:sts::111122223333:assumed-role/build-9"
    for ago in (2, 1, 0):
        part = world.shards(FRONTIER)[ago::3]
        world.read(back(ago), runner, FRONTIER, part, 15, kind="unknown")
    world.read(DAY, "u017", "data-1", ["shard-0001"], 10)
    return "u017"


def account_of_a_namespace(world: World) -> str:
    """A binding of the namespace is changed and put back; its account reads."""
    for action in ("create", "delete"):
        world.act(back(1), "u017", f"{SPACE}/rolebindings/all", "admin", action=action)
    builder = "system:serviceaccount:builds:runner"
    world.act(back(9), builder, SPACE, "list", action="list", kind="service")
    world.read(DAY, builder, FRONTIER, world.shards(FRONTIER)[:40], 15, **CI)
    world.read(DAY, "u017", "data-1", ["shard-0001"], 10)
    return "u017"
