"""Pictures in Vega: the graph around a person from the stored layout, and how much was taken.

Kibana runs the searches (``url``) and puts the dashboard's filters in place of the
``%dashboard_context…%`` marks. Colours are readable on light and dark; the background is Kibana's.
The schema is Vega 5, which Kibana 8.19 draws and the Vega 6 of later ones as well.
"""

from __future__ import annotations

from typing import Any

from schemas.elastic import FINDINGS, GRAPH, search_name
from schemas.kibana.data_views import SAME_ASSET, SAME_USER
from schemas.kibana.lens import RISK_COLOURS
from schemas.kibana.site import Site

SCHEMA = "https://vega.github.io/schema/vega/v5.json"
MAX_NODES, MAX_EDGES = 300, 1000
"""More cannot be told apart; the riskiest nodes and the new and heaviest edges are kept."""
MAX_LABELS = 80
MAX_ASSETS = 12

INK, FAINT = "#747d8c", "#98a2b3"
ASSET = "#3d8a7c"
TIE, TODAY, NEW = "#98a2b3", "#4a78b8", "#d9480f"
LEGEND = (
    # x, mark, colour, text
    (10, "circle", "#8b95a3", "person or service, redder: riskier"),
    (230, "square", ASSET, "asset"),
    (292, "stroke", TIE, "usual"),
    (358, "stroke", TODAY, "that day"),
    (432, "stroke", NEW, "new that day"),
)


def ego_graph(site: Site) -> dict[str, Any]:
    """Nodes and edges where the job put them. A click on a node filters the dashboard by it.

    It shows what the dashboard's filters leave: of one person his picture, of none the riskiest.
    """
    return {
        "$schema": SCHEMA,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"kibana": {"tooltips": {"position": "top"}, "hideWarnings": True}},
        "padding": 4,
        "data": [_nodes(site), *_chosen(), _edges(site), _near(), *_labels(), _legend()],
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
                "on": [{"events": "@node:click", "update": _filter_on_click(site)}],
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
            *_legend_marks(),
            _message(
                "nodes",
                "No graph here: follow the link of a person's user.id, or choose a person above.",
            ),
        ],
    }


