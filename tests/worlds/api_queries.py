"""Queries of models as rows of ``api_days``, and those of an ordinary lab."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pandas as pd

from jobs.stages.aggregate.api_days import DAY_PRIME, MOMENT_ORDERS
from schemas.tables.api import API_DAYS

if TYPE_CHECKING:
    from tests.worlds.histories import World

MONTH_DAYS = 30
CORP, DATACENTER = "corp/US/64512", "datacenter/US/64512"
FIRST = date(2026, 8, 3)
CHAT, EVAL = "s00000000c4a7", "u0000000e7a11"
"""Templates of the lab's chat program and of its benchmark."""


def moments_of(minutes: Iterable[int]) -> list[int]:
    """The sample of a day's minutes as ``api_days`` has it."""
    used = list(minutes)
    return [
        min(used, key=lambda m, a=a, b=b: (m * a + b) % DAY_PRIME)  # type: ignore[misc]
        for a, b in MOMENT_ORDERS
    ]


def minutes_of(day: date, key: str, hours: Sequence[int], count: int) -> list[int]:
    """Distinct minutes of these hours, by chance."""
    rng = np.random.default_rng(crc32(f"{day}{key}".encode()))
    every = np.array([60 * hour + minute for hour in hours for minute in range(60)])
    return [int(minute) for minute in rng.choice(every, count, replace=False)]


def query_row(day: date, user: str, requests: int, **more: Any) -> dict[str, Any]:
    """A row of API_DAYS: by default short answers for a person in the office."""
    hours = more.pop("hours", (10, 11, 14))
    answers = more.pop("tokens", 300 * requests)
    used = min(60 * len(hours), requests)
    if "moments" not in more:
        more["moments"] = moments_of(
            minutes_of(day, str(more.get("credential", user)), hours, used)
        )
    row = {
        "day": day, "user_id": user, "user_kind": "human", "credential": f"api-{user}",
        "asset_id": "model-orion", "requests": requests, "failures": 0, "refused": 0,
        "prompt_tokens": 500 * requests, "completion_tokens": answers, "logprob_requests": 0,
        "biased_requests": 0, "one_token_requests": 0, "greedy_requests": 0, "parameter_sets": 1,
        "parameters": "0.70/1024/-/-/-/true",
        "first_time": datetime(day.year, day.month, day.day, min(hours)),  # noqa: DTZ001
        "last_time": datetime(day.year, day.month, day.day, max(hours), 59),  # noqa: DTZ001
        "hours": [requests // len(hours) if hour in hours else 0 for hour in range(24)],
        "minutes": used, "moments": None, "prompts": None, "alike_prompts": None,
        "templates": None, "networks": [CORP], "addresses": [],
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
            more: dict[str, Any] = {"failures": int(rng.random() < 0.2), "prompts": count,
                                    "alike_prompts": count // 12, "templates": [CHAT]}  # fmt: skip
            if programs:
                more |= {
                    "credential": f"sk-{user}",
                    "templates": [],
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
                      greedy_requests=4000, tokens=12_000, prompts=4000, alike_prompts=3900,
                      templates=[EVAL], networks=[DATACENTER],
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
                **(_apart(number) | more))  # fmt: skip
    return "acct-00"


def keys_behind_one_proxy(world: World) -> str:
    """Other programs, parameters and hours, one address; the keys are a month old."""
    return ring_of_keys(world, days=30, networks=["198.18.0.0/24"], addresses=["198.18.0.9"])


def keys_of_one_device(world: World) -> str:
    """Each key has an address of IPv6 of its own, all of the 64 bits that one device may choose."""
    return ring_of_keys(world, days=30, networks=lambda number: [f"2001:db8:7::{number:x}/128"],
                        addresses=lambda number: [f"2001:db8:7::{number:x}"])  # fmt: skip


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


def keys_of_one_template(world: World) -> str:
    """Old accounts; all else differs, and some days ago all began to ask by one template."""
    for ago in range(29, 4, -1):
        for number in range(KEYS):
            ask(world, DAY - timedelta(days=ago), f"acct-{number:02d}", 9, user_kind="unknown",
                **_apart(number), prompts=9, alike_prompts=2,
                templates=[f"u{number:012x}"])  # fmt: skip
    return ring_of_keys(world, prompts=60, alike_prompts=40, templates=["u0000000d1571"])


def keys_in_the_same_minutes(world: World) -> str:
    """One program drives all keys at once, on each day at other hours; the prompts are unlike."""
    for ago in range(30):
        day = DAY - timedelta(days=ago)
        hours = [(5 * ago + step) % 24 for step in (0, 3, 6, 9)]
        used = minutes_of(day, "the program", hours, 60)
        for number in range(KEYS):
            more = _apart(number) | {
                "hours": hours,
                "moments": moments_of(used),
                "prompts": 60,
                "alike_prompts": 5,
                "templates": [f"u{number:012x}"],
            }
            ask(world, day, f"acct-{number:02d}", 60, tokens=60_000, user_kind="unknown", **more)
    return "acct-00"


def customers_of_a_known_product(world: World) -> str:
    """Sixty customers send one product's system message; a third began in the last two weeks."""
    for number in range(60):
        for ago in range(1 + number * 5 % 13 if number % 3 == 0 else 30):
            ask(world, DAY - timedelta(days=ago), f"customer-{number:02d}", 60, tokens=60_000,
                user_kind="unknown", **_apart(number), prompts=60, alike_prompts=5,
                templates=["s0000000f4a3e"])  # fmt: skip
    return "customer-00"


def customers_of_a_launch(world: World) -> str:
    """Forty-two begin with a new model, by the newest common program, at three hosters."""
    launch(world, 42)
    return "customer-00"


def launch(world: World, customers: int) -> None:
    """A new model of the lab, and its customers of the first six days."""
    world.assets["model-nova"] = world.assets["model-orion"] | {
        "asset_id": "model-nova", "pattern": "model://model-nova",
    }  # fmt: skip
    for number in range(customers):
        for ago in range(6 - number % 2):
            own = _apart(number) | {"networks": [f"cloud/US/{64900 + number % 3}"]}
            ask(world, DAY - timedelta(days=ago), f"customer-{number:02d}", 60, tokens=60_000,
                user_kind="unknown", **(own | NEWEST), asset_id="model-nova")  # fmt: skip


NEWEST: dict[str, Any] = {
    "agents": ["openai-python/2.00"],
    "parameters": "1.00/8192/-/-/-/-",
    "hours": range(24),
}
"""What the newest version of a common program does by default, day and night."""


def _apart(number: int) -> dict[str, Any]:
    """A key that shares nothing with those of other numbers."""
    return {
        "credential": f"sk-{number:02d}", "networks": [f"198.18.{number}.0/24"],
        "addresses": [f"198.18.{number}.7"], "agents": [f"program-{number}/1"],
        "parameters": f"0.9{number}/2{number}/-/-/-/-",
        "hours": ((number * 5) % 24, (number * 5 + 7) % 24),
    }  # fmt: skip


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


def extracts_by_one_template(world: World) -> str:
    """Asks for texts only, thousands of times with a prompt of which few words differ."""
    ask(world, DAY, "u036", 2500, tokens=200_000, prompts=2500, alike_prompts=2300)
    return "u036"


def new_template_of_a_few_queries(world: World) -> str:
    """A person tries a template on some dozen texts."""
    ask(world, DAY, "u039", 30, prompts=30, alike_prompts=25)
    return "u039"
