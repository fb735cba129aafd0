"""Rows of ``object_access``: the day's events by identity and object."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.aggregate.access import KIND, MAX_RANGES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEYS = ("user_id", "asset_id", "object")
TAKEN = "action_class in ('read', 'copy')"


def object_rows(objects: DataFrame, events: DataFrame, followed: DataFrame, day: date) -> DataFrame:
    """``object_access`` of the day: reads and copies of single objects.

    ``followed``: the ids of the assets whose objects are followed, in the column ``asset_id``.
    """
    from pyspark.sql.functions import expr

    touched = (
        objects.where(TAKEN)
        .join(followed, "asset_id", "left_semi")
        .groupBy(*KEYS)
        .agg(
            expr(KIND),
            expr("sum(reads) as reads"),
            expr("sum(bytes_out) as bytes_out"),
            expr("max(object_bytes) as object_bytes"),
            expr("min(first_time) as first_time"),
            expr("max(last_time) as last_time"),
        )
    )
    # One read of neither a range nor a part is a read of the whole object.
    taken = events.where(TAKEN).join(followed, "asset_id", "left_semi")
    ranges = _ranges(taken).withColumnRenamed("range_reads", "reads")
    return touched.join(ranges, [*KEYS, "reads"], "left").selectExpr(
        f"date'{day}' as day",
        "user_id",
        "user_kind",
        "asset_id",
        "object",
        "reads",
        "bytes_out",
        "coalesce(ranges, array()) as ranges",
        "part_bytes",
        "object_bytes",
        "first_time",
        "last_time",
    )


def _ranges(events: DataFrame) -> DataFrame:
    """Reads of ranges and parts of each object: their number, bytes of parts, distinct ranges."""
    from pyspark.sql.functions import expr

    asked = (
        events.where("outcome <> 'failure' and (is_part or map_contains_key(details, 'range'))")
        .selectExpr("*", "coalesce(object, resource) as one", "details['range'] as range")
        .groupBy("user_id", "asset_id", "one", "range")
        .agg(
            expr("count(*) as reads"),
            expr("sum(case when is_part then bytes_out end) as part_bytes"),
            expr("sum(bytes_out) as bytes"),
        )
    )
    # Of more ranges than are kept, the bytes sent count, as of parts whose place is not known.
    many = f"count(range) > {MAX_RANGES}"
    by_object = asked.groupBy("user_id", "asset_id", "one").agg(
        expr("sum(reads) as range_reads"),
        expr(f"if({many}, sum(bytes), sum(part_bytes)) as part_bytes"),
        expr(f"if({many}, array(), sort_array(collect_list(range))) as ranges"),
    )
    return by_object.withColumnRenamed("one", "object")
