"""The parts of a sentence, each with its type.

``say`` gives a part as a person reads it. :func:`models.privacy.reasons.mask_reason` decides for
every type whether it can name somebody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from models.wording import (
    say_amount,
    say_clock,
    say_count,
    say_days,
    say_likelihood,
    say_names,
    say_share,
    say_times,
    say_window,
)
from schemas.tables.values import ACTION_CLASSES, WINDOWS

UNITS = frozenset(
    """assets attempts bytes changes identities isolation novelties objects repositories sessions
    requests share things times tokens touches""".split()
)
"""Units of amounts."""
WORDS = {
    "kind": {"service": "service"},
    "span": {window: f"in {say_window(window)}" for window in WINDOWS},
    "feature": {
        "bytes": "bytes taken",
        "objects": "objects taken",
        "assets": "assets touched",
        "sensitive": "sensitive assets touched",
        "clones": "repositories cloned",
        "lists": "listings and lookups",
        "writes": "writes",
        "executes": "commands executed",
        "failures": "refused attempts",
        "gives": "copies and shares",
        "hours": "unusual hours",
        "networks": "rarely used networks",
        "agents": "rarely used programs",
        "credentials": "credentials or roles used",
    },
    "job_tie": {
        "own": "by the submitter's own session",
        "address": "by the address of its node at the time",
        "account": "by the service account of its namespace",
        "name": "only by the name of the session, which its opener chose",
    },
    "build_act": {
        "workflow": "a workflow, a pipeline or the rules of a branch",
        "runner": "a runner",
        "key": "a key for deployments",
        "app": "an app",
        "token": "a token",
        "secret": "an environment or a secret",
        "hook": "a webhook",
        "image": "an image or a registry",
        "account": "an account or a role",
    },
    "in_use": {
        "same": "another log shows that it was in use",
        "beside": "the rest of the log went on",
        "elsewhere": "other logs went on",
    },
    "tie": {
        "address": "an address",
        "network": "a network",
        "owner": "an owner",
        "network_program": "a network and a program",
        "program": "a program and its parameters",
        "birth_program": "a program and the days of their first use",
        "birth_parameters": "parameters and the days of their first use",
        "birth_rhythm": "hours of use and the days of their first use",
        "rhythm": "a program, its parameters and hours of use",
        "template": "a new template of prompts",
        "birth_template": "a template of prompts and the days of their first use",
        "minutes": "the minutes of their queries",
    },
}
"""Our own words by group and key: kinds of identity, spans, features of a day, ties of keys."""
SEPARATORS = (", ", "; ", "; also ")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit, one of UNITS (shares are 0–1)."""

    kind: ClassVar = "amount"
    value: float
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unknown unit {self.unit!r}")

    def say(self) -> str:
        """The value with its unit: ``1.23 TB``, ``4 objects``, ``37 %``."""
        return say_amount(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Count:
    """A number whose unit is a word of the sentence."""

    kind: ClassVar = "count"
    value: float

    def say(self) -> str:
        """The value without a unit: ``1,204``, ``0.25``."""
        return say_count(self.value)


@dataclass(frozen=True, slots=True)
class Share:
    """A share, 0–1."""

    kind: ClassVar = "share"
    value: float

    def say(self) -> str:
        """A percentage, rounded down: ``99 %``."""
        return say_share(self.value)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A probability, 0–1, with one figure."""

    kind: ClassVar = "likelihood"
    value: float

    def say(self) -> str:
        """The probability with one figure: ``0.002``."""
        return say_likelihood(self.value)


@dataclass(frozen=True, slots=True)
class Times:
    """``observed`` as a multiple of ``expected``; empty unless clearly higher."""

    kind: ClassVar = "times"
    observed: float
    expected: float

    def say(self) -> str:
        """The ratio: ``12 times as much``; empty below 1.05 or if nothing was expected."""
        return say_times(self.observed, self.expected)


@dataclass(frozen=True, slots=True)
class Days:
    """Length of a window in days."""

    kind: ClassVar = "days"
    value: int

    def say(self) -> str:
        """The length: ``one day``, ``7 days``."""
        return say_days(self.value)


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day, ``YYYY-MM-DD``."""

    kind: ClassVar = "day"
    iso: str

    def say(self) -> str:
        """The date in ISO 8601."""
        return self.iso


@dataclass(frozen=True, slots=True)
class Clock:
    """Hours of the day (UTC), 0–23."""

    kind: ClassVar = "clock"
    hours: tuple[int, ...]

    def say(self) -> str:
        """The first three hours and the number of further ones: ``08 UTC, 09 UTC``."""
        return say_names([say_clock(hour) for hour in self.hours])


@dataclass(frozen=True, slots=True)
class Word:
    """One of our own words: ``WORDS[group][key]``."""

    kind: ClassVar = "word"
    group: str
    key: str

    def __post_init__(self) -> None:
        if self.key not in WORDS.get(self.group, {}):
            raise ValueError(f"unknown word {self.group}.{self.key}")

    def say(self) -> str:
        """The word that WORDS holds for the key."""
        return WORDS[self.group][self.key]


@dataclass(frozen=True, slots=True)
class Actions:
    """Action classes."""

    kind: ClassVar = "actions"
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := set(self.classes) - set(ACTION_CLASSES):
            raise ValueError(f"unknown action classes {sorted(unknown)}")

    def say(self) -> str:
        """The first three classes and the number of further ones."""
        return say_names(self.classes)


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks of networks.csv as ``zone/country/asn``."""

    kind: ClassVar = "networks"
    names: tuple[str, ...]

    def say(self) -> str:
        """The first three networks and the number of further ones."""
        return say_names(self.names)


@dataclass(frozen=True, slots=True)
class Programs:
    """User agents as logged."""

    kind: ClassVar = "programs"
    names: tuple[str, ...]

    def say(self) -> str:
        """The first three programs and the number of further ones."""
        return say_names(self.names)


@dataclass(frozen=True, slots=True)
class Assets:
    """Ids, names or URIs of assets."""

    kind: ClassVar = "assets"
    names: tuple[str, ...]

    def say(self) -> str:
        """The first three assets and the number of further ones."""
        return say_names(self.names)


@dataclass(frozen=True, slots=True)
class Destinations:
    """Destinations of copies and shares: URIs or identities, some with ``#`` and an account."""

    kind: ClassVar = "destinations"
    names: tuple[str, ...]

    def say(self) -> str:
        """The first three destinations and the number of further ones."""
        return say_names(self.names)


@dataclass(frozen=True, slots=True)
class Identities:
    """``user_id`` of people or services."""

    kind: ClassVar = "identities"
    users: tuple[str, ...]

    def say(self) -> str:
        """The first three user ids and the number of further ones."""
        return say_names(self.users)


@dataclass(frozen=True, slots=True)
class Person:
    """The identity of a finding: ``user_id`` and the shown name."""

    kind: ClassVar = "person"
    user: str
    name: str

    def say(self) -> str:
        """The shown name, without the user id."""
        return self.name


@dataclass(frozen=True, slots=True)
class Team:
    """A team of the directory; empty: not shown."""

    kind: ClassVar = "team"
    name: str

    def say(self) -> str:
        """The team's name; an empty name removes its bracket from the sentence."""
        return self.name


@dataclass(frozen=True, slots=True)
class Tickets:
    """Ticket ids of approvals.csv."""

    kind: ClassVar = "tickets"
    ids: tuple[str, ...]

    def say(self) -> str:
        """All ticket ids, separated by commas."""
        return ", ".join(self.ids)


@dataclass(frozen=True, slots=True)
class FreeText:
    """Text that a person wrote."""

    kind: ClassVar = "text"
    text: str

    def say(self) -> str:
        """The text, unchanged."""
        return self.text
