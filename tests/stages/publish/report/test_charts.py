"""A chart as the page needs it: small, with classes instead of colours, and safe."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from jobs.stages.publish.report.charts import compile_chart, draw_chart, svg_text
from tests.worlds.report_pages import BIDI, HOSTILE

ROWS = {"low_part": [{"x": 1 / 3, "y": 2}, {"x": 1e-9, "y": 3}], "high": [{"x": 2.0, "y": 1}]}


def chart() -> dict[str, Any]:
    def field(name: str) -> dict[str, Any]:
        return {"field": name, "type": "quantitative", "scale": {"domain": [0, 4]}}

    return compile_chart(
        {
            "width": 100,
            "height": 50,
            "padding": {"left": 20, "right": 0, "top": 5, "bottom": 15},
            "encoding": {"x": field("x"), "y": field("y")},
            "layer": [
                {"name": name, "data": {"name": name}, "mark": "circle"}
                for name in ("low_part", "high", "empty")
            ],
        }
    )


def test_each_layer_with_rows_is_a_group_of_its_class() -> None:
    picture = draw_chart(chart(), ROWS, "sample", "A sample")
    assert picture.attrib == {
        "class": "sample",
        "viewBox": "0 0 120 70",
        "role": "img",
        "aria-label": "A sample",
    }
    groups = {group.get("class"): group for group in picture.iter("g")}
    assert {"low part", "high", "axis", "grid", "tick"} == set(groups) - {None}
    # Scales of 0–4 over 100 × 50 units.
    places = [dot.attrib["transform"] for dot in groups["low part"]]
    assert places == ["translate(8.3,25)", "translate(0,12.5)"]
    assert {text.tag for text in groups["tick"]} == {"text"}


def test_a_picture_has_neither_colours_nor_what_draws_nothing() -> None:
    picture = draw_chart(chart(), ROWS, "sample", "A sample")
    for element in list(picture.iter())[1:]:
        assert set(element.attrib) <= {"class", "d", "transform", "x2", "y2", "text-anchor"}
        assert element.tag in {"g", "path", "line", "text"}
        assert element.tag != "g" or (element.attrib and len(element))
    text = svg_text(picture)
    assert not re.search(r"\d\.\d\d|xmlns|background|translate\(0,0\)", text)


def test_hostile_labels_are_text_and_nothing_else() -> None:
    plain = svg_text(draw_chart(chart(), ROWS, "sample", "A sample"))
    for label in (*HOSTILE, "</svg><script>alert(1)</script>", BIDI, "\x00\ud800"):
        text = svg_text(draw_chart(chart(), ROWS, "sample", label))
        assert re.findall(r"<([\w!/]+)", text) == re.findall(r"<([\w!/]+)", plain)
        assert text.isprintable()
        if label.isprintable():
            read = ElementTree.fromstring(text)  # noqa: S314  our own page
            assert read.attrib["aria-label"] == label
