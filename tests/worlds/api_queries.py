"""Queries of models as rows of ``api_days``, and those of an ordinary lab."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from schemas.tables.api import API_DAYS

if TYPE_CHECKING:
    from tests.worlds.histories import World

MONTH_DAYS = 30
CORP, DATACENTER = "corp/US/64512", "datacenter/US/64512"
FIRST = date(2026, 8, 3)


def query_row(day: date, user: str, requests: int, **more: Any) -> dict[str, Any]:
    """A row of API_DAYS: by default short answers for a person in the office."""
    hours = more.pop("hours", (10, 11, 14))
    answers = more.pop("tokens", 300 * requests)
    row = {
        "day": day, "user_id": user, "user_kind": "human", "credential": f"api-{user}",
        "asset_id": "model-orion", "requests": requests, "failures": 0, "refused": 0,
        "prompt_tokens": 500 * requests, "completion_tokens": answers, "logprob_requests": 0,
        "biased_requests": 0, "one_token_requests": 0, "greedy_requests": 0, "parameter_sets": 1,
        "parameters": "0.70/1024/-/-/-/true",
        "first_time": datetime(day.year, day.month, day.day, min(hours)),  # noqa: DTZ001
        "last_time": datetime(day.year, day.month, day.day, max(hours), 59),  # noqa: DTZ001
        "hours": [requests // len(hours) if hour in hours else 0 for hour in range(24)],
        "minutes": min(60 * len(hours), requests), "networks": [CORP], "addresses": [],
        "agents": ["chat/2.1"],
    }  # fmt: skip
    assert set(more) <= set(row), set(more) - set(row)
    return row | more


def ask(world: World, day: date, user: str, requests: int, **more: Any) -> None:
    """Queries of one key on one day, with the access that they leave."""
    row = query_row(day, user, requests, **more)
    world.queries.append(row)
    world.act(day, user, row["asset_id"], "query", hour=14, object=row["asset_id"],
              action="acompletion", network=row["networks"][0], agent="chat",
              kind=row["user_kind"], credential=row["credential"],
              failed=row["failures"] == requests)  # fmt: skip


def add_queries(world: World, rng: np.random.Generator, people: int, days: int) -> None:
    """A third of the people chat, some by programs of their own; a benchmark asks each night."""
    agents = ("openai-python/1.99", "openai-python/1.80", "litellm/1.74", "curl/8.5")
    habits = [
        (f"u{i:03d}", float(rng.lognormal(3.0, 0.7)), i % 9 == 0, int(rng.integers(4)))
        for i in range(0, people, 3)
    ]
    for offset in range(days):
        day = FIRST + timedelta(days=offset)
        for user, rate, programs, program in habits:
            if rng.random() > (0.9 if day.weekday() < 5 else 0.1):
                continue
            count = 1 + int(rng.poisson(rate))
            more: dict[str, Any] = {"failures": int(rng.random() < 0.2)}
            if programs:
                more |= {
                    "credential": f"sk-{user}",
                    "agents": [agents[program]],
                    "parameters": f"{program / 10:.2f}/512/-/-/-/-",
                    "networks": [f"external/US/{64600 + program}"],
                    "addresses": [f"203.0.113.{program * 9 + 4}"],
                    "logprob_requests": int(rng.random() < 0.1) * int(rng.integers(1, 20)),
                    "greedy_requests": count // 2,
                }
            world.queries.append(query_row(day, user, count, **more))
        world.queries.append(
            query_row(day, "svc-eval", 4000, user_kind="service", credential="api-eval",
                      logprob_requests=3600 + int(rng.integers(300)), one_token_requests=3500,
                      greedy_requests=4000, tokens=12_000, networks=[DATACENTER],
                      agents=["lm-eval/0.4"], parameters="0.00/1/-/5/-/-", hours=(2, 3, 4))
        )  # fmt: skip


def api_frame(queries: Sequence[dict[str, Any]], day: date) -> pd.DataFrame:
    """``History.api_days`` of a day."""
    first = day - timedelta(days=MONTH_DAYS - 1)
    rows = [row for row in queries if first <= row["day"] <= day]
    rows.sort(key=lambda row: (row["day"], row["user_id"], row["credential"], row["asset_id"]))
    return pd.DataFrame(rows, columns=API_DAYS.column_names)


# ---- cases --------------------------------------------------------------------------------------

DAY = FIRST + timedelta(days=31)
KEYS = 24
PROXIES = [f"198.18.{number}.7" for number in range(KEYS)]


def one_key_asks_for_probabilities(world: World) -> str:
    """One key sweeps the next token with log-probabilities."""
    ask(world, DAY, "u012", 3000, logprob_requests=3000, one_token_requests=2900, tokens=3000,
        greedy_requests=3000)  # fmt: skip
    return "u012"


def benchmark_as_every_night(world: World) -> str:
    return "svc-eval"


def ring_of_keys(world: World, days: int = 5, **of_key: Any) -> str:
    """Keys of accounts that nobody knows take answers each day.

    ``of_key``: values, or functions of the number of the key.
    """
    for ago in range(days):
        for number in range(KEYS):
            more = {name: value(number) if callable(value) else value
                    for name, value in of_key.items()}  # fmt: skip
            ask(world, DAY - timedelta(days=ago), more.pop("user", f"acct-{number:02d}"),
                60 + number % 5, tokens=60_000 + 100 * number, user_kind="unknown",
                **({"credential": f"sk-{number:02d}", "networks": [f"198.18.{number}.0/24"],
                    "addresses": [PROXIES[number]], "agents": [f"program-{number}/1"],
                    "parameters": f"0.9{number}/2{number}/-/-/-/-",
                    "hours": ((number * 5) % 24, (number * 5 + 7) % 24)} | more))  # fmt: skip
    return "acct-00"


def keys_behind_one_proxy(world: World) -> str:
    """Other programs, parameters and hours, one address; the keys are a month old."""
    return ring_of_keys(world, days=30, networks=["198.18.0.0/24"], addresses=["198.18.0.9"])


def keys_of_one_network(world: World) -> str:
    """Rotating addresses of one rented network."""
    return ring_of_keys(world, days=30, networks=["external/RO/64801"])


def keys_of_one_account(world: World) -> str:
    """One person makes all the keys; nothing else is alike."""
    ring_of_keys(world, days=5, user="u021")
    return "u021"


def keys_of_one_program(world: World) -> str:
    """Distinct addresses, and the program that many others use; the parameters are alike."""
    return ring_of_keys(
        world, days=30, agents=["openai-python/1.99"], parameters="1.00/2048/-/-/-/-"
    )


def keys_born_together(world: World) -> str:
    """Distinct addresses, usual programs; first used within two days, with the same parameters."""
    agents = ("openai-python/1.99", "openai-python/1.80", "litellm/1.74", "curl/8.5")
    return ring_of_keys(world, agents=lambda number: [agents[number % 4]],
                        parameters="1.00/2048/-/-/-/-")  # fmt: skip


def load_test_of_one_key(world: World) -> str:
    """A customer's load test: one new key, one address, more than all others together."""
    for ago in range(2):
        ask(world, DAY - timedelta(days=ago), "u024", 9000, credential="sk-load", tokens=3_000_000,
            networks=["external/US/64611"], addresses=["198.18.77.1"], agents=["locust/2.2"],
            greedy_requests=9000, parameters="0.00/512/-/-/-/-", hours=(9, 10))  # fmt: skip
    return "u024"


