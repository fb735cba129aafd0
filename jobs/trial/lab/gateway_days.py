"""Everyday use of the lab's models through the gateway, from random numbers of its own."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import working
from jobs.trial.lab.records.litellm import Key, query
from jobs.trial.lab.service_days import hosts
from jobs.trial.lab.timing import spread
from jobs.trial.lab.world import DAY, Lab, Person, pick, utc_offset

Rng = np.random.Generator
MODELS = ("orion-xl", "orion-mini")
ASSETS = {name: f"model-{name}" for name in MODELS}
PROGRAMS = ("openai-python/1.99.1", "openai-python/1.97.0", "litellm/1.74.3", "curl/8.5.0",
            "openai-node/5.8.2", "langchain/0.3.26")  # fmt: skip
CHATS = {"agent": "lab-chat/5.2", "says": "chat", "wording": "lab"}
CHAT = {"temperature": 0.7, "max_tokens": 1024, "stream": True}


class Gateway:
    """The keys of a lab and their ordinary use; draws nothing from the feed."""

    def __init__(self, lab: Lab) -> None:
        rng = np.random.default_rng([lab.seed, 6])
        self.lab, self.rng = lab, rng
        self.people: list[tuple[Person, Key]] = []
        for person in lab.people:
            if rng.random() < 0.45:
                self.people.append((person, self._personal_key(person)))
        self.customers = [self._customer(number) for number in range(max(4, len(lab.people) // 8))]
        free = list(lab.services)
        self.services = [
            self.new_key(
                user=service.user_id, agent="app-server/3.4", parameters={"max_tokens": 400},
                addresses=hosts(service), rate=60.0, says="template",
            )
            for service in free[:2]
        ]  # fmt: skip
        self.benchmark = self.new_key(
            user=free[-1].user_id, agent="lm-eval/0.4.9", model=MODELS[0], answer=1.0,
            parameters={"temperature": 0.0, "max_tokens": 1, "logprobs": True, "top_logprobs": 5},
            addresses=hosts(free[-1]), rate=140.0, says="template",
        )  # fmt: skip

    def new_key(self, **facts: object) -> Key:
        """A key with a new secret and, if not given, a model."""
        facts.setdefault("model", pick(self.rng, MODELS, [0.6, 0.4]))
        return Key(self.rng.bytes(32).hex(), **facts)  # type: ignore[arg-type]

    def _personal_key(self, person: Person) -> Key:
        rng, chats = self.rng, self.rng.random() < 0.6
        programs = {
            "agent": pick(rng, PROGRAMS),
            "parameters": {
                "temperature": float(pick(rng, [0.0, 0.2, 0.7, 1.0])),
                "max_tokens": int(pick(rng, [256, 512, 2048])),
            },
        }
        return self.new_key(
            user=person.user_id,
            alias=f"{person.user_id}-{'chat' if chats else 'dev'}",
            addresses=[person.ips[place] for place in ("devbox", "vpn", "corp", "home")],
            rate=float(rng.lognormal(2.3, 0.7)),
            **(CHATS | {"parameters": dict(CHAT)} if chats else programs),
        )

    def _customer(self, number: int) -> Key:
        rng = self.rng
        country = pick(rng, sorted(self.lab.residential))
        return self.new_key(
            alias=f"customer-{number + 1:02d}",
            agent=pick(rng, PROGRAMS),
            parameters={"temperature": round(float(rng.uniform(0, 1)), 1), "max_tokens": 800},
            addresses=[pick(rng, self.lab.residential[country])],
            rate=float(rng.lognormal(3.2, 0.5)),
            **({"says": "product", "wording": str(number // 2 % 3)} if number % 2 else {}),
        )

    def day(self, feed: Feed, day: int) -> None:
        """Everybody's requests of one UTC day."""
        lab, rng = self.lab, np.random.default_rng([self.lab.seed, 7, day])
        for person, key in self.people:
            if working(person, lab, day, rng):
                offset = utc_offset(person.zone, lab.date_of(day))
                start = lab.t0 + day * DAY + ((person.hour - offset) * 3600) % DAY
                self.ask(feed, rng, key, start, 9 * 3600, rng.poisson(key.rate))
        for key in (*self.customers, *self.services):
            self.ask(feed, rng, key, lab.t0 + day * DAY, DAY - 60, rng.poisson(key.rate))
        night = lab.t0 + day * DAY + 3 * 3600
        self.ask(feed, rng, self.benchmark, night, 1800, rng.poisson(self.benchmark.rate))

    def ask(
        self,
        feed: Feed,
        rng: Rng,
        key: Key,
        start: float,
        seconds: float,
        count: int,
        **more: object,
    ) -> None:
        """Requests of one key over a span of time; a few fail."""
        for t in spread(rng, int(count), start, seconds):
            failed = rng.random()
            error = (
                "Timeout" if failed < 0.01
                else "ContentPolicyViolationError" if failed < 0.013
                else ""
            )  # fmt: skip
            query(
                feed, rng, t, key, ASSETS[key.model], **(more | ({"error": error} if error else {}))
            )
