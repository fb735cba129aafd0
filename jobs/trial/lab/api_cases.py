"""Incidents at the models' API, and the look-alike: a customer's load test.

They take random numbers of their own, so that the other sources' logs stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jobs.trial.lab.casting import Plan, Rng, any_days, case_of, recent_days
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.gateway_days import ASSETS, MODELS, PROGRAMS, Gateway
from jobs.trial.lab.records.litellm import Key
from jobs.trial.lab.world import DAY, Lab, pick

ApiCases = tuple[Callable[[Lab, Gateway, Rng], Plan | None], ...]


def api_distillation(lab: Lab, gateway: Gateway, rng: Rng) -> Plan | None:
    """Many accounts share an address, a network, or only program, parameters and birth."""
    days = recent_days(lab, rng, int(rng.integers(4, 9)), bool(rng.random() < 0.3))
    count, tie = int(rng.integers(20, 61)), str(pick(rng, ["address", "network", "program"]))
    named = str(pick(rng, ["account", "alias", "hash"]))
    network = f"198.18.{int(rng.integers(1, 200))}"
    program = pick(rng, PROGRAMS)
    shared = {"temperature": 1.0, "max_tokens": int(pick(rng, [1500, 2048, 3000]))}
    keys = []
    for number in range(count):
        alike = tie == "program" or rng.random() < 0.3
        address = {
            "address": f"{network}.9",
            "network": f"{network}.{number + 1}",
            "program": f"198.19.{int(rng.integers(1, 250))}.{number + 1}",
        }[tie]
        name = f"{rng.bytes(4).hex()}"
        keys.append(
            gateway.new_key(
                user=f"acct-{name}" if named == "account" else "",
                alias=f"key-{name}" if named == "alias" else "",
                agent=program if alike else pick(rng, PROGRAMS),
                parameters=dict(shared)
                if alike
                else {"temperature": 1.0, "max_tokens": int(rng.integers(900, 4000))},
                model=MODELS[0],
                addresses=[address],
                rate=float(rng.uniform(8, 14)),
                answer=900.0,
                says="template",
                # Some thieves word the template anew for each key.
                wording=network if count % 2 else "",
            )
        )

    def act(feed: Feed, day: int) -> None:
        start = lab.t0 + day * DAY
        for key in keys:
            gateway.ask(feed, rng, key, start, DAY - 60, int(rng.poisson(key.rate)))

    case = case_of(
        "api_distillation", True, [], [], "Many API keys of one hand take a model's answers, each "
        "below its limit.", None, keys=count, tie=tie, named=named,
    )  # fmt: skip
    return _plan(case, keys, days, act)


def api_extraction(lab: Lab, gateway: Gateway, rng: Rng) -> Plan | None:
    """One person's key sweeps the next token with log-probabilities or weighted tokens."""
    free = [
        (person, key) for person, key in gateway.people
        if person.user_id not in lab.cast and person.start < -14 and person.notice is None
    ]  # fmt: skip
    if not free:
        return None
    person, key = pick(rng, free)
    lab.cast.add(person.user_id)
    days = recent_days(lab, rng, int(rng.integers(1, 4)), bool(rng.random() < 0.3))
    weighted, count = bool(rng.random() < 0.4), int(rng.integers(500, 1500))
    sweep: dict[str, object] = {"max_tokens": 1, "temperature": 0.0, "says": "sweep"}
    sweep |= {"logit_bias": {"77": 100}} if weighted else {"logprobs": True, "top_logprobs": 20}

    def act(feed: Feed, day: int) -> None:
        start = lab.t0 + day * DAY + 2 * 3600
        gateway.ask(feed, rng, key, start, 5 * 3600, count, **sweep)

    case = case_of(
        "api_extraction", True, [person], [], "One key reads a model's probabilities token by "
        "token.", None, weighted=weighted, requests=count,
    )  # fmt: skip
    return _plan(case, [key], days, act)


def load_test(lab: Lab, gateway: Gateway, rng: Rng) -> Plan | None:
    """A customer tests the load with one new key from one network."""
    days = any_days(lab, rng, int(rng.integers(1, 3)))
    key = gateway.new_key(
        alias=f"customer-{int(rng.integers(50, 99))}-load", agent="locust/2.32.1", answer=200.0,
        parameters={"temperature": 0.0, "max_tokens": 256}, addresses=["198.19.255.7"],
        says="same",
    )  # fmt: skip
    count = int(rng.integers(400, 1000))

    def act(feed: Feed, day: int) -> None:
        gateway.ask(feed, rng, key, lab.t0 + day * DAY + 9 * 3600, 2 * 3600, count)

    case = case_of("load_test", False, [], [], "A customer's load test: one key, one network.")
    return _plan(case, [key], days, act)


def _plan(case: object, keys: list[Key], days: list[int], act: Callable[[Feed, int], None]) -> Plan:
    plan = Plan(case, days, act)  # type: ignore[arg-type]
    plan.case.user_ids = [key.identity for key in keys]
    plan.case.asset_ids = sorted({ASSETS[key.model] for key in keys})
    return plan


API_INCIDENTS: ApiCases = (api_distillation, api_extraction)
API_LOOK_ALIKES: ApiCases = (load_test,)


def plan_api_cases(lab: Lab, gateway: Gateway, quiet: bool) -> list[Plan]:
    """Casts the cases; a ``quiet`` lab has the look-alike alone."""
    plans = []
    for number, make in enumerate((*API_INCIDENTS, *API_LOOK_ALIKES)):
        if not quiet or make in API_LOOK_ALIKES:
            plan = make(lab, gateway, np.random.default_rng([lab.seed, 8, number]))
            if plan is not None:
                plans.append(plan)
    return plans
