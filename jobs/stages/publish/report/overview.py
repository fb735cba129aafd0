"""The report's overview: every finding in the page as a dot, drawn by Vega-Lite.

Only numbers and days go into the drawing. The ids and the names of the findings, which attackers
may have chosen, are put into the finished SVG. Colours and fonts come from the style sheet, whose
rules win over the drawing's own attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from jobs.platform.terminal_text import printable
from jobs.stages.publish.queue_file import queue_day
from jobs.stages.publish.report.words import say_day, say_points, say_short_day
from schemas.finding import SEVERITIES

WIDTH, HEIGHT = 1240, 92
LEFT, TOP, BOTTOM = 44, 8, 20
"""Room around the plot, in units of the picture; the scores stand to the left, the days below."""


def overview_picture(findings: Sequence[dict[str, Any]], days: Sequence[date]) -> Markup:
    """Every finding as a dot by its day and score (0–100); each dot is a link to its finding.

    ``days`` are all days of the axis in order, two weeks at most. The dots of a severity are in
    one group of the class ``v1_marks`` to ``v4_marks``; the most severe lie on top. The same
    findings give the same bytes.
    """
    # Its start takes memory and time, which only a report is worth.
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(_specification(findings, days))
    picture = ElementTree.fromstring(drawn)  # noqa: S314  drawn from numbers and days
    picture.attrib = {
        "class": "overview",
        "viewBox": f"0 0 {WIDTH} {HEIGHT}",
        "role": "img",
        "aria-label": "Scores of the findings by day",
    }
    for element in list(picture.iter()):
        # HTML knows SVG without its namespace.
        element.tag = element.tag.rpartition("}")[2]
        for place, child in enumerate(element):
            if child.get("aria-roledescription") == "finding":
                element[place] = _link(child, findings[int(child.get("aria-label", ""))])
    text = ElementTree.tostring(picture, encoding="unicode")
    return Markup(text)  # noqa: S704  ElementTree escapes every text and attribute


def _link(dot: ElementTree.Element, finding: dict[str, Any]) -> ElementTree.Element:
    """The dot within a link to its finding; the link's title says the person, day and score."""
    name = finding["user"].get("name") or finding["user"]["id"]
    points = say_points(finding["event"]["risk_score"])
    href = printable(f"#f-{finding['event']['id']}")
    link = ElementTree.Element("a", {"href": href, "tabindex": "-1"})
    shape = {"transform": dot.get("transform", ""), "d": dot.get("d", "")}
    ElementTree.SubElement(link, "path", shape)
    title = ElementTree.SubElement(link, "title")
    title.text = printable(f"{name}, {say_day(queue_day(finding))}, score {points}")
    return link


def _specification(findings: Sequence[dict[str, Any]], days: Sequence[date]) -> dict[str, Any]:
    """The picture in Vega-Lite. A dot's description is the place of its finding in ``findings``."""
    dots = [
        {
            "place": str(place),
            "day": say_short_day(queue_day(finding)),
            "score": finding["event"]["risk_score"],
            "severity": finding["event"]["severity"],
        }
        for place, finding in enumerate(findings)
    ]
    layers = [
        {
            "name": f"v{severity}",
            "transform": [{"filter": {"field": "severity", "equal": severity}}],
            "mark": {"type": "circle", "ariaRoleDescription": "finding", "size": 64},
        }
        for severity in range(1, len(SEVERITIES) + 1)
    ]
    axis = {"title": None, "domain": False, "ticks": False, "aria": False, "labelOverlap": False}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH - LEFT,
        "height": HEIGHT - TOP - BOTTOM,
        "padding": {"left": LEFT, "right": 0, "top": TOP, "bottom": BOTTOM},
        # Fixed sizes, so that the fonts of a machine change nothing.
        "autosize": "none",
        "background": None,
        "view": {"stroke": None},
        "data": {"values": dots},
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
            "description": {"field": "place"},
        },
        "layer": layers,
    }
