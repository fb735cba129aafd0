"""Cases for which each detector makes signals, and look-alikes for which it makes none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd

from models.detectors import DETECTORS, detector_settings
from models.detectors.signal import signal_frame
from models.features.history import History
from tests.worlds import api_queries, stagings
from tests.worlds.build_plants import (
    ci_reads_after_a_changed_workflow,
    engineer_registers_a_runner,
)
from tests.worlds.gap_plants import silences_one_bucket_and_copies
from tests.worlds.histories import HOME, World, approval
from tests.worlds.job_plants import (
    first_job_on_the_own_artefact,
    job_reads_a_strange_checkpoint,
)
from tests.worlds.place_plants import (
    comes_back_from_holiday,
    moves_house,
    reads_from_a_country_that_is_not_allowed,
    reads_from_an_allowed_country,
    reads_it_in_the_office,
    sends_a_checkpoint_home,
    session_from_abroad,
    wakes_and_reads,
)
from tests.worlds.scored_day import DAY, back
from tests.worlds.team_plants import (
    project_of_the_whole_team,
    second_visit_to_a_far_checkpoint,
)

DECOY = "ckpt-decoy"
SETTINGS = detector_settings({"canary": {"assets": [DECOY]}})
DETECTOR_OF = {detector.name: detector for detector in DETECTORS}

Plant = Callable[[World], str]
"""Adds a case to a world; returns the identity of the case."""
Planted = Callable[[Plant], tuple[History, str]]
"""A planted world and the identity of its case."""
Usual = Callable[[str], pd.DataFrame]
"""Signals of a detector on the days before the cases, when nothing was planted."""


def leaver_copies_everything(world: World) -> str:
    world.person("u010")["notice_date"] = back(5)
    for step in (1, 2, 3):
        asset = f"ckpt-pretraining-{step}"
        world.read(DAY, "u010", asset, world.shards(asset), 13)
    return "u010"


def stranger_reads_frontier_checkpoint(world: World) -> str:
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:45], 2)
    return "u016"


def drip_of_five_shards_a_day(world: World) -> str:
    shards = world.shards("ckpt-pretraining-3")
    for day in range(25):
        part = shards[day * 5 : day * 5 + 5]
        world.read(back(24 - day), "u022", "ckpt-pretraining-3", part, 15)
    return "u022"


def three_read_a_third_each(world: World) -> str:
    shards = world.shards("ckpt-posttraining-1")
    for place, user in enumerate(("u015", "u020", "u028")):
        world.read(DAY, user, "ckpt-posttraining-1", shards[place::3], 11)
    return "u020"


def clone_thirty(world: World, user: str, **more: Any) -> str:
    """Thirty repositories cloned in the late evening; returns ``user``."""
    for i in range(30):
        world.act(DAY, user, f"repo-{i}", "clone", hour=22, object=f"repo-{i}", action="git.clone",
                  agent="git", **more)  # fmt: skip
    return user


def night_of_clones(world: World) -> str:
    return clone_thirty(world, "u010", network=HOME, credential="new-token")


def service_key_on_a_laptop(world: World) -> str:
    world.read(DAY, "svc-serve", "ckpt-inference-1", world.shards("ckpt-inference-1")[:9], 23,
               network="external/RO/64800", agent="aws-cli", kind="service")  # fmt: skip
    return "svc-serve"


def researcher_enters_serving_pods(world: World) -> str:
    for pod in range(4):
        world.act(DAY, "u018", "ns-inference", "execute", object=f"pod-{pod}", action="pods/exec",
                  agent="kubectl", hour=19)  # fmt: skip
    return "u018"


def copies_to_a_strange_bucket(world: World) -> str:
    for name in world.shards("ckpt-evals-1"):
        world.act(DAY, "u009", "ckpt-evals-1", "copy", object=name, action="CopyObject",
                  destination="s3://elsewhere#999988887777")  # fmt: skip
    return "u009"


def looks_at_everything_and_is_refused(world: World) -> str:
    for asset in world.assets:
        world.act(DAY, "u023", asset, "list", action="ListObjects", hour=3, failed=asset[-1] == "2")
    return "u023"


def with_a_decoy(world: World) -> None:
    """Add a checkpoint with which nobody has work."""
    world.assets[DECOY] = world.assets["ckpt-evals-1"] | {
        "asset_id": DECOY, "pattern": "s3://ckpt/evals/run/final/*",
    }  # fmt: skip


def opens_the_decoy(world: World) -> str:
    with_a_decoy(world)
    world.read(DAY, "u012", DECOY, world.shards(DECOY)[:1], 11)
    return "u012"


def reads_a_share(world: World, day: Any, user: str, share: float) -> None:
    """Read a share of every checkpoint of two teams."""
    for step in (1, 2, 3):
        for team in ("pretraining", "posttraining"):
            shards = world.shards(f"ckpt-{team}-{step}")
            part = shards[: round(share * len(shards))]
            world.read(day, user, f"ckpt-{team}-{step}", part, 10)


def reads_more_every_day(world: World) -> str:
    """Half as much again every two days, over 18 days, of six checkpoints."""
    for ago in range(18):
        reads_a_share(world, back(ago), "u013", 1 / 1.25**ago)
    return "u013"


def stops_the_trail(world: World) -> str:
    world.read(DAY, "u014", "ckpt-inference-2", world.shards("ckpt-inference-2")[:30], 15)
    trail = "arn:aws:cloudtrail:us-east-1:111122223333:trail/main"
    world.act(DAY, "u014", trail, "admin", object=trail, action="StopLogging")
    return "u014"


def reads_beside_the_ticket(world: World) -> str:
    """The ticket is for another checkpoint."""
    world.approvals.append(approval("u016", "s3://ckpt/evals/run/step-1/*", DAY, DAY))
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:45], 14)
    return "u016"


def everything_at_once(world: World) -> str:
    stranger = "u034"
    for asset in ("ckpt-inference-1", "ckpt-pretraining-1"):
        world.read(
            DAY, stranger, asset, world.shards(asset), 1, network="external/XX/1", agent="curl"
        )
    looks = [a for a in world.assets if a.startswith(("ckpt", "ns"))]
    for asset in looks:
        world.act(DAY, stranger, asset, "list", hour=2, network="external/XX/1", failed=True)
    return stranger


def whole_team_crunches(world: World) -> str:
    for number in range(3, 48, 6):
        for asset in ("ckpt-evals-1", "ckpt-evals-3"):
            world.read(DAY, f"u{number:03d}", asset, world.shards(asset)[:60], 18)
    return "u021"


def sweep_on_its_weekday(world: World) -> str:
    """Move the weekly sweeps from Mondays to Thursdays."""
    shift = timedelta(days=3)
    for place, event in enumerate(world.events):
        if event.user == "svc-eval" and event.asset.startswith("ckpt") and event.day + shift <= DAY:
            world.events[place] = replace(event, day=event.day + shift)
    return "svc-eval"


def operator_enters_pods(world: World) -> str:
    for offset in range(28):
        world.act(back(offset), "u005", "ns-inference", "execute", object="pod", action="pods/exec")
    return "u005"


def reads_the_same_shards_daily(world: World) -> str:
    part = world.shards("ckpt-inference-3")[:40]
    for offset in range(20):
        world.read(back(offset), "u002", "ckpt-inference-3", part, 10)
    return "u002"


def team_reads_in_parallel(world: World) -> str:
    for number in range(2, 48, 6):
        world.read(DAY, f"u{number:03d}", "ckpt-inference-3", world.shards("ckpt-inference-3")[:50])
    return "u008"


def known_repositories_again(world: World) -> str:
    mine = sorted({e.asset for e in world.events if e.user == "u010" and "repo" in e.asset})
    for repo in mine:
        world.act(
            DAY, "u010", repo, "clone", object=repo, action="git.clone", credential="key-u010"
        )
    return "u010"


def new_step_of_the_own_run(world: World) -> str:
    world.assets["ckpt-evals-4"] = world.assets["ckpt-evals-1"] | {
        "asset_id": "ckpt-evals-4", "pattern": "s3://ckpt/evals/run/step-4/*",
    }  # fmt: skip
    for user in ("u003", "u009", "u015", "u021"):
        world.read(DAY, user, "ckpt-evals-4", world.shards("ckpt-evals-4")[:3])
    return "u009"


def leaver_works_on(world: World) -> str:
    world.person("u011")["notice_date"] = back(9)
    world.read(DAY, "u011", "ckpt-evals-3", world.shards("ckpt-evals-3")[:6])
    return "u011"


def backup_as_every_night(world: World) -> str:
    return "svc-backup"


def backup_to_a_listed_place(world: World) -> str:
    world.assets["backup"] = world.assets["data-0"] | {
        "asset_id": "backup", "pattern": "s3://lab-backup/*",
    }  # fmt: skip
    return "svc-backup"


def sweeps_all_but_the_decoy(world: World) -> str:
    with_a_decoy(world)
    return "svc-backup"


def reads_as_much_as_ever(world: World) -> str:
    part = world.shards("ckpt-inference-3")[:40]
    for ago in range(30):
        world.read(back(ago), "u002", "ckpt-inference-3", part, 10)
    return "u002"


def reads_the_state_of_the_trail(world: World) -> str:
    trail = "arn:aws:cloudtrail:us-east-1:111122223333:trail/main"
    for action in ("GetTrailStatus", "DescribeTrails", "GetEventSelectors"):
        world.act(DAY, "u014", trail, "inspect", object=trail, action=action)
    world.read(DAY, "u014", "ckpt-inference-2", world.shards("ckpt-inference-2")[:30], 15)
    return "u014"


def reads_as_the_ticket_says(world: World) -> str:
    world.approvals.append(approval("u016", "s3://ckpt/pretraining/run/step-2/*", back(1), DAY))
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:45], 14)
    return "u016"


FIRING: dict[str, Plant] = {
    "api_distillation": api_queries.keys_behind_one_proxy,
    "api_extraction": api_queries.one_key_asks_for_probabilities,
    "burst_peers": leaver_copies_everything,
    "burst_self": leaver_copies_everything,
    "canary": opens_the_decoy,
    "cluster_egress": researcher_enters_serving_pods,
    "collusion": three_read_a_third_each,
    "cross_team": second_visit_to_a_far_checkpoint,
    "dormant": wakes_and_reads,
    "egress_budget": sends_a_checkpoint_home,
    "first_access": stranger_reads_frontier_checkpoint,
    "foreign_copy": copies_to_a_strange_bucket,
    "job_cover": job_reads_a_strange_checkpoint,
    "leaver": leaver_copies_everything,
    "mass_clone": night_of_clones,
    "new_place": session_from_abroad,
    "odd_day": everything_at_once,
    "poisoning_guard": reads_more_every_day,
    "probing": api_queries.probes_the_guardrails,
    "recon": looks_at_everything_and_is_refused,
    "residency": reads_from_a_country_that_is_not_allowed,
    "service_misuse": service_key_on_a_laptop,
    "shard_coverage": leaver_copies_everything,
    "slow_drip": drip_of_five_shards_a_day,
    "staging": stagings.staged_exit_today,
    "supply_chain": ci_reads_after_a_changed_workflow,
    "telemetry_gap": silences_one_bucket_and_copies,
    "unapproved": reads_beside_the_ticket,
}


QUIET: dict[str, Plant] = {
    "api_distillation": api_queries.load_test_of_one_key,
    "api_extraction": api_queries.benchmark_as_every_night,
    "burst_peers": whole_team_crunches,
    "burst_self": sweep_on_its_weekday,
    "canary": sweeps_all_but_the_decoy,
    "cluster_egress": operator_enters_pods,
    "collusion": team_reads_in_parallel,
    "cross_team": project_of_the_whole_team,
    "dormant": comes_back_from_holiday,
    "egress_budget": reads_it_in_the_office,
    "first_access": new_step_of_the_own_run,
    "foreign_copy": backup_to_a_listed_place,
    "job_cover": first_job_on_the_own_artefact,
    "leaver": leaver_works_on,
    "mass_clone": known_repositories_again,
    "new_place": moves_house,
    "odd_day": backup_as_every_night,
    "poisoning_guard": reads_as_much_as_ever,
    "probing": api_queries.some_failures_as_usual,
    "recon": backup_as_every_night,
    "residency": reads_from_an_allowed_country,
    "service_misuse": backup_as_every_night,
    "shard_coverage": sweep_on_its_weekday,
    "slow_drip": reads_the_same_shards_daily,
    "staging": stagings.packs_a_release_each_week,
    "supply_chain": engineer_registers_a_runner,
    "telemetry_gap": reads_the_state_of_the_trail,
    "unapproved": reads_as_the_ticket_says,
}


def score_of(name: str, history: History, settings_: Any = None) -> pd.DataFrame:
    """Signals of one detector as a frame."""
    return signal_frame(DETECTOR_OF[name].score(history, settings_ or SETTINGS[name]))


def statistic_of(name: str, planted: Planted, plant: Plant) -> float:
    """A detector's largest statistic of the identity that a case names."""
    return float(signals_of(name, *planted(plant))["statistic"].max())


