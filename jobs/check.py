"""Check a day of ``events`` with Great Expectations, and stop the day when it must not be used.

The suites are data (schemas/expectations.py). The rows are judged on the engine's own frame; only
when some fail does one more aggregation say whose they are. What concerns a source as a whole is
judged on a small frame of facts, one row per source.
"""

from __future__ import annotations

import html
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import EngineError, GateError, RunError
from jobs.plain_text import printable
from jobs.review_queue import write_files
from jobs.warehouse import last_writing, read_days, replace_day, to_frame
from schemas.config import JobConfig, Quality
from schemas.expectations import (
    CRITICAL,
    DAY_NOT_EMPTY,
    SOURCE_FACTS,
    Expectation,
    event_suite,
    schema_suite,
    source_suite,
)
from schemas.tables import EVENTS, QUALITY, REJECTS

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.data_context.data_context import EphemeralDataContext
    from pyspark.sql import Column, DataFrame, SparkSession

    Judged = list[tuple[Expectation, ExpectationValidationResult]]
    Facts = dict[str, Any]

INPUTS = (EVENTS, REJECTS)
ENGINE = "engine"
ALL_SOURCES = "*"
SAMPLE_CHARS = 60
MAX_WARNINGS = 5
RUN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Great Expectations wants one; the wall clock would make two runs of a day differ."""
WITH_VALUE = {"result_format": "BASIC", "partial_unexpected_count": 0}
YES_OR_NO = {"result_format": "BOOLEAN_ONLY"}
"""One aggregation for a whole suite; every richer format is a query more per expectation, and
would put raw values of a log into the Data Docs."""
WITH_SOURCES = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["source"],
    "return_unexpected_index_query": False,
}

History = Mapping[str, Mapping[date, int]]
"""Events of earlier days: source → day → events."""


@dataclass(frozen=True)
class Outcome:
    """How one expectation came out for one source; ``*`` is all sources together."""

    source: str
    expectation: Expectation
    success: bool
    observed: str

    @property
    def message(self) -> str:
        """One sentence for a person."""
        who = "all sources" if self.source == ALL_SOURCES else self.source
        if self.success:
            return f"{who}: {self.expectation.meaning}"
        return (
            f"{who}: {self.expectation.failure}; observed {self.observed}, "
            f"expected {self.expectation.expected}; {self.expectation.advice}"
        )


def run(spark: SparkSession, config: JobConfig, day: date) -> str:
    """Judge the day; keep every outcome in ``quality`` and in the Data Docs; stop if critical.

    Raises :class:`GateError` with every critical failure, after everything is written; RunError
    where events and rejects are not of one run, before.
    """
    written = {last_writing(config.storage, table, day) for table in (EVENTS, REJECTS)}
    if len(written) > 1:
        raise RunError(
            f"`events` and `rejects` of {day} are not of one run: an ingest ended between them; "
            f"run `exfilwatch stage ingest` for {day} again"
        )
    events = read_days(spark, config.storage, EVENTS, day)
    rejects = read_days(spark, config.storage, REJECTS, day)
    history = _read_history(spark, config, day)
    outcomes, results = check_day(events, rejects, history, config, day)
    rows = quality_rows(outcomes, day)
    replace_day(to_frame(spark, rows, QUALITY), config.storage, QUALITY, day)
    page = _render_day(outcomes, results, day)
    _write_data_docs(Path(config.output) / "data_docs", page, day)

    failed = [outcome for outcome in outcomes if not outcome.success]
    critical = [outcome for outcome in failed if outcome.expectation.severity == CRITICAL]
    if critical:
        lines = [
            printable(f"- {outcome.expectation.name}: {outcome.message}") for outcome in critical
        ]
        raise GateError(
            f"the data-quality gate stopped {day}: {len(critical)} of {len(outcomes)} expectations "
            "failed critically; later stages must not use this day\n" + "\n".join(lines)
        )
    return f"{len(outcomes)} expectations, {_warnings(failed)}"


def _warnings(failed: Sequence[Outcome]) -> str:
    """How many warnings there are and which: the first ones by name and source."""
    counted = f"{len(failed)} warning{'' if len(failed) == 1 else 's'}"
    if not failed:
        return counted
    named = [f"{outcome.expectation.name} of {outcome.source}" for outcome in failed]
    more = f" and {len(named) - MAX_WARNINGS} more" if len(named) > MAX_WARNINGS else ""
    return f"{counted}: {', '.join(named[:MAX_WARNINGS])}{more}"


def check_day(
    events: DataFrame, rejects: DataFrame, history: History, config: JobConfig, day: date
) -> tuple[list[Outcome], list[ExpectationSuiteValidationResult]]:
    """Outcomes sorted by key, and Great Expectations' own results for the Data Docs.

    If the schema is wrong nothing else is judged: all other answers would only be about that.
    """
    context = _quiet_context()
    schema = schema_suite(EVENTS)
    table, table_result = _judge(context, events, "table", [*schema, DAY_NOT_EMPTY], WITH_VALUE)
    outcomes = [_table_outcome(expectation, result) for expectation, result in table]
    if any(not outcome.success and outcome.expectation in schema for outcome in outcomes):
        return _sorted(outcomes), [table_result]

    sources = [source.name for source in config.sources]
    rows, rows_result = _judge(context, events, "rows", event_suite(sources), YES_OR_NO)
    _require_answers(rows)
    held = [expectation for expectation, result in rows if result.success]
    broken = [expectation for expectation, result in rows if not result.success]
    outcomes += [Outcome(ALL_SOURCES, expectation, True, "0 rows") for expectation in held]
    outcomes += _blame_sources(events, broken)

    facts = source_facts(events, rejects, sources, history, day)
    by_source, facts_result = _judge_sources(context, events.sparkSession, facts, config.quality)
    return _sorted([*outcomes, *by_source]), [table_result, rows_result, facts_result]


def source_facts(
    events: DataFrame, rejects: DataFrame, sources: Sequence[str], history: History, day: date
) -> list[Facts]:
    """Rows of SOURCE_FACTS, sorted: every source of the config and every other that is there."""
    from pyspark.sql import functions as F

    in_day = F.expr(f"to_date(event_time) = date'{day}'")
    # Two steps: counting distinct ids beside other aggregates is slow on Sail.
    by_id = events.groupBy("source", "event_id").agg(
        F.expr("count(*)").alias("events"),
        F.expr("count(case when user_kind = 'unknown' then 1 end)").alias("unresolved"),
        F.count(F.when(in_day, 1)).alias("inside"),
        F.expr("max(unix_timestamp(event_time))").alias("last_second"),
    )
    by_source = by_id.groupBy("source").agg(
        F.expr("sum(events)").alias("events"),
        F.expr("sum(unresolved)").alias("unresolved"),
        F.expr("sum(events) - sum(inside)").alias("outside_day"),
        F.expr("sum(case when event_id is null then 0 else events - 1 end)").alias("duplicate_ids"),
        F.expr("max(last_second)").alias("last_second"),
    )
    counted = {row["source"]: row.asDict() for row in by_source.collect()}
    # A row may stand for many records, of which only the number is kept.
    all_rejects = rejects.groupBy("source").agg(F.expr("sum(coalesce(records, 1))").alias("count"))
    rejected = {row["source"]: row["count"] for row in all_rejects.collect()}
    names = sorted(name for name in {*sources, *counted, *rejected} if name is not None)
    return [
        _facts_of(name, counted.get(name, {}), rejected.get(name, 0), history.get(name, {}), day)
        for name in names
    ]


def usual_events(history: Mapping[date, int], day: date) -> float | None:
    """Median of the earlier days' events, those of the same weekday counted twice.

    Days without any event are left out: a source that stays missing must not become the usual.
    """
    weighted = [
        events
        for earlier, events in history.items()
        if events > 0
        for _ in range(2 if earlier.weekday() == day.weekday() else 1)
    ]
    return float(statistics.median(weighted)) if weighted else None


def quality_rows(outcomes: Sequence[Outcome], day: date) -> pd.DataFrame:
    """Rows of QUALITY, one per outcome."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                day,
                outcome.source,
                outcome.expectation.name,
                outcome.expectation.subject,
                outcome.expectation.severity,
                outcome.success,
                outcome.observed,
                outcome.expectation.expected,
                outcome.message,
            )
            for outcome in outcomes
        ],
        columns=QUALITY.column_names,
    )


