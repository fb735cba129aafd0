"""Rows of ``lineage``: to which places content of listed assets came on the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from schemas.tables.values import MOST_COMPRESSION, SLACK

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LEAST_READ = 0.5
"""Share of a sensitive asset that an identity has to read before its output may be a copy."""
SUMS = ("cast(sum(objects) as bigint) as objects", "cast(sum(bytes) as bigint) as bytes")


def lineage_rows(steps: DataFrame, listed: DataFrame, day: date) -> DataFrame:
    """``lineage`` of the day.

    ``steps``: its rows of the day and the day before, because a job may run over midnight;
    ``listed``: the listed assets with ``all_objects`` and ``all_bytes``. What comes to a listed
    asset has the asset's own sensitivity, and no row.
    """
    from pyspark.sql.functions import expr

    names = listed.select("asset_id")
    staged = steps.where(f"step = 'stage' and day = date'{day}'").join(
        names.withColumnRenamed("asset_id", "place"), "place", "left_anti"
    )
    copied = staged.where("source <> ''").join(
        names.withColumnRenamed("asset_id", "source"), "source", "left_semi"
    )
    fitting = _fitting(staged.where("source = ''"), _contents(steps, listed))
    return (
        copied.selectExpr("place", "source as origin", "true as logged", "objects", "bytes")
        .unionByName(fitting)
        .groupBy("place", "origin", "logged")
        .agg(*map(expr, SUMS))
        .selectExpr(f"date'{day}' as day", "place", "origin", "logged", "objects", "bytes")
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
