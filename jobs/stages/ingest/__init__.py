"""Stage ``ingest``: raw log files of a day → ``events`` and ``rejects``.

1. The raw records are parsed into a staging table (:mod:`jobs.stages.ingest.staging`). The days of
   one run share the parsed rows of a file (:mod:`jobs.stages.ingest.parts`).
2. The engine resolves its distinct names, folders and addresses
   (:mod:`jobs.stages.ingest.answers`), and the keys of its sessions
   (:mod:`jobs.stages.ingest.sessions`).
3. The table is deduplicated and joined with the answers. It replaces the day in ``events``.

A role session may have been opened on an earlier day. So the stage looks back
``ingest.session_lookback_days`` days in ``events`` for the identity that opened it.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import next_writing
from jobs.platform.errors import InputError, RunError
from jobs.platform.scratch import staging_folder
from jobs.platform.stores import create_file
from jobs.platform.terminal_text import printable
from jobs.stages.ingest.events import resolve_events
from jobs.stages.ingest.find_files import changed_files, files_of_source
from jobs.stages.ingest.listing import dated_path
from jobs.stages.ingest.notes import (
    assets_note,
    clock_note,
    missing_note,
    odd_note,
    sources_with_rejects,
    sum_of_records,
    unmatched_note,
)
from jobs.stages.ingest.parse import BAD
from jobs.stages.ingest.parts import stage_good_files
from jobs.stages.ingest.salvage.bad_records import salvage_records
from jobs.stages.ingest.salvage.rejects import Reject
from jobs.stages.ingest.staging import Parsing, SourceFiles, read_staged
from jobs.stages.ingest.unknown_fields import unknown_actions_note, unknown_fields_note
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.config import JobConfig
from schemas.tables.events import EVENTS, REJECTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MAX_SHOWN = 20
"""Most files that an error names; it counts the rest."""
SESSION_DAYS = 7
"""Largest allowed `ingest.session_lookback_days`."""


def ingest_day(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Replace the day in ``events`` and ``rejects``; the first note is the day's sum of records.

    Both commits carry one number. Stage ``check`` refuses a day on which the numbers differ. If the
    job has several sources, the last notes are the sums of the sources with rejects.

    Raises RunError if no source has a file for the day, a source has too many files, a folder
    cannot be listed or a file cannot be read; InputError if a required source has no file or the
    engine does not see the files. Both tables then stay as they were.
    """
    spark, context = tables.spark, load_context(config.context, day)
    inputs = find_inputs(config, day)
    require_files(inputs, config, day)
    with staging_folder(config.storage, "ingest") as staging:
        listed = inputs
        try:
            inputs = stage_good_files(Parsing(spark, config, day, staging), inputs, tables.run)
            rejects = salvage_records(spark, inputs, config, day, staging)
        except Exception as error:
            require_unchanged(listed, error)
            raise
        require_unchanged(listed)
        rejected, other_days = rejects.by_source(), rejects.elsewhere
        staged = read_staged(spark, staging)
        events = resolve_events(tables, staged, context, config, staging)
        good = _count(staged, other_days)
        if good.total() + rejected.total() == 0:
            raise RunError(
                f"no record of {day} in {sum(len(entry.files) for entry in inputs)} files "
                f"({other_days.total()} records of other days); is the path's date the event's?"
            )
        writing = next_writing(config.storage, (EVENTS, REJECTS), day)
        frame = _reject_frame(spark, rejects.rows(), day, staging)
        tables.replace(frame, REJECTS, writing)
        tables.replace(events, EVENTS, writing)
    stored = tables.stored(EVENTS)
    rows = stored.groupBy("source").count().collect()
    written = Counter({row["source"]: row["count"] for row in rows})
    good.subtract(written)
    sums = {
        "events": written,
        "duplicates": good,
        "rejects": rejected,
        "of other days": other_days,
    }
    return Outcome(
        {EVENTS.name: written.total(), REJECTS.name: rejected.total()},
        (
            sum_of_records({name: counts.total() for name, counts in sums.items()}),
            unknown_fields_note(inputs, config, day),
            unknown_actions_note(stored),
            clock_note(rejects.rows()),
            missing_note(inputs),
            odd_note(inputs),
            unmatched_note(inputs, config, day),
            assets_note(context, config),
            *sources_with_rejects(inputs, sums),
        ),
    )


