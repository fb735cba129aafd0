"""The report's overview: every finding in the page as a dot, drawn by Vega-Lite.

Numbers and days go into the drawing; ids and names are put into the finished SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from jobs.platform.terminal_text import printable
from jobs.stages.publish.queue_file import queue_day
from jobs.stages.publish.report.charts import compile_chart, draw_chart, svg_text
from jobs.stages.publish.report.words import say_day, say_points, say_short_day
from schemas.finding import SEVERITIES

WIDTH, HEIGHT = 1240, 92
LEFT, TOP, BOTTOM = 44, 8, 20
"""Room around the plot, in units of the picture; the scores stand to the left, the days below."""


def overview_picture(findings: Sequence[dict[str, Any]], days: Sequence[date]) -> Markup:
    """Every finding as a dot by its day and score (0–100); each dot is a link to its finding.

    ``days`` are all days of the axis in order, two weeks at most. The dots of a severity are in
    one group of the class ``v1`` to ``v4``; the most severe lie on top. The same findings give the
    same bytes.
    """
    shown = {
        f"v{severity}": [f for f in findings if f["event"]["severity"] == severity]
        for severity in range(1, len(SEVERITIES) + 1)
    }
    rows = {
        name: [
            {"day": say_short_day(queue_day(finding)), "score": finding["event"]["risk_score"]}
            for finding in found
        ]
        for name, found in shown.items()
    }
    chart = compile_chart(_specification(list(shown), days))
    picture = draw_chart(chart, rows, "overview", "Scores of the findings by day")
    for group in picture.iter("g"):
        found = shown.get(group.get("class", ""), [])
        if found:
            group[:] = [_link(dot, finding) for dot, finding in zip(group, found, strict=True)]
    return svg_text(picture)


def _link(dot: ElementTree.Element, finding: dict[str, Any]) -> ElementTree.Element:
    """The dot within a link to its finding; the link's title says the person, day and score."""
    name = finding["user"].get("name") or finding["user"]["id"]
    points = say_points(finding["event"]["risk_score"])
    href = printable(f"#f-{finding['event']['id']}")
    link = ElementTree.Element("a", {"href": href, "tabindex": "-1"})
    link.append(dot)
    title = ElementTree.SubElement(link, "title")
    title.text = printable(f"{name}, {say_day(queue_day(finding))}, score {points}")
    return link


def _specification(layers: Sequence[str], days: Sequence[date]) -> dict[str, Any]:
    """The picture in Vega-Lite, without the dots."""
    axis = {"title": None, "domain": False, "ticks": False, "labelOverlap": False}
    return {
        "width": WIDTH - LEFT,
        "height": HEIGHT - TOP - BOTTOM,
        "padding": {"left": LEFT, "right": 0, "top": TOP, "bottom": BOTTOM},
        "encoding": {
            "x": {
                "field": "day",
                "type": "ordinal",
                "scale": {"type": "point", "padding": 0.5, "domain": [*map(say_short_day, days)]},
                "axis": axis | {"labelAngle": 0, "labelPadding": 8},
            },
            "y": {
                "field": "score",
                "type": "quantitative",
                "scale": {"domain": [0, 100], "clamp": True},
                "axis": axis | {"values": [0, 50, 100], "labelPadding": 6},
            },
        },
        "layer": [
            {"name": name, "data": {"name": name}, "mark": {"type": "circle", "size": 64}}
            for name in layers
        ],
    }
