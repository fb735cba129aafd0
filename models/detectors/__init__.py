"""The detectors: each a module ``NAME.py`` with :func:`score`, and ``NAME.yml`` that explains it.

To add one: the two files, one line in ``MODULES``, and its cases in tests/test_detectors.py.

Every ``score(history, settings)`` returns a Signal for each (entity, window) that was active and
not only for suspicious ones, because calibration ranks a statistic among all of them. A detector
never looks beyond ``history.day``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from models.detectors import (
    burst_peers,
    burst_self,
    cluster_egress,
    collusion,
    first_access,
    foreign_copy,
    leaver,
    mass_clone,
    odd_day,
    recon,
    service_misuse,
    shard_coverage,
    slow_drip,
)
from models.detectors.signal import SIGNAL_COLUMNS, signal_frame

if TYPE_CHECKING:
    from models.features.history import History

MODULES: tuple[ModuleType, ...] = (
    burst_peers,
    burst_self,
    cluster_egress,
    collusion,
    first_access,
    foreign_copy,
    leaver,
    mass_clone,
    odd_day,
    recon,
    service_misuse,
    shard_coverage,
    slow_drip,
)
"""Every detector, by name."""

COMMON_SETTINGS = ("enabled", "weight")
"""Settings that every detector has: whether it runs, and the factor on its points."""
LEAST_PREFIX = "min_"
"""``min_UNIT`` is the amount below which the detector's points shrink in proportion."""


@dataclass(frozen=True)
class Technique:
    """A technique of ATT&CK (``T…``) or ATLAS (``AML.T…``)."""

    id: str
    name: str


@dataclass(frozen=True)
class Default:
    """A setting's default, its unit, and what raising it does."""

    value: Any
    unit: str
    raising: str


@dataclass(frozen=True)
class Description:
    """What NAME.yml says."""

    name: str
    title: str
    goal: str
    family: str
    techniques: tuple[Technique, ...]
    tactics: tuple[str, ...]
    data: tuple[str, ...]
    blind_spots: tuple[str, ...]
    false_positives: tuple[str, ...]
    runbook: tuple[str, ...]
    defaults: dict[str, Default]


def detector_names() -> tuple[str, ...]:
    """Names of all detectors, sorted."""
    return tuple(module.__name__.rpartition(".")[2] for module in MODULES)


@cache
def describe(name: str) -> Description:
    """The description of a detector, from its yml."""
    text = resources.files(__package__).joinpath(f"{name}.yml").read_text(encoding="utf-8")
    raw = yaml.safe_load(text)
    return Description(
        name=raw["name"],
        title=raw["title"],
        goal=raw["goal"],
        family=raw["family"],
        techniques=tuple(Technique(**item) for item in raw["techniques"]),
        tactics=tuple(raw["tactics"]),
        data=tuple(raw["data"]),
        blind_spots=tuple(raw["blind_spots"]),
        false_positives=tuple(raw["false_positives"]),
        runbook=tuple(raw["runbook"]),
        defaults={key: Default(**item) for key, item in raw["defaults"].items()},
    )


def detector_settings(overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Settings in force by detector: the defaults and what ``overrides`` changes.

    Raises ValueError listing every unknown detector, unknown setting and value of a wrong type.
    """
    names = detector_names()
    problems = [
        f"detectors.{name}: no such detector; one of {', '.join(names)}"
        for name in sorted(overrides)
        if name not in names
    ]
    settings = {}
    for name in names:
        defaults = describe(name).defaults
        changed = overrides.get(name) or {}
        for key in sorted(changed):
            problems += _problems(
                f"detectors.{name}.{key}", changed[key], defaults.get(key), defaults
            )
        settings[name] = {key: default.value for key, default in defaults.items()} | dict(changed)
    if problems:
        raise ValueError("\n".join(problems))
    return settings


def _problems(
    place: str, value: Any, default: Default | None, known: Mapping[str, Default]
) -> list[str]:
    if default is None:
        return [f"{place}: no such setting; one of {', '.join(sorted(known))}"]
    if isinstance(default.value, bool):
        return (
            [] if isinstance(value, bool) else [f"{place}: true or false expected, not {value!r}"]
        )
    if isinstance(default.value, list):
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return [] if good else [f"{place}: a list of texts expected, not {value!r}"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e18:
        return [f"{place}: a number of at least 0 expected ({default.unit}), not {value!r}"]
    if isinstance(default.value, int) and not float(value).is_integer():
        return [f"{place}: a whole number expected ({default.unit}), not {value!r}"]
    return []


def score_all(history: History, settings: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of every enabled detector: ``detector`` and SIGNAL_COLUMNS, sorted by key."""
    frames = []
    for name, module in zip(detector_names(), MODULES, strict=True):
        if not settings[name]["enabled"]:
            continue
        rows = signal_frame(module.score(history, settings[name]))
        if not rows.empty:
            rows = rows.assign(detector=name, expected=rows["expected"].astype("float64"))
            frames.append(rows[["detector", *SIGNAL_COLUMNS]])
    if not frames:
        return pd.DataFrame(columns=["detector", *SIGNAL_COLUMNS])
    rows = pd.concat(frames, ignore_index=True)
    return rows.sort_values(["entity", "detector", "window"], ignore_index=True)
