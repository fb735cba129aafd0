"""What places inherit: of copies by their sum, of conversions by their size."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from models.features.assets import sensitivities
from models.features.lineage import MOST_HOPS, derive
from models.features.sensitivity import are_sensitive, sensitivity_shares
from models.features.takings import sized_objects
from schemas.context import Context, Derived
from schemas.tables.features import LINEAGE
from schemas.tables.values import LEAST_SHARE
from tests.worlds.contexts import context_of
from tests.worlds.histories import SHARD_BYTES, empty_history, everyday_world, history_of
from tests.worlds.lineage_plants import EXPORTS, FRONTIER, HELD, SCRATCH
from tests.worlds.scored_day import DAY

SHARDS = 64


@pytest.fixture(scope="module")
def context() -> Context:
    return context_of(everyday_world(people=6, days=1))


def row(origin: str = FRONTIER, objects: int = SHARDS, **changed: Any) -> dict[str, Any]:
    """A row of LINEAGE."""
    made = {"day": DAY, "place": SCRATCH, "origin": origin, "logged": True, "objects": objects,
            "bytes": None}  # fmt: skip
    return made | changed


def derived(context: Context, *rows: dict[str, Any]) -> dict[str, Derived]:
    return derive(pd.DataFrame(list(rows), columns=LINEAGE.column_names), context)


def test_nothing_comes_of_nothing(context: Context) -> None:
    assert derived(context) == {}
    assert derived(context, row("unlisted")) == {}


def test_a_copy_is_as_sensitive_as_its_origin(context: Context) -> None:
    assert derived(context, row()) == {
        SCRATCH: Derived(FRONTIER, 5.0, 1.0, True, SHARDS, SHARD_BYTES)
    }
    assert derived(context, row("data-0")) == {}, "no more than of any unknown place"


def test_a_size_that_fits_is_less_sure(context: Context) -> None:
    fits = row(objects=4, bytes=640, logged=False)
    assert derived(context, fits)[SCRATCH] == Derived(FRONTIER, 3.5, 1.0, False, SHARDS, 10)
    assert derived(context, fits, row("ckpt-evals-1"))[SCRATCH].origin == "ckpt-evals-1"
    assert derived(context, fits, row())[SCRATCH].logged


@pytest.mark.parametrize(("parts", "known"), [(3, False), (4, True), (30, True)])
def test_small_parts_count_together(parts: int, known: bool, context: Context) -> None:
    """A row has the objects of 90 days."""
    days = [row(objects=parts - ago, day=DAY - timedelta(days=ago)) for ago in range(parts)]
    found = derived(context, *days)
    assert (parts / SHARDS >= LEAST_SHARE) is known is (SCRATCH in found)
    assert not known or found[SCRATCH].share == pytest.approx(parts / SHARDS)


def moved(source: str, place: str, objects: int = SHARDS, **changed: Any) -> dict[str, Any]:
    """A row of LINEAGE about a copy of a place."""
    return row(source, objects, place=place, **changed)


def test_content_is_followed_from_place_to_place(context: Context) -> None:
    chain = [moved(f"s3://{n}", f"s3://{n + 1}") for n in range(3)]
    found = derived(context, row(place="s3://0"), *chain)
    assert found == dict.fromkeys([f"s3://{n}" for n in range(4)], found["s3://0"])
    fits = row(objects=4, bytes=640, logged=False, place="s3://0")
    assert {of.sensitivity for of in derived(context, fits, *chain).values()} == {3.5}


def test_no_more_comes_on_than_was_there_or_was_copied(context: Context) -> None:
    half = row(objects=SHARDS // 2)
    assert derived(context, half, moved(SCRATCH, EXPORTS))[EXPORTS].share == 0.5
    assert derived(context, half, moved(SCRATCH, EXPORTS, 16))[EXPORTS].share == 0.25
    assert EXPORTS not in derived(context, half, moved(SCRATCH, EXPORTS, 900, bytes=9_000))
    packed = row(objects=1, bytes=640, logged=False)
    assert derived(context, packed, moved(SCRATCH, EXPORTS, 1))[EXPORTS].share == 1.0
    assert EXPORTS not in derived(context, packed, moved(SCRATCH, EXPORTS, 1, bytes=20))


def test_what_was_split_over_places_comes_together(context: Context) -> None:
    parts = [row(objects=3, place=f"s3://{n}") for n in range(4)]
    found = derived(context, *parts, *(moved(f"s3://{n}", EXPORTS, 3) for n in range(4)))
    assert {place: of.share for place, of in found.items()} == {EXPORTS: 12 / SHARDS}


def test_places_that_copy_each_other_gain_nothing(context: Context) -> None:
    names = [f"s3://{n}" for n in range(6)]
    mesh = [moved(one, two) for one in names for two in names if one != two]
    assert derived(context, row(objects=3, place=names[0]), *mesh) == {}
    found = derived(context, row(objects=4, place=names[0]), *mesh)
    assert {place: of.share for place, of in found.items()} == dict.fromkeys(names, 4 / SHARDS)


def test_a_copy_has_nothing_that_came_later(context: Context) -> None:
    old = moved(SCRATCH, EXPORTS, day=DAY - timedelta(days=2))
    assert EXPORTS not in derived(context, row(), old)
    assert EXPORTS in derived(context, row(), old, moved(SCRATCH, EXPORTS))


def test_the_chain_ends_somewhere(context: Context) -> None:
    chain = [moved(f"s3://{n}", f"s3://{n + 1}") for n in range(20)]
    assert len(derived(context, row(place="s3://0"), *chain)) == 1 + MOST_HOPS


def test_bytes_count_where_objects_are_few(context: Context) -> None:
    large = row(objects=1, bytes=SHARDS * SHARD_BYTES // 2)
    assert derived(context, large)[SCRATCH].share == pytest.approx(0.5)


def test_of_an_asset_of_unknown_size_one_object_counts(context: Context) -> None:
    assert derived(context, row("model-orion", 1))[SCRATCH].share == 1.0


def test_a_listed_asset_inherits_nothing(context: Context) -> None:
    assert derived(context, row(place="data-0")) == {}


def test_all_see_what_a_place_inherits(context: Context) -> None:
    rows = (row(), row(place=EXPORTS, logged=False), row("ckpt-evals-1", 9, place="s3://other"))
    knows = replace(context, derived=derived(context, *rows))
    assert [sensitivities(knows)[place] for place in (SCRATCH, EXPORTS, "s3://other")] == [
        5,
        3.5,
        4,
    ]
    places = pd.DataFrame({"asset_id": [SCRATCH, EXPORTS, "s3://unknown", FRONTIER]})
    history = empty_history().but(context=knows)
    assert are_sensitive(places.assign(user_id="u001"), history).tolist() == [
        True,
        True,
        False,
        True,
    ]
    shares = sensitivity_shares(places.assign(user_id="u001"), history)
    assert shares.tolist() == [1.0, 0.7, 0.4, 1.0]


@pytest.mark.parametrize(
    ("objects", "size", "given", "sensitive"),
    [
        (1, SHARD_BYTES, False, True),
        (1, 9_000, False, False),
        (900, 9_000, False, False),
        (1, None, False, True),
        (1, 9_000, True, True),
        (0, 9_000, False, False),
    ],
)
def test_whoever_takes_few_bytes_takes_other_content(
    objects: int, size: int | None, given: bool, sensitive: bool
) -> None:
    """Less than one shard; a copy of unknown size beside it may be anything."""
    world = everyday_world(people=6)
    for name in range(objects):
        world.act(DAY, "u001", SCRATCH, "read", object=str(name), size=size and size // objects)
    world.act(DAY, "u001", SCRATCH, "list")
    if given:
        world.act(DAY, "u001", SCRATCH, "copy", object="x", destination=EXPORTS)
    history = history_of(world, DAY)
    knows = history.but(context=replace(history.context, derived=derived(history.context, row())))
    rows = pd.DataFrame({"user_id": ["u001"], "asset_id": [SCRATCH]})
    assert are_sensitive(rows, knows).tolist() == [sensitive]
    assert sensitivity_shares(rows, knows).tolist() == [1.0 if sensitive else 0.4]


@pytest.mark.parametrize(
    ("share", "objects"), [(None, 1), (1e-9, 1), (0.5, SHARDS // 2), (1, SHARDS), (3, SHARDS)]
)
def test_a_file_counts_as_many_objects_as_its_bytes_stand_for(
    share: float | None, objects: int
) -> None:
    """``share``: bytes taken, of those that a converter wrote."""
    world, written = everyday_world(people=6), 16 * SHARD_BYTES
    size = None if share is None else int(share * written)
    world.act(DAY, "u001", SCRATCH, "read", object="f0", size=size)
    history = history_of(world, DAY)
    places = derived(history.context, row(objects=4, bytes=written, logged=False))
    knows = history.but(context=replace(history.context, derived=places))
    taken = pd.DataFrame({"user_id": ["u001"] * 2, "asset_id": [SCRATCH, "data-0"], "objects": 1})
    assert sized_objects(history, taken).tolist() == [1, 1]
    assert sized_objects(knows, taken).tolist() == pytest.approx([objects, 1])


def test_the_history_derives_it_from_steps() -> None:
    for plant, place, logged in HELD:
        world = everyday_world(people=6)
        plant(world)
        found = history_of(world, DAY).context.derived.get(place)
        assert (found and found.logged) is logged, plant.__name__
