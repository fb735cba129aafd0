"""report.html in a browser: it sorts, filters, links, prints and fits the screen."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.conftest import skip_unless
from tests.worlds.report_pages import HOSTILE, NAMES, hostile_page, sample_page


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
    """Requests, errors and dialogs of a page; a good page has none."""
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


def test_dots_have_the_colours_of_the_page(page: Page) -> None:
    """Light and dark have a colour each for the four severities, as rows and dots show it."""
    colours = {}
    for severity in (1, 2, 3, 4):
        dots = page.locator(f".overview .v{severity} path").all()
        strong = page.locator(f".queue strong.v{severity}").first
        colour = strong.evaluate("element => getComputedStyle(element).color")
        fills = {dot.evaluate("element => getComputedStyle(element).fill") for dot in dots}
        assert fills == {colour}
        colours[severity] = colour
    assert len(set(colours.values())) == 4
    line = page.locator(".overview line").first
    border = page.locator(".top").evaluate("element => getComputedStyle(element).borderBottomColor")
    assert line.evaluate("element => getComputedStyle(element).stroke") == border


def test_trails_have_the_colours_of_their_legend(page: Page) -> None:
    style = "(element, name) => getComputedStyle(element)[name]"
    section = page.locator(".finding:visible section", has=page.locator(".trail"))
    colours = []
    for kind in (".bar:not(.in)", ".bar.in"):
        fill = section.locator(f".trail {kind} path").first.evaluate(style, "fill")
        assert fill == section.locator(f".legend {kind}").evaluate(style, "backgroundColor")
        colours.append(fill)
    for kind, name in (("window", "fill"), ("band", "fill"), ("median", "stroke")):
        colours.append(section.locator(f".trail .{kind} path").first.evaluate(style, name))
    assert len(set(colours)) == 5
    tick = section.locator(".trail .tick text").first
    told = section.locator(".trail .told").first
    assert tick.evaluate(style, "fill") == told.evaluate(style, "fill")
    assert tick.evaluate(style, "fontSize") == told.evaluate(style, "fontSize") == "10.5px"
    assert section.locator(".trail .median path").first.evaluate(style, "fill") == "none"


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
    hostile.locator(".overview a").nth(4).hover()
    titles = hostile.locator(".overview a title").all_text_contents()
    assert len([title for title in titles if title.startswith(HOSTILE[1])]) == 3
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
