"""The model gateway LiteLLM: one StandardLoggingPayload a request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.trial.lab.feed import Feed
from jobs.trial.lab.prompts import messages_of
from jobs.trial.lab.world import DAY

SOURCE = "litellm_gateway"


@dataclass
class Key:
    """An API key and how its holder uses it; `user`, `alias`, `team` are empty if not known.

    `says`, `wording`: how it asks, see `messages_of`; without a wording it has one of its own.
    """

    secret: str
    user: str = ""
    alias: str = ""
    team: str = ""
    agent: str = "openai-python/1.99.1"
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    rate: float = 10.0
    answer: float = 300.0
    says: str = "own"
    wording: str = ""

    @property
    def identity(self) -> str:
        """The principal by which the log names the holder."""
        return self.user or self.alias or self.team or self.secret


def query(
    feed: Feed, rng: np.random.Generator, t: float, key: Key, asset: str, **more: Any
) -> None:
    """One request; ``more``: parameters of its own, ``error`` (class of a failure) or ``says``."""
    if not feed.inside(t):
        return
    name = f"chatcmpl-{rng.bytes(12).hex()}"
    error, says = more.pop("error", ""), more.pop("says", key.says)
    parameters = key.parameters | more
    most = parameters.get("max_tokens", 4096)
    answer = 0 if error else int(min(most, 1 + rng.lognormal(np.log(key.answer), 0.5)))
    prompt = int(20 + rng.lognormal(5.5, 0.8))
    seconds = 0.3 + answer / 60
    record = {
        "id": name,
        "trace_id": f"trace-{name[-12:]}",
        "call_type": "acompletion",
        "stream": bool(parameters.get("stream")),
        "status": "failure" if error else "success",
        "status_fields": {
            "llm_api_status": "failure" if error else "success",
            "guardrail_status": "guardrail_intervened" if "Guardrail" in error else "not_run",
        },
        "custom_llm_provider": "hosted_vllm",
        "total_tokens": prompt + answer,
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "startTime": round(t, 3),
        "endTime": round(t + seconds, 3),
        "model": f"hosted_vllm/{key.model}",
        "model_group": key.model,
        "metadata": {
            "user_api_key_hash": key.secret,
            "user_api_key_alias": key.alias or None,
            "user_api_key_user_id": key.user or None,
            "user_api_key_team_id": key.team or None,
            "user_api_key_team_alias": key.team or None,
            "user_api_key_request_route": "/v1/chat/completions",
            "requester_ip_address": key.addresses[int(rng.integers(len(key.addresses)))],
            "user_agent": key.agent,
        },
        "cache_hit": None,
        "error_information": {"error_code": "400" if error else "", "error_class": error},
        "model_parameters": {k: v for k, v in parameters.items() if k != "stream"},
        "messages": messages_of(says, key.wording or key.secret, key.secret, name),
        "response": None,
    }
    feed.note(SOURCE, t, name, asset, name, 0)
    feed.rows[SOURCE] += 1
    arrival = t - feed.lab.t0 + 30 + 600 * rng.random()
    row = (arrival, json.dumps(record, separators=(",", ":")))
    feed.buffer.setdefault(int(arrival // DAY), {}).setdefault(SOURCE, []).append(row)
