"""Rows of ``api_days``: the day's queries of models by identity, credential and model.

Only a few log formats hold queries of models. Where no source has one of them, the table is empty
and no event is read for it. Prompts and answers are in no table; fingerprints of prompts, which
the stage ``ingest`` made, say how many were alike and which templates they share.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.aggregate.access import ASSET, KIND
from jobs.stages.aggregate.place_access import PLACE
from jobs.stages.sql import computed_once, exprs
from schemas.tables.api import API_DAYS, MAX_KEY_VALUES, MAX_TEMPLATES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEYS = ("user_id", "credential", "asset_id")
IS_QUERY = "action_class = 'query' and resource like 'model://%'"
ONE_TOKEN = 3
"""Most tokens of an answer that is taken for a look at the next token."""
LEAST_USES = 3
"""Queries of a row that share a hash before it counts as a template."""
BAND_DIGITS = 8
"""Hexadecimal digits of a sketch that two prompts share if one nearly repeats the other."""
SKETCH = "details['prompt_sketch']"
DAY_PRIME = 1447
"""The least prime above the minutes of a day."""
MOMENT_ORDERS = (
    (419, 11), (887, 977), (1187, 523), (263, 1301), (709, 199), (1019, 754), (587, 1103), (151, 61)
)  # fmt: skip
"""Factor and summand of each order of the day's minutes."""
REFUSALS = "content_?policy|content_?filter|guardrail|moderation|safety|blocked|injection"
"""Parts of an error's name that mean a guardrail or a content policy refused the request."""


def _number(key: str) -> str:
    return f"try_cast(details['{key}'] as bigint)"


REFUSED = (
    "coalesce(lower(details['guardrail']) not in ('', 'guardrail_failed_to_respond', 'not_run', "
    "'passed', 'success'), false) or "
    f"coalesce(regexp_like(lower(concat_ws(' ', details['error_class'], details['error_code'])), "
    f"'{REFUSALS}'), false)"
)
"""SQL: a guardrail marked the query, or the error is one of content."""
LOGPROBS = (
    "details['logprobs'] is not null or coalesce(try_cast(details['top_logprobs'] as bigint) > 0, "
    "false)"
)
BIASED = "coalesce(try_cast(details['logit_bias'] as bigint) > 0, false)"
GREEDY = "coalesce(try_cast(details['temperature'] as double) = 0, false)"
PARAMETERS = "concat_ws('/', {})".format(
    ", ".join(
        f"coalesce(details['{key}'], '-')"
        for key in ("temperature", "max_tokens", "n", "top_logprobs", "logit_bias", "stream")
    )
)
IS_OURS = "coalesce(zone in ('corp', 'vpn', 'datacenter'), false)"
AGENT = "nullif(substring(user_agent, 1, 200), '')"
SUMS = {
    "failures": "outcome = 'failure'",
    "refused": REFUSED,
    "logprob_requests": LOGPROBS,
    "biased_requests": BIASED,
    "one_token_requests": f"coalesce({_number('max_tokens')} between 1 and {ONE_TOKEN}, false)",
    "greedy_requests": GREEDY,
}
"""Counts of queries, and the SQL of the condition of each."""

WITHOUT_PROMPTS = {
    "prompts": "coalesce(prompts, 0) as prompts",
    "alike_prompts": "coalesce(alike_prompts, 0) as alike_prompts",
    "templates": "coalesce(templates, cast(array() as array<string>)) as templates",
}
"""SQL of the columns about prompts; rows without a logged prompt have none."""


def api_rows(events: DataFrame, day: date, path: str) -> DataFrame:
    """``api_days`` of the day; ``path``: scratch file for the queries counted by minute and way."""
    made = {"day": f"date'{day}' as day", **WITHOUT_PROMPTS}
    ways = computed_once(_ways(events), path)
    prompts = events.where(f"{IS_QUERY} and {SKETCH} is not null").selectExpr(
        *_key_columns(), "details"
    )
    return (
        _totals(ways)
        .join(_parameters(ways), [*KEYS])
        .join(_alike(prompts), [*KEYS], "left")
        .join(_templates(prompts), [*KEYS], "left")
        .selectExpr(*(made.get(name, name) for name in API_DAYS.column_names))
    )


def no_api_rows(spark: SparkSession) -> DataFrame:
    """The table of a day without a source that holds queries."""
    return spark.createDataFrame([], API_DAYS.ddl())


