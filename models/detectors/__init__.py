"""The detectors: each a module ``NAME.py`` with :func:`score`, and ``NAME.yml`` that explains it.

To add one: the two files, one line in ``DETECTORS``, and its tests in tests/models/detectors.

Every ``score(history, settings)`` returns a Signal for each (entity, window) that was active and
not only for suspicious ones, because calibration ranks a statistic among all of them. A detector
never looks beyond ``history.day``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd
import yaml
from pydantic import ValidationError

from models.detectors import (
    api_distillation,
    api_extraction,
    burst_peers,
    burst_self,
    canary,
    cluster_egress,
    collusion,
    cross_team,
    dormant,
    egress_budget,
    first_access,
    foreign_copy,
    job_cover,
    leaver,
    mass_clone,
    new_place,
    odd_day,
    poisoning_guard,
    probing,
    recon,
    residency,
    service_misuse,
    shard_coverage,
    slow_drip,
    staging,
    supply_chain,
    telemetry_gap,
    unapproved,
)
from models.detectors.settings import DetectorSettings, settings_hash
from models.detectors.signal import SIGNAL_COLUMNS, Signal, signal_frame

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from models.features.history import History

OneDetectorsSettings = TypeVar("OneDetectorsSettings", bound=DetectorSettings)


@dataclass(frozen=True)
class Detector(Generic[OneDetectorsSettings]):
    """A detector: the function that makes its signals, and the model of its settings."""

    score: Callable[[History, OneDetectorsSettings], list[Signal]]
    settings: type[OneDetectorsSettings]

    @property
    def name(self) -> str:
        """Name of its module."""
        return self.score.__module__.rpartition(".")[2]


DETECTORS: tuple[Detector[Any], ...] = (
    Detector(api_distillation.score, api_distillation.ApiDistillationSettings),
    Detector(api_extraction.score, api_extraction.ApiExtractionSettings),
    Detector(burst_peers.score, burst_peers.BurstPeersSettings),
    Detector(burst_self.score, burst_self.BurstSelfSettings),
    Detector(canary.score, canary.CanarySettings),
    Detector(cluster_egress.score, cluster_egress.ClusterEgressSettings),
    Detector(collusion.score, collusion.CollusionSettings),
    Detector(cross_team.score, cross_team.CrossTeamSettings),
    Detector(dormant.score, dormant.DormantSettings),
    Detector(egress_budget.score, egress_budget.EgressBudgetSettings),
    Detector(first_access.score, first_access.FirstAccessSettings),
    Detector(foreign_copy.score, foreign_copy.ForeignCopySettings),
    Detector(job_cover.score, job_cover.JobCoverSettings),
    Detector(leaver.score, leaver.LeaverSettings),
    Detector(mass_clone.score, mass_clone.MassCloneSettings),
    Detector(new_place.score, new_place.NewPlaceSettings),
    Detector(odd_day.score, odd_day.OddDaySettings),
    Detector(poisoning_guard.score, poisoning_guard.PoisoningGuardSettings),
    Detector(probing.score, probing.ProbingSettings),
    Detector(recon.score, recon.ReconSettings),
    Detector(residency.score, residency.ResidencySettings),
    Detector(service_misuse.score, service_misuse.ServiceMisuseSettings),
    Detector(shard_coverage.score, shard_coverage.ShardCoverageSettings),
    Detector(slow_drip.score, slow_drip.SlowDripSettings),
    Detector(staging.score, staging.StagingSettings),
    Detector(supply_chain.score, supply_chain.SupplyChainSettings),
    Detector(telemetry_gap.score, telemetry_gap.TelemetryGapSettings),
    Detector(unapproved.score, unapproved.UnapprovedSettings),
)
"""Every detector, by name."""


@dataclass(frozen=True)
class Technique:
    """A technique of ATT&CK (``T…``) or ATLAS (``AML.T…``)."""

    id: str
    name: str


@dataclass(frozen=True)
class Default:
    """A setting's default, its unit, and the effect of raising it."""

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
    return tuple(detector.name for detector in DETECTORS)


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


def detector_settings(
    overrides: Mapping[str, Mapping[str, Any]],
) -> dict[str, DetectorSettings]:
    """Settings in force by detector: the defaults, changed by ``overrides``.

    Raises ValueError listing every unknown detector, unknown setting and value of a wrong type.
    """
    names = detector_names()
    problems = [
        f"detectors.{name}: no such detector; one of {', '.join(names)}"
        for name in sorted(overrides)
        if name not in names
    ]
    settings = {}
    for detector in DETECTORS:
        known = describe(detector.name).defaults
        defaults = {key: default.value for key, default in known.items()}
        try:
            settings[detector.name] = detector.settings.model_validate(
                defaults | dict(overrides.get(detector.name) or {})
            )
        except ValidationError as error:
            problems += [
                f"detectors.{detector.name}.{item['loc'][0]}: {_problem(item, known)}"
                for item in error.errors(include_url=False)
            ]
    if problems:
        raise ValueError("\n".join(problems))
    return settings


def _problem(item: ErrorDetails, known: Mapping[str, Default]) -> str:
    """One problem that pydantic found, in words for the author of the config."""
    default = known.get(str(item["loc"][0]))
    if default is None:
        return f"no such setting; one of {', '.join(sorted(known))}"
    numeric = isinstance(default.value, int | float) and not isinstance(default.value, bool)
    unit = f" ({default.unit})" if numeric else ""
    return f"{item['msg'].removeprefix('Value error, ')}{unit}, not {item['input']!r}"


def score_all(history: History, settings: Mapping[str, DetectorSettings]) -> pd.DataFrame:
    """Rows of every enabled detector, sorted by key.

    Columns: ``detector``, ``settings_hash`` and SIGNAL_COLUMNS.
    """
    columns = ["detector", "settings_hash", *SIGNAL_COLUMNS]
    frames = []
    for detector in DETECTORS:
        own = settings[detector.name]
        signals = detector.score(history, own) if own.enabled else []
        if signals:
            rows = signal_frame(signals)
            rows = rows.assign(
                detector=detector.name,
                settings_hash=settings_hash(own),
                expected=rows["expected"].astype("float64"),
            )
            frames.append(rows[columns])
    if not frames:
        return pd.DataFrame(columns=columns)
    rows = pd.concat(frames, ignore_index=True)
    return rows.sort_values(["entity", "detector", "window"], ignore_index=True)
