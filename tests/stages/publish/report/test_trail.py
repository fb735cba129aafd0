"""A trail: bars, band and median lie where the numbers say, and the picture is small."""

from __future__ import annotations

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import numpy as np

from jobs.stages.publish.report.evidence import TRAIL_DAYS, Trail
from jobs.stages.publish.report.trail import trail_picture
from tests.worlds.report_pages import hostile_page, sample_page
from tests.worlds.sample_findings import DAY

DAYS = tuple(DAY - timedelta(days=back) for back in range(TRAIL_DAYS - 1, -1, -1))
SLOT = 748 / TRAIL_DAYS
"""Width of a day; the plot is 748 × 80 units large."""

Quartiles = tuple[float, float, float] | None


def make_trail(
    own: dict[int, float | None], quartiles: dict[int, Quartiles] | None = None, peers: int = 3
) -> Trail:
    """A trail with zeros and without quartiles on the days that are not given."""
    around = quartiles or {}
    return Trail(
        measure="objects",
        days=DAYS,
        own=tuple(own.get(n, 0.0) for n in range(TRAIL_DAYS)),
        quartiles=tuple(around.get(n) for n in range(TRAIL_DAYS)),
        peers=peers,
    )


def random_trail() -> Trail:
    rng = np.random.default_rng(7)
    quartiles = np.sort(rng.gamma(0.5, 1e12, (TRAIL_DAYS, 3)), axis=1)
    return Trail(
        measure="bytes",
        days=DAYS,
        own=tuple(rng.gamma(0.5, 1e12, TRAIL_DAYS).tolist()),
        quartiles=tuple((low, middle, high) for low, middle, high in quartiles.tolist()),
        peers=30,
    )


def drawn(trail: Trail, first: date = DAY, last: date = DAY) -> ElementTree.Element:
    return ElementTree.fromstring(trail_picture(trail, first, last))  # noqa: S314  our own page


def shapes(picture: ElementTree.Element, kind: str) -> list[list[float]]:
    """The numbers of each shape in the groups of a class."""
    return [
        [float(number) for number in re.findall(r"-?[\d.]+", shape.attrib["d"])]
        for group in picture.iter("g")
        for shape in group
        if group.get("class") == kind
    ]


def near(found: list[float], expected: list[float]) -> bool:
    return len(found) == len(expected) and bool(np.allclose(found, expected, rtol=0, atol=0.051))


def test_bars_stand_on_their_days_and_the_window_is_highlighted() -> None:
    trail = make_trail({3: 50.0, 28: 100.0, 29: 25.0})
    picture = drawn(trail, DAYS[28], DAYS[29])
    for kind, bars in (("bar", [(3, 40)]), ("bar in", [(28, 80), (29, 20)])):
        found = shapes(picture, kind)
        assert len(found) == len(bars)
        for numbers, (day, height) in zip(found, bars, strict=True):
            wide = 0.66 * SLOT
            assert near(numbers, [(day + 0.17) * SLOT, 80 - height, wide, height, -wide])
    (window,) = shapes(picture, "window")
    assert near(window, [28 * SLOT, -6, 2 * SLOT, 86, -2 * SLOT])


def test_the_band_and_the_median_go_on_over_a_day_that_was_not_run() -> None:
    trail = make_trail({2: None, 5: 80.0}, {1: (0.0, 20.0, 40.0), 3: (40.0, 60.0, 80.0)})
    picture = drawn(trail)
    x = [1.5 * SLOT, 3.5 * SLOT]
    (median,) = shapes(picture, "median")
    assert near(median, [x[0], 60, x[1], 20])
    (band,) = shapes(picture, "band")
    assert near(band, [x[0], 80, x[1], 40, x[1], 0, x[0], 40])
    assert picture.attrib["data-own"].split(";")[1:4] == [
        "0, peers' median 20",
        "no activity",
        "0, peers' median 60",
    ]


def test_a_person_without_peers_has_bars_alone() -> None:
    picture = drawn(make_trail({4: 7.0}, peers=0))
    kinds = {group.get("class") for group in picture.iter("g")} - {None}
    assert kinds == {"window", "grid", "bar", "tick", "axis"}
    assert "peers" not in ElementTree.tostring(picture, encoding="unicode")


def test_days_without_activity_have_no_bar_and_small_days_a_visible_one() -> None:
    picture = drawn(make_trail({0: None, 1: 0.0, 2: 1.0, 3: 1e6}))
    heights = [numbers[3] for numbers in shapes(picture, "bar")]
    assert heights == [1.5, 80]
    assert shapes(picture, "bar in") == []


def test_a_window_before_the_trail_is_not_shown() -> None:
    picture = drawn(make_trail({4: 7.0}), DAYS[0] - timedelta(days=9), DAYS[0] - timedelta(days=1))
    assert shapes(picture, "window") == []
    assert len(shapes(picture, "bar")) == 1


def test_texts_name_the_measure_the_peak_and_the_days() -> None:
    picture = drawn(make_trail({8: 1234.0}, {8: (1.0, 2.0, 3.0)}))
    most = "most 1,234 on 14 Sep, peers' median 2"
    assert picture.attrib["aria-label"] == f"Objects a day: {most}"
    by_class = {text.get("class"): text.text for text in picture.iter("text")}
    assert by_class["label"] == "Objects a day"
    assert by_class["tick told"] == most
    ticks = [text.text for group in picture.iter("g") for text in group.findall("text")]
    assert ticks == ["7 Sep", "14 Sep", "21 Sep", "28 Sep", "5 Oct"]
    days = picture.attrib["data-days"].split(";")
    assert (len(days), days[0], days[-1]) == (TRAIL_DAYS, "6 Sep", "5 Oct")


def test_a_trail_is_small_and_leaves_colours_to_the_page() -> None:
    text = trail_picture(random_trail(), DAYS[22], DAY)
    assert len(text) < 6_000
    assert not re.search(r" (style|fill|stroke|font-\w+|opacity|id|xmlns)=", text)
    picture = drawn(random_trail())
    assert (picture.attrib["class"], picture.attrib["role"]) == ("trail", "img")
    assert picture.attrib["viewBox"] == "0 0 760 128"


def test_the_same_trail_gives_the_same_bytes() -> None:
    pictures = {trail_picture(random_trail(), DAYS[22], DAY) for _ in range(3)}
    assert len(pictures) == 1
    assert trail_picture(make_trail({4: 7.0}), DAYS[22], DAY) not in pictures


def test_no_name_of_the_logs_enters_a_trail() -> None:
    plain, hostile = (
        re.findall(r'<svg class="trail".*?</svg>', page, re.DOTALL)
        for page in (sample_page(), hostile_page())
    )
    assert len(plain) == 30
    assert plain == hostile