def without_lineage(name: str, planted: Planted, plant: Plant) -> float:
    """The same, if nobody knew what had come to which place."""
    history, user = planted(plant)
    blind = replace(history, context=replace(history.context, derived={}))
    return float(signals_of(name, blind, user)["statistic"].max())


def signals_of(name: str, history: History, user: str) -> pd.DataFrame:
    """A detector's signals about one identity."""
    rows = score_of(name, history)
    return rows[rows["entity"] == user]


def rarity(name: str, rows: pd.DataFrame, usual: Usual) -> list[float]:
    """For each row the share of usual signals of its kind, if there are any, at least as high."""
    return [
        float((_like(row, usual(name))["statistic"] >= row.statistic).mean())
        for row in rows.itertuples()
    ]


def _like(row: Any, usual: pd.DataFrame) -> pd.DataFrame:
    alike = usual[usual["window"] == row.window]
    same = alike[alike["user_kind"] == row.user_kind]
    return same if len(same) else alike


def assert_fires(name: str, history: History, user: str, usual: Usual) -> None:
    """The case is among the rarest 2 % in at least one window."""
    mine = signals_of(name, history, user)
    signals = mine[["window", "statistic", "reason"]].to_string()
    assert min(rarity(name, mine, usual)) <= 0.02, signals


def assert_quiet(name: str, history: History, user: str, usual: Usual) -> None:
    """The look-alike is usual or small in every window."""
    known = usual(name)
    for row in signals_of(name, history, user).itertuples():
        reference = known.loc[known["window"] == row.window, "statistic"]
        assert (reference >= row.statistic).mean() > 0.02 or row.statistic <= 0.5, (
            f"{row.window}: {row.statistic} {row.reason}"
        )