def _key_columns() -> tuple[str, ...]:
    return ("user_id", "coalesce(credential, '') as credential", f"{ASSET} as asset_id")


def _ways(events: DataFrame) -> DataFrame:
    """Queries counted by key, minute, address, network, program and parameters."""
    described = events.where(IS_QUERY).selectExpr(
        *_key_columns(),
        "user_kind",
        "cast(hour(event_time) * 60 + minute(event_time) as int) as minute",
        f"if({IS_OURS}, null, source_ip) as address",
        f"{PLACE} as network",
        f"{AGENT} as agent",
        f"{PARAMETERS} as parameters",
        f"{_number('prompt_tokens')} as prompt_tokens",
        f"{_number('completion_tokens')} as completion_tokens",
        *(f"{condition} as {name}" for name, condition in SUMS.items()),
        "event_time",
    )
    return described.groupBy(*KEYS, "minute", "address", "network", "agent", "parameters").agg(
        *exprs(
            KIND,
            "count(*) as requests",
            *(f"count_if({name}) as {name}" for name in SUMS),
            "sum(prompt_tokens) as prompt_tokens",
            "sum(completion_tokens) as completion_tokens",
            "min(event_time) as first_time",
            "max(event_time) as last_time",
        )
    )


def _totals(ways: DataFrame) -> DataFrame:
    """Sums, hours and lists by KEYS."""
    by_hour = ", ".join(
        f"coalesce(sum(if(minute div 60 = {hour}, requests, 0)), 0)" for hour in range(24)
    )
    lists = {"networks": "network", "addresses": "address", "agents": "agent"}
    sums = ways.groupBy(*KEYS).agg(
        *exprs(
            KIND,
            "sum(requests) as requests",
            *(f"sum({name}) as {name}" for name in SUMS),
            "sum(prompt_tokens) as prompt_tokens",
            "sum(completion_tokens) as completion_tokens",
            "min(first_time) as first_time",
            "max(last_time) as last_time",
            f"array({by_hour}) as hours",
            "array_distinct(collect_list(minute)) as used_minutes",
            *(
                f"slice(sort_array(array_distinct(collect_list({value}))), 1, {MAX_KEY_VALUES}) "
                f"as {name}"
                for name, value in lists.items()
            ),
        )
    )
    moments = ", ".join(
        f"array_min(transform(used_minutes, m -> (m * {a} + {b}) % {DAY_PRIME} * 2048 + m)) % 2048"
        for a, b in MOMENT_ORDERS
    )
    return sums.selectExpr(
        *(name for name in sums.columns if name != "used_minutes"),
        "cast(size(used_minutes) as int) as minutes",
        f"cast(array({moments}) as array<int>) as moments",
    )


def _alike(prompts: DataFrame) -> DataFrame:
    """Prompts by KEYS, and those that nearly repeat an earlier one.

    Two prompts are alike if they share a band of their sketches. The band with the fewest distinct
    values counts, for a word that differs may change any of them.
    """
    bands = [
        f"count(distinct substring({SKETCH}, {start}, {BAND_DIGITS}))"
        for start in range(1, 32, BAND_DIGITS)
    ]
    return prompts.groupBy(*KEYS).agg(
        *exprs(
            "count(*) as prompts",
            f"count(*) - least({', '.join(bands)}) as alike_prompts",
        )
    )


def _templates(prompts: DataFrame) -> DataFrame:
    """The most used templates by KEYS."""
    hashes = "array(concat('s', details['system_hash']), concat('u', details['opening_hash']))"
    used = (
        prompts.selectExpr(*KEYS, f"explode({hashes}) as template")
        .where("template is not null")
        .groupBy(*KEYS, "template")
        .agg(*exprs("count(*) as uses"))
        .where(f"uses >= {LEAST_USES}")
    )
    ordered = "sort_array(collect_list(named_struct('place', -uses, 'template', template)))"
    return used.groupBy(*KEYS).agg(
        *exprs(f"transform(slice({ordered}, 1, {MAX_TEMPLATES}), one -> one.template) as templates")
    )


def _parameters(ways: DataFrame) -> DataFrame:
    """The number of distinct parameter sets by KEYS, and the most used one."""
    used = ways.groupBy(*KEYS, "parameters").agg(*exprs("sum(requests) as used"))
    return used.groupBy(*KEYS).agg(
        *exprs(
            "cast(count(*) as int) as parameter_sets",
            "sort_array(collect_list(named_struct('used', used, 'parameters', parameters)), false)"
            "[0].parameters as parameters",
        )
    )
