"""A Vega picture: the share of each asset that a person has read."""

from __future__ import annotations

from typing import Any

from schemas.elasticsearch.indices import FINDINGS, search_name
from schemas.kibana.data_views import SAME_ASSET
from schemas.kibana.site import Site
from schemas.kibana.vega_parts import FAINT, INK, NEW, SCHEMA, TODAY, add_filter, message

MAX_ASSETS = 12


def coverage(site: Site) -> dict[str, Any]:
    """One bar for each asset of the findings: the share of its objects, first touches marked.

    Assets are nested in findings. Only a nested aggregation keeps the figures of one asset
    together, and no other kind of panel has one.
    """
    share = "isValid(datum.coverage.value) ? datum.coverage.value : 0"
    taken = (
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
                        "update": add_filter(
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
                # Without this limit a few assets would stand far apart.
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
                        "text": {"signal": taken},
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
                        "tooltip": {"signal": f"{{title: datum.key, taken: {taken}}}"},
                    }
                },
            },
            message("assets", "No finding names an asset here."),
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
