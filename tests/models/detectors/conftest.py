"""An ordinary lab, the cases planted in it, and what detectors usually say there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pandas as pd
import pytest

from models.features.history import History
from tests.worlds.histories import World, everyday_world, frames_of, history_of
from tests.worlds.plants import DAY, Plant, Usual, back, score_of


@pytest.fixture(scope="session")
def ordinary() -> World:
    return everyday_world()


@pytest.fixture(scope="session")
def planted(ordinary: World) -> Callable[[Plant], tuple[History, str]]:
    made: dict[Plant, tuple[History, str]] = {}
    base = frames_of(ordinary)

    def plant(case: Plant) -> tuple[History, str]:
        if case not in made:
            world = ordinary.copy()
            user = case(world)
            made[case] = history_of(world, DAY, frames_of(world, base)), user
        return made[case]

    return plant


@pytest.fixture(scope="session")
def usual(ordinary: World) -> Usual:
    frames = frames_of(ordinary)
    days = [history_of(ordinary, back(offset), frames) for offset in (1, 2, 3, 6, 7)]
    return cache(lambda name: pd.concat([score_of(name, history) for history in days]))
