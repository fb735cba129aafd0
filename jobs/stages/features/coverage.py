"""Rows of ``coverage``: how much of each artefact read on the day its reader has read.

A whole read or copy counts 1. Reads of ranges count the union of the ranges ÷ the object's size.
Some logs say that a part was read (status 206) and not its place: such reads count the sum of
their bytes, as if no part was read twice. The caller writes the ranges, and a server may answer
with more: the bytes sent beyond the longest range of each read count as well.

The size comes from a log, else from reads: the largest whole one, or the furthest range if the
bytes sent prove all ranges of the day (where a log has no bytes, they cannot). Without any size a
partial read counts as the whole object: an analyst notices a share that is too high, and nobody
notices one that is too low.

Most objects are read as a whole. So ranges are taken apart only of objects with a partial read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING

from schemas.tables.coverage import COVERAGE_DAYS
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FURTHEST_BYTE = 2**42
"""4.4 TB; a range may name any number, and sums of positions must stay exact."""
PAIR = ("user_id", "asset_id")
CELL = (*PAIR, "object")
READ = (*CELL, "reads", "bytes_out", "ranges", "part_bytes", "object_bytes")
RECENT_DAYS = 30
PARTIAL = "(size(ranges) > 0 or part_bytes is not null)"
"""SQL: the row of ``object_access`` holds no read of the whole object."""
PER_READ = f"if(not {PARTIAL} and bytes_out > 0, bytes_out / greatest(reads, 1), null)"
SHOWN_SIZE = f"greatest(if(object_bytes > 0, object_bytes, null), cast({PER_READ} as bigint))"
SPANS = {f"part_{days}": (0, days) for days in COVERAGE_DAYS} | {
    f"earlier_{days}": (days, HISTORY_DAYS) for days in COVERAGE_DAYS if days < HISTORY_DAYS
}
"""Parts of an object by when they were read: from and until (exclusive) so many days ago."""
MICRO = 1_000_000
"""Parts of an object are added up in whole millionths, which add up alike in every order."""


def coverage_rows(
    reads: DataFrame, listed: DataFrame, day: date, stored: Callable[[DataFrame, str], DataFrame]
) -> DataFrame:
    """``coverage`` of the day.

    ``reads``: ``object_access`` of the 90 days that end with the day; ``listed``: assets, with
    ``counted`` where assets.csv has their number of objects; ``stored``: computes a frame once and
    keeps it under a name.
    """
    named = reads.where("user_id <> ''")
    known = named.selectExpr(*READ, f"datediff(date'{day}', day) as ago")
    # A condition on the day itself spares the engine the files of all others.
    of_day = named.where(f"day = date'{day}'")
    today = stored(of_day.groupBy(*PAIR).agg(*_exprs(user_kind="min(user_kind)")), "today")
    rows = stored(known.join(today.select(*PAIR), [*PAIR], "left_semi"), "reads")
    cells = stored(_cells(rows), "reads_of_cells")
    cells = stored(_with_parts(cells, rows, known, stored), "cells")
    return (
        today.join(_amounts(cells), [*PAIR])
        .join(_portions(rows, cells), [*PAIR])
        .join(_asset_objects(known, today, listed), "asset_id", "left")
        .selectExpr(
            f"date'{day}' as day",
            *PAIR,
            "user_kind",
            *(f"{kind}_{days}" for days in COVERAGE_DAYS for kind in
              ("objects", "read", "new", "bytes", "unsized")),
            "asset_objects",
            "portions",
            "recent_today",
            "array_sort(new_objects) as new_objects",
        )
    )  # fmt: skip


def _exprs(**sql: str) -> list[Column]:
    from pyspark.sql.functions import expr

    return [expr(text).alias(name) for name, text in sql.items()]


def _cells(rows: DataFrame) -> DataFrame:
    """Each object of each pair: first and last read, and the size that its reads have shown."""
    return rows.groupBy(*CELL).agg(
        *_exprs(
            first="max(ago)",
            first30=f"max(if(ago < {RECENT_DAYS}, ago, null))",
            last="min(ago)",
            whole_first=f"max(if({PARTIAL}, null, ago))",
            whole_last=f"min(if({PARTIAL}, null, ago))",
            shown=f"max({SHOWN_SIZE})",
            partial=f"max({PARTIAL})",
        )
    )


def _with_parts(
    cells: DataFrame,
    rows: DataFrame,
    known: DataFrame,
    stored: Callable[[DataFrame, str], DataFrame],
) -> DataFrame:
    """The cells with the largest ``size`` known and the parts of SPANS, 0 to 1."""
    # On most days no object was read in parts, and planning for them takes a second.
    in_parts = bool(cells.where("partial").head(1))
    key = ["asset_id", "object"]
    wanted = cells.where("partial or shown is null").select(*key).distinct()
    # Several expressions use them, and each would read the 90 days anew.
    reads = stored(known.join(wanted, key, "left_semi"), "reads_of_sizes")
    shown = _shown_sizes(reads, in_parts)
    sizes = stored(shown.groupBy(*key).agg(*_exprs(found="max(size)")), "sizes")
    whole = {
        name: f"whole_last < {high}" if low == 0 else f"whole_first >= {low}"
        for name, (low, high) in SPANS.items()
    }
    joined = cells.join(sizes, ["asset_id", "object"], "left")
    part = "0D"
    if in_parts:
        joined = joined.join(_partial_reads(rows.where(PARTIAL), sizes), [*CELL], "left")
        part = "coalesce({name}, 0D)"
    return joined.selectExpr(
        *CELL,
        "first",
        "first30",
        "last",
        "if(partial or shown is null, greatest(found, shown), shown) as size",
        *(f"if(coalesce({sql}, false), 1D, {part.format(name=name)}) as {name}"
          for name, sql in whole.items()),
    )  # fmt: skip


def _partial_reads(partial: DataFrame, sizes: DataFrame) -> DataFrame:
    """The parts of SPANS, 0 to 1, by the partial reads of each cell."""
    from pyspark.sql.functions import expr

    requested = _requested(partial.select(*CELL, "ago", "ranges")).join(
        sizes, ["asset_id", "object"], "left"
    )
    limit = f"coalesce(found, {FURTHEST_BYTE})"
    suffix = f"(high = {FURTHEST_BYTE} and low > {limit})"
    cut = requested.selectExpr(
        *CELL,
        "ago",
        "text",
        f"if({suffix}, greatest(0, {limit} - (high - low)), least(low, {limit})) as low",
        f"least(high, {limit}) as high",
    )
    before = (
        "max(high) over (partition by user_id, asset_id, object, span order by low, high "
        "rows between unbounded preceding and 1 preceding)"
    )
    inside = ", ".join(
        f"if(ago >= {low} and ago < {high}, '{name}', null)" for name, (low, high) in SPANS.items()
    )
    span = f"explode(array_compact(array({inside}))) as span"
    united = cut.selectExpr(*CELL, "low", "high", span).selectExpr(
        *CELL, "span", f"greatest(0, high - greatest(low, coalesce({before}, 0))) as added"
    )
    # Of one read of these ranges; a read that was answered with more is no read of a range.
    longest = (
        cut.groupBy(*CELL, "ago", "text")
        .agg(*_exprs(asked="sum(greatest(0, high - low))"))
        .groupBy(*CELL, "ago")
        .agg(*_exprs(asked="max(asked)"))
    )
    beyond = "greatest(0, bytes_out - coalesce(part_bytes, 0) - reads * coalesce(asked, 0))"
    unplaced = (
        partial.join(longest, [*CELL, "ago"], "left")
        .selectExpr(*CELL, f"coalesce(part_bytes, 0) + coalesce({beyond}, 0) as added", span)
        .where("added > 0")
    )
    found = united.unionByName(unplaced)
    lengths = found.groupBy(*CELL).agg(
        *(expr(f"sum(if(span = '{name}', added, 0))").alias(name) for name in SPANS)
    )
    return lengths.join(sizes, ["asset_id", "object"], "left").selectExpr(
        *CELL,
        *(
            f"case when found is null then if({name} > 0, 1D, 0D) "
            f"else least(1D, {name} / found) end as {name}"
            for name in SPANS
        ),
    )


def _requested(rows: DataFrame) -> DataFrame:
    """The half-open byte spans ``low`` to ``high`` of each range ``text`` (RFC 9110 §14.1.2).

    An open end or a suffix reaches to FURTHEST_BYTE. A server ignores a range that is none, so it
    counts as the whole object.
    """
    others = [name for name in rows.columns if name != "ranges"]
    texts = rows.selectExpr(*others, "explode(ranges) as text")
    kept = [*others, "text"]
    parts = texts.selectExpr(
        *kept,
        "explode(split(if(text like 'bytes=%', substr(text, 7), '?'), ',')) as part",
    )
    numbers = parts.selectExpr(
        *kept,
        "regexp_extract(trim(part), '^([0-9]*)-([0-9]*)$', 1) as first_byte",
        "regexp_extract(trim(part), '^([0-9]*)-([0-9]*)$', 2) as last_byte",
    )
    first, last = (
        f"least(if(length({name}) > 15, {FURTHEST_BYTE}, try_cast({name} as bigint)), "
        f"{FURTHEST_BYTE})"
        for name in ("first_byte", "last_byte")
    )
    spans = numbers.selectExpr(
        *kept,
        f"case when first_byte <> '' then {first} when last_byte <> '' "
        f"then greatest(0, {FURTHEST_BYTE} - {last}) else 0 end as low",
        f"case when first_byte <> '' and last_byte <> '' then least({last} + 1, {FURTHEST_BYTE}) "
        f"else {FURTHEST_BYTE} end as high",
    )
    return spans.selectExpr(
        *kept,
        "if(low < high, low, 0) as low",
        f"if(low < high, high, {FURTHEST_BYTE}) as high",
    )


def _shown_sizes(reads: DataFrame, in_parts: bool) -> DataFrame:
    """``asset_id``, ``object`` and ``size`` of each of the ``reads`` that shows one.

    ``in_parts``: some of the objects were read in parts, so that the ends of ranges count too.
    """
    key = ["asset_id", "object"]
    shown = reads.selectExpr(*key, f"{SHOWN_SIZE} as size")
    if in_parts:
        asked = _requested(reads.where(PARTIAL).select(*CELL, "ago", "bytes_out", "ranges"))
        ends = asked.where(f"high < {FURTHEST_BYTE}").selectExpr(
            *key,
            "high as size",
            "bytes_out",
            f"sum(high - low) over (partition by {', '.join(CELL)}, ago) as asked",
        )
        proved = ends.where("bytes_out is null or bytes_out >= asked")
        shown = shown.unionByName(proved.select(*key, "size"))
    return shown.where("size > 0")


def _amounts(cells: DataFrame) -> DataFrame:
    """The columns of each window, and what of the day is new or recent, by pair."""
    columns: dict[str, str] = {}
    for days in COVERAGE_DAYS:
        part, earlier = f"part_{days}", f"earlier_{days}" if days < HISTORY_DAYS else "0D"
        new = f"least(greatest(part_{HISTORY_DAYS} - {earlier}, 0D), {part})"
        columns |= {
            f"objects_{days}": f"cast(count_if({part} > 0) as int)",
            f"read_{days}": _micro_sum(part),
            f"new_{days}": _micro_sum(new),
            f"bytes_{days}": f"sum(cast(round({part} * coalesce(size, 0)) as bigint))",
            f"unsized_{days}": _micro_sum(f"if(size is null, {part}, 0D)"),
        }
    return cells.groupBy(*PAIR).agg(
        *_exprs(
            **columns,
            recent_today=f"cast(count_if(last = 0 and first < {RECENT_DAYS}) as int)",
            new_objects="array_compact(collect_list(if(first = 0, xxhash64(object), null)))",
        )
    )


def _micro_sum(sql: str) -> str:
    return f"sum(cast(round(({sql}) * {MICRO}) as bigint)) / {MICRO}"


def _portions(rows: DataFrame, cells: DataFrame) -> DataFrame:
    """Column ``portions`` by pair."""
    each = [
        rows.selectExpr(*PAIR, "ago", "1 as objects", "0 as first30", "0 as first90"),
        cells.where("first30 is not null").selectExpr(
            *PAIR, "first30 as ago", "0 as objects", "1 as first30", "0 as first90"
        ),
        cells.selectExpr(*PAIR, "first as ago", "0 as objects", "0 as first30", "1 as first90"),
    ]
    names = ("objects", "first30", "first90")
    daily = (
        reduce(lambda one, other: one.unionByName(other), each)
        .groupBy(*PAIR, "ago")
        .agg(*_exprs(**{name: f"cast(sum({name}) as int)" for name in names}))
    )
    fields = ", ".join(f"'{name}', {name}" for name in ("ago", *names))
    return daily.groupBy(*PAIR).agg(
        *_exprs(portions=f"array_sort(collect_list(named_struct({fields})))")
    )


def _asset_objects(known: DataFrame, today: DataFrame, listed: DataFrame) -> DataFrame:
    """Distinct objects of the day's artefacts whose number of objects assets.csv lacks."""
    counted = listed.where("counted").select("asset_id")
    wanted = today.select("asset_id").distinct().join(counted, "asset_id", "left_anti")
    if not wanted.head(1):
        # Nobody needs them, and the engine would read the 90 days nevertheless.
        return wanted.selectExpr("asset_id", "0 as asset_objects")
    return (
        known.select("asset_id", "object")
        .join(wanted, "asset_id", "left_semi")
        .distinct()
        .groupBy("asset_id")
        .agg(*_exprs(asset_objects="cast(count(*) as int)"))
    )
