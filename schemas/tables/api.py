"""Table `api_days` of the stage `aggregate`: queries of models through an API or a gateway."""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import USER_KINDS

MAX_KEY_VALUES = 20
"""Most values in a list of ``api_days``."""

MAX_TEMPLATES = 8
"""Most templates in a row of ``api_days``."""

API_WEEK = ("prompt_tokens", "parameter_sets", "parameters", "first_time", "last_time", "hours",
            "minutes", "moments", "networks", "addresses", "agents")  # fmt: skip
"""Columns that the models need of the last seven days only."""

API_DAYS = Table(
    name="api_days",
    stage="aggregate",
    grain="day x identity x credential x model",
    key=("user_id", "credential", "asset_id"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("credential", "string", "key of the request, never the secret; empty: none logged"),
        Column("asset_id", "string", "model, as in access"),
        Column("requests", "bigint", "all queries, failures included", minimum=1),
        Column("failures", "bigint", "queries whose outcome is failure", minimum=0),
        Column("refused", "bigint", "queries that a guardrail or a content policy stopped or "
               "marked", minimum=0),
        Column("prompt_tokens", "bigint", "sum; null: none logged", True, minimum=0),
        Column("completion_tokens", "bigint", "sum; null: none logged", True, minimum=0),
        Column("logprob_requests", "bigint", "queries that ask for log-probabilities", minimum=0),
        Column("biased_requests", "bigint", "queries with weighted tokens (logit_bias)",
               minimum=0),
        Column("one_token_requests", "bigint", "queries for one to three tokens", minimum=0),
        Column("greedy_requests", "bigint", "queries of temperature 0", minimum=0),
        Column("parameter_sets", "int", "distinct sets of sampling parameters", minimum=1),
        Column("parameters", "string", "the most used set: `temperature/max_tokens/n/top_logprobs/"
               "logit_bias/stream`, `-` for a parameter that is not given"),
        Column("first_time", "timestamp", "first query"),
        Column("last_time", "timestamp", "last query"),
        Column("hours", "array<bigint>", "queries of each UTC hour; 24 numbers"),
        Column("minutes", "int", "distinct minutes with queries", minimum=1),
        Column("moments", "array<int>", "a sample of these minutes (0 to 1439): of each of eight "
               "fixed orders of the day's minutes the first one with a query (MinHash); null: "
               "written by a version without it", True),
        Column("prompts", "bigint", "queries with a fingerprint of the prompt; null: written by a "
               "version without it", True, minimum=0),
        Column("alike_prompts", "bigint", "queries whose prompt nearly repeats an earlier one of "
               "the row; null as in prompts", True, minimum=0),
        Column("templates", "array<string>", "hashes of system messages (`s…`) and of the first "
               "words of questions (`u…`) that at least 3 queries share, the most used first, at "
               "most 8; null as in prompts", True),
        Column("networks", "array<string>", "distinct `zone/country/asn`; of an address that "
               "networks.csv does not know its prefix (/24, IPv6 /48); sorted, at most 20"),
        Column("addresses", "array<string>", "distinct addresses outside our own zones (corp, vpn, "
               "datacenter), sorted, at most 20"),
        Column("agents", "array<string>", "distinct user agents, the first 200 characters, sorted, "
               "at most 20"),
    ),
)  # fmt: skip
