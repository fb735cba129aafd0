"""Settings of detectors: defaults, overrides, wrong ones, and their hash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.detectors import describe, detector_names, detector_settings, score_all
from models.detectors.settings import scoring_hash
from tests.models.scoring.test_scoring import RULES
from tests.worlds.plants import DECOY, SETTINGS, leaver_copies_everything


def test_overrides_change_only_what_they_name() -> None:
    changed = detector_settings({"canary": {"assets": [DECOY]}, "recon": {"weight": 0.1}})
    assert changed["recon"].weight == 0.1
    weight = SETTINGS["recon"].weight
    assert changed | {"recon": changed["recon"].model_copy(update={"weight": weight})} == SETTINGS


def test_a_hash_tells_which_settings_are_in_force(planted: Callable[..., Any]) -> None:
    history, _ = planted(leaver_copies_everything)
    changed = detector_settings(
        {"canary": {"assets": [DECOY]}, "recon": {"prior_days": 3},
         "first_access": {"weight": 0.1, "min_assets": 9}}
    )  # fmt: skip
    hashes = [
        score_all(history, each).groupby("detector")["settings_hash"].unique()
        for each in (SETTINGS, SETTINGS, changed)
    ]
    assert all(len(each) == 1 for found in hashes for each in found)
    assert hashes[0].equals(hashes[1])
    # A weight and a least amount weigh a statistic afterwards.
    assert [name for name in hashes[0].index if hashes[0][name] != hashes[2][name]] == ["recon"]


def test_a_hash_of_scoring_tells_every_weight_but_not_the_length_of_the_queue() -> None:
    rules = RULES.model_copy(update={"ordinary_share": 0.1})
    assert scoring_hash(RULES, SETTINGS) == scoring_hash(rules, SETTINGS)
    rules = RULES.model_copy(update={"half_life_days": 9})
    assert scoring_hash(RULES, SETTINGS) != scoring_hash(rules, SETTINGS)
    heavier = SETTINGS["recon"].model_copy(update={"weight": 0.7})
    assert scoring_hash(RULES, SETTINGS) != scoring_hash(RULES, {**SETTINGS, "recon": heavier})


def test_all_wrong_settings_are_listed() -> None:
    with pytest.raises(ValueError, match="no such detector") as error:
        detector_settings(
            {"bursts": {}, "recon": {"wieght": 1, "enabled": 1, "weight": "much"},
             "odd_day": {"trees": 1.5, "seed": -1}, "foreign_copy": {"own_accounts": [1]}}
        )  # fmt: skip
    lines = str(error.value).splitlines()
    known = ", ".join(sorted(describe("recon").defaults))
    assert sorted(lines) == [
        f"detectors.bursts: no such detector; one of {', '.join(detector_names())}",
        "detectors.foreign_copy.own_accounts: a list of texts expected, not [1]",
        "detectors.odd_day.seed: a number of at least 0 expected (whole number), not -1",
        "detectors.odd_day.trees: a whole number expected (trees), not 1.5",
        "detectors.recon.enabled: true or false expected, not 1",
        "detectors.recon.weight: a number of at least 0 expected (factor), not 'much'",
        f"detectors.recon.wieght: no such setting; one of {known}",
    ]