def _count(staged: DataFrame, other_days: Counter[str]) -> Counter[str]:
    """Good records of the day by source; records of other days are added to ``other_days``.

    Bad rows are not counted here. The salvage path counts their raw records.
    """
    from pyspark.sql import functions as F

    counts = staged.groupBy("source").agg(
        *map(F.expr, ("count(*)", "count_if(not in_day)", f"count_if({BAD})"))
    )
    good: Counter[str] = Counter()
    for source, read, late, bad in counts.collect():
        good[source] = read - late - bad
        other_days[source] += late
    return good


def require_files(inputs: list[SourceFiles], config: JobConfig, day: date) -> None:
    """Raise RunError with the path of each source if no source has a file.

    Raises InputError if a required source has no file that can be opened and belongs to the day.
    """
    missing = [
        f"source {entry.source.name!r}: required, and no file for {day} matches its path "
        f"{dated_path(entry.source.path, day)}: wait for its delivery, or correct `path` or "
        "`required`"
        for entry in inputs
        if entry.source.required
        and not any(f.day in (None, day) and not f.refused for f in entry.files)
    ]
    if missing:
        raise InputError([printable(problem) for problem in missing])
    if any(entry.files for entry in inputs):
        return
    looked = "\n".join(
        printable(f"  {source.name}: {dated_path(source.path, day)}") for source in config.sources
    )
    days = f"{day} (nor the {config.late_days} days after it)"
    raise RunError(f"no log file for {days}:\n{looked}")


def find_inputs(config: JobConfig, day: date) -> list[SourceFiles]:
    """All sources and their files for the day; raises RunError with the problems of all sources."""
    inputs, problems = [], []
    for source in config.sources:
        try:
            files = files_of_source(source, day, config.late_days, config.ingest)
        except RunError as error:
            problems.append(str(error))
        else:
            inputs.append(SourceFiles(source, files))
    if problems:
        raise RunError("\n".join(problems))
    return inputs


def require_unchanged(inputs: list[SourceFiles], cause: Exception | None = None) -> None:
    """Raise RunError if a file is gone or has become shorter since it was found.

    A file may grow while it is read. Its new records may be read now; a later run reads the rest.
    """
    changed = [
        f"{printable(path)} of source {entry.source.name!r} vanished or was cut while it was read"
        for entry in inputs
        for path in changed_files(entry.files)
    ]
    if changed:
        more = [f"and {len(changed) - MAX_SHOWN:,} more"] if len(changed) > MAX_SHOWN else []
        advice = "run the day again when nothing moves or rewrites its files"
        raise RunError("\n".join([*changed[:MAX_SHOWN], *more, advice])) from cause


def _reject_frame(spark: SparkSession, rejects: list[Reject], day: date, staging: str) -> DataFrame:
    """The rejects as a frame, read from a file: the channel to the engine takes 128 MiB at most."""
    import pyarrow as pa
    from pyarrow import parquet

    if not rejects:
        return spark.createDataFrame([], REJECTS.ddl())
    names = [column.name for column in REJECTS.columns if column.name != "day"]
    columns = zip(*rejects, strict=True)
    types = [pa.int64() if name == "records" else pa.string() for name in names]
    arrays = [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
    path = f"{staging}/rejects.parquet"
    with create_file(path) as file:
        parquet.write_table(pa.table(arrays, names=names), file)
    stored = ", ".join(f"`{column.name}` {column.type}" for column in REJECTS.columns[1:])
    return spark.read.schema(stored).parquet(path).selectExpr(f"date'{day}' as day", "*")


STAGE = Stage(
    name="ingest", reads=(Read(EVENTS, SESSION_DAYS),), writes=(EVENTS, REJECTS), work=ingest_day
)
"""Reads raw logs. ``events`` of earlier days may be missing."""
