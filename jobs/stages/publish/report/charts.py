"""Draws the report's charts by Vega-Lite, as SVG that the page's style sheet colours.

Only numbers and days go into a drawing. Names and ids, which attackers may have chosen, are put
into the finished SVG. Vega's colours, fonts and ``style`` attributes are dropped: a chart has to
fit light, dark and paper, and the page's security policy forbids ``style``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from jobs.platform.terminal_text import printable

FRAME = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    # Fixed sizes, so that the fonts of a machine change nothing.
    "autosize": "none",
    "background": None,
}
SHAPE = ("d", "transform", "x2", "y2", "text-anchor")
"""Attributes of Vega that stay: those of form and place."""
AXIS_CLASSES = {
    "role-axis-domain": "axis",
    "role-axis-grid": "grid",
    "role-axis-label": "tick",
}
DECIMALS = re.compile(r"\d+\.\d+(?:e[-+]\d+)?|\d+e[-+]\d+")


def compile_chart(specification: dict[str, Any]) -> dict[str, Any]:
    """A Vega-Lite specification in Vega, which is drawn in half the time.

    Each layer has a name, and data of that name without values.
    """
    # Its start takes memory and time, which only a report is worth.
    import vl_convert

    return vl_convert.vegalite_to_vega(FRAME | specification)


def draw_chart(
    chart: dict[str, Any], rows: Mapping[str, Sequence[dict[str, Any]]], kind: str, label: str
) -> ElementTree.Element:
    """The compiled chart with the rows of each layer, as an SVG of the class ``kind``.

    The marks of a layer are in one group, in the order of their rows. The layer's name is the class
    of the group (``bar_in``: two classes), and a layer without rows has no group. The parts of axes
    have the classes ``axis``, ``grid`` and ``tick``.
    """
    import vl_convert

    data = [
        part | {"values": rows[part["name"]]} if part["name"] in rows else part
        for part in chart["data"]
    ]
    text = vl_convert.vega_to_svg(chart | {"data": data})
    drawn = ElementTree.fromstring(text)  # noqa: S314  drawn from numbers and days
    picture = ElementTree.Element(
        "svg",
        {
            "class": kind,
            "viewBox": drawn.attrib["viewBox"],
            "role": "img",
            "aria-label": printable(label),
        },
    )
    picture.extend(shape for child in drawn for shape in _shapes(child))
    return picture


def svg_text(picture: ElementTree.Element) -> Markup:
    """The picture as text for the page."""
    text = ElementTree.tostring(picture, encoding="unicode")
    return Markup(text)  # noqa: S704  ElementTree escapes every text and attribute


def _shapes(element: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The element with classes instead of colours; only its children if it adds nothing itself."""
    classes = element.get("class", "").split()
    if classes and classes[0] in {"background", "foreground"}:
        return
    # HTML knows SVG without its namespace.
    shape = ElementTree.Element(element.tag.rpartition("}")[2])
    kind = _class(classes)
    if kind:
        shape.set("class", kind)
    for name in SHAPE:
        value = DECIMALS.sub(_one_decimal, element.get(name, ""))
        if value and value != "translate(0,0)":
            shape.set(name, value)
    shape.text = element.text
    shape.extend(inner for child in element for inner in _shapes(child))
    if shape.tag == "g" and not (shape.attrib and len(shape)):
        yield from shape
    else:
        yield shape


def _class(classes: Sequence[str]) -> str:
    """The class of a group for the style sheet, from Vega's classes."""
    if "role-mark" in classes:
        return classes[-1].removesuffix("_marks").replace("_", " ")
    return next((AXIS_CLASSES[name] for name in classes if name in AXIS_CLASSES), "")


def _one_decimal(number: re.Match[str]) -> str:
    """A coordinate with the digits that a screen can show."""
    return f"{float(number[0]):.1f}".removesuffix(".0")
