"""A Vega picture: the graph around a person, from the stored layout.

Kibana runs the searches (``url``) and puts the dashboard's filters in place of the
``%dashboard_context…%`` marks. Colours are readable on light and dark; the background is Kibana's.
The schema is Vega 5. Kibana 8.19 draws it, and so does Vega 6 of later versions.
"""

from __future__ import annotations

from typing import Any

from schemas.kibana.lens import RISK_COLOURS
from schemas.kibana.site import Site
from schemas.kibana.vega_parts import (
    ASSET,
    INK,
    NEW,
    SCHEMA,
    TIE,
    TODAY,
    filter_on_click,
    formula_steps,
    legend,
    legend_marks,
    message,
    search,
)

MAX_NODES, MAX_EDGES = 300, 1000
"""The eye cannot separate more. The riskiest nodes and the new and heaviest edges are kept."""
MAX_LABELS = 80


def ego_graph(site: Site) -> dict[str, Any]:
    """Nodes and edges at the places that the stage `graph` computed.

    A click on a node filters the dashboard by it. The dashboard's filters apply: with a filter on a
    person the picture shows the graph around that person, without a filter the riskiest nodes.
    """
    return {
        "$schema": SCHEMA,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"kibana": {"tooltips": {"position": "top"}, "hideWarnings": True}},
        "padding": 4,
        "data": [_nodes(site), *_chosen(), _edges(site), _near(), *_labels(), legend()],
        "signals": [
            {
                "name": "hovered",
                "value": None,
                "on": [
                    {"events": "@node:mouseover", "update": "datum.key"},
                    {"events": "@node:mouseout", "update": "null"},
                ],
            },
            {
                "name": "clicked",
                "value": None,
                "on": [{"events": "@node:click", "update": filter_on_click(site)}],
            },
        ],
        "scales": [
            _place("x", "[30, width - 30]"),
            _place("y", "[height - 24, 48]"),
            {
                "name": "risk",
                "type": "threshold",
                "domain": [least for least, _ in RISK_COLOURS[1:]],
                "range": [colour for _, colour in RISK_COLOURS],
            },
            {
                "name": "thickness",
                "type": "sqrt",
                "domain": {"data": "edges", "field": "weight"},
                "range": [0.5, 2.6],
            },
        ],
        "marks": [
            *_edge_marks(),
            _node_mark(),
            _label_mark(),
            *legend_marks(),
            message(
                "nodes",
                "No graph here: follow the link of a person's user.id, or choose a person above.",
            ),
        ],
    }


def _nodes(site: Site) -> dict[str, Any]:
    node = "datum._source.exfil.node"
    formulas = {
        "key": f"{node}.type + '|' + {node}.id",
        "id": f"{node}.id",
        "name": f"{node}.name",
        "kind": f"{node}.kind",
        "community": f"{node}.community",
        "is_user": f"{node}.type === 'user'",
        "risk": f"{node}.risk || 0",
        "ego": "datum._source.exfil.ego || []",
        "x": f"{node}.x",
        "y": f"{node}.y",
    }
    # The id decides ties, so the same graph is cut at the same place every time.
    sort = [{"exfil.node.risk": "desc"}, {"exfil.node.id": "asc"}]
    return {
        "name": "nodes",
        "url": search(site, "node", MAX_NODES, sort, ["exfil.node", "exfil.ego"]),
        "format": {"property": "hits.hits"},
        "transform": formula_steps(formulas),
    }


def _chosen() -> list[dict[str, Any]]:
    """The people at the centre of the graph: their ego graph holds every node.

    A whole graph has none.
    """
    return [
        {
            "name": "chosen",
            "source": "nodes",
            "transform": [
                {"type": "flatten", "fields": ["ego"], "as": ["person"]},
                {"type": "aggregate", "groupby": ["person"], "as": ["nodes"], "ops": ["count"]},
                {"type": "filter", "expr": "datum.nodes === length(data('nodes'))"},
                {"type": "formula", "as": "key", "expr": "'user|' + datum.person"},
            ],
        }
    ]


def _edges(site: Site) -> dict[str, Any]:
    edge = "datum._source.exfil.edge"
    formulas = {
        "user": f"'user|' + {edge}.user",
        "asset": f"'asset|' + {edge}.asset",
        "weight": f"{edge}.weight",
        "is_new": f"{edge}.is_new",
        "today": f"{edge}.today",
    }
    sort = [
        {"exfil.edge.is_new": "desc"},
        {"exfil.edge.weight": "desc"},
        {"exfil.edge.user": "asc"},
        {"exfil.edge.asset": "asc"},
    ]
    ends = {
        "type": "lookup",
        "from": "nodes",
        "key": "key",
        "fields": ["user", "asset"],
        "as": ["source", "target"],
    }
    return {
        "name": "edges",
        "url": search(site, "edge", MAX_EDGES, sort, ["exfil.edge"]),
        "format": {"property": "hits.hits"},
        "transform": [
            *formula_steps(formulas),
            ends,
            # The other end may be a node that was cut.
            {"type": "filter", "expr": "datum.source && datum.target"},
        ],
    }


def _near() -> dict[str, Any]:
    touches = "hovered === null || datum.user === hovered || datum.asset === hovered"
    return {
        "name": "near",
        "source": "edges",
        "transform": [{"type": "filter", "expr": touches}],
    }


def _place(name: str, room: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "linear",
        "zero": False,
        "domain": {"data": "nodes", "field": name},
        "range": {"signal": room},
    }


