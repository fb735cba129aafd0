"""The sample lab itself: its networks, people, services and assets, all drawn from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

DAY = 86_400
ACCOUNT, BACKUP_ACCOUNT, OUTSIDE_ACCOUNT = "111122223333", "444455556666", "999988887777"
OWN_ACCOUNTS = (ACCOUNT, BACKUP_ACCOUNT)
SLURM_ZONE = "America/Los_Angeles"
K8S_CLUSTER, SLURM_CLUSTER = "prod-east", "a100"

T = TypeVar("T")
Shares = Sequence[float] | npt.NDArray[np.float64]


@dataclass
class Family:
    """Assets that people use together: the checkpoints of one run, or one dataset."""

    name: str
    kind: str
    team: str
    sensitivity: int
    bucket: str
    prefix: str
    allowed: tuple[str, ...] = ()
    assets: list[Asset] = field(default_factory=list)


@dataclass
class Asset:
    """One row of assets.csv and, for object stores, the keys and sizes behind it."""

    asset_id: str
    kind: str
    name: str
    team: str
    sensitivity: int
    pattern: str
    bucket: str = ""
    keys: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    allowed: tuple[str, ...] = ()
    born: int = -999
    listed: bool = True
    declared: bool = True


@dataclass
class Person:
    """A directory identity (human or service) with the habits its activity is drawn from."""

    user_id: str
    email: str
    name: str
    kind: str
    team: str
    country: str
    zone: str = "UTC"
    title: str = ""
    manager: str = ""
    employment: str = "employee"
    start: int = -999
    notice: int | None = None
    end: int | None = None
    github: str = ""
    k8s: str = ""
    slurm: str = ""
    uid: int = 0
    iam_user: bool = False
    role: str = ""
    hide_github: bool = False
    # habits
    rate: float = 1.0
    git_rate: float = 1.0
    hour: float = 9.5
    weekend: float = 0.1
    chain: float = 0.0
    away: set[int] = field(default_factory=set)
    ips: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    git_agent: str = ""
    family_weights: list[np.ndarray] = field(default_factory=list)
    repo_weights: np.ndarray = field(default_factory=lambda: np.zeros(0))
    trip: dict[int, str] = field(default_factory=dict)
    surge: dict[int, float] = field(default_factory=dict)
    new_team: tuple[int, str] | None = None


@dataclass(frozen=True)
class SilentLog:
    """A time in which a log lacks a share of its records, of some assets (none: of everything).

    Which records those are depends on their time alone: of each ten minutes all or none.
    """

    source: str
    begin: float
    end: float
    assets: frozenset[str] = frozenset()
    share: float = 1.0

    def lacks(self, source: str, t: float, asset: str) -> bool:
        """Whether a record is kept out."""
        if source != self.source or not self.begin <= t < self.end:
            return False
        drawn = int(t // 600) * 2_654_435_761 % 1000 / 1000
        return (not self.assets or asset in self.assets) and drawn < self.share


@dataclass
class Lab:
    """Everything fixed before the first log line is written."""

    seed: int
    first: date
    days: int
    name: str
    org: str
    people: list[Person]
    services: list[Person]
    families: list[Family]
    repos: list[Asset]
    others: list[Asset]
    networks: list[tuple[str, str, str, str]]
    residential: dict[str, list[str]]
    foreign: list[tuple[str, str]]
    approvals: list[tuple[str, str, str, str, str, str, str]] = field(default_factory=list)
    cast: set[str] = field(default_factory=set)
    silences: list[SilentLog] = field(default_factory=list)
    tagged: dict[tuple[str, int], object] = field(default_factory=dict)

    @property
    def t0(self) -> int:
        """Epoch seconds of the window's first midnight, UTC."""
        return int((self.first - date(1970, 1, 1)).total_seconds())

    def date_of(self, day: int) -> date:
        """Calendar date of a day index."""
        return self.first + timedelta(days=day)

    def iso(self, day: int | None) -> str:
        """ISO date of a day index, empty for none."""
        return "" if day is None else self.date_of(day).isoformat()

    def assets(self) -> list[Asset]:
        """All assets, listed in assets.csv or not."""
        return [a for f in self.families for a in f.assets] + self.repos + self.others


_OFFSETS: dict[tuple[str, date], float] = {}


def utc_offset(zone: str, day: date) -> float:
    """Hours a zone is ahead of UTC at noon of a day."""
    key = (zone, day)
    if key not in _OFFSETS:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
        _OFFSETS[key] = noon.utcoffset().total_seconds() / 3600  # type: ignore[union-attr]
    return _OFFSETS[key]


def pick(rng: np.random.Generator, items: Sequence[T], p: Shares | None = None) -> T:
    """One element of a sequence (numpy's choice would turn dataclasses into arrays)."""
    return items[int(rng.choice(len(items), p=p))]