def _read_history(spark: SparkSession, config: JobConfig, day: date) -> History:
    """Events of the trailing days as their own checks counted them."""
    window = config.quality.volume_window_days
    quality = read_days(spark, config.storage, QUALITY, day - timedelta(days=1), window - 1)
    history: dict[str, dict[date, int]] = {}
    for row in quality.where("expectation = 'source_not_missing'").collect():
        history.setdefault(row["source"], {})[row["day"]] = int(row["observed"])
    return history


def _facts_of(
    source: str, counted: Facts, rejects: int, history: Mapping[date, int], day: date
) -> Facts:
    events = counted.get("events", 0)
    unresolved = counted.get("unresolved", 0)
    usual = usual_events(history, day)
    midnight = datetime.combine(day + timedelta(days=1), time.min, UTC).timestamp()
    last_second = counted.get("last_second")
    return {
        "source": source,
        "events": events,
        "rejects": rejects,
        "records": events + rejects,
        "reject_share": rejects / (events + rejects) if events + rejects else None,
        "unresolved": unresolved,
        "unresolved_share": unresolved / events if events else None,
        "duplicate_ids": counted.get("duplicate_ids", 0),
        "outside_day": counted.get("outside_day", 0),
        "history_days": sum(count > 0 for count in history.values()),
        "usual_events": usual,
        "volume_ratio": events / usual if usual else None,
        "silent_hours": None if last_second is None else max(midnight - last_second, 0.0) / 3600,
    }


