"""report.html: nothing in it can run, load or mislead."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from jobs.stages.publish.report import page as report
from jobs.stages.publish.report.finding_view import ReportData
from jobs.stages.publish.report.page import REPORT_DAYS, render_report, shown_findings
from schemas.context import Context
from tests.worlds.report_pages import HOSTILE, hostile_page, make_data, make_queue, sample_page
from tests.worlds.sample_findings import DAY, make_finding, published


class Elements(HTMLParser):
    """Every element with its attributes, every text, and the text within style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.raw.get(self.cdata_elem or "", self.texts).append(data)


@pytest.mark.parametrize("page", [sample_page, hostile_page], ids=["plain", "hostile"])
def test_nothing_runs_loads_or_leaves_the_page(page: Any) -> None:
    text = page()
    found = Elements(text)
    tags = {tag for tag, _ in found.elements}
    assert not tags & {
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "audio",
        "video",
        "form x",
    }
    assert [tag for tag, _ in found.elements].count("script") == 1
    assert [tag for tag, _ in found.elements].count("style") == 1
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert not {"src", "action", "formaction", "srcdoc", "xlink:href", "ping"} & set(attributes)
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in "".join(found.raw["style"])
    assert not re.search(r"fetch|XMLHttp|import|eval|innerHTML|http", "".join(found.raw["script"]))


def test_the_policy_allows_this_style_and_script_only() -> None:
    text = hostile_page()
    found = Elements(text)
    policy = next(a["content"] for _, a in found.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        content = "".join(found.raw[kind])
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
        assert content == Elements(sample_page()).raw[kind][0]
    # It has to come before what it governs.
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_hostile_names_are_shown_as_they_are() -> None:
    shown = "".join(Elements(hostile_page()).texts)
    for text in HOSTILE:
        assert text in shown
    assert "\u202e" not in hostile_page()
    assert "\x1b" not in hostile_page()
    assert r"gnp.\u202eexe\x1b[31m" in shown


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    found = Elements(sample_page())
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    hrefs = {attributes["href"] for _, attributes in found.elements if "href" in attributes}
    assert {href[1:] for href in hrefs} <= set(ids)
    labelled = [a["aria-labelledby"] for _, a in found.elements if "aria-labelledby" in a]
    assert set(labelled) <= set(ids)


def test_every_picture_has_a_name_for_those_who_cannot_see_it() -> None:
    pictures = [a for tag, a in Elements(sample_page()).elements if tag == "svg"]
    assert len(pictures) > 50
    assert [a for a in pictures if not a.get("aria-label") and a.get("aria-hidden") != "true"] == []


def test_shown_are_findings_in_budget_of_the_last_days() -> None:
    queue = make_queue()
    old = DAY - timedelta(days=REPORT_DAYS)
    oldest = old + timedelta(days=1)
    queue += [published(make_finding("u-ada", day), day) for day in (old, oldest)]
    shown = shown_findings(queue)
    assert len(shown) == 16
    assert [f["exfil"]["day"] for f in shown[:2]] == [DAY.isoformat()] * 2
    assert shown[-1]["exfil"]["day"] == oldest.isoformat()
    assert shown_findings([]) == []


def test_too_large_a_page_leaves_out_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_BYTES", 100_000)
    queue = make_queue()
    text = render_report(queue, make_data(queue), DAY)
    kept = text.count('<article class="finding"')
    assert 1 < kept < 15
    assert f"the {15 - kept} oldest findings are only in findings.ndjson" in text
    assert "5 Oct" in text


def test_bytes_that_no_log_tells_are_said_to_be_estimated() -> None:
    found = Elements(sample_page())
    assert "412 GB" in found.texts
    assert "about 1.23 TB, estimated from the asset's size" in found.texts


def test_page_without_findings() -> None:
    text = render_report([], make_data(make_queue()), DAY)
    assert "No finding is within the alert budget" in text


def test_page_without_context_graph_or_activity() -> None:
    data = make_data(make_queue())
    known = data.context_of(DAY)
    sheets = (known.directory, known.assets, known.approvals, known.networks)
    empty = Context(*(sheet.iloc[:0] for sheet in sheets))
    bare = ReportData(
        data.totals.iloc[:0], data.nodes.iloc[:0], data.edges.iloc[:0], lambda day: empty, {}
    )
    text = render_report(make_queue(), bare, DAY)
    assert "not in the directory" in text
    assert text.count('<article class="finding"') == 15
    assert 'class="graph"' not in text
