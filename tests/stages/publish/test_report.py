"""report.html: that nothing in it can run, load or mislead, and that it works in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from jobs.stages.publish.report import page as report
from jobs.stages.publish.report import words
from jobs.stages.publish.report.evidence import (
    MAX_OTHERS,
    collect_activity,
    ego_graph,
    graph_days,
    trails,
)
from jobs.stages.publish.report.finding_view import ReportData
from jobs.stages.publish.report.page import REPORT_DAYS, render_report, shown_findings
from models.detectors import describe
from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
    Context,
)
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from tests.conftest import skip_unless
from tests.worlds.sample_findings import DAY, make_finding, published

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    '" onmouseover="alert(3)',
    "'><svg onload=alert(4)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(5)",
    "</style><style>*{display:none}</style>",
    "<!-- --!><base href='http://evil.example/'>",
    "&lt;b&gt; ]]> &#60;i&#62;",
)
BIDI = "gnp.\u202eexe\x1b[31m"
NAMES = {
    "u-ada": "Ada Abara",
    "u-bo": "Bo Bauer",
    "u-cy": "Cy Costa",
    "u-di": "Di Duarte",
    "u-ed": "Ed Eriksen",
}
USERS = tuple(NAMES)
DETECTORS = ("shard_coverage", "first_access", "mass_clone")


def make_queue(names: dict[str, str] = NAMES, assets: str = "") -> list[dict[str, Any]]:
    """Three days, each with the five users in the budget and one finding below it."""
    queue = []
    for back in (2, 1, 0):
        day = DAY - timedelta(days=back)
        for rank, user in enumerate(USERS, start=1):
            finding = make_finding(
                user,
                day,
                rank,
                score=90.0 - 15 * rank + back,
                name=names[user],
                assets=(f"orion-{rank % 2}{assets}", f"own-{user}"),
                detector=DETECTORS[rank % 3],
                window=("1d", "7d", "30d")[rank % 3],
            )
            finding["exfil"]["assets"][1] |= {"bytes": None, "bytes_estimated": 1_234 * 10**9}
            queue.append(published(finding, day))
        below = make_finding("u-ed", day, 6, score=12.0, in_budget=False, window="90d")
        queue.append(published(below, day))
    return queue


def make_data(queue: list[dict[str, Any]]) -> ReportData:
    """Activity, graph and context of the queue's users and assets."""
    rng = np.random.default_rng(1)
    days = [DAY - timedelta(days=back) for back in range(40)]
    totals = pd.DataFrame(
        [
            (day, user, float(rng.integers(1, 9)) * 1e9, int(rng.integers(1, 50)), 60)
            for day in days
            for user in USERS
            if rng.random() < 0.8
        ],
        columns=["day", "user_id", "bytes", "objects", "events"],
    )
    assets = sorted({a["id"] for f in queue for a in f["exfil"]["assets"]})
    nodes, edges = [], []
    for day in days[:3]:
        for side, keys in (("user", USERS), ("asset", assets)):
            for key in keys:
                x, y = rng.uniform(-1, 1, 2)
                peers = [u for u in USERS if u != key][:3] if side == "user" else []
                nodes.append((day, key, side, None, 0, 3, 1.0, peers, float(x), float(y)))
        edges += [
            (day, user, asset, 1.0 + len(asset) / 50, 1, True, asset.startswith("own"), 0.1)
            for user in USERS
            for asset in assets
            if not asset.startswith("own") or user in asset
        ]
    context = Context(
        directory=pd.DataFrame(
            [
                (user, "", NAMES[user], "human", "evals", "", "Engineer", "employee", "US",
                 date(2024, 1, 1), None, None, ())
                for user in USERS
            ],
            columns=list(DIRECTORY_COLUMNS),
        ),
        assets=pd.DataFrame(
            [(a, "checkpoint", a, "evals", 5, 200, None, (), f"s3://c/{a}/*") for a in assets],
            columns=list(ASSET_COLUMNS),
        ),
        approvals=pd.DataFrame(columns=list(APPROVAL_COLUMNS)),
        networks=pd.DataFrame(columns=list(NETWORK_COLUMNS)),
    )  # fmt: skip
    return ReportData(
        totals=totals,
        nodes=pd.DataFrame(nodes, columns=GRAPH_NODES.column_names),
        edges=pd.DataFrame(edges, columns=GRAPH_EDGES.column_names),
        context_of=lambda day: context,
        descriptions={name: describe(name) for name in (*DETECTORS, "burst_self")},
    )