def coverage(site: Site) -> dict[str, Any]:
    """How much of each asset the findings name: a bar of its objects, first touches marked.

    Assets are nested in findings, and only a nested aggregation keeps each asset's own figures
    together; no other kind of panel has one.
    """
    share = "isValid(datum.coverage.value) ? datum.coverage.value : 0"
    told = (
        "(isValid(datum.coverage.value) ? format(datum.coverage.value, '.0%') + ' · ' : '')"
        " + format(datum.objects.value, ',')"
        " + (isValid(datum.whole.value) ? ' of ' + format(datum.whole.value, ',') : '')"
        " + (datum.objects.value === 1 && !isValid(datum.whole.value) ? ' object' : ' objects')"
        " + (isValid(datum.bytes.value) ? ' · ' + format(datum.bytes.value, '.3s') + 'B' : '')"
        " + (datum.first.doc_count > 0 ? ' · first touched' : '')"
    )
    row = "scale('row', datum.key)"
    text = {"baseline": {"value": "bottom"}, "fontSize": {"value": 12}, "fill": {"value": INK}}
    height = {"signal": "min(8, bandwidth('row') * 0.25)"}
    bottom = {"signal": f"{row} + bandwidth('row') * 0.55"}
    return {
        "$schema": SCHEMA,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"kibana": {"tooltips": {"position": "top"}, "hideWarnings": True}},
        "padding": 6,
        "data": [
            {
                "name": "assets",
                "url": {
                    "index": search_name(FINDINGS, site.prefix),
                    "%context%": True,
                    "%timefield%": "@timestamp",
                    "body": {"size": 0, "aggs": {"assets": _by_asset()}},
                },
                "format": {"property": "aggregations.assets.ids.buckets"},
            }
        ],
        "signals": [
            {
                "name": "clicked",
                "value": None,
                "on": [
                    {
                        "events": "@bar:click, @name:click",
                        "update": _add_filter(
                            SAME_ASSET, "datum.key", search_name(FINDINGS, site.prefix)
                        ),
                    }
                ],
            }
        ],
        "scales": [
            {
                "name": "row",
                "type": "band",
                "domain": {"data": "assets", "field": "key"},
                # A handful of assets would otherwise stand far apart.
                "range": {"signal": "[0, min(height, 46 * length(data('assets')))]"},
            },
            {
                "name": "share",
                "type": "linear",
                "domain": [0, 1],
                "range": {"signal": "[0, width]"},
                "clamp": True,
            },
        ],
        "marks": [
            {
                "type": "text",
                "name": "name",
                "from": {"data": "assets"},
                "encode": {
                    "update": {
                        **text,
                        "x": {"value": 0},
                        "y": bottom,
                        "dy": {"value": -4},
                        "limit": {"signal": "width * 0.5"},
                        "text": {"field": "key"},
                        "cursor": {"value": "pointer"},
                    }
                },
            },
            {
                "type": "text",
                "from": {"data": "assets"},
                "encode": {
                    "update": {
                        **text,
                        "align": {"value": "right"},
                        "x": {"signal": "width"},
                        "y": bottom,
                        "dy": {"value": -4},
                        "limit": {"signal": "width * 0.49"},
                        "text": {"signal": told},
                    }
                },
            },
            {
                "type": "rect",
                "from": {"data": "assets"},
                "encode": {
                    "update": {
                        "x": {"value": 0},
                        "x2": {"signal": "width"},
                        "y": bottom,
                        "height": height,
                        "cornerRadius": {"value": 2},
                        "fill": {"value": FAINT},
                        "fillOpacity": {"value": 0.25},
                    }
                },
            },
            {
                "type": "rect",
                "name": "bar",
                "from": {"data": "assets"},
                "encode": {
                    "update": {
                        "x": {"value": 0},
                        "x2": {"signal": f"scale('share', {share})"},
                        "y": bottom,
                        "height": height,
                        "cornerRadius": {"value": 2},
                        "fill": {"signal": f"datum.first.doc_count > 0 ? '{NEW}' : '{TODAY}'"},
                        "cursor": {"value": "pointer"},
                        "tooltip": {"signal": f"{{title: datum.key, taken: {told}}}"},
                    }
                },
            },
            _message("assets", "No finding names an asset here."),
        ],
    }


def _by_asset() -> dict[str, Any]:
    path = "exfil.assets"
    most = {
        name: {"max": {"field": f"{path}.{field}"}}
        for name, field in (
            ("coverage", "coverage"),
            ("objects", "objects"),
            ("whole", "objects_total"),
            ("bytes", "bytes"),
        )
    }
    first = {"first": {"filter": {"term": {f"{path}.first_access": True}}}}
    order = [{"coverage": "desc"}, {"objects": "desc"}]
    ids = {"field": f"{path}.id", "size": MAX_ASSETS, "order": order}
    return {"nested": {"path": path}, "aggs": {"ids": {"terms": ids, "aggs": most | first}}}


