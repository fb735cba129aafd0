"""Tables of the stage `graph`."""

from __future__ import annotations

from schemas.tables.spec import Column, Table

GRAPH_NODES = Table(
    name="graph_nodes",
    stage="graph",
    grain="day x user or asset",
    key=("node_type", "node_id"),
    columns=(
        Column("day", "date", "last day of the trailing window"),
        Column("node_id", "string", "user_id or asset_id"),
        Column("node_type", "string", "side of the graph", values=("user", "asset")),
        Column("kind", "string", "user_kind or asset kind", nullable=True),
        Column("community", "int", "number of the community, 0 is the largest", minimum=0),
        Column("degree", "int", "neighbours on the other side", minimum=0),
        Column("strength", "double", "sum of edge weights", minimum=0),
        Column("peers", "array<string>", "users most alike, nearest first; empty for assets"),
        Column("x", "double", "place for drawing", minimum=-1, maximum=1),
        Column("y", "double", "place for drawing", minimum=-1, maximum=1),
    ),
)

GRAPH_EDGES = Table(
    name="graph_edges",
    stage="graph",
    grain="day x user x asset",
    key=("user_id", "asset_id"),
    columns=(
        Column("day", "date", "last day of the trailing window"),
        Column("user_id", "string", "user"),
        Column("asset_id", "string", "asset"),
        Column("weight", "double", "log-damped days and events in the window", minimum=0),
        Column("active_days", "int", "days with access in the window, today included", minimum=1),
        Column("today", "boolean", "touched on the day itself"),
        Column(
            "is_new",
            "boolean",
            "not touched in the window before the day; content that is touched "
            "today is new if only looked at before",
        ),
        Column(
            "probability",
            "double",
            "that this user touches this asset on a day, computed from the window before the day",
            minimum=0,
            maximum=1,
        ),
    ),
)