def _edge_marks() -> list[dict[str, Any]]:
    """Every edge, faint, and above them the edges of the node under the pointer."""
    colour = f"datum.is_new ? '{NEW}' : datum.today ? '{TODAY}' : '{TIE}'"
    encoding = {
        "x": {"scale": "x", "field": "source.x"},
        "y": {"scale": "y", "field": "source.y"},
        "x2": {"scale": "x", "field": "target.x"},
        "y2": {"scale": "y", "field": "target.y"},
        "stroke": {"signal": colour},
        "strokeWidth": {"signal": "scale('thickness', datum.weight) + (datum.is_new ? 0.8 : 0)"},
        "strokeDash": {"signal": "datum.is_new ? [5, 3] : [1, 0]"},
        "tooltip": {
            "signal": "{title: datum.source.name + ' – ' + datum.target.name, "
            "weight: format(datum.weight, '.1f'), new: datum.is_new, 'that day': datum.today}"
        },
    }
    alone = "length(data('edges')) < 200 ? (datum.today ? 0.7 : 0.5) : datum.today ? 0.2 : 0.14"
    usual = (
        f"!length(data('chosen')) ? (datum.is_new ? 0.9 : {alone}) : "
        "indata('chosen', 'key', datum.user) ? 0.9 : datum.is_new ? 0.6 : 0.16"
    )
    below = encoding | {"strokeOpacity": {"signal": f"hovered === null ? {usual} : 0.06"}}
    above = encoding | {"strokeOpacity": {"signal": "hovered === null ? 0 : 0.95"}}
    return [
        {"type": "rule", "from": {"data": "edges"}, "encode": {"update": below}},
        {
            "type": "rule",
            "from": {"data": "near"},
            "interactive": False,
            "encode": {"update": above},
        },
    ]


def _is_near() -> str:
    """Expression: the node has an edge to the node under the pointer (no pointer: any edge)."""
    return "indata('near', 'user', datum.key) || indata('near', 'asset', datum.key)"


def _node_mark() -> dict[str, Any]:
    chosen = "indata('chosen', 'key', datum.key)"
    return {
        "type": "symbol",
        "name": "node",
        "from": {"data": "nodes"},
        "encode": {
            "update": {
                "x": {"scale": "x", "field": "x"},
                "y": {"scale": "y", "field": "y"},
                "shape": {"signal": "datum.is_user ? 'circle' : 'square'"},
                "size": {
                    "signal": "(datum.is_user ? 70 + 4 * datum.risk : 70) "
                    "* (length(data('nodes')) > 80 ? 0.5 : 1)"
                },
                "fill": {"signal": f"datum.is_user ? scale('risk', datum.risk) : '{ASSET}'"},
                "stroke": {"signal": f"{chosen} ? '{INK}' : '#ffffff'"},
                "strokeWidth": {"signal": f"{chosen} ? 2.5 : 0.8"},
                "opacity": {"signal": f"{_is_near()} ? 1 : 0.15"},
                "cursor": {"value": "pointer"},
                "tooltip": {
                    "signal": "datum.is_user ? {title: datum.name, id: datum.id, "
                    "kind: datum.kind, risk: format(datum.risk, '.1f'), "
                    "community: datum.community} : {title: datum.name, id: datum.id, "
                    "kind: datum.kind, community: datum.community}"
                },
            }
        },
    }


def _labels() -> list[dict[str, Any]]:
    """Names with their places in pixels, and the names that overlap the name of a riskier node.

    Vega's own transform against overlaps needs the canvas of a browser. Servers that draw reports,
    and the tests, have none.
    """
    formulas = {
        "left": "scale('x', datum.x) > width * 0.82",
        "px": "scale('x', datum.x) + (datum.left ? -1 : 1) * (6 + datum.risk / 25)",
        # The edges of a chosen node meet at its centre, where a name would be unreadable.
        "py": "scale('y', datum.y) - (indata('chosen', 'key', datum.key) ? 16 : 0)",
        "x1": "datum.left ? datum.px - 6.4 * length(datum.name) : datum.px",
        "x2": "datum.left ? datum.px : datum.px + 6.4 * length(datum.name)",
    }
    overlap = (
        "datum.below.rank > datum.above.rank && datum.below.x1 < datum.above.x2 "
        "&& datum.above.x1 < datum.below.x2 && abs(datum.below.py - datum.above.py) < 12"
    )
    return [
        {
            "name": "labels",
            "source": "nodes",
            "transform": [
                {
                    "type": "window",
                    "ops": ["row_number"],
                    "as": ["rank"],
                    "sort": {"field": ["risk", "id"], "order": ["descending", "ascending"]},
                },
                {"type": "filter", "expr": f"datum.rank <= {MAX_LABELS}"},
                *formula_steps(formulas),
            ],
        },
        {
            "name": "overlapped",
            "source": "labels",
            "transform": [
                {"type": "cross", "as": ["below", "above"], "filter": overlap},
                {"type": "formula", "as": "key", "expr": "datum.below.key"},
            ],
        },
    ]


def _label_mark() -> dict[str, Any]:
    """Names that have room, and the names of neighbours of the node under the pointer."""
    hidden = "indata('overlapped', 'key', datum.key)"
    return {
        "type": "text",
        "from": {"data": "labels"},
        "interactive": False,
        "encode": {
            "update": {
                "x": {"field": "px"},
                "y": {"field": "py"},
                "align": {"signal": "datum.left ? 'right' : 'left'"},
                "baseline": {"value": "middle"},
                "text": {"field": "name"},
                "fontSize": {"value": 11},
                "fontWeight": {"signal": "datum.risk >= 40 ? 'bold' : 'normal'"},
                "fill": {"value": INK},
                "opacity": {"signal": f"!({_is_near()}) || (hovered === null && {hidden}) ? 0 : 1"},
            }
        },
    }