def _quiet_context() -> EphemeralDataContext:
    """A context of Great Expectations that keeps everything in memory and tells nobody."""
    # Read at import.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    settings = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=settings)
    context.data_sources.add_spark(ENGINE, persist=False)
    return context


def _judge(
    context: EphemeralDataContext,
    frame: DataFrame,
    name: str,
    suite: Sequence[Expectation],
    result_format: dict[str, Any],
) -> tuple[Judged, ExpectationSuiteValidationResult]:
    """Great Expectations' verdicts on a frame; ``name`` is used once per context."""
    import great_expectations as gx
    from great_expectations.core import RunIdentifier

    configurations = [
        {
            "type": expectation.type,
            "kwargs": {
                **({"column": expectation.column} if expectation.column else {}),
                **expectation.limits,
            },
            "meta": {"position": position},
            "severity": expectation.severity,
        }
        for position, expectation in enumerate(suite)
    ]
    asset = context.data_sources.get(ENGINE).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("day")
    gx_suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=configurations))
    result = gx.ValidationDefinition(name=name, data=batch, suite=gx_suite).run(
        batch_parameters={"dataframe": frame},
        result_format=result_format,
        run_id=RunIdentifier(run_name=name, run_time=RUN_TIME),
    )
    judged = [(suite[r.expectation_config.meta["position"]], r) for r in result.results]
    return judged, result


def _require_answers(judged: Judged) -> None:
    """Raise if an expectation was not evaluated, which says nothing about the data."""
    broken = {expectation.name: text for expectation, r in judged if (text := _exception_of(r))}
    if broken:
        raise EngineError(
            "check: the engine could not evaluate these expectations on the day's events; is the "
            "table whole? (`exfilwatch doctor`)\n"
            + "\n".join(f"- {expectation}: {text}" for expectation, text in broken.items())
        )


def _exception_of(result: ExpectationValidationResult) -> str | None:
    """First line of what was raised, either for the expectation or for one of its metrics."""
    info = result.exception_info or {}
    infos = [info] if "raised_exception" in info else list(info.values())
    for each in infos:
        if each.get("raised_exception"):
            return str(each.get("exception_message")).splitlines()[0][:200]
    return None


def _table_outcome(expectation: Expectation, result: ExpectationValidationResult) -> Outcome:
    value = result.result.get("observed_value", "no such column")
    observed = f"{len(value)} columns" if isinstance(value, list) else str(value)
    return Outcome(ALL_SOURCES, expectation, bool(result.success), observed)


def _blame_sources(events: DataFrame, broken: Sequence[Expectation]) -> list[Outcome]:
    """One failure for each broken expectation and each source that breaks it."""
    from pyspark.sql import functions as F

    if not broken:
        return []
    wrong = [_wrong_rows(expectation) for expectation in broken]
    samples = [
        F.min(F.when(condition, F.col(expectation.column))).cast("string")
        for condition, expectation in zip(wrong, broken, strict=True)
    ]
    totals = events.groupBy("source").agg(
        F.count(F.lit(1)).alias("rows"),
        *[F.count(F.when(condition, 1)).alias(f"count_{i}") for i, condition in enumerate(wrong)],
        *[sample.alias(f"sample_{i}") for i, sample in enumerate(samples)],
    )
    return [
        Outcome(
            ALL_SOURCES if row["source"] is None else row["source"],
            expectation,
            False,
            f"{row[f'count_{i}']} of {row['rows']} rows{_sample_text(row[f'sample_{i}'])}",
        )
        for row in totals.collect()
        for i, expectation in enumerate(broken)
        if row[f"count_{i}"]
    ]


