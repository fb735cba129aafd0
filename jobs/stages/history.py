"""The history that detectors and findings read: up to 90 days that end with the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.inputs.known_approvals import as_known, kept_approvals
from jobs.platform.delta_tables import table_version
from jobs.platform.errors import InputError
from jobs.platform.frames import is_one_of, stored_frame
from jobs.stages.stage import Read, StageTables
from models.features.history import History
from schemas.tables.access import ACCESS, PLACE_ACCESS
from schemas.tables.api import API_DAYS, API_WEEK
from schemas.tables.coverage import COVERAGE, COVERAGE_DAYS
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
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.jobs import JOB_ACCESS
from schemas.tables.sources import RARE_ACTS, SOURCE_DAYS
from schemas.tables.values import GRANT_DAYS, HISTORY_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from models.detectors.settings import DetectorSettings
    from schemas.config import JobConfig


LOOK_BACK_DAYS = HISTORY_DAYS - 1
WEEK_DAYS, MONTH_DAYS = 7, 30
HISTORY_READS = (
    Read(ACCESS),
    Read(ENTITY_DAYS, LOOK_BACK_DAYS),
    Read(PAIRS, LOOK_BACK_DAYS),
    Read(NOVELTY, LOOK_BACK_DAYS),
    Read(PLACE_ACCESS),
    Read(PLACE_DAYS, 1),
    Read(GRANTS, GRANT_DAYS),
    Read(STEPS, LOOK_BACK_DAYS),
    Read(LINEAGE, LOOK_BACK_DAYS),
    Read(ASSET_DAYS, LOOK_BACK_DAYS),
    Read(COVERAGE, LOOK_BACK_DAYS),
    Read(API_DAYS, MONTH_DAYS - 1),
    Read(JOB_ACCESS, LOOK_BACK_DAYS),
    Read(SOURCE_DAYS, LOOK_BACK_DAYS),
    Read(RARE_ACTS, LOOK_BACK_DAYS),
    Read(GRAPH_NODES),
    Read(GRAPH_EDGES),
)
"""Tables of the history and the days looked back in them."""
UNREAD = ("attempts", "near", "clones", "lists", "writes", "executes", "gives",
          "destinations")  # fmt: skip
"""Columns of PAIRS that no detector reads."""


def settings_of(config: JobConfig) -> dict[str, DetectorSettings]:
    """Detector settings in force; raises InputError with every problem."""
    from models.detectors import detector_settings
    from models.detectors.foreign_copy import ForeignCopySettings

    try:
        settings = detector_settings(config.detectors)
    except ValueError as error:
        raise InputError(str(error).splitlines()) from error
    copies = settings["foreign_copy"]
    if isinstance(copies, ForeignCopySettings) and not copies.own_accounts:
        accounts = {"own_accounts": list(config.own_accounts)}
        settings["foreign_copy"] = copies.model_copy(update=accounts)
    return settings


def read_history(tables: StageTables, config: JobConfig) -> History:
    """The history for detectors: features of 90 days, the day's access and graph, the context.

    Stages ``signals`` and ``findings`` read it one after the other. So the last history is kept in
    memory while its tables keep their versions.
    """
    from models.features.lineage import derive

    for read in HISTORY_READS:
        tables.require_read(read.table, tables.day, read.days)
    versions = tuple(table_version(tables.storage, read.table) for read in HISTORY_READS)
    lineage = stored_frame(tables.storage, LINEAGE, tables.day, LOOK_BACK_DAYS)
    context = load_context(config.context, tables.day)
    written = as_known(context.approvals, kept_approvals(tables.storage, tables.day))
    context = replace(context, approvals=written, derived=derive(lineage, context))
    copies = tuple(sorted(context.derived))
    frames = _read_frames(tables.storage, tables.day, copies, versions)
    return History(day=tables.day, context=context, **frames)


def _steps(storage: str, day: date) -> pd.DataFrame:
    """90 days of whoever brought, packed, sent or deleted something on the day."""
    today = stored_frame(storage, STEPS, day, 0, ["user_id", "step"])
    users = sorted(set(today.loc[today["step"] != "collect", "user_id"]))
    return stored_frame(storage, STEPS, day, LOOK_BACK_DAYS, where=is_one_of("user_id", users))


@lru_cache(maxsize=1)
def _read_frames(
    storage: str, day: date, copies: tuple[str, ...], versions: tuple[int | None, ...]
) -> dict[str, pd.DataFrame]:
    """The frames of :class:`History` by name; ``copies``: places that hold content of assets."""
    import pandas as pd
    import pyarrow.compute as pc

    from models.features.assets import WRITTEN, most_written
    from models.features.places import gifts

    frame, past = partial(stored_frame, storage), LOOK_BACK_DAYS
    this_week = pc.field("day") > pc.scalar(day - timedelta(days=WEEK_DAYS))
    marked = pc.field("cloned") | pc.field("fetched") | (pc.field("entries") > 0)
    marked = marked | is_one_of("asset_id", copies)
    today = pc.field("day") == pc.scalar(day)
    given = pc.field("kind") == "destination"
    counts = [f"objects_{days}" for days in COVERAGE_DAYS]
    keys = ["day", "user_id", "user_kind", "asset_id", "asset_objects"]
    first_reads = [*keys, "recent_today", "new_objects"]
    kept = [name for name in PAIRS.column_names if name not in UNREAD]
    coverage = frame(COVERAGE, day)
    of_today = is_one_of("asset_id", set(coverage["asset_id"]))
    written = frame(ASSET_DAYS, day, past, ["asset_id", *WRITTEN])
    access = frame(ACCESS, day)
    grants = frame(GRANTS, day, GRANT_DAYS)
    steps = _steps(storage, day)
    staged = steps.loc[steps["step"] == "stage", "place"]
    given_to = {*gifts(access)["to"], *grants["destination"], *staged}
    chosen = pc.field("chosen").is_valid() & pc.field("chosen")
    places = is_one_of("asset_id", sorted({to.partition("#")[0] for to in given_to}))
    used = (pc.field("events") > pc.field("failures")) & places & ~chosen
    week, before = WEEK_DAYS - 1, day - timedelta(days=WEEK_DAYS)
    counted = [name for name in API_DAYS.column_names if name not in API_WEEK]
    queries = frame(API_DAYS, before, MONTH_DAYS - WEEK_DAYS - 1, counted)
    yesterday, users = day - timedelta(days=1), ["user_id", "asset_id"]
    return {
        "access": access,
        "entity_days": frame(ENTITY_DAYS, day, past),
        "pairs": frame(PAIRS, day, past, kept, this_week | marked),
        "novelty": frame(NOVELTY, day, past, where=today | given),
        "places": frame(PAIRS, yesterday, past - 1, users, used).drop_duplicates(),
        "place_access": frame(PLACE_ACCESS, day),
        "place_days": frame(PLACE_DAYS, day, 1),
        "grants": grants,
        "steps": steps,
        "assets": most_written(written),
        "coverage": coverage,
        "covered": frame(COVERAGE, day, past, [*keys, *counts]),
        "first_reads": frame(COVERAGE, day, MONTH_DAYS - 1, first_reads, of_today),
        "api_days": pd.concat([queries, frame(API_DAYS, day, week)], ignore_index=True),
        "job_access": frame(JOB_ACCESS, day, past),
        "source_days": frame(SOURCE_DAYS, day, past),
        "rare_acts": frame(RARE_ACTS, day, past),
        "nodes": frame(GRAPH_NODES, day),
        "edges": frame(GRAPH_EDGES, day),
    }
