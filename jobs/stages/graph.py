"""Stage ``graph``: the user–asset graph of the day from the access of the trailing window.

Reads ``access`` of the ``graph.window_days`` days that end with the day (the day itself and the
``window_days - 1`` days before it) and replaces the day in ``graph_nodes`` and ``graph_edges``.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import replace_day, stored_frame, to_frame
from schemas.config import JobConfig
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INPUTS = (ACCESS,)


def run(spark: SparkSession, config: JobConfig, day: date) -> str:
    """Build and write the graph of ``day``; a window without access makes an empty graph."""
    from models.graph import build_graph
    from models.graph.window import ACCESS_COLUMNS

    look_back = config.graph.window_days - 1
    access = stored_frame(config.storage, ACCESS, day, look_back, ACCESS_COLUMNS)
    context = load_context(config.context, day)
    nodes, edges = build_graph(access, context, day, config.graph)
    replace_day(to_frame(spark, nodes, GRAPH_NODES), config.storage, GRAPH_NODES, day)
    replace_day(to_frame(spark, edges, GRAPH_EDGES), config.storage, GRAPH_EDGES, day)
    users = int((nodes["node_type"] == "user").sum())
    return (
        f"{users:,} users, {len(nodes) - users:,} assets, {len(edges):,} edges "
        f"({int(edges['is_new'].sum()):,} new), {nodes['community'].nunique():,} communities"
    )
