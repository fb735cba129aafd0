"""job_cover: speaks of jobs that read what the submitter's team never did, and names the person."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.detectors.job_cover import score
from models.features.job_readings import ALIKE, GAP_DAYS, job_readings
from models.features.people import teams
from tests.worlds.histories import FIRST, World, history_of
from tests.worlds.job_plants import (
    FRONTIER,
    first_job_on_the_own_artefact,
    job_reads_a_strange_checkpoint,
    jobs_in_small_parts_under_false_names,
    reads_by_job,
)
from tests.worlds.job_reads import ROLE, row
from tests.worlds.plants import (
    DAY,
    SETTINGS,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    back,
    score_of,
    signals_of,
)


def one(world: World, user: str) -> Any:
    """The signal about an identity."""
    (found,) = signals_of("job_cover", history_of(world, DAY), user).itertuples()
    return found


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("job_cover", *planted(job_reads_a_strange_checkpoint), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("job_cover", *planted(first_job_on_the_own_artefact), usual)


def test_evaded_by_parts_and_names_it_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("job_cover", *planted(jobs_in_small_parts_under_false_names), usual)


def test_ordinary_jobs_are_quiet(usual: Usual) -> None:
    rows = usual("job_cover")
    assert (rows["statistic"] > 1).mean() < 0.01


def test_the_signal_names_submitter_job_role_and_artefact(planted: Planted) -> None:
    history, user = planted(job_reads_a_strange_checkpoint)
    (found,) = signals_of("job_cover", history, user).itertuples()
    assert list(found.asset_ids) == [FRONTIER]
    assert list(found.related_users) == [ROLE]
    for text in ("slurm://a100/team/70064", ROLE, "64 objects", FRONTIER, "address of its node"):
        assert text in found.reason


def test_two_colleagues_who_read_it_excuse_and_one_hardly_does(world: World) -> None:
    reads_by_job(world, DAY, "u004", FRONTIER, world.shards(FRONTIER))
    values = [one(world, "u004").statistic]
    for number in range(3):
        user = f"u90{number}"
        world.directory.append(world.person("u004") | {"user_id": user})
        world.read(back(3), user, FRONTIER, world.shards(FRONTIER), 11)
        values.append(one(world, "u004").statistic)
    assert values[1] > 0.6 * values[0]
    assert values[3] < 0.2 * values[0]


def test_a_role_that_reads_it_without_jobs_is_usual(world: World) -> None:
    shards = world.shards(FRONTIER)
    reads_by_job(world, DAY, "u004", FRONTIER, shards, "svc-other", tie="account")
    before = one(world, "u004").statistic
    for ago in range(2, 25):
        world.read(back(ago), "svc-other", FRONTIER, shards, 3, kind="service")
    assert one(world, "u004").statistic < 0.15 * before


def test_what_the_role_read_for_the_owners_excuses_no_stranger(world: World) -> None:
    shards = world.shards(FRONTIER)
    reads_by_job(world, DAY, "u004", FRONTIER, shards)
    before = one(world, "u004").statistic
    for user in ("u000", "u006"):
        reads_by_job(world, back(4), user, FRONTIER, shards)
    assert one(world, "u004").statistic == pytest.approx(before)
    for user in ("u001", "u002", "u003"):
        reads_by_job(world, back(4), user, FRONTIER, shards)
    assert one(world, "u004").statistic < 0.5 * before


def test_doubt_lowers_the_score(world: World) -> None:
    shards = world.shards(FRONTIER)
    certain = one_of(world, shards)
    assert one_of(world, shards, tie="name") == pytest.approx(certain / 2, rel=0.02)
    assert one_of(world, shards, candidates=4) == pytest.approx(certain / 4, rel=0.04)


def one_of(world: World, shards: list[str], **more: Any) -> float:
    case = world.copy()
    reads_by_job(case, DAY, "u004", FRONTIER, shards, **more)
    return float(one(case, "u004").statistic)


def test_a_young_log_says_little(world: World) -> None:
    """Nor does a lab without a directory break it."""
    day = FIRST + timedelta(days=2)
    reads_by_job(world, day, "u004", FRONTIER, world.shards(FRONTIER))
    early = history_of(world, day)
    value = score_of("job_cover", early).set_index("entity")["statistic"]["u004"]
    assert 0 < value < 1
    world.directory.clear()
    assert "u004" in set(score_of("job_cover", history_of(world, day))["entity"])


def test_a_submitter_without_any_other_access_is_named(world: World) -> None:
    world.jobs.append(row(DAY, "u999", ROLE, FRONTIER, 64))
    assert one(world, "u999").statistic > 1


def test_counts_are_those_of_a_slow_count(world: World) -> None:
    rng = np.random.default_rng(5)
    people = [f"u{number:03d}" for number in range(12)]
    for _ in range(160):
        day, user = back(int(rng.integers(0, 20))), str(rng.choice(people))
        asset = str(rng.choice(["ckpt-pretraining-1", FRONTIER, "ckpt-evals-1"]))
        tie = str(rng.choice(["own", "address", "account", "name"]))
        role = str(rng.choice([ROLE, "svc-eval"]))
        objects = int(rng.integers(1, 60))
        key = (day, user, role, asset, tie)
        if key in {
            (r["day"], r["user_id"], r["role"], r["asset_id"], r["tie"]) for r in world.jobs
        }:
            continue
        world.jobs.append(row(day, user, role, asset, objects, tie, int(rng.integers(1, 3))))
    history = history_of(world, DAY)
    found = job_readings(history)
    declared = teams(history.context)
    names = ["own_days", "mates", "submitters", "alone_days"]
    assert len(found) > 10
    jobs, covered = history.job_access, history.covered
    for each in found.itertuples():
        alike = found[(found["user_id"] == each.user_id) & (found["role"] == each.role)
                      & (found["family"] == each.family)]  # fmt: skip
        need = alike["objects"].sum() * ALIKE
        stem = re.sub("^(ckpt-.*-).*", r"\1", str(each.asset_id))
        before = jobs[jobs["asset_id"].str.startswith(stem) & (jobs["day"] < DAY)
                      & (jobs["tie"] != "name")]  # fmt: skip
        sure = before["candidates"] == 1
        read = pd.concat(
            [
                covered.loc[covered["asset_id"].str.startswith(stem) & (covered["day"] < DAY),
                            ["day", "user_id", "objects_1"]].set_axis(["day", "who", "n"], axis=1),
                before.loc[sure, ["day", "user_id", "objects"]].set_axis(
                    ["day", "who", "n"], axis=1),
            ],
            keys=[0, 1],
        ).groupby([pd.Grouper(level=0), "day", "who"])["n"].sum()  # fmt: skip
        read = read.groupby(["day", "who"]).max()
        large = {key for key, n in read.items() if n >= need}
        team, owner = declared.get(str(each.user_id), ""), world.assets[each.asset_id]["owner_team"]
        by_role = before[before["role"] == each.role]
        summed = by_role.groupby(["day", "user_id"])["objects"].sum()
        expected = [
            sum(who == each.user_id and (DAY - day).days >= GAP_DAYS for day, who in large),
            len({who for _, who in large if declared.get(who, "") == team}
                - {each.user_id, each.role}),
            len({who for (_, who), n in summed.items()
                 if n >= need and declared.get(who) != owner} - {each.user_id}),
            sum(who == each.role and day not in set(by_role["day"]) for day, who in large),
        ]  # fmt: skip
        assert [int(getattr(each, name)) for name in names] == expected


def test_the_family_of_an_asset_counts(world: World) -> None:
    """A colleague's reading of another step of the run excuses as well."""
    reads_by_job(world, DAY, "u004", FRONTIER, world.shards(FRONTIER))
    before = one(world, "u004").statistic
    for number in range(3):
        user = f"u90{number}"
        world.directory.append(world.person("u004") | {"user_id": user})
        world.read(back(3), user, "ckpt-pretraining-1", world.shards("ckpt-pretraining-1"), 11)
    assert one(world, "u004").statistic < 0.5 * before


def test_settings_are_those_of_the_yml(world: World) -> None:
    reads_by_job(world, DAY, "u000", FRONTIER, world.shards(FRONTIER))
    history = history_of(world, DAY)
    rules = SETTINGS["job_cover"]
    plain = score(history, rules)
    owned = score(history, rules.model_copy(update={"own_team": 1.0}))
    value = {signal.entity: signal.statistic for signal in plain}["u000"]
    assert {signal.entity: signal.statistic for signal in owned}["u000"] == pytest.approx(5 * value)
    nothing = history.but(job_access=history.job_access.iloc[:0])
    assert all(signal.statistic == 0 for signal in score(nothing, rules))
