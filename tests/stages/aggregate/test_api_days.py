"""``api_days`` against the same counts made query by query in Python."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from jobs.stages.aggregate.api_days import DAY_PRIME, MOMENT_ORDERS
from schemas.tables.api import API_DAYS, MAX_KEY_VALUES, MAX_TEMPLATES
from tests.worlds.aggregated_days import MIDNIGHT, Rows, api_days_of, event
from tests.worlds.raw_logs import DAY

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

PARAMETERS = ("temperature", "max_tokens", "n", "top_logprobs", "logit_bias", "stream")
REFUSED = ("ContentPolicyViolationError", "GuardrailRaisedException", "content_filter")
OURS = ("corp", "vpn", "datacenter")


def query(number: int, draw: random.Random) -> dict[str, Any]:
    """A row of ``events``: mostly a query of a model, with few values in each column."""
    asked = {
        "temperature": ["0.00", "1.00", "0.70"],
        "max_tokens": ["1", "3", "4", "256"],
        "n": ["1"],
        "top_logprobs": ["0", "20"],
        "logit_bias": ["100"],
        "stream": ["true"],
        "logprobs": ["true"],
        "prompt_tokens": ["11", "7"],
        "completion_tokens": ["0", "5", "many"],
        "guardrail": ["success", "guardrail_intervened", "guardrail_failed_to_respond"],
        "error_class": ["Timeout", *REFUSED[:2]],
        "error_code": ["400", REFUSED[2]],
        "system_hash": ["aa", "bb"],
        "opening_hash": [f"{number:02d}" for number in range(12)],
    }
    details = {key: draw.choice(found) for key, found in asked.items() if draw.random() < 0.4}
    if draw.random() < 0.5:
        bands = draw.choices(["00000000", "11111111", "22222222"], k=3)
        details["prompt_sketch"] = "".join([*bands, f"{draw.randrange(200):08d}"])
    address = draw.choice([None, "192.0.2.1", "192.0.2.77", "2001:db8:5:1::9", "203.0.113.4"])
    zone = draw.choice([None, "corp", "external"]) if address else None
    return event(
        number,
        event_time=MIDNIGHT + timedelta(seconds=draw.randrange(86_400)),
        format="litellm_gateway",
        user_id=draw.choice(["u-ana", "u-bo"]),
        user_kind=draw.choice(["human", "unknown"]),
        credential=draw.choice([None, "k1", "k2"]),
        action_class=draw.choice(["query", "query", "query", "list"]),
        resource=draw.choice(["model://orion", "model://vega/7b", "mcp://tool"]),
        asset_id=draw.choice(["m-orion", None]),
        source_ip=address,
        zone=zone,
        country="DE" if zone else None,
        user_agent=draw.choice([None, "", "openai/1", "x" * 300]),
        outcome=draw.choice(["success", "failure", "unknown"]),
        details=details,
    )


def network(row: dict[str, Any]) -> str | None:
    if row["zone"]:
        return f"{row['zone']}/{row['country']}/-"
    if row["source_ip"] is None:
        return None
    bits = 48 if ":" in row["source_ip"] else 24
    return str(ip_network(f"{row['source_ip']}/{bits}", strict=False))


def refused(row: dict[str, Any]) -> bool:
    said = row["details"]
    return said.get("guardrail") == "guardrail_intervened" or bool(
        {said.get("error_class"), said.get("error_code")} & set(REFUSED)
    )


def logprobs(row: dict[str, Any]) -> bool:
    return "logprobs" in row["details"] or row["details"].get("top_logprobs") == "20"


def distinct(values: Any) -> list[str]:
    return sorted({value for value in values if value})[:MAX_KEY_VALUES]


def total(values: list[str | None]) -> int | None:
    known = [int(value) for value in values if value and value.isdigit()]
    return sum(known) if known else None


def moments(group: Rows) -> list[int]:
    """Of each order the minute that no other minute of the group stands before."""
    minutes = {row["event_time"].hour * 60 + row["event_time"].minute for row in group}
    orders = [sorted(range(1440), key=lambda m: (m * a + b) % DAY_PRIME) for a, b in MOMENT_ORDERS]
    return [next(minute for minute in order if minute in minutes) for order in orders]


def slow_alike(sketches: list[str]) -> int:
    """Sketches that have an earlier one with the same band, of the band with the most of them."""
    bands = [[sketch[n : n + 8] for sketch in sketches] for n in range(0, 32, 8)]
    return max(sum(band[k] in band[:k] for k in range(len(band))) for band in bands)


def slow_templates(details: list[dict[str, str]]) -> list[str]:
    uses = Counter(
        letter + said[name]
        for said in details
        for letter, name in (("s", "system_hash"), ("u", "opening_hash"))
        if "prompt_sketch" in said and name in said
    )
    often = [template for template, count in uses.items() if count >= 3]
    return sorted(often, key=lambda template: (-uses[template], template))[:MAX_TEMPLATES]


def slow_api_days(rows: Rows) -> Rows:
    groups: dict[tuple[str, str, str], Rows] = defaultdict(list)
    for row in rows:
        if row["action_class"] == "query" and row["resource"].startswith("model://"):
            asset = row["asset_id"] or "/".join(row["resource"].split("/")[:3])
            groups[row["user_id"], row["credential"] or "", asset].append(row)
    made = []
    for (user, credential, asset), group in sorted(groups.items()):
        details = [row["details"] for row in group]
        sets = Counter("/".join(said.get(key, "-") for key in PARAMETERS) for said in details)
        most = max(sets.values())
        sketches = [said["prompt_sketch"] for said in details if "prompt_sketch" in said]
        hours = Counter(row["event_time"].hour for row in group)
        outside = [row["source_ip"] for row in group if row["zone"] not in OURS]
        made.append(
            {
                "day": DAY,
                "user_id": user,
                "user_kind": min(row["user_kind"] for row in group),
                "credential": credential,
                "asset_id": asset,
                "requests": len(group),
                "failures": sum(row["outcome"] == "failure" for row in group),
                "refused": sum(map(refused, group)),
                "prompt_tokens": total([said.get("prompt_tokens") for said in details]),
                "completion_tokens": total([said.get("completion_tokens") for said in details]),
                "logprob_requests": sum(map(logprobs, group)),
                "biased_requests": sum("logit_bias" in said for said in details),
                "one_token_requests": sum(said.get("max_tokens") in ("1", "3") for said in details),
                "greedy_requests": sum(said.get("temperature") == "0.00" for said in details),
                "parameter_sets": len(sets),
                "parameters": max(name for name, used in sets.items() if used == most),
                "first_time": min(row["event_time"] for row in group),
                "last_time": max(row["event_time"] for row in group),
                "hours": [hours[hour] for hour in range(24)],
                "minutes": len({row["event_time"].replace(second=0) for row in group}),
                "moments": moments(group),
                "prompts": len(sketches),
                "alike_prompts": slow_alike(sketches),
                "templates": slow_templates(details),
                "networks": distinct(map(network, group)),
                "addresses": distinct(outside),
                "agents": distinct((row["user_agent"] or "")[:200] for row in group),
            }
        )
    return made


@pytest.mark.parametrize(("engine", "seed"), [("sail", 0), ("sail", 1), ("apache_spark", 0)])
def test_counts_are_those_of_a_slow_loop(
    engine: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    rows = [query(number, draw) for number in range(600)]
    found = api_days_of(request.getfixturevalue(engine), tmp_path, rows, "litellm_gateway")
    assert sorted(found, key=lambda row: [row[name] for name in API_DAYS.key]) == slow_api_days(
        rows
    )


def test_sources_that_hold_no_queries_give_no_rows(sail: SparkSession, tmp_path: Path) -> None:
    rows = [query(number, random.Random(number)) for number in range(9)]
    assert api_days_of(sail, tmp_path, rows, "aws_s3_access") == []


def test_a_gateway_without_queries_gives_no_rows(sail: SparkSession, tmp_path: Path) -> None:
    assert api_days_of(sail, tmp_path, [event(1)], "litellm_gateway") == []
