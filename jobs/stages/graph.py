"""Stage ``graph``: the user–asset graph of the day from the access of the trailing window.

Reads ``access`` of the ``graph.window_days`` days that end with the day (the day itself and the
``window_days - 1`` days before it) and replaces the day in ``graph_nodes`` and ``graph_edges``.
"""

from __future__ import annotations

from datetime import date

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import to_frame
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.config import JobConfig
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.values import HISTORY_DAYS


def make_graph(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Build and write the graph of ``day``; a window without access makes an empty graph."""
    from models.graph import build_graph
    from models.graph.window import ACCESS_COLUMNS

    look_back = config.graph.window_days - 1
    access = tables.frame(ACCESS, day, look_back, ACCESS_COLUMNS)
    context = load_context(config.context, day)
    nodes, edges = build_graph(access, context, day, config.graph)
    tables.replace(to_frame(tables.spark, nodes, GRAPH_NODES), GRAPH_NODES)
    tables.replace(to_frame(tables.spark, edges, GRAPH_EDGES), GRAPH_EDGES)
    users = int((nodes["node_type"] == "user").sum())
    said = (
        f"{users:,} users, {len(nodes) - users:,} assets, {len(edges):,} edges "
        f"({int(edges['is_new'].sum()):,} new), {nodes['community'].nunique():,} communities"
    )
    return Outcome({GRAPH_NODES.name: len(nodes), GRAPH_EDGES.name: len(edges)}, (said,))


STAGE = Stage(
    name="graph",
    reads=(Read(ACCESS, HISTORY_DAYS - 1),),
    writes=(GRAPH_NODES, GRAPH_EDGES),
    work=make_graph,
    needs=(ACCESS,),
)
