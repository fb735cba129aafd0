"""One event for each access: copies are dropped, different events with one id are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.sql import FEW_DUPLICATES, quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DUPLICATE_ORDER = (
    "precedence desc, event_time, principal, action, resource, outcome, bytes_out, source_ip, "
    "user_agent, credential, destination, details, names"
)
"""Every column in which copies may differ, so that all engines and runs keep the same copy."""
EVENT_ORDER = "event_time, principal, action, resource, same_event, turn"
OWN_HASH = (
    "left(md5(concat_ws('|', cast(unix_micros(event_time) as string), principal, action, "
    "resource)), 12)"
)
"""SQL of the suffix of an event's id where another event has the same id."""


def without_duplicates(spark: SparkSession, good: DataFrame, formats: Iterable[str]) -> DataFrame:
    """One row for each event; ``formats``: the formats that may be among the rows.

    Rows of one (source, event_id) are one event if they agree in the columns ``same_event`` of
    their format. Several events may share an id. The earliest keeps it; the ids of the others get
    ``#`` and a hash of time, principal, action and resource.

    Few ids occur twice. They are found by a 64-bit hash, and only their rows are ordered. A
    collision of hashes only means that more rows are ordered.
    """
    keyed = good.selectExpr("*", "xxhash64(source, event_id) as id_hash")
    hashes = keyed.groupBy("id_hash").count().where("count > 1").select("id_hash")
    twice = hashes.limit(FEW_DUPLICATES + 1).collect()
    if not twice:
        return good
    if len(twice) <= FEW_DUPLICATES:
        # Collected and sent back, so that the engine knows that this side of the joins is small.
        hashes = spark.createDataFrame([(row.id_hash,) for row in twice], "id_hash bigint")
        hashes = hashes.hint("broadcast")
    once = keyed.join(hashes, "id_hash", "left_anti").drop("id_hash")
    same, turn = _same_event(formats)
    first = f"row_number() over (partition by source, event_id order by {EVENT_ORDER}) = 1"
    best = (
        keyed.join(hashes, "id_hash", "left_semi")
        .selectExpr("*", f"{same} as same_event")
        .selectExpr("*", f"{turn} as turn")
        .selectExpr(
            "*",
            "row_number() over (partition by source, event_id, same_event, turn "
            f"order by {DUPLICATE_ORDER}) as copy_number",
        )
        .where("copy_number = 1")
        .selectExpr("*", f"{first} as keeps_id")
        .selectExpr(
            f"if(keeps_id, event_id, concat(event_id, '#', {OWN_HASH})) as event_id",
            *(name for name in good.columns if name != "event_id"),
        )
    )
    return once.unionByName(best)


def _same_event(formats: Iterable[str]) -> tuple[str, str]:
    """SQL of a hash of the format's ``same_event`` columns, and of the number of the event.

    Several events of a format with stages may have the same hash; the number counts them by time.
    It is 0 for other formats.
    """
    cases, staged = [], []
    for name in sorted(set(formats)):
        form = LOG_FORMATS[name]
        cases.append(f"when {quoted(name)} then xxhash64({', '.join(form.same_event)})")
        if form.in_stages:
            staged.append(quoted(name))
    turn = "cast(0 as int)"
    if staged:
        turn = (
            f"if(format in ({', '.join(staged)}), dense_rank() over (partition by source, "
            "event_id, same_event, precedence order by event_time), 0)"
        )
    return f"case format {' '.join(cases)} end", turn
