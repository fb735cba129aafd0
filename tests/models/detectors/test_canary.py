"""canary: speaks of every touch of a decoy, and of nothing else."""

from __future__ import annotations

from models.detectors import detector_settings
from models.detectors.canary import score
from models.detectors.settings import DetectorSettings
from tests.worlds.histories import World, history_of
from tests.worlds.histories import _add_assets as add_assets
from tests.worlds.plants import (
    DAY,
    DECOY,
    SETTINGS,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    opens_the_decoy,
    score_of,
    sweeps_all_but_the_decoy,
    with_a_decoy,
)


def canary(*assets: str) -> DetectorSettings:
    return detector_settings({"canary": {"assets": list(assets)}})["canary"]


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("canary", *planted(opens_the_decoy), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("canary", *planted(sweeps_all_but_the_decoy), usual)


def test_without_decoys_it_says_nothing(planted: Planted) -> None:
    history, _ = planted(opens_the_decoy)
    assert score_of("canary", history, canary()).empty


def test_a_decoy_may_be_named_by_its_pattern_or_as_an_unlisted_place() -> None:
    world = World()
    add_assets(world)
    with_a_decoy(world)
    world.act(DAY, "a", DECOY, "read", object="x")
    world.act(DAY, "b", "s3://old-weights", "list")
    history = history_of(world, DAY)
    for decoy, user in (("s3://ckpt/evals/run/final/*", "a"), ("s3://old-*", "b")):
        rows = score_of("canary", history, canary(decoy))
        assert rows.loc[rows["statistic"] > 0, "entity"].tolist() == [user]


def test_a_refused_look_by_somebody_unknown_is_a_touch() -> None:
    world = World()
    world.act(DAY, "stranger", DECOY, "inspect", failed=True, kind="unknown")
    (signal,) = score(history_of(world, DAY), SETTINGS["canary"])
    assert (signal.entity, signal.observed) == ("stranger", 1.0)
