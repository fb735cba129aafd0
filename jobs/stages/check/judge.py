"""Judging a day with Great Expectations, and naming the source that breaks an expectation."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from jobs.platform.errors import EngineError
from jobs.stages.check.source_facts import History, source_facts
from schemas.config import JobConfig, Quality
from schemas.expectations import (
    DAY_NOT_EMPTY,
    SOURCE_FACTS,
    Expectation,
    event_suite,
    schema_suite,
    source_suite,
)
from schemas.tables.events import EVENTS

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )
    from pyspark.sql import Column, DataFrame, SparkSession

    Judged = list[tuple[Expectation, ExpectationValidationResult]]
    Facts = dict[str, Any]

ENGINE = "engine"
ALL_SOURCES = "*"
SAMPLE_CHARS = 60
RUN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Great Expectations requires a time; the wall clock would make two runs of a day differ."""
WITH_VALUE = {"result_format": "BASIC", "partial_unexpected_count": 0}
YES_OR_NO = {"result_format": "BOOLEAN_ONLY"}
"""One aggregation for a whole suite. Richer formats take one more query for each expectation and
put raw values of a log into the Data Docs."""
WITH_SOURCES = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["source"],
    "return_unexpected_index_query": False,
}


@dataclass(frozen=True)
class Judgement:
    """The outcome of one expectation for one source; ``*`` is all sources together."""

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


def check_day(
    events: DataFrame, rejects: DataFrame, history: History, config: JobConfig, day: date
) -> tuple[list[Judgement], list[ExpectationSuiteValidationResult]]:
    """Outcomes sorted by key, and Great Expectations' own results for the Data Docs.

    If the schema is wrong nothing else is judged: all other failures would follow from it.
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
    outcomes += [Judgement(ALL_SOURCES, expectation, True, "0 rows") for expectation in held]
    outcomes += _blame_sources(events, broken)

    facts = source_facts(events, rejects, sources, history, day)
    by_source, facts_result = _judge_sources(context, events.sparkSession, facts, config.quality)
    return _sorted([*outcomes, *by_source]), [table_result, rows_result, facts_result]


def _quiet_context() -> EphemeralDataContext:
    """A context of Great Expectations that stays in memory and sends no usage data."""
    # Great Expectations reads it at import.
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
    source: Any = context.data_sources.get(ENGINE)
    asset = source.add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("day")
    gx_suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=configurations))
    result = gx.ValidationDefinition(name=name, data=batch, suite=gx_suite).run(
        batch_parameters={"dataframe": frame},
        result_format=result_format,
        run_id=RunIdentifier(run_name=name, run_time=RUN_TIME),
    )
    judged = [(suite[_position(answer)], answer) for answer in result.results]
    return judged, result


def _position(answer: ExpectationValidationResult) -> int:
    """Place in the suite of the expectation that is answered."""
    config: Any = answer.expectation_config
    return int(config.meta["position"])


def _require_answers(judged: Judged) -> None:
    """Raise EngineError if the engine could not evaluate an expectation."""
    broken = {expectation.name: text for expectation, r in judged if (text := _exception_of(r))}
    if broken:
        raise EngineError(
            "check: the engine could not evaluate these expectations on the day's events; is the "
            "table whole? (`exfilwatch doctor`)\n"
            + "\n".join(f"- {expectation}: {text}" for expectation, text in broken.items())
        )


def _exception_of(result: ExpectationValidationResult) -> str | None:
    """First line of the exception of the expectation or of one of its metrics."""
    info = result.exception_info or {}
    infos = [info] if "raised_exception" in info else list(info.values())
    for each in infos:
        if each.get("raised_exception"):
            return str(each.get("exception_message")).splitlines()[0][:200]
    return None


def _table_outcome(expectation: Expectation, result: ExpectationValidationResult) -> Judgement:
    value = result.result.get("observed_value", "no such column")
    observed = f"{len(value)} columns" if isinstance(value, list) else str(value)
    return Judgement(ALL_SOURCES, expectation, bool(result.success), observed)


def _blame_sources(events: DataFrame, broken: Sequence[Expectation]) -> list[Judgement]:
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
        Judgement(
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
) -> tuple[list[Judgement], ExpectationSuiteValidationResult]:
    """An outcome for each source and expectation.

    The sources of failing rows are looked up only for expectations that failed.
    """
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
        Judgement(
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
    """True for rows breaking an expectation of ``event_suite``; nulls break not-null rules only."""
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


def _sorted(outcomes: Sequence[Judgement]) -> list[Judgement]:
    return sorted(outcomes, key=lambda o: (o.source, o.expectation.name, o.expectation.subject))
