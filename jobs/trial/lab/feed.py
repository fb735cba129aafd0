"""The state that all records of a lab share: random numbers, ids, counts, unsent records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jobs.trial.lab.case import Case
from jobs.trial.lab.records.malformed import plan_malformed
from jobs.trial.lab.world import DAY, Lab

CLOCK = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(DAY)]
REGION = "us-west-2"
SOURCES = ("aws_cloudtrail", "github_audit", "kubernetes_audit", "slurm_sacct", "litellm_gateway")


def floats(rng: np.random.Generator) -> Iterator[float]:
    """Endless uniform numbers, drawn in blocks."""
    while True:
        yield from rng.random(1 << 15).tolist()


def hexes(rng: np.random.Generator) -> Iterator[str]:
    """Endless 32-digit hexadecimal strings, drawn in blocks."""
    while True:
        block = rng.bytes(1 << 16).hex()
        for i in range(0, len(block), 32):
            yield block[i : i + 32]


def uuid_of(h: str) -> str:
    """A 32-digit hex string in UUID form."""
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def key_of(h: str, prefix: str = "ASIA") -> str:
    """An access key id made from a hex string."""
    return prefix + "".join("ABCDEFGHJKLMNPQR"[int(c, 16)] for c in h[:16])


class Feed:
    """Shared state of the record makers in `records`; `delivery` empties its buffer day by day.

    `uniform` and `hexadecimal` are endless draws of one generator. The order of the draws decides
    the bytes of the lab, so a record maker must never change the order or number of its draws.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        rng = np.random.default_rng([lab.seed, 2])
        self.lab, self.folder, self.rng = lab, folder, rng
        self.uniform, self.hexadecimal = floats(rng), hexes(rng)
        self.case: Case | None = None
        self.counts = dict.fromkeys(SOURCES, 0)
        self.rows = dict.fromkeys(SOURCES, 0)
        self.unknown_fields = dict.fromkeys(SOURCES, 0)
        self.duplicates = dict.fromkeys(SOURCES, 0)
        self.buffer: dict[int, dict[str, list[tuple[float, str]]]] = {}
        self.delays: dict[tuple[str, int], list[int]] = {}
        self.sequence = int(rng.integers(400_000, 9_000_000))
        self.static_keys: dict[str, str] = {}
        self.role_ids: dict[str, str] = {}
        self.actor_ids: dict[str, int] = {}
        self.tokens: dict[tuple[str, str], str] = {}
        self.org_id = int(rng.integers(10_000_000, 200_000_000))
        self.bad = plan_malformed(rng, lab.days)
        self.truncate_day = int(rng.integers(0, lab.days))
        self.truncated: list[str] = []
        self.malformed = dict.fromkeys(SOURCES, 0)
        self.silent = False  # the log keeps out the event noted last

    def day_of(self, t: float) -> int:
        """Day index of an epoch time."""
        return int((t - self.lab.t0) // DAY)

    def stamp(self, t: float) -> str:
        """ISO 8601 UTC with whole seconds, without the zone letter."""
        s = int(t - self.lab.t0)
        return f"{self.lab.date_of(s // DAY)}T{CLOCK[s % DAY]}"

    def inside(self, t: float) -> bool:
        """Whether a time lies in the generated window."""
        return 0 <= t - self.lab.t0 < self.lab.days * DAY

    def _delay(self, source: str, day: int, second: float) -> int:
        blocks = self.delays.get((source, day))
        if blocks is None:
            draws = self.rng.random(144)
            blocks = [int(draw < 0.035) + int(draw < 0.01) for draw in draws]
            self.delays[source, day] = blocks
        return blocks[int(second // 600)]

    def add(self, source: str, t: float, text: str) -> None:
        """Queue one rendered record for delivery, sometimes with a duplicate or unknown fields."""
        u = self.uniform
        if next(u) < 0.0004:
            text = text[:-1] + ',"xPreviewField":{"build":7,"tags":["a",null]}}'
            self.unknown_fields[source] += not self.silent
        # The place of a silent record stays, so that all others keep their files and ids.
        text = "" if self.silent else text
        second = t - self.lab.t0
        arrival = second + 60 + 840 * next(u)
        folder = int(arrival // DAY) + self._delay(source, int(second // DAY), second % DAY)
        folder = min(folder, int(second // DAY) + 2)
        self.rows[source] += not self.silent
        self.buffer.setdefault(folder, {}).setdefault(source, []).append((arrival, text))
        if next(u) < 0.01:
            self.duplicates[source] += not self.silent
            again = folder + (next(u) < 0.2 and folder < int(second // DAY) + 2)
            self.buffer.setdefault(again, {}).setdefault(source, []).append((arrival + 9000, text))

    def note(self, source: str, t: float, event_id: str, asset: str, item: str, moved: int) -> None:
        """Count one event of a source, and add it to the evidence of the current case."""
        self.silent = any(
            each.lacks(source, t, asset)
            for each in self.lab.silences
            if self.case is None or (each.assets and not self.case.is_incident)
        )
        self.counts[source] += not self.silent
        if self.case is not None and not self.silent:
            self.case.note(t, self.day_of(t), event_id, asset, item, moved)