@cache
def sample_page() -> str:
    queue = make_queue()
    return render_report(queue, make_data(queue), DAY)


def hostile_page() -> str:
    names = dict(zip(USERS, HOSTILE, strict=False))
    queue = make_queue(names, assets=HOSTILE[1])
    for finding, text in zip(queue, [*HOSTILE, BIDI, *HOSTILE], strict=False):
        finding["event"]["reason"] = text
        finding["user"]["email"] = text
        finding["related"] = {"user": [text], "ip": [text], "hosts": [text]}
        finding["threat"]["technique"]["id"] = [text]
        finding["exfil"]["contributions"][0] |= {"reason": text, "unit": text, "family": text}
        finding["exfil"]["assets"][0] |= {"kind": text, "owner_team": text}
        finding["rule"]["name"] = text
    return render_report(queue, make_data(queue), DAY)


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
    assert f"the {15 - kept} oldest findings are left out" in text
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
    empty = Context(*(frame.iloc[:0] for frame in vars(data.context_of(DAY)).values()))
    bare = ReportData(
        data.totals.iloc[:0], data.nodes.iloc[:0], data.edges.iloc[:0], lambda day: empty, {}
    )
    text = render_report(make_queue(), bare, DAY)
    assert "not in the directory" in text
    assert text.count('<article class="finding"') == 15
    assert 'class="graph"' not in text


def test_trails_agree_with_slow_ones() -> None:
    totals = make_data(make_queue()).totals
    totals = totals[totals["day"] != DAY - timedelta(days=4)]
    activity = collect_activity(totals)
    peers = ["u-bo", "u-cy", "u-di", "not seen"]
    last = DAY - timedelta(days=1)
    by_key = {(row.day, row.user_id): row for row in totals.itertuples()}
    (by_bytes, by_objects) = trails("u-ada", peers, last, activity)
    assert (by_bytes.measure, by_objects.measure) == ("bytes", "objects")
    assert by_bytes.peers == 3
    for trail in (by_bytes, by_objects):
        for day, own, quartiles in zip(trail.days, trail.own, trail.quartiles, strict=True):
            if day == DAY - timedelta(days=4):
                assert own is None
                assert quartiles is None
                continue
            said = [
                float(getattr(by_key[day, user], trail.measure)) if (day, user) in by_key else 0.0
                for user in ("u-ada", "u-bo", "u-cy", "u-di")
            ]
            assert own == said[0]
            assert quartiles == pytest.approx(np.quantile(said[1:], (0.25, 0.5, 0.75)))
    assert trails("nobody", peers, last, activity) == ()
    assert all(value is None for value in trails("u-ada", [], DAY, activity)[0].quartiles)


def test_ego_graph_holds_peers_before_others() -> None:
    queue = make_queue()
    data = make_data(queue)
    finding = queue[0]
    graph = graph_days(data.nodes, data.edges)[date.fromisoformat(finding["exfil"]["day"])]
    ego = ego_graph(finding, graph)
    assert ego is not None
    assert [a.asset_id for a in ego.assets if a.touched] == ["orion-1", "own-u-ada"]
    assert [a.asset_id for a in ego.assets if not a.touched] == ["orion-0", "orion-7"]
    assert [other.is_peer for other in ego.others] == [True, True, True, False]
    assert len(ego.others) <= MAX_OTHERS
    drawn = {a.asset_id for a in ego.assets}
    people = {ego.user_id} | {other.user_id for other in ego.others}
    assert all(person in people and asset in drawn for person, asset, _, _ in ego.edges)
    stranger = make_finding("stranger")
    assert ego_graph(stranger, graph) is None


@pytest.mark.parametrize(
    ("p_value", "said"),
    [(1.0, "100 in 100"), (0.2, "20 in 100"), (0.1, "1 in 10"), (0.000083, "1 in 12,000"),
     (1e-6, "1 in 1,000,000"), (0.0, "never seen")],
)  # fmt: skip
def test_chances_in_words(p_value: float, said: str) -> None:
    assert words.say_chance(p_value) == said


def test_spans_in_words() -> None:
    say = words.say_span
    assert say("2026-10-05T09:00:00Z", "2026-10-05T15:30:00Z") == "5 Oct 09:00 – 15:30 UTC"
    assert say("2026-09-29T09:00:00+02:00", "2026-10-05T15:30:00Z") == (
        "29 Sep 07:00 – 5 Oct 15:30 UTC"
    )


