"""What places inherit: of copies by their sum, of conversions by their size."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from models.features.assets import sensitivities, sensitivity_shares
from models.features.lineage import LEAST_SHARE, derive
from models.features.takings import sized_objects
from schemas.context import Context, Derived
from schemas.tables.features import LINEAGE
from tests.worlds.contexts import context_of
from tests.worlds.histories import SHARD_BYTES, everyday_world, history_of
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
    days = [row(objects=1, day=DAY - timedelta(days=ago)) for ago in range(parts)]
    found = derived(context, *days)
    assert (parts / SHARDS >= LEAST_SHARE) is known is (SCRATCH in found)
    assert not known or found[SCRATCH].share == pytest.approx(parts / SHARDS)


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
    places = [SCRATCH, EXPORTS, "s3://unknown", FRONTIER]
    assert sensitivity_shares(places, knows).tolist() == [1.0, 0.7, 0.4, 1.0]


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
