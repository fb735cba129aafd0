"""Stage ``aggregate``: ``events`` → the day's access by asset, object, place, model, job, source.

All later stages read these tables, which are 100–1000 times smaller than ``events``. Python
never sees an event here. Two passes over the day's events fill two scratch tables (distinct ways of
access, distinct objects), from which the tables are made. ``collect_set`` is avoided: on Sail 0.7
it costs ten times the time and memory of a distinct list. An access in the logs of two sources is
counted once (:mod:`jobs.stages.aggregate.count_once`); ``events`` keeps both events.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.platform.scratch import staging_folder
from jobs.stages.aggregate.access import (
    ACTOR,
    ASSET_SIZES,
    NOT_TOLD,
    PARTS_AND_SIZES,
    access_rows,
    asset_sizes,
    touched_objects,
    ways_of_access,
)
from jobs.stages.aggregate.api_days import api_rows, no_api_rows
from jobs.stages.aggregate.count_once import each_access_once
from jobs.stages.aggregate.job_access import account_rows, job_access_rows, no_job_access_rows
from jobs.stages.aggregate.object_access import object_rows
from jobs.stages.aggregate.place_access import place_rows
from jobs.stages.aggregate.rare_acts import act_rows
from jobs.stages.aggregate.source_days import source_rows
from jobs.stages.aggregate.submissions import job_rows
from jobs.stages.sql import computed_once
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.config import JobConfig
from schemas.context import MANIFEST_KINDS
from schemas.formats import FORMATS
from schemas.tables.access import ACCESS, OBJECT_ACCESS, PLACE_ACCESS
from schemas.tables.api import API_DAYS
from schemas.tables.events import EVENTS
from schemas.tables.jobs import JOB_ACCESS, JOB_DAYS, JOBS
from schemas.tables.sources import RARE_ACTS, SOURCE_DAYS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from schemas.context import Context

WRITES = (ACCESS, OBJECT_ACCESS, PLACE_ACCESS, JOBS, JOB_ACCESS, API_DAYS, SOURCE_DAYS, RARE_ACTS)


def aggregate_day(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Replace the day in WRITES."""
    # Only if a format may have parts or sizes: reading the details of all events takes long.
    tells = any(FORMATS[source.format].tells_sizes for source in config.sources)
    more = PARTS_AND_SIZES if tells else NOT_TOLD
    others = [name for name in EVENTS.column_names if name not in ACTOR]
    events = tables.read(EVENTS).selectExpr(
        *others, *(f"{value} as {name}" for name, value in (ACTOR | more).items())
    )
    context = load_context(config.context, day)
    assets = context.assets
    listed = sorted(set(assets.loc[assets["kind"].isin(MANIFEST_KINDS), "asset_id"]))
    ids = [(asset_id,) for asset_id in listed]
    followed = tables.spark.createDataFrame(ids, "asset_id string").hint("broadcast")
    with staging_folder(config.storage, "aggregate") as scratch:
        logged = events
        events, twice = each_access_once(logged, config.sources, f"{scratch}/counted_once.parquet")
        ways = computed_once(ways_of_access(events), f"{scratch}/ways.parquet")
        objects = computed_once(touched_objects(events), f"{scratch}/objects.parquet")
        sizes = tables.spark.createDataFrame(asset_sizes(context), ASSET_SIZES).hint("broadcast")
        tables.replace(access_rows(ways, objects, sizes, day), ACCESS)
        tables.replace(object_rows(objects, events, followed, day), OBJECT_ACCESS)
        tables.replace(place_rows(ways, objects, day), PLACE_ACCESS)
        tables.replace(act_rows(events, ways, day), RARE_ACTS)
        tables.replace(source_rows(logged, day), SOURCE_DAYS)
        _replace_jobs(tables, config, context, (events, ways, objects), scratch)
        queried = any(FORMATS[source.format].tells_models for source in config.sources)
        queries = (
            api_rows(events, day, f"{scratch}/queries.parquet")
            if queried
            else no_api_rows(tables.spark)
        )
        tables.replace(queries, API_DAYS)
    counts = {table.name: tables.stored(table).count() for table in WRITES}
    rows, single = counts[ACCESS.name], counts[OBJECT_ACCESS.name]
    counted_once = "" if twice is None else f", in two sources but counted once: {twice:,} events"
    return Outcome(
        counts,
        (f"{rows:,} user–asset rows, {single:,} user–object rows{counted_once}",),
    )


def _replace_jobs(
    tables: StageTables,
    config: JobConfig,
    context: Context,
    frames: tuple[DataFrame, DataFrame, DataFrame],
    scratch: str,
) -> None:
    """Replace the day in ``jobs`` and ``job_access``.

    ``frames``: the events, the ways of access and the touched objects of the day.
    """
    events, ways, objects = frames
    if not any(FORMATS[source.format].tells_jobs for source in config.sources):
        tables.replace(tables.spark.createDataFrame([], JOBS.ddl()), JOBS)
        tables.replace(no_job_access_rows(tables.spark), JOB_ACCESS)
        return
    tables.replace(job_rows(events, tables.day), JOBS)
    yesterday = tables.day - timedelta(days=1)
    jobs = tables.stored(JOBS).unionByName(tables.read(JOBS, yesterday, JOB_DAYS - 1))
    accounts = tables.spark.createDataFrame(account_rows(context), "user_id string, space string")
    tables.replace(job_access_rows(ways, objects, jobs, accounts, tables.day, scratch), JOB_ACCESS)


STAGE = Stage(
    name="aggregate",
    reads=(Read(EVENTS), Read(JOBS, JOB_DAYS)),
    writes=WRITES,
    work=aggregate_day,
    needs=(EVENTS,),
)
