"""mass_clone: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.evasions import (
    fetches_a_little_before_cloning,
    machine_users_clone_two_each,
)
from tests.worlds.plants import (
    SETTINGS,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    known_repositories_again,
    night_of_clones,
    signals_of,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("mass_clone", *planted(night_of_clones), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("mass_clone", *planted(known_repositories_again), usual)


def test_a_cheap_fetch_before_hardly_makes_a_repository_known(planted: Planted) -> None:
    """What the cloned repositories amount to decides how many points there are."""
    history, user = planted(fetches_a_little_before_cloning)
    rows = signals_of("mass_clone", history, user)
    assert rows["observed"].min() > SETTINGS["mass_clone"].least("repositories")


def test_strangers_of_one_address_clone_together(planted: Planted) -> None:
    history, user = planted(machine_users_clone_two_each)
    rows = signals_of("mass_clone", history, user)
    assert rows["observed"].tolist() == [30.0, 30.0]
    assert rows["related_users"].map(len).tolist() == [14, 14]
