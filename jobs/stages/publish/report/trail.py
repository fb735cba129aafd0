"""A person's trail: the days as bars beside the peers', drawn by Vega-Lite.

Numbers and days go into the drawing; the texts about them are put into the finished SVG.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from jobs.stages.publish.report.charts import compile_chart, draw_chart, svg_text
from jobs.stages.publish.report.evidence import TRAIL_DAYS, Trail
from jobs.stages.publish.report.words import say_short_day
from models.wording import say_bytes, say_count

WIDTH, HEIGHT = 760, 128
SIDE, TOP, BOTTOM = 6, 26, 22
"""Room around the plot, in units of the picture; the texts stand above, the days below."""
PLOT = HEIGHT - TOP - BOTTOM
LEAST_BAR = 1.5
"""Height of the bar of any activity; a smaller bar could not be seen."""
MEASURE_NAMES = {"bytes": "Bytes a day", "objects": "Objects a day", "events": "Events a day"}


def trail_picture(trail: Trail, first: date, last: date) -> Markup:
    """The person's days as bars, the peers' middle half as a band, the window highlighted.

    The window is ``first`` to ``last``. The attributes ``data-days`` and ``data-own`` hold the
    texts that the page's script shows on hovering. The same trail gives the same bytes.
    """
    say = say_bytes if trail.measure == "bytes" else say_count
    peak = max(range(len(trail.own)), key=lambda number: trail.own[number] or 0.0)
    beside = [f", peers' median {say(q[1])}" if q else "" for q in trail.quartiles]
    own = ["no activity" if value is None else say(value) for value in trail.own]
    name = MEASURE_NAMES[trail.measure]
    days = [say_short_day(day) for day in trail.days]
    most = f"most {say(trail.own[peak] or 0.0)} on {days[peak]}{beside[peak]}"
    picture = draw_chart(_chart(), _rows(trail, first, last), "trail", f"{name}: {most}")
    picture.set("data-days", ";".join(days))
    picture.set("data-own", ";".join(a + b for a, b in zip(own, beside, strict=True)))
    left = {"class": "label", "x": str(SIDE), "y": "13"}
    right = {"class": "tick told", "x": str(WIDTH - SIDE), "y": "13", "text-anchor": "end"}
    ElementTree.SubElement(picture, "text", left).text = name
    ElementTree.SubElement(picture, "text", right).text = most
    return svg_text(picture)


def _rows(trail: Trail, first: date, last: date) -> dict[str, list[dict[str, Any]]]:
    """The rows of each layer; ``day`` is a place in ``trail.days``.

    A day without activity has no bar. The band and the median go on over a day that was not run.
    """
    inside = [first <= day <= last for day in trail.days]
    peers = [
        {"day": number, "low": quartiles[0], "middle": quartiles[1], "high": quartiles[2]}
        for number, quartiles in enumerate(trail.quartiles)
        if quartiles
    ]
    most = max([*(value or 0.0 for value in trail.own), *(row["high"] for row in peers)])
    bars: list[dict[str, Any]] = [
        {"day": number, "own": max(value, most * LEAST_BAR / PLOT)}
        for number, value in enumerate(trail.own)
        if value
    ]
    end = len(trail.days) - 1
    window = [number for number, within in enumerate(inside) if within]
    return {
        "window": [{"from": window[0], "to": window[-1]}] if window else [],
        "grid": [{"value": most / 2}, {"value": most}],
        "band": peers,
        "bar": [bar for bar in bars if not inside[bar["day"]]],
        "bar_in": [bar for bar in bars if inside[bar["day"]]],
        "median": peers,
        "tick": [
            {"day": number, "said": say_short_day(day)}
            for number, day in enumerate(trail.days)
            if number == end or (day.weekday() == 0 and end - number > 2)
        ],
    }


@cache
def _chart() -> dict[str, Any]:
    """The picture without the rows of a trail; the first layer lies at the bottom."""
    day = {"field": "day"}
    first = {"field": "from", "bandPosition": 0}
    last = {"field": "to", "bandPosition": 1}
    bar = {"type": "bar", "width": {"band": 0.66}}
    label = {"type": "text", "baseline": "alphabetic"}
    layers: dict[str, tuple[Any, dict[str, Any]]] = {
        "window": ("rect", {"x": first, "x2": last, "y": {"value": -6}, "y2": {"value": PLOT}}),
        "grid": ("rule", {"x": None, "y": {"field": "value"}}),
        "band": ("area", {"x": day, "y": {"field": "low"}, "y2": {"field": "high"}}),
        "bar": (bar, {"x": day, "y": {"field": "own"}}),
        "bar_in": (bar, {"x": day, "y": {"field": "own"}}),
        "median": ("line", {"x": day, "y": {"field": "middle"}}),
        "tick": (label, {"x": day, "y": {"value": PLOT + 16}, "text": {"field": "said"}}),
    }
    return compile_chart(
        {
            "width": WIDTH - 2 * SIDE,
            "height": PLOT,
            "padding": {"left": SIDE, "right": SIDE, "top": TOP, "bottom": BOTTOM},
            "encoding": {
                "x": {
                    "type": "ordinal",
                    "scale": {"domain": list(range(TRAIL_DAYS)), "padding": 0},
                    "axis": {"title": None, "labels": False, "ticks": False},
                },
                "y": {"type": "quantitative", "scale": {"nice": False}, "axis": None},
            },
            "layer": [
                {"name": name, "data": {"name": name}, "mark": mark, "encoding": encoding}
                for name, (mark, encoding) in layers.items()
            ],
        }
    )
