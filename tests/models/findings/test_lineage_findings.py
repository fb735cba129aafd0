"""A finding about a place that holds what came from a listed asset."""

from __future__ import annotations

from typing import Any

import pytest

from models.detectors import describe, detector_names
from models.findings.document import write_findings
from models.privacy.reasons import mask_reason
from models.scoring.points import Contribution, ScoredEntity
from schemas.finding import validate_finding
from tests.worlds.histories import everyday_world, frames_of, history_of
from tests.worlds.lineage_plants import FRONTIER, HELD
from tests.worlds.masked_people import known
from tests.worlds.plants import DAY, DETECTOR_OF, SETTINGS, Plant


def finding_of(plant: Plant) -> Any:
    """The finding about the reader by first_access alone."""
    world = everyday_world(people=24, days=33)
    user = plant(world)
    frames = frames_of(world)
    history = history_of(world, DAY, frames)
    signals = DETECTOR_OF["first_access"].score(history, SETTINGS["first_access"])
    (signal,) = (each for each in signals if each.entity == user)
    said = Contribution(
        "first_access", "novelty", "1d", 9.0, 40.0, 1e-4, signal.statistic, signal.observed, 0.0,
        signal.unit, signal.reason, tuple(signal.asset_ids), (),
    )  # fmt: skip
    scored = ScoredEntity(user, "human", "1d", 40.0, 9.0, (said,), ())
    descriptions = {name: describe(name) for name in detector_names()}
    access = frames[0][frames[0]["user_id"] == user]
    (found,) = write_findings([scored], access, history.coverage[:0], history, descriptions, 1)
    assert validate_finding(found.document) == []
    return found


@pytest.mark.parametrize(("plant", "place", "logged"), HELD)
def test_a_finding_says_what_the_place_holds(plant: Plant, place: str, logged: bool | None) -> None:
    sensitivity, said = {
        True: (5, f"; {place} holds content that was copied from {FRONTIER}."),
        False: (4, f"; {place} may hold a copy of {FRONTIER}, by its size."),
        None: (None, " a day)."),
    }[logged]
    found = finding_of(plant)
    (asset,) = found.document["exfil"]["assets"]
    assert (asset["id"], asset["sensitivity"]) == (place, sensitivity)
    assert found.document["event"]["reason"].endswith(said)
    assert mask_reason(known(), found.reasons[0]).sentence == "finding"
