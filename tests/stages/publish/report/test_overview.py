"""The overview: each finding is a dot in its place, and hostile names stay text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

from jobs.stages.publish.queue_file import queue_day
from jobs.stages.publish.report.overview import overview_picture
from tests.worlds.report_pages import BIDI, HOSTILE, make_queue
from tests.worlds.sample_findings import DAY, make_finding, published

DAYS = [DAY - timedelta(days=back) for back in (2, 1, 0)]


def drawn(findings: Sequence[dict[str, Any]], days: Sequence[date] = DAYS) -> ElementTree.Element:
    return ElementTree.fromstring(overview_picture(findings, days))  # noqa: S314  our own page


def dots(picture: ElementTree.Element) -> dict[str, tuple[str, float, float, str]]:
    """Each dot by the address of its link: class of its group, x, y, title."""
    found = {}
    for group in picture.iter("g"):
        for link in group.findall("a"):
            path, title = link
            x, y = re.findall(r"[\d.]+", path.attrib["transform"])
            assert path.attrib["d"]
            severity = group.attrib["class"]
            found[link.attrib["href"]] = (severity, float(x), float(y), title.text or "")
    return found


def test_each_finding_is_a_dot_by_day_score_and_severity() -> None:
    queue = make_queue()
    found = dots(drawn(queue))
    assert len(found) == len(queue) == 18
    places: dict[date, set[float]] = {}
    for finding in queue:
        event, day = finding["event"], queue_day(finding)
        severity, x, y, title = found["#f-" + event["id"]]
        assert severity == f"v{event['severity']}"
        assert abs(y - 64 * (1 - event["risk_score"] / 100)) <= 0.051
        assert title.startswith(f"{finding['user'].get('name') or finding['user']['id']}, ")
        assert title.endswith(f"{day.day} Oct 2026, score {event['risk_score']:g}")
        places.setdefault(day, set()).add(x)
    assert [len(places[day]) for day in DAYS] == [1, 1, 1]
    assert sorted(places, key=lambda day: min(places[day])) == DAYS


def test_days_without_findings_and_scores_above_100_stay_in_the_picture() -> None:
    days = [DAY - timedelta(days=back) for back in range(6, -1, -1)]
    finding = published(make_finding("u-ada", DAY, score=100.0), DAY)
    finding["event"]["risk_score"] = 130.0
    picture = drawn([finding], days)
    ((_, x, y, _),) = dots(picture).values()
    texts = [text.text for text in picture.iter("text")]
    assert texts == [f"{day.day} {day:%b}" for day in days] + ["0", "50", "100"]
    assert y == 0
    assert 1000 < x < 1196


def test_the_picture_has_a_name_and_leaves_colours_to_the_page() -> None:
    picture = drawn(make_queue())
    assert picture.attrib["role"] == "img"
    assert picture.attrib["aria-label"] == "Scores of the findings by day"
    assert picture.find("rect") is None
    for element in picture.iter():
        assert not {"style", "id", "xmlns"} & set(element.attrib)
        assert element.attrib.get("href", "#").startswith("#f-") or element.tag != "a"
    assert not [path for link in picture.iter("a") for path in link if path.get("fill")]


def test_hostile_names_and_ids_are_text_and_nothing_else() -> None:
    texts = [*HOSTILE, "</svg><script>alert(1)</script>", "]]></title><b>", "7", BIDI, "\x00\ud800"]
    plain, hostile = [], []
    for text in texts:
        finding = published(make_finding("u-ada", DAY), DAY)
        plain.append(finding)
        user = finding["user"] | {"name": text}
        hostile.append(finding | {"user": user, "event": finding["event"] | {"id": text}})
    picture = overview_picture(hostile, DAYS)
    assert re.findall(r"<([\w!/]+)", picture) == re.findall(
        r"<([\w!/]+)", overview_picture(plain, DAYS)
    )
    assert picture.isprintable()
    links = list(drawn(hostile).iter("a"))
    assert [link.attrib["href"] for link in links[: len(texts) - 2]] == [
        f"#f-{text}" for text in texts[:-2]
    ]
    said = [link.findtext("title") or "" for link in links]
    assert said[-2].startswith(r"gnp.\u202eexe\x1b[31m, ")
    assert said[-1].startswith(r"\x00\ud800, ")


def test_the_same_findings_give_the_same_bytes() -> None:
    assert overview_picture(make_queue(), DAYS) == overview_picture(make_queue(), DAYS)