def _judge_sources(
    context: EphemeralDataContext, spark: SparkSession, facts: Sequence[Facts], quality: Quality
) -> tuple[list[Outcome], ExpectationSuiteValidationResult]:
    """An outcome for each source and expectation; who failed is asked only where one did."""
    frame = spark.createDataFrame(
        [tuple(fact[name] for name in SOURCE_FACTS.column_names) for fact in facts],
        SOURCE_FACTS.ddl(),
    )
    suite = source_suite(quality)
    judged, result = _judge(context, frame, "sources", suite, YES_OR_NO)
    _require_answers(judged)
    broken = [expectation for expectation, each in judged if not each.success]
    asked = _judge(context, frame, "failed sources", broken, WITH_SOURCES)[0] if broken else []
    failed = {
        (expectation.name, row["source"])
        for expectation, each in asked
        for row in each.result["unexpected_index_list"]
    }
    outcomes = [
        Outcome(
            fact["source"],
            expectation,
            (expectation.name, fact["source"]) not in failed,
            _observed_text(expectation, fact),
        )
        for expectation in suite
        for fact in facts
    ]
    return outcomes, result


def _observed_text(expectation: Expectation, fact: Facts) -> str:
    unjudged = fact[expectation.column] is None
    return (expectation.unjudged if unjudged else expectation.observed).format(**fact)


def _wrong_rows(expectation: Expectation) -> Column:
    """True for the rows that break an expectation of ``event_suite``; nulls only break nulls."""
    from pyspark.sql import functions as F

    value = F.col(expectation.column)
    limits = expectation.limits
    if expectation.type == "expect_column_values_to_not_be_null":
        return value.isNull()
    if expectation.type == "expect_column_values_to_be_in_set":
        return ~value.isin(*limits["value_set"])
    below = value < limits["min_value"] if "min_value" in limits else F.lit(False)
    above = value > limits["max_value"] if "max_value" in limits else F.lit(False)
    return below | above


def _sample_text(value: str | None) -> str:
    """A value as shown to a person: escaped, and too short to hold a secret or a path."""
    return "" if value is None else f", such as {json.dumps(value[:SAMPLE_CHARS])}"


def _sorted(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return sorted(outcomes, key=lambda o: (o.source, o.expectation.name, o.expectation.subject))


def _render_day(
    outcomes: Sequence[Outcome], results: Sequence[ExpectationSuiteValidationResult], day: date
) -> str:
    """One self-contained page: our outcomes by source, then Great Expectations' Data Docs.

    Great Expectations renders the sections; its own page around them would fetch and run scripts
    of a dozen other sites whenever somebody looks at it, so that page is replaced.
    """
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, DictLoader

    view = DefaultJinjaPageView()
    view.env.loader = ChoiceLoader([DictLoader({"page.j2": DAY_PAGE}), view.env.loader])
    renderer = ValidationResultsPageRenderer(run_info_at_end=False)
    suites = []
    for result in results:
        document = renderer.render(result).to_json_dict()
        # The first section is an overview that links to pages of a whole site.
        suites.append({"name": result.suite_name, "sections": document["sections"][1:]})
    worst_first = sorted(outcomes, key=lambda o: (o.success, o.expectation.severity != CRITICAL))
    return view.env.get_template("page.j2").render(day=day, outcomes=worst_first, suites=suites)


def _write_data_docs(folder: Path, page: str, day: date) -> None:
    """Write the day's page and the list of days, both or none."""
    days = {str(day), *(path.stem for path in folder.glob("????-??-??.html"))}
    names = map(html.escape, sorted(days, reverse=True))
    links = [f'<li><a href="{name}.html">{name}</a></li>' for name in names]
    index = HEAD + INDEX_BODY.format(links="".join(links))
    try:
        write_files({folder / f"{day}.html": [page], folder / "index.html": [index]})
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
