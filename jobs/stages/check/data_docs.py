"""Pages of the Data Docs: one for each day, and an index."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.platform.errors import RunError
from jobs.platform.files import write_files
from jobs.platform.stores import file_names
from jobs.stages.check.judge import Judgement
from schemas.expectations import (
    CRITICAL,
    Expectation,
)

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

    Judged = list[tuple[Expectation, ExpectationValidationResult]]
    Facts = dict[str, Any]


DAY_NAME = re.compile(r"\d{4}-\d\d-\d\d\.html")


def render_day(
    outcomes: Sequence[Judgement], results: Sequence[ExpectationSuiteValidationResult], day: date
) -> str:
    """One self-contained page: our outcomes by source, then Great Expectations' Data Docs.

    Great Expectations renders the sections. Its own page around them would load and run scripts of
    a dozen other sites, so that page is replaced.
    """
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, DictLoader

    view = DefaultJinjaPageView()
    own = DictLoader({"page.j2": DAY_PAGE})
    view.env.loader = ChoiceLoader([own, *([view.env.loader] if view.env.loader else [])])
    renderer = ValidationResultsPageRenderer(run_info_at_end=False)
    suites = []
    for result in results:
        document = renderer.render(result).to_json_dict()
        # The first section links to pages of a site that does not exist here.
        suites.append({"name": result.suite_name, "sections": document["sections"][1:]})
    worst_first = sorted(outcomes, key=lambda o: (o.success, o.expectation.severity != CRITICAL))
    return view.env.get_template("page.j2").render(day=day, outcomes=worst_first, suites=suites)


def write_data_docs(folder: str, page: str, day: date) -> None:
    """Write the day's page and the list of days: both or neither."""
    days = {str(day), *(name[:10] for name in file_names(folder) if DAY_NAME.fullmatch(name))}
    names = map(html.escape, sorted(days, reverse=True))
    links = [f'<li><a href="{name}.html">{name}</a></li>' for name in names]
    index = HEAD + INDEX_BODY.format(links="".join(links))
    try:
        write_files({f"{folder}/{day}.html": [page], f"{folder}/index.html": [index]})
    except RunError as error:
        raise RunError(
            f"check: the Data Docs cannot be written to {folder} ({error.__cause__}); make room "
            "and the folder of `output` writable, then run the check stage again"
        ) from error


HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data quality</title>
<style>
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
  color: #1d2730; }
table { border-collapse: collapse; width: 100%; margin-bottom: 1.5rem; }
th, td { border-bottom: 1px solid #d7dde2; padding: .3rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
.critical { color: #a4161a; font-weight: 600; }
.warning { color: #8a5a00; font-weight: 600; }
.badge { background: #eef1f3; border-radius: 3px; padding: 0 .3rem; }
.fa-check-circle::before { content: "\\2713"; color: #1b7f4b; }
.fa-times::before { content: "\\2717"; color: #a4161a; }
.fa-exclamation-triangle::before { content: "!"; color: #8a5a00; }
.cooltip .top { display: none; }
</style>
</head>
"""

DAY_PAGE = (
    HEAD
    + """<body>
<p><a href="index.html">All days</a></p>
<h1>Data quality of {{ day }}</h1>
<table>
<thead><tr><th>result</th><th>source</th><th>expectation</th><th>column</th><th>observed</th>
<th>expected</th><th>what to do</th></tr></thead>
<tbody>
{% for o in outcomes %}<tr>
<td{% if not o.success %} class="{{ o.expectation.severity }}"{% endif %}>
{{ "held" if o.success else o.expectation.severity }}</td>
<td>{{ o.source | e }}</td><td>{{ o.expectation.name | e }}</td>
<td>{{ o.expectation.subject | e }}</td><td>{{ o.observed | e }}</td>
<td>{{ o.expectation.expected | e }}</td>
<td>{% if not o.success %}{{ o.expectation.failure | e }}: {{ o.expectation.advice | e }}
{% endif %}</td>
</tr>{% endfor %}
</tbody>
</table>
{% for suite in suites %}
<h2>Suite {{ suite.name | e }}</h2>
{% for section in suite.sections %}
{% set section_loop = loop %}
{% include "section.j2" %}
{% endfor %}
{% endfor %}
</body>
</html>
"""
)

INDEX_BODY = """<body>
<h1>Data quality by day</h1>
<ul>{links}</ul>
</body>
</html>
"""
