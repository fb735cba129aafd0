"""The report's pictures that have no axes, as SVG text: bars of one line, ego graphs, the map.

A chart has axes, and Vega-Lite draws it: see :mod:`~jobs.stages.publish.report.charts`.

Colours and fonts come from the style sheet, by class, so that a picture fits light, dark and paper.
There are no ``style`` attributes, because the page's security policy forbids them. A picture is
made of numbers and of text that went through :func:`_safe`; it has no other text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from jobs.platform.terminal_text import printable
from jobs.stages.publish.report.evidence import AssetNode, EgoGraph, PersonNode
from jobs.stages.publish.report.words import (
    say_detector,
    say_points,
    shorten,
)
from models.wording import say_amount, say_count, say_share

GRAPH_WIDTH, ROW, HEAD = 570, 26, 24
USER_X, PILL_LEFT, PILL_RIGHT, OTHERS_X = 58, 134, 370, 438
MAP_SIZE = 200
FAMILY_COLOURS = 8
"""Classes ``f0`` to ``f7`` of the style sheet."""


def stacked_score(
    contributions: Sequence[dict[str, Any]], colours: dict[str, int], label: str
) -> Markup:
    """The score as one bar of 100 points, a segment for each contribution."""
    segments, left = [], 0.0
    for part in contributions:
        points = max(0.0, float(part["points"]))
        title = _safe(f"{say_detector(part['detector'])}: {say_points(points)}")
        segments.append(
            f'<rect class="f{colours[part["family"]]}" x="{_n(left)}" '
            f'width="{_n(max(0.0, points - 0.3))}" height="8"><title>{title}</title></rect>'
        )
        left += points
    rail = '<rect class="rail" width="100" height="8"/>'
    return _stretched("score", 8, label, rail + "".join(segments))


def bullet(part: dict[str, Any]) -> Markup:
    """Two bars on one scale: observed above expected."""
    observed, expected = float(part["observed"]), part.get("expected")
    most = max(abs(observed), abs(expected or 0.0)) or 1.0
    bars = f'<rect class="observed" width="{_bar(observed / most)}" height="6"/>'
    said = f"observed {say_amount(observed, part['unit'])}"
    if expected is not None:
        bars += f'<rect class="expected" y="7" width="{_bar(expected / most)}" height="4"/>'
        said += f", expected {say_amount(expected, part['unit'])}"
    return _stretched("bullet", 11, said, bars)


def coverage_bar(share: float, label: str) -> Markup:
    """A bar of the touched share of an asset, 0–1."""
    bars = '<rect class="rail" width="100" height="6"/>'
    bars += f'<rect class="observed" width="{_bar(min(1.0, share))}" height="6"/>'
    return _stretched("coverage", 6, label, bars)


def graph_picture(
    graph: EgoGraph, user_name: str, names: dict[str, str], sensitivities: dict[str, int | None]
) -> Markup:
    """The user, the assets, and the other people who touch them.

    Assets of the finding stand above usual assets. Both keep the order of the graph's layout, so
    that a neighbourhood looks the same from day to day. People stand near the assets they touch.
    """
    assets = sorted(graph.assets, key=lambda a: (not a.touched, a.y, a.x, a.asset_id))
    rows = max(len(assets), len(graph.others), 3)
    asset_y = _spread([a.asset_id for a in assets], rows)
    heights: dict[str, list[float]] = {}
    for person, asset, _, _ in graph.edges:
        heights.setdefault(person, []).append(asset_y[asset])
    means = {person: sum(values) / len(values) for person, values in heights.items()}
    others = sorted(graph.others, key=lambda p: (means.get(p.user_id, 0.0), p.y, p.user_id))
    other_y = _spread([p.user_id for p in others], rows)
    middle = HEAD + rows * ROW / 2
    own, around = [], []
    for person, asset, weight, is_new in graph.edges:
        if person == graph.user_id:
            kind = "tie new" if is_new else "tie own"
            path = _curve((USER_X, middle), (PILL_LEFT, asset_y[asset]))
            own.append(
                f'<path class="{kind}" stroke-width="{_n(1 + min(weight, 6.0) * 0.4)}" d="{path}"/>'
            )
        elif person in other_y:
            around.append(_curve((PILL_RIGHT, asset_y[asset]), (OTHERS_X, other_y[person])))
    heads = [
        f'<text class="tick" x="{x}" y="10" text-anchor="{anchor}">{text}</text>'
        for x, anchor, text in (
            (USER_X, "middle", "user"),
            (PILL_LEFT, "start", "assets"),
            (PILL_RIGHT, "end", "others"),
            (OTHERS_X - 5, "start", "other users"),
        )
    ]
    self_label = (
        f'<g class="node self"><circle cx="{USER_X}" cy="{_n(middle)}" r="8"/>'
        f'<text x="{USER_X}" y="{_n(middle + 24)}" text-anchor="middle">'
        f"{_safe(shorten(user_name, 15))}</text><title>{_safe(user_name)}</title></g>"
    )
    label = f"{user_name}, {len(assets)} assets, {len(others)} other people"
    return Markup(  # noqa: S704  numbers and escaped text
        f'<svg class="graph" viewBox="0 0 {GRAPH_WIDTH} {HEAD + rows * ROW + 6}" role="img" '
        f'aria-label="{_safe(label)}">{"".join(heads)}'
        f'<path class="tie" d="{"".join(around)}"/>{"".join(own)}{self_label}'
        + "".join(_pill(a, asset_y[a.asset_id], sensitivities.get(a.asset_id)) for a in assets)
        + "".join(_other(p, other_y[p.user_id], names.get(p.user_id, p.user_id)) for p in others)
        + "</svg>"
    )


def _spread(keys: list[str], rows: int) -> dict[str, float]:
    step = rows * ROW / max(len(keys), 1)
    return {key: HEAD + step * (number + 0.5) for number, key in enumerate(keys)}


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    bend = _n((start[0] + end[0]) / 2)
    y1, y2 = _n(start[1]), _n(end[1])
    return f"M{_n(start[0])} {y1}C{bend} {y1} {bend} {y2} {_n(end[0])} {y2}"


def _pill(asset: AssetNode, y: float, sensitivity: int | None) -> str:
    kind = ("asset touched" if asset.touched else "asset") + (" new" if asset.is_new else "")
    others = asset.people - 1
    title = f"{asset.asset_id}: " + (
        f"sensitivity {sensitivity}" if sensitivity else "sensitivity not known"
    )
    title += f", other users: {others}"
    title += ", new to this person" if asset.is_new else ""
    top, low = _n(y - 10), _n(y + 4)
    return (
        f'<g class="{kind}"><rect x="{PILL_LEFT}" y="{top}" width="{PILL_RIGHT - PILL_LEFT}" '
        f'height="20" rx="4"/><rect class="s{sensitivity or 0}" x="{PILL_LEFT}" y="{top}" '
        f'width="6" height="20" rx="2"/><text x="{PILL_LEFT + 13}" y="{low}">'
        f'{_safe(shorten(asset.asset_id, 31))}</text><text class="count" x="{PILL_RIGHT - 7}" '
        f'y="{low}" text-anchor="end">{f"+{others}" if others > 0 else "alone"}</text>'
        f"<title>{_safe(title)}</title></g>"
    )


def _other(person: PersonNode, y: float, name: str) -> str:
    kind, title = "node", f"{name} ({person.user_id})"
    if person.is_peer:
        kind, title = "node peer", f"{title}, a peer"
    return (
        f'<g class="{kind}"><circle cx="{OTHERS_X}" cy="{_n(y)}" r="4.5"/>'
        f'<text x="{OTHERS_X + 10}" y="{_n(y + 4)}">{_safe(shorten(name, 18))}</text>'
        f"<title>{_safe(title)}</title></g>"
    )


def map_symbol(key: str, dots: dict[str, list[tuple[float, float]]]) -> Markup:
    """A day's whole graph as dots, defined once and used by every finding of the day."""
    paths = [
        f'<path class="{side}-dots" d="{"".join(f"M{_m(x)} {_m(y)}h0" for x, y in places)}"/>'
        for side, places in sorted(dots.items())
    ]
    return Markup(  # noqa: S704  numbers only
        f'<symbol id="{_safe(key)}" viewBox="0 0 {MAP_SIZE} {MAP_SIZE}">{"".join(paths)}</symbol>'
    )


