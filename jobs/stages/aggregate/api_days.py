"""Rows of ``api_days``: the day's queries of models by identity, credential and model.

Only a few log formats hold queries of models. Where no source has one of them, the table is empty
and no event is read for it. Prompts and answers are in no table.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.aggregate.access import ASSET, KIND
from jobs.stages.aggregate.place_access import PLACE
from jobs.stages.sql import computed_once, exprs
from schemas.tables.api import API_DAYS, MAX_KEY_VALUES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEYS = ("user_id", "credential", "asset_id")
IS_QUERY = "action_class = 'query' and resource like 'model://%'"
ONE_TOKEN = 3
"""Most tokens of an answer that is taken for a look at the next token."""
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


def api_rows(events: DataFrame, day: date, path: str) -> DataFrame:
    """``api_days`` of the day; ``path``: scratch file for the queries counted by minute and way."""
    ways = computed_once(_ways(events), path)
    return (
        _totals(ways)
        .join(_parameters(ways), [*KEYS])
        .selectExpr(*(f"date'{day}' as day" if c == "day" else c for c in API_DAYS.column_names))
    )


def no_api_rows(spark: SparkSession) -> DataFrame:
    """The table of a day without a source that holds queries."""
    return spark.createDataFrame([], API_DAYS.ddl())


def _ways(events: DataFrame) -> DataFrame:
    """Queries counted by key, minute, address, network, program and parameters."""
    described = events.where(IS_QUERY).selectExpr(
        "user_id",
        "user_kind",
        "coalesce(credential, '') as credential",
        f"{ASSET} as asset_id",
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
    return ways.groupBy(*KEYS).agg(
        *exprs(
            KIND,
            "sum(requests) as requests",
            *(f"sum({name}) as {name}" for name in SUMS),
            "sum(prompt_tokens) as prompt_tokens",
            "sum(completion_tokens) as completion_tokens",
            "min(first_time) as first_time",
            "max(last_time) as last_time",
            f"array({by_hour}) as hours",
            "cast(size(array_distinct(collect_list(minute))) as int) as minutes",
            *(
                f"slice(sort_array(array_distinct(collect_list({value}))), 1, {MAX_KEY_VALUES}) "
                f"as {name}"
                for name, value in lists.items()
            ),
        )
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
