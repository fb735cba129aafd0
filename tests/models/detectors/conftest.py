"""An ordinary lab, the cases planted in it, and what detectors usually say there."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from models.detectors import score_all
from models.features.history import History
from tests.worlds.histories import World, everyday_world, frames_of, history_of
from tests.worlds.plants import DAY, SETTINGS, Plant, back


@pytest.fixture(scope="session")
def ordinary() -> World:
    return everyday_world()


@pytest.fixture(scope="session")
def planted(ordinary: World) -> Callable[[Plant], tuple[History, str]]:
    made: dict[Plant, tuple[History, str]] = {}
    base = ordinary.events, frames_of(ordinary)

    def plant(case: Plant) -> tuple[History, str]:
        if case not in made:
            world = ordinary.copy()
            world.assets = dict(ordinary.assets)
            user = case(world)
            made[case] = history_of(world, DAY, frames_of(world, base)), user
        return made[case]

    return plant


@pytest.fixture(scope="session")
def usual(ordinary: World) -> pd.DataFrame:
    """Signals of the days before the cases, when nothing was planted."""
    frames = frames_of(ordinary)
    days = [back(offset) for offset in (1, 2, 3, 6, 7)]
    return pd.concat([score_all(history_of(ordinary, day, frames), SETTINGS) for day in days])
