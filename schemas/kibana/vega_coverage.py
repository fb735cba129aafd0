"""A Vega picture: the share of each asset that a person has read."""

from __future__ import annotations

from typing import Any

from schemas.elasticsearch.indices import FINDINGS, search_name
from schemas.kibana.data_views import SAME_ASSET
from schemas.kibana.site import Site
from schemas.kibana.vega_parts import FAINT, INK, NEW, SCHEMA, TODAY, add_filter, message

MAX_ASSETS = 12
SHARE = "isValid(datum.coverage.value) ? datum.coverage.value : 0"
FIGURES = (
    "(isValid(datum.coverage.value) ? format(datum.coverage.value, '.0%') + ' · ' : '')"
    " + format(datum.objects.value, ',')"
    " + (isValid(datum.whole.value) ? ' of ' + format(datum.whole.value, ',') : '')"
    " + (datum.objects.value === 1 && !isValid(datum.whole.value) ? ' object' : ' objects')"
    " + (isValid(datum.bytes.value) ? ' · ' + format(datum.bytes.value, '.3s') + 'B' : '')"
    " + (datum.first.doc_count > 0 ? ' · first touched' : '')"
)
ROW = "scale('row', datum.key)"
TEXT = {"baseline": {"value": "bottom"}, "fontSize": {"value": 12}, "fill": {"value": INK}}
HEIGHT = {"signal": "min(8, bandwidth('row') * 0.25)"}
BOTTOM = {"signal": f"{ROW} + bandwidth('row') * 0.55"}
SCALES = [
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
]


def coverage(site: Site) -> dict[str, Any]:
    """One bar for each asset of the findings: the share of its objects, first touches marked.

    Assets are nested in findings. Only a nested aggregation keeps the figures of one asset
    together, and no other kind of panel has one.
    """
    return {
        "$schema": SCHEMA,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"kibana": {"tooltips": {"position": "top"}, "hideWarnings": True}},
        "padding": 6,
        "data": _data(site),
        "signals": _signals(site),
        "scales": SCALES,
        "marks": [*_texts(), *_bars(), message("assets", "No finding names an asset here.")],
    }


def _data(site: Site) -> list[dict[str, Any]]:
    """Assets of the findings in view, each with its own figures."""
    return [
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
    ]


def _signals(site: Site) -> list[dict[str, Any]]:
    """A click on an asset filters the dashboard by it."""
    return [
        {
            "name": "clicked",
            "value": None,
            "on": [
                {
                    "events": "@bar:click, @name:click",
                    "update": add_filter(
                        SAME_ASSET, "datum.key", search_name(FINDINGS, site.prefix)
                    ),
                }
            ],
        }
    ]


def _texts() -> list[dict[str, Any]]:
    """Above each bar: the asset's id on the left, its figures on the right."""
    return [
        {
            "type": "text",
            "name": "name",
            "from": {"data": "assets"},
            "encode": {
                "update": {
                    **TEXT,
                    "x": {"value": 0},
                    "y": BOTTOM,
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
                    **TEXT,
                    "align": {"value": "right"},
                    "x": {"signal": "width"},
                    "y": BOTTOM,
                    "dy": {"value": -4},
                    "limit": {"signal": "width * 0.49"},
                    "text": {"signal": FIGURES},
                }
            },
        },
    ]


def _bars() -> list[dict[str, Any]]:
    """The bar of each asset over a faint one of full length."""
    return [
        {
            "type": "rect",
            "from": {"data": "assets"},
            "encode": {
                "update": {
                    "x": {"value": 0},
                    "x2": {"signal": "width"},
                    "y": BOTTOM,
                    "height": HEIGHT,
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
                    "x2": {"signal": f"scale('share', {SHARE})"},
                    "y": BOTTOM,
                    "height": HEIGHT,
                    "cornerRadius": {"value": 2},
                    "fill": {"signal": f"datum.first.doc_count > 0 ? '{NEW}' : '{TODAY}'"},
                    "cursor": {"value": "pointer"},
                    "tooltip": {"signal": f"{{title: datum.key, taken: {FIGURES}}}"},
                }
            },
        },
    ]


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