def map_picture(graph: EgoGraph, key: str) -> Markup:
    """The finding on the map of the lab; assets close together share users."""
    start = f"M{_m(graph.x)} {_m(graph.y)}"
    lines, places = [], []
    for asset in sorted(graph.assets, key=lambda a: (a.is_new, a.asset_id)):
        new = " new" if asset.is_new else ""
        x, y = 0.5 + 0.47 * asset.x, 0.5 + 0.47 * asset.y
        lines.append(f'<path class="tie{new or " own"}" d="{start}L{_m(asset.x)} {_m(asset.y)}"/>')
        places.append(
            f'<rect class="place{new}" x="{_n(MAP_SIZE * x - 2.5)}" y="{_n(MAP_SIZE * y - 2.5)}" '
            f'width="5" height="5"><title>{_safe(asset.asset_id)}</title></rect>'
        )
    return Markup(  # noqa: S704  numbers and escaped text
        f'<svg class="map" viewBox="0 0 {MAP_SIZE} {MAP_SIZE}" role="img" '
        f'aria-label="Map of the lab\'s people and assets"><use href="#{_safe(key)}" '
        f'width="{MAP_SIZE}" height="{MAP_SIZE}"/>{"".join(lines)}{"".join(places)}'
        f'<circle class="self" cx="{_m(graph.x)}" cy="{_m(graph.y)}" r="4.5"/></svg>'
    )


def say_coverage(asset: dict[str, Any]) -> str:
    """``142 of 200 (71 %)``; unknown parts are left out."""
    objects, total, share = (asset.get(key) for key in ("objects", "objects_total", "coverage"))
    if objects is None:
        return "not known"
    if not total:
        return say_count(objects)
    said = f"{say_count(objects)} of {say_count(total)}"
    return said if share is None else f"{said} ({say_share(share)})"


def _stretched(kind: str, height: int, label: str, bars: str) -> Markup:
    """A bar picture, 100 units wide, stretched to the width that the page gives it."""
    return Markup(  # noqa: S704  numbers and escaped text
        f'<svg class="{kind}" viewBox="0 0 100 {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{_safe(label)}">{bars}</svg>'
    )


def _safe(text: str) -> str:
    return str(escape(printable(text)))


def _bar(share: float) -> str:
    """A share as a width of 0–100, never too thin to be seen."""
    return _n(max(0.6, 100 * abs(share)))


def _m(value: float) -> str:
    """A coordinate −1…1 on the map."""
    return _n(MAP_SIZE * (0.5 + 0.47 * value))


def _n(value: float) -> str:
    """A coordinate with the digits that a screen can show."""
    return f"{value:.1f}".removesuffix(".0")