def _search(
    site: Site, element: str, size: int, sort: list[dict[str, str]], columns: list[str]
) -> dict[str, Any]:
    return {
        "index": search_name(GRAPH, site.prefix),
        "body": {
            "size": size,
            "_source": columns,
            "sort": sort,
            "query": {
                "bool": {
                    "must": ["%dashboard_context-must_clause%"],
                    "filter": [
                        "%dashboard_context-filter_clause%",
                        {"term": {"exfil.element": element}},
                    ],
                    "must_not": ["%dashboard_context-must_not_clause%"],
                }
            },
        },
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
    # By id at last, so that the same graph is cut at the same place every time.
    sort = [{"exfil.node.risk": "desc"}, {"exfil.node.id": "asc"}]
    return {
        "name": "nodes",
        "url": _search(site, "node", MAX_NODES, sort, ["exfil.node", "exfil.ego"]),
        "format": {"property": "hits.hits"},
        "transform": _formulas(formulas),
    }


def _chosen() -> list[dict[str, Any]]:
    """Whose picture it is: the people in whose picture every node stands; of a whole graph none."""
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
        "url": _search(site, "edge", MAX_EDGES, sort, ["exfil.edge"]),
        "format": {"property": "hits.hits"},
        "transform": [
            *_formulas(formulas),
            ends,
            # The other end may be beyond the nodes that are kept.
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


def _legend() -> dict[str, Any]:
    names = ("x", "mark", "colour", "text")
    return {"name": "legend", "values": [dict(zip(names, row, strict=True)) for row in LEGEND]}


def _place(name: str, room: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "linear",
        "zero": False,
        "domain": {"data": "nodes", "field": name},
        "range": {"signal": room},
    }


def _edge_marks() -> list[dict[str, Any]]:
    """Every edge faintly, and above them those of the node under the pointer."""
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
    """A node with a tie that counts: any, or one to the node under the pointer."""
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
    """Names with their places in pixels, and those that lie on the name of a riskier node.

    Vega's own transform against overlaps needs a browser's canvas, which a server that draws
    reports and the tests do not have.
    """
    formulas = {
        "left": "scale('x', datum.x) > width * 0.82",
        "px": "scale('x', datum.x) + (datum.left ? -1 : 1) * (6 + datum.risk / 25)",
        # Where the ties of the chosen one run together nothing could be read.
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
                *_formulas(formulas),
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
    """Names where there is room, and of the neighbours of the node under the pointer."""
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


def _legend_marks() -> list[dict[str, Any]]:
    return [
        {
            "type": "symbol",
            "from": {"data": "legend"},
            "interactive": False,
            "encode": {
                "enter": {
                    "x": {"field": "x"},
                    "y": {"value": 12},
                    "shape": {"field": "mark"},
                    "size": {"signal": "datum.mark === 'stroke' ? 200 : 90"},
                    "fill": {"field": "colour"},
                    "stroke": {"field": "colour"},
                    "strokeWidth": {"signal": "datum.mark === 'stroke' ? 2.5 : 0"},
                }
            },
        },
        {
            "type": "text",
            "from": {"data": "legend"},
            "interactive": False,
            "encode": {
                "enter": {
                    "x": {"signal": "datum.x + 12"},
                    "y": {"value": 12},
                    "baseline": {"value": "middle"},
                    "fontSize": {"value": 11},
                    "fill": {"value": INK},
                    "text": {"field": "text"},
                }
            },
        },
    ]


def _message(data: str, text: str) -> dict[str, Any]:
    """Said in the middle where the search found nothing."""
    return {
        "type": "text",
        "interactive": False,
        "encode": {
            "update": {
                "x": {"signal": "width / 2"},
                "y": {"signal": "height / 2"},
                "align": {"value": "center"},
                "baseline": {"value": "middle"},
                "fontSize": {"value": 13},
                "limit": {"signal": "width"},
                "fill": {"value": INK},
                "text": {"value": text},
                "opacity": {"signal": f"length(data('{data}')) > 0 ? 0 : 1"},
            }
        },
    }


def _filter_on_click(site: Site) -> str:
    """A person: his picture. An asset: its star."""
    index = search_name(GRAPH, site.prefix)
    person = _add_filter(SAME_USER, "datum.id", index)
    asset = _add_filter(SAME_ASSET, "datum.id", index)
    return f"datum.is_user ? {person} : {asset}"


def _add_filter(fields: tuple[str, ...], value: str, index: str) -> str:
    """Expression that adds a filter: one of the fields holds the value."""
    terms = ", ".join(f"{{term: {{'{field}': {value}}}}}" for field in fields)
    return (
        f"kibanaAddFilter({{bool: {{should: [{terms}], minimum_should_match: 1}}}}, "
        f"'{index}', {value})"
    )


def _formulas(expressions: dict[str, str]) -> list[dict[str, str]]:
    return [{"type": "formula", "as": name, "expr": expr} for name, expr in expressions.items()]
