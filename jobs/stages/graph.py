"""Stage ``graph``: the user–asset graph of the day from the access of the trailing window.

Reads ``access`` of the ``graph.window_days`` days that end with the day (the day itself and the
``window_days - 1`` days before it) and replaces the day in ``graph_nodes`` and ``graph_edges``.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import to_frames
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.config import JobConfig
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.values import CONTENT_CLASSES, HISTORY_DAYS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def make_graph(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Build and write the graph of ``day``; a window without access makes an empty graph."""
    from models.graph import build_graph

    access = tables.read(ACCESS, day, config.graph.window_days - 1)
    pairs, kinds = (
        frame.toArrow().to_pandas(strings_to_categorical=True)
        for frame in (reduce_pairs(access, day), reduce_kinds(access, day))
    )
    context = load_context(config.context, day)
    nodes, edges = build_graph(pairs, kinds, context, day, config.graph)
    tables.replace(to_frames(tables.spark, nodes, GRAPH_NODES), GRAPH_NODES)
    tables.replace(to_frames(tables.spark, edges, GRAPH_EDGES), GRAPH_EDGES)
    users = int((nodes["node_type"] == "user").sum())
    said = (
        f"{users:,} users, {len(nodes) - users:,} assets, {len(edges):,} edges "
        f"({int(edges['is_new'].sum()):,} new), {nodes['community'].nunique():,} communities"
    )
    return Outcome({GRAPH_NODES.name: len(nodes), GRAPH_EDGES.name: len(edges)}, (said,))


def reduce_pairs(access: DataFrame, day: date) -> DataFrame:
    """PAIR_COLUMNS of each user and asset with a successful event; ``access``: the window's rows.

    If content is touched on the day, only days with content count as earlier ones: whoever listed
    an asset last week does not know it. Otherwise all days count.

    Days are bits of two masks. So one aggregation serves pairs, users and assets: days of a user
    are the union of the masks of its pairs. Counting distinct days would take one for each.
    """
    from pyspark.sql import functions as F

    from models.graph.window import DAYS_PER_MASK, PAIR_COLUMNS

    none = F.lit(0).cast("bigint")
    ago = F.datediff(F.lit(day), F.col("day"))
    events = F.col("events") - F.col("failures")

    def mask(first: int) -> Column:
        bit = F.call_function("shiftleft", F.lit(1).cast("bigint"), ago - first)
        return F.when(ago.between(first, first + DAYS_PER_MASK - 1), bit).otherwise(none)

    values = {
        "recent_days": mask(0),
        "earlier_days": mask(DAYS_PER_MASK),
        "events": events,
        "before_events": F.when(ago > 0, events).otherwise(none),
    }
    content = F.col("action_class").isin(*CONTENT_CLASSES)
    touches = access.where(events > 0).select(
        "user_id",
        "asset_id",
        *(value.alias(name) for name, value in values.items()),
        *(
            F.when(content | (ago == 0), value).otherwise(none).alias(f"content_{name}")
            for name, value in values.items()
        ),
        (content & (ago == 0)).alias("content_today"),
    )
    united = {name: F.bit_or if name.endswith("_days") else F.sum for name in values}
    pairs = touches.groupBy("user_id", "asset_id").agg(
        F.max("content_today").alias("content_today"),
        *(unite(name).alias(name) for name, unite in united.items()),
        *(unite(f"content_{name}").alias(f"content_{name}") for name, unite in united.items()),
    )
    chosen = {
        name: F.when(F.col("content_today"), F.col(f"content_{name}")).otherwise(F.col(name))
        for name in values
    }
    return pairs.withColumns(chosen).select(*PAIR_COLUMNS)


def reduce_kinds(access: DataFrame, day: date) -> DataFrame:
    """KIND_COLUMNS of each user and kind with a successful event; ``access``: the window's rows."""
    from pyspark.sql import functions as F

    from models.graph.window import KIND_COLUMNS

    ago = F.datediff(F.lit(day), F.col("day"))
    touches = access.where(F.col("events") > F.col("failures"))
    touches = touches.select("user_id", "user_kind", F.when(ago > 0, ago).alias("ago"))
    kinds = touches.groupBy("user_id", "user_kind").agg(F.min("ago").alias("ago"))
    return kinds.select(*KIND_COLUMNS)


STAGE = Stage(
    name="graph",
    reads=(Read(ACCESS, HISTORY_DAYS - 1),),
    writes=(GRAPH_NODES, GRAPH_EDGES),
    work=make_graph,
    needs=(ACCESS,),
)
