"""The evaluation as a picture: incidents found and precision by budget, for each ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PANEL = {"width": 300, "height": 260}
OWN_COLOUR, OTHER_COLOURS = "#b3261e", ["#9aa0a6", "#5f6368", "#8ab4f8", "#81c995", "#c58af9"]
CHANCE_COLOUR = "#202124"

SHARE = {
    "field": "share",
    "type": "quantitative",
    "title": None,
    "scale": {"domain": [0, 1]},
    "axis": {"format": "%"},
}
"""The vertical axis, 0 to 100 %."""


def draw_shares(rows: Sequence[dict[str, Any]], own: str, chance: str) -> str:
    """SVG with a panel for each measure.

    ``rows``: ``ranking``, ``budget`` (entries a day), ``measure`` (title of the panel), ``share``
    (0 to 1). ``own`` and ``chance`` are the rankings with a colour of their own.
    """
    import vl_convert

    names = list(dict.fromkeys(row["ranking"] for row in rows))
    others = [name for name in names if name not in (own, chance)]
    colours = {own: OWN_COLOUR, chance: CHANCE_COLOUR}
    colours |= {
        name: OTHER_COLOURS[number % len(OTHER_COLOURS)] for number, name in enumerate(others)
    }
    budgets = sorted({row["budget"] for row in rows})
    panels = [
        PANEL
        | {
            "title": measure,
            "transform": [{"filter": {"field": "measure", "equal": measure}}],
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": {
                    "field": "budget",
                    "type": "quantitative",
                    "title": "entries a day",
                    "scale": {"domain": [0, budgets[-1]]},
                    "axis": {"values": budgets, "grid": False},
                },
                "y": SHARE,
                "color": {
                    "field": "ranking",
                    "type": "nominal",
                    "title": None,
                    "scale": {"domain": names, "range": [colours[name] for name in names]},
                },
                "strokeWidth": {
                    "condition": {"test": f"datum.ranking === '{own}'", "value": 3},
                    "value": 1.2,
                },
                "strokeDash": {
                    "condition": {"test": f"datum.ranking === '{chance}'", "value": [4, 3]},
                    "value": [1, 0],
                },
            },
        }
        for measure in dict.fromkeys(row["measure"] for row in rows)
    ]
    chart = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "white",
        "data": {"values": list(rows)},
        "hconcat": panels,
    }
    drawn: str = vl_convert.vegalite_to_svg(chart)
    return drawn
