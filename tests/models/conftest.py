"""A small office for tests that plant a case of their own."""

from __future__ import annotations

import pytest

from tests.worlds.histories import World, everyday_world


@pytest.fixture(scope="session")
def small() -> World:
    return everyday_world(people=12, days=33)


@pytest.fixture
def world(small: World) -> World:
    return small.copy()
