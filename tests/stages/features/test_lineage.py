"""``lineage`` on Apache Spark; test_features.py compares it on Sail, with all other tables."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from jobs.platform.delta_tables import to_frame
from jobs.stages.features.lineage import lineage_rows
from models.features.assets import listed_assets
from schemas.tables.access import OBJECT_ACCESS
from schemas.tables.features import LINEAGE, STEPS
from tests.worlds.access_rows import access_frame, object_frame
from tests.worlds.histories import World, context_of, everyday_world
from tests.worlds.lineage import lineage_of
from tests.worlds.lineage_plants import converts_in_every_way
from tests.worlds.place_days import place_access_frame
from tests.worlds.steps import steps_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2026, 8, 6)


def converted() -> World:
    world = everyday_world(people=6, days=3)
    converts_in_every_way(world, DAY)
    return world


def test_rows_are_those_made_in_plain_python(apache_spark: SparkSession) -> None:
    world = converted()
    context = context_of(world)
    steps = steps_of(access_frame(world.events), place_access_frame([]), context)
    objects = object_frame(world.events, world.assets)
    expected = lineage_of(steps, objects, context)
    expected = expected[expected["day"] == DAY]
    sizes = listed_assets(context)[["objects", "bytes"]].astype(object)
    rows = sizes.where(sizes > 0, None).itertuples(name=None)
    listed = apache_spark.createDataFrame(
        list(rows), "asset_id string, all_objects double, all_bytes double"
    )
    for name in ("first_time", "last_time"):
        objects[name] = pd.to_datetime(objects[name]).dt.tz_localize("UTC")
    reads = to_frame(apache_spark, objects, OBJECT_ACCESS)
    made = lineage_rows(to_frame(apache_spark, steps, STEPS), reads, listed, DAY).toPandas()

    def plain(frame: pd.DataFrame) -> list[list[object]]:
        cells = frame[LINEAGE.column_names].astype(object)
        return sorted(map(list, cells.where(cells.notna(), None).to_numpy()), key=str)

    assert len(expected) > 5
    assert plain(made) == plain(expected)