# ---- in a browser ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    skip_unless(chromium is not None, "no chromium on the path (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@pytest.fixture
def troubles() -> list[str]:
    """What a page must not do: requests, errors, dialogs."""
    return []


@pytest.fixture(params=["light", "dark"])
def page(
    request: pytest.FixtureRequest, browser: Browser, tmp_path: Path, troubles: list[str]
) -> Iterator[Page]:
    """The sample page at laptop width; nothing may go wrong while a test uses it."""
    yield from _open(browser, sample_page(), tmp_path, troubles, color_scheme=request.param)


@pytest.fixture
def hostile(browser: Browser, tmp_path: Path, troubles: list[str]) -> Iterator[Page]:
    yield from _open(browser, hostile_page(), tmp_path, troubles)


def _open(
    browser: Browser, text: str, folder: Path, troubles: list[str], **options: Any
) -> Iterator[Page]:
    path = folder / "report.html"
    path.write_text(text, "utf-8")
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    page = context.new_page()
    own = path.as_uri()
    page.on("request", lambda r: None if r.url.split("#")[0] == own else troubles.append(r.url))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    page.goto(own)
    yield page
    assert troubles == []
    context.close()


def rows(page: Page) -> list[str]:
    """Names in the visible rows, from top to bottom."""
    return page.locator(".queue tbody tr:visible .who a").all_inner_texts()


def shown(page: Page) -> Locator:
    """Headings of the visible findings; a link followed shows its finding a moment later."""
    return page.locator(".finding:visible h2 a")


def test_opens_on_the_latest_day(page: Page) -> None:
    assert rows(page) == list(NAMES.values())
    expect(shown(page)).to_have_text(["Ada Abara"])
    assert page.locator("#count").inner_text() == "5 findings"
    assert page.locator(".finding:visible .trail").count() == 2
    assert page.locator(".finding:visible .graph").count() == 1
    assert page.locator(".finding:visible .runbook li").count() >= 2


def test_sorts(page: Page) -> None:
    names = list(NAMES.values())
    page.get_by_role("button", name="Score").click()
    assert rows(page) == names
    page.get_by_role("button", name="Score").click()
    assert rows(page) == names[::-1]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.locator("#day").select_option("")
    page.get_by_role("button", name="Who and why").click()
    assert rows(page) == sorted(names * 3)
    page.get_by_role("button", name="Day").click()
    assert page.locator(".queue tbody tr").first.get_attribute("data-day") == "2026-10-03"


def test_filters(page: Page) -> None:
    page.get_by_placeholder("Filter").fill("bauer ORION-0")
    assert rows(page) == ["Bo Bauer"]
    page.get_by_placeholder("Filter").fill("nothing like it")
    assert rows(page) == []
    assert page.locator(".queue .none").is_visible()
    page.keyboard.press("Escape")
    assert len(rows(page)) == 15
    page.locator("#severity").select_option("4")
    assert rows(page) == ["Ada Abara"] * 3
    page.locator("#severity").select_option("")
    page.locator("#detector").select_option("mass_clone")
    page.locator("#day").select_option("2026-10-04")
    assert rows(page) == ["Bo Bauer", "Ed Eriksen"]


def test_links_users_and_assets(page: Page) -> None:
    page.locator(".queue tbody tr", has_text="Cy Costa").locator("visible=true").click()
    expect(shown(page)).to_have_text(["Cy Costa"])
    page.locator(".finding:visible .assets a[data-asset]", has_text="orion-1").first.click()
    assert rows(page) == ["Ada Abara", "Cy Costa", "Ed Eriksen"] * 3
    assert "orion-1" in page.locator("#chip").inner_text()
    page.locator(".finding:visible .also a", has_text="Ada Abara, 5 Oct").first.click()
    expect(shown(page)).to_have_text(["Ada Abara"])
    page.locator(".finding:visible h2 a").click()
    assert rows(page) == ["Ada Abara"] * 3
    page.locator("#chip").click()
    assert len(rows(page)) == 15
    page.locator(".finding:visible .others a").first.click()
    expect(shown(page)).to_have_text(["Ada Abara"])
    expect(page.locator(".finding:visible h3").first).to_contain_text("4 Oct")


