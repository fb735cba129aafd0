"""Parts that all Vega pictures share."""

from __future__ import annotations

from typing import Any

from schemas.elasticsearch.indices import GRAPH, search_name
from schemas.kibana.data_views import SAME_ASSET, SAME_USER
from schemas.kibana.site import Site

SCHEMA = "https://vega.github.io/schema/vega/v5.json"

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


def search(
    site: Site, element: str, size: int, sort: list[dict[str, str]], columns: list[str]
) -> dict[str, Any]:
    """A search for nodes or edges (``element``) of the graph, as Vega data."""
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


def legend() -> dict[str, Any]:
    """The rows of the legend, as Vega data."""
    names = ("x", "mark", "colour", "text")
    return {"name": "legend", "values": [dict(zip(names, row, strict=True)) for row in LEGEND]}


def legend_marks() -> list[dict[str, Any]]:
    """The marks that draw the legend."""
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


def message(data: str, text: str) -> dict[str, Any]:
    """A text in the middle, shown if the search found nothing."""
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


def filter_on_click(site: Site) -> str:
    """Expression for a click on a node: a filter on that person or that asset."""
    index = search_name(GRAPH, site.prefix)
    person = add_filter(SAME_USER, "datum.id", index)
    asset = add_filter(SAME_ASSET, "datum.id", index)
    return f"datum.is_user ? {person} : {asset}"


def add_filter(fields: tuple[str, ...], value: str, index: str) -> str:
    """Expression that adds a filter: one of the fields holds the value."""
    terms = ", ".join(f"{{term: {{'{field}': {value}}}}}" for field in fields)
    return (
        f"kibanaAddFilter({{bool: {{should: [{terms}], minimum_should_match: 1}}}}, "
        f"'{index}', {value})"
    )


def formula_steps(expressions: dict[str, str]) -> list[dict[str, str]]:
    """A Vega transform for each new field and its expression."""
    return [{"type": "formula", "as": name, "expr": expr} for name, expr in expressions.items()]
