"""Rows of `object_access`: the day's events by identity and object."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.aggregate.access import KIND, MAX_RANGES
from jobs.stages.sql import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def object_rows(objects: DataFrame, events: DataFrame, followed: list[str], day: date) -> DataFrame:
    """``object_access`` of the day: reads and copies of single objects of ``followed`` assets."""
    objects.createOrReplaceTempView("objects")
    events.createOrReplaceTempView("day_events")
    names = ", ".join(map(quoted, followed)) or "null"
    return objects.sparkSession.sql(
        f"""
        with asked as (
            select user_id, asset_id, coalesce(object, resource) as object,
                details['range'] as range, count(*) as reads,
                sum(case when is_part then bytes_out end) as part_bytes
            from day_events
            where asset_id in ({names}) and action_class in ('read', 'copy')
                and outcome <> 'failure' and (is_part or map_contains_key(details, 'range'))
            group by 1, 2, 3, 4
        ), ranges as (
            select user_id, asset_id, object, sum(reads) as reads, sum(part_bytes) as part_bytes,
                slice(sort_array(collect_list(range)), 1, {MAX_RANGES}) as ranges
            from asked group by user_id, asset_id, object
        ), touched as (
            select user_id, asset_id, object, {KIND}, sum(reads) as reads,
                sum(bytes_out) as bytes_out, max(object_bytes) as object_bytes,
                min(first_time) as first_time, max(last_time) as last_time
            from objects
            where asset_id in ({names}) and action_class in ('read', 'copy')
            group by user_id, asset_id, object
        )
        select date'{day}' as day, t.user_id, t.user_kind, t.asset_id, t.object, t.reads,
            t.bytes_out, coalesce(r.ranges, array()) as ranges, r.part_bytes, t.object_bytes,
            t.first_time, t.last_time
        from touched t left join ranges r
            on t.user_id = r.user_id and t.asset_id = r.asset_id and t.object = r.object
                -- One read of neither a range nor a part is a read of the whole object.
                and t.reads = r.reads
        """
    )