def probes_the_guardrails(world: World) -> str:
    """Sixty prompts that the guardrail stops, over both models."""
    ask(world, DAY, "u015", 70, refused=60, failures=60)
    ask(world, DAY, "u015", 30, refused=20, failures=20, asset_id="model-vega")
    return "u015"


def some_failures_as_usual(world: World) -> str:
    ask(world, DAY, "u027", 40, failures=1)
    return "u027"


def probes_a_little_each_day(world: World) -> str:
    """A rehearsal three weeks before, then a few prompts a day; marked ones are answered."""
    for ago in (21, 6, 5, 4, 3, 2, 1):
        ask(world, DAY - timedelta(days=ago), "u033", 30, refused=8)
    ask(world, DAY, "u033", 60, refused=25)
    return "u033"


def extracts_by_rising_habit(world: World) -> str:
    """Raises the number of its queries for probabilities day by day, over two keys."""
    for ago in range(28, -1, -1):
        count = 20 + (28 - ago) * 60
        for key in ("sk-one", "sk-two"):
            ask(world, DAY - timedelta(days=ago), "u030", count, credential=key,
                logprob_requests=count)  # fmt: skip
    return "u030"


def extracts_by_weighted_tokens(world: World) -> str:
    """Asks for no probabilities: weighs one token after the other and reads which one wins."""
    ask(world, DAY, "u036", 2500, biased_requests=2500, tokens=2500)
    return "u036"
