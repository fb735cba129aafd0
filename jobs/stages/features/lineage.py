"""Rows of ``lineage``: what came to which places by the copies and conversions of the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.features.coverage import SHOWN_SIZE
from schemas.tables.values import MOST_COMPRESSION, SLACK, STORES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LEAST_READ = 0.5
"""Share of a sensitive asset that an identity has to read before its output may be a copy."""
STORED = " or ".join(f"startswith(source, '{store}')" for store in STORES)
SIZED = ("day", "user_id", "asset_id as source", "object",
         "reads", "bytes_out", "ranges", "part_bytes", "object_bytes")  # fmt: skip
"""Columns of ``object_access`` that tell the size of an object."""
ALL_SIZES = "if(count(size) = count(*), cast(round(sum(size)) as bigint), null)"
"""SQL: the sum of the sizes; null if one is not known."""
SUMS = ("cast(sum(objects) as bigint) as objects", "cast(sum(bytes) as bigint) as bytes")


def lineage_rows(steps: DataFrame, reads: DataFrame, listed: DataFrame, day: date) -> DataFrame:
    """``lineage`` of the day.

    ``steps``, ``reads``: ``steps`` and ``object_access`` of the 90 days that end with the day;
    ``listed``: the listed assets with ``all_objects`` and ``all_bytes``. What comes to a listed
    asset has the asset's own sensitivity, and no row.
    """
    from pyspark.sql.functions import expr

    staged = steps.where("step = 'stage'").join(
        listed.selectExpr("asset_id as place"), "place", "left_anti"
    )
    # A job may run over midnight.
    near = steps.where(f"day >= date_sub(date'{day}', 1)")
    written = staged.where(f"source = '' and day = date'{day}'")
    fitting = (
        _fitting(written, _contents(near, listed))
        .groupBy("place", "origin", "logged")
        .agg(*map(expr, SUMS))
    )
    copied = _copied(staged.where("source not in ('', place)"), reads, listed, day)
    return copied.unionByName(fitting).selectExpr(
        f"date'{day}' as day", "place", "origin", "logged", "objects", "bytes"
    )


def _copied(copies: DataFrame, reads: DataFrame, listed: DataFrame, day: date) -> DataFrame:
    """What came to each place by copies of the 90 days, from each source of a copy of the day.

    Sources are listed assets and places of object stores. Of an asset whose objects are followed no
    more came than what the copiers touched of it on the days of their copies, each object once. So
    the same object, copied each day, is one object. Who also reads others then hides that; the
    amounts are never too low.
    """
    from pyspark.sql.functions import expr

    pair = ["place", "source"]
    sizes = listed.selectExpr(
        "asset_id as source", "true as named", "all_bytes / all_objects as mean"
    )
    today = copies.where(f"day = date'{day}'").select(*pair).distinct()
    all_days = (
        copies.join(today, pair, "left_semi")
        .join(sizes, "source", "left")
        .where(f"named or {STORED}")
    )
    by_copiers = all_days.select(*pair, "day", "user_id", "mean").hint("broadcast")
    objects = (
        # Sizes are worked out after the join, of the few objects that are left.
        by_copiers.join(reads.selectExpr(*SIZED), ["day", "user_id", "source"])
        .groupBy(*pair, "object")
        .agg(expr(f"max(coalesce({SHOWN_SIZE}, mean)) as size"))
        .groupBy(*pair)
        .agg(expr("count(*) as known"), expr(f"{ALL_SIZES} as known_bytes"))
    )
    return (
        all_days.groupBy(*pair)
        .agg(*map(expr, SUMS))
        .join(objects, pair, "left")
        .selectExpr(
            "place",
            "source as origin",
            "true as logged",
            "least(objects, coalesce(known, objects)) as objects",
            "least(coalesce(bytes, known_bytes), coalesce(known_bytes, bytes)) as bytes",
        )
    )


def _contents(steps: DataFrame, listed: DataFrame) -> DataFrame:
    """Sensitive assets of which each identity read LEAST_READ or more.

    ``content``: bytes read, at most those of the asset; ``contents``: of all such assets together.
    """
    from pyspark.sql.functions import expr

    sizes = listed.selectExpr("asset_id as origin", "all_objects", "all_bytes")
    read = (
        steps.where("step = 'collect'")
        .groupBy("user_id", "place")
        .agg(*map(expr, SUMS))
        .withColumnRenamed("place", "origin")
        .join(sizes, "origin")
        .where(f"coalesce(bytes / all_bytes, objects / all_objects) >= {LEAST_READ}")
        .selectExpr("user_id", "origin", "least(cast(bytes as double), all_bytes) as content")
    )
    together = read.groupBy("user_id").agg(expr("sum(content) as contents"))
    return read.join(together, "user_id")


def _fitting(written: DataFrame, contents: DataFrame) -> DataFrame:
    """Places where an identity wrote what may be a copy: of each asset alone, else of all."""
    from pyspark.sql.functions import expr

    pairs = (
        written.groupBy("user_id", "place")
        .agg(*map(expr, SUMS))
        .join(contents, "user_id")
        .selectExpr("*", f"{_may_be('content')} as of_one", f"{_may_be('contents')} as of_all")
    )
    of_any = pairs.groupBy("user_id", "place").agg(expr("max(of_one) as of_any"))
    return (
        pairs.join(of_any, ["user_id", "place"])
        .where("if(of_any, of_one, of_all)")
        .selectExpr("place", "origin", "false as logged", "objects", "bytes")
    )


def _may_be(size: str) -> str:
    """SQL: whether the bytes written may be content of ``size`` bytes, packed or not."""
    least = f"{size} / {MOST_COMPRESSION} / {SLACK}"
    return f"coalesce(bytes > 0 and bytes between {least} and {size} * {SLACK}, false)"
