"""report.html: the review queue as one self-contained page that opens from disk.

The page loads nothing. Style and script are in it, and its security policy allows only these two,
by their hashes. So a name that got past escaping could neither run nor send anything. Jinja or
``Markup.format`` escapes every word from the logs; no word goes into the script.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jobs.stages.publish.queue_file import queue_day
from jobs.stages.publish.report import words
from jobs.stages.publish.report.evidence import graph_days
from jobs.stages.publish.report.finding_view import (
    Finding,
    Pages,
    ReportData,
    calendar,
    day_view,
    place,
    show,
)
from jobs.stages.publish.report.overview import overview_picture
from jobs.stages.publish.report.pictures import map_symbol
from schemas.finding import SEVERITIES

REPORT_DAYS = 7
"""Days whose queues are in the page, including the latest day."""
MAX_BYTES = 5_000_000
"""Most bytes of the page. Older findings are left out; they stay in findings.ndjson."""


def shown_findings(queue: Sequence[Finding]) -> list[Finding]:
    """The findings that the page shows: in budget, of the last days, the latest day first."""
    if not queue:
        return []
    latest = max(queue_day(finding) for finding in queue)
    first = latest - timedelta(days=REPORT_DAYS - 1)
    shown = [
        finding
        for finding in queue
        if finding["exfil"]["in_budget"] and first <= queue_day(finding) <= latest
    ]
    return sorted(shown, key=place)


def render_report(queue: Sequence[Finding], data: ReportData, latest: date) -> str:
    """The page for the whole queue (see :func:`shown_findings`), of about ``MAX_BYTES`` at most."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=show,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    article = environment.get_template("finding.html.j2")
    findings = shown_findings(queue)
    graphs = graph_days(data.nodes, data.edges)
    pages = Pages(findings, data, graphs)
    views: list[dict[str, Any]] = []
    articles: list[Markup] = []
    size = 0
    for finding in findings:
        view = pages.view(finding)
        text = Markup(article.render(finding=view))  # noqa: S704  escaped by the template
        size += len(text.encode("utf-8", "replace"))
        if size > MAX_BYTES and articles:
            break
        views.append(view)
        articles.append(text)
    kept = findings[: len(views)]
    days = sorted({queue_day(finding) for finding in queue} | {latest})
    shown_days = [day for day in days if day > max(days) - timedelta(days=REPORT_DAYS)]
    below = Counter(queue_day(f) for f in queue if not f["exfil"]["in_budget"])
    style, script = _asset("page.css.j2"), _asset("page.js.j2")
    return environment.get_template("page.html.j2").render(
        latest=day_view(latest),
        days=[day_view(day) for day in reversed(shown_days)],
        below={day.isoformat(): number for day, number in below.items()},
        left_out=len(findings) - len(kept),
        overview=overview_picture(kept, calendar(shown_days)) if kept else "",
        symbols=[
            map_symbol(f"map-{day}", graphs[day].dots)
            for day in sorted({queue_day(finding) for finding in kept})
            if day in graphs
        ],
        findings=views,
        articles=articles,
        severities=[(n, words.say_severity(n)) for n in range(len(SEVERITIES), 0, -1)],
        detectors=sorted({(v["detector"], v["detector_name"]) for v in views}),
        style=style,
        script=script,
        policy=_policy(style, script),
    )


def _asset(name: str) -> Markup:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return Markup("\n" + text)  # noqa: S704  our own file


def _policy(style: str, script: str) -> str:
    """Content security policy: this style, this script, and nothing from anywhere."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'"
    )