def test_keyboard_and_overview(page: Page) -> None:
    page.keyboard.press("j")
    expect(shown(page)).to_have_text(["Bo Bauer"])
    page.keyboard.press("k")
    expect(shown(page)).to_have_text(["Ada Abara"])
    page.go_back()
    expect(shown(page)).to_have_text(["Bo Bauer"])
    page.keyboard.press("/")
    expect(page.get_by_placeholder("Filter")).to_be_focused()
    page.keyboard.type("jk")
    expect(page.get_by_placeholder("Filter")).to_have_value("jk")
    page.keyboard.press("Escape")
    page.locator("#day").select_option("2026-10-05")
    # Its day is not the one being looked at.
    dot = page.locator(".overview a", has_text="Ed Eriksen, 3 Oct 2026")
    target = dot.get_attribute("href")
    dot.click()
    expect(page).to_have_url(re.compile(re.escape(target or "?") + "$"))
    expect(page.locator("#day")).to_have_value("2026-10-03")
    expect(shown(page)).to_have_text(["Ed Eriksen"])
    page.reload()
    expect(shown(page)).to_have_text(["Ed Eriksen"])


def test_fits_a_laptop_and_can_be_read(page: Page) -> None:
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 1280
    assert page.evaluate("document.querySelector('.case').scrollWidth") <= 1280 - 430
    contrast = page.evaluate(CONTRAST)
    assert {name: value for name, value in contrast.items() if value < 4.5} == {}


def test_names_stay_inside_their_pictures(page: Page) -> None:
    """No label of the ego graph sticks out of it or lies on another."""
    labels = page.locator(".finding:visible .graph .node text").all()
    boxes = [label.bounding_box() for label in labels]
    frame = page.locator(".finding:visible .graph").bounding_box()
    assert frame is not None
    for box in boxes:
        assert box is not None
        assert frame["x"] - 1 <= box["x"]
        assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    spans = sorted((b["y"], b["y"] + b["height"]) for b in boxes[1:] if b)
    assert all(above[1] <= below[0] + 2 for above, below in pairwise(spans))


def test_hovering_a_trail_tells_the_day(page: Page) -> None:
    trail = page.locator(".finding:visible .trail").first
    trail.scroll_into_view_if_needed()
    usual = trail.locator(".told").text_content() or ""
    box = trail.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 50)
    assert (trail.locator(".told").text_content() or "").startswith("5 Oct: ")
    page.mouse.move(0, 0)
    assert trail.locator(".told").text_content() == usual


def test_hostile_names_do_nothing_in_a_browser(hostile: Page) -> None:
    hostile.locator("#day").select_option("")
    assert len(rows(hostile)) == 15
    hostile.locator(".queue tbody tr").nth(3).click()
    hostile.locator(".finding:visible .assets a[data-asset]").first.click()
    hostile.locator(".finding:visible h2 a").first.hover()
    assert hostile.locator("img, iframe, base").count() == 0
    assert HOSTILE[1] in rows(hostile)


def test_prints_the_finding_in_full(browser: Browser, tmp_path: Path, troubles: list[str]) -> None:
    for page in _open(browser, sample_page(), tmp_path, troubles):
        page.emulate_media(media="print")
        expect(shown(page)).to_have_text(["Ada Abara"])
        assert not page.locator(".queue").is_visible()
        hidden = page.evaluate("getComputedStyle(document.querySelector('.case')).overflowY")
        assert hidden == "visible"


def test_without_script_everything_is_there(browser: Browser, tmp_path: Path) -> None:
    for page in _open(browser, sample_page(), tmp_path, [], java_script_enabled=False):
        expect(shown(page)).to_have_count(15)
        assert len(rows(page)) == 15


CONTRAST = """\
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  const wanted = ".title p, .who p, .who a, .lead, .points strong, .reason, .what p, .much p, " +
    ".gain p, .kicker, .severity, .legend, .assets td, .assets a, span.new, dt, .harmless, " +
    ".family, .keys, #count, .when, figcaption, .finding.current svg text, .overview text";
  for (const element of document.querySelectorAll(wanted)) {
    if (!element.getClientRects().length) continue;
    const own = getComputedStyle(element);
    const ink = element.closest("svg") ? own.fill : own.color;
    const [a, b] = [light(parse(ink)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = element.tagName + "." + element.getAttribute("class");
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
}
"""
