"""Stage ``features``: the day's ``access`` → the compact tables that the models read.

The engine reduces here, so that the models need no 90 days of ``access``. A row tells of its day,
and compares it with the 89 days before: those are read from the rows that this stage wrote for
them. Such a row depends on the ``access`` of its own day where later days use it, so that the order
of repairs does not matter as long as each day after a repaired one is run again.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import written_days
from jobs.platform.errors import RunError
from jobs.platform.scratch import staging_folder
from jobs.stages.features.asset_days import asset_rows
from jobs.stages.features.coverage import coverage_rows
from jobs.stages.features.entity_days import entity_rows
from jobs.stages.features.grants import grant_rows
from jobs.stages.features.lineage import lineage_rows
from jobs.stages.features.novelty import novelty_rows
from jobs.stages.features.pairs import pair_rows
from jobs.stages.features.place_days import place_day_rows
from jobs.stages.features.steps import step_rows
from jobs.stages.sql import computed_once
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.config import JobConfig
from schemas.tables.access import ACCESS, OBJECT_ACCESS, PLACE_ACCESS
from schemas.tables.coverage import COVERAGE
from schemas.tables.features import (
    ASSET_DAYS,
    ENTITY_DAYS,
    GRANTS,
    LINEAGE,
    NOVELTY,
    PAIRS,
    PLACE_DAYS,
    STEPS,
)
from schemas.tables.spec import Table
from schemas.tables.values import HISTORY_DAYS, SENSITIVE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from schemas.context import Context

WEEK_DAYS = 7
LISTED = (
    "asset_id string, repository boolean, sensitive boolean, counted boolean, "
    "all_objects double, all_bytes double"
)
WRITES = (ASSET_DAYS, NOVELTY, PLACE_DAYS, GRANTS, STEPS, LINEAGE, PAIRS, ENTITY_DAYS, COVERAGE)


def make_features(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Replace the day in the tables of features.

    Raises RunError if an earlier day of the look-back has ``access`` and no features: everything
    of today would then seem new.
    """
    _require_earlier_days(tables.storage, day)

    def before(table: Table) -> DataFrame:
        return tables.read(table, day - timedelta(days=1), HISTORY_DAYS - 2)

    access = tables.read(ACCESS)
    context = load_context(config.context, day)
    listed = _listed(tables, context)
    tables.replace(asset_rows(access, before(ASSET_DAYS), day), ASSET_DAYS)
    tables.replace(novelty_rows(access, before(NOVELTY), day), NOVELTY)
    places = place_day_rows(
        tables.read(PLACE_ACCESS),
        before(PLACE_DAYS),
        _teams(tables, context),
        _vouched(tables, context),
        _worths(tables, context),
        day,
    )
    tables.replace(places, PLACE_DAYS)
    tables.replace(grant_rows(access, day), GRANTS)
    tables.replace(step_rows(access, tables.read(PLACE_ACCESS), listed, day), STEPS)
    novelty, past = tables.stored(NOVELTY), before(ENTITY_DAYS)
    pairs = pair_rows(access, before(PAIRS), tables.stored(ASSET_DAYS), novelty, past, listed, day)
    tables.replace(pairs, PAIRS)
    week = tables.read(PAIRS, day, WEEK_DAYS - 1)
    two_days = tables.read(ACCESS, day, 1)
    entities = entity_rows(access, two_days, tables.stored(PAIRS), week, novelty, past, listed, day)
    tables.replace(entities, ENTITY_DAYS)
    reads = tables.read(OBJECT_ACCESS, day, HISTORY_DAYS - 1)
    steps = tables.read(STEPS, day, HISTORY_DAYS - 1)
    tables.replace(lineage_rows(steps, reads, listed, day), LINEAGE)
    with staging_folder(config.storage, "features") as scratch:

        def stored(frame: DataFrame, name: str) -> DataFrame:
            return computed_once(frame, f"{scratch}/{name}.parquet")

        tables.replace(coverage_rows(reads, listed, day, stored), COVERAGE)
    rows = {table.name: tables.stored(table).count() for table in WRITES}
    said = (
        f"{rows[ENTITY_DAYS.name]:,} identities, {rows[PAIRS.name]:,} user–asset pairs, "
        f"{rows[NOVELTY.name]:,} values"
    )
    return Outcome(rows, (said,))


def _listed(tables: StageTables, context: Context) -> DataFrame:
    """The listed assets: which are repositories, sensitive, of a known number of objects.

    ``all_objects``, ``all_bytes``: of the whole asset; null: not known.
    """
    from models.features.assets import listed_assets

    assets = listed_assets(context)
    columns = ("kind", "sensitivity", "objects", "bytes")
    rows = [
        (
            str(asset), kind == "repo", bool(sensitivity >= SENSITIVE), bool(objects > 0),
            objects if objects > 0 else None, size if size > 0 else None,
        )
        for asset, kind, sensitivity, objects, size in zip(
            assets.index, *(assets[name] for name in columns), strict=True
        )
    ]  # fmt: skip
    return tables.spark.createDataFrame(rows, LISTED).hint("broadcast")


def _worths(tables: StageTables, context: Context) -> tuple[DataFrame, int]:
    """``asset_id`` and ``weight``, see :func:`object_worths`; the weight of what is not listed."""
    from models.features.assets import UNKNOWN_SENSITIVITY, object_worths, worth_of

    rows = sorted(object_worths(context).items())
    listed = tables.spark.createDataFrame(rows, "asset_id string, weight bigint")
    return listed.hint("broadcast"), worth_of(UNKNOWN_SENSITIVITY)


def _vouched(tables: StageTables, context: Context) -> DataFrame | None:
    """``user_id`` of the directory; None without any."""
    from models.features.people import directory_ids

    users = sorted(directory_ids(context))
    return (
        tables.spark.createDataFrame([(user,) for user in users], "user_id string")
        if users
        else None
    )


def _teams(tables: StageTables, context: Context) -> DataFrame:
    """Declared team of each user that has one."""
    from models.features.people import teams

    rows = sorted(teams(context).items())
    return tables.spark.createDataFrame(rows, "user_id string, team string").hint("broadcast")


def _require_earlier_days(storage: str, day: date) -> None:
    start, days = day - timedelta(days=HISTORY_DAYS), HISTORY_DAYS - 1
    wanted = written_days(storage, ACCESS, start, days)
    made = set(written_days(storage, ENTITY_DAYS, start, days))
    missing = [each for each in wanted if each not in made]
    if missing:
        raise RunError(
            f"table {ENTITY_DAYS.name} in {storage} lacks {len(missing)} of the days before {day} "
            f"that table {ACCESS.name} has, the first of them {missing[0]}: `exfilwatch "
            f"stage features --config … --start {missing[0]} --end {missing[-1]}` writes them"
        )


STAGE = Stage(
    name="features",
    reads=(
        Read(ACCESS, 1),
        Read(OBJECT_ACCESS, HISTORY_DAYS - 1),
        Read(PLACE_ACCESS),
        *(Read(table, HISTORY_DAYS - 1) for table in WRITES),
    ),
    writes=WRITES,
    work=make_features,
    needs=(ACCESS, OBJECT_ACCESS, PLACE_ACCESS),
)
