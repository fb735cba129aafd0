"""Techniques and tactics of MITRE ATT&CK and ATLAS: their ids, names and tactics.

``attack.csv`` lists ATT&CK Enterprise without revoked and deprecated techniques. The source is
``enterprise-attack-18.1.json`` of https://github.com/mitre-attack/attack-stix-data.
© 2025 The MITRE Corporation. This work is reproduced and distributed with the permission of The
MITRE Corporation (https://attack.mitre.org/resources/legal-and-branding/terms-of-use/).

``atlas.csv`` lists ATLAS. The source is release 2026.09 of
https://github.com/mitre-atlas/atlas-data. Copyright MITRE, Apache License 2.0.

``tactics.csv`` lists the tactics of both in the order of their matrices. A sub-technique's name
begins with the name of its technique. ATLAS has some techniques under the names of ATT&CK, but
with ids and tactics of its own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

ATTACK_VERSION = "18.1"
ATLAS_VERSION = "2026.09"


@dataclass(frozen=True)
class Listed:
    """One technique or sub-technique of a list."""

    id: str
    name: str
    tactics: tuple[str, ...]
    """Names of all tactics that it serves, at least one."""


@dataclass(frozen=True)
class Claim:
    """Techniques that a detector finds, and the tactics that they serve there."""

    techniques: tuple[str, ...]
    tactics: tuple[str, ...]


@cache
def attack() -> tuple[Listed, ...]:
    """ATT&CK, by id."""
    return _listed("attack.csv")


@cache
def atlas() -> tuple[Listed, ...]:
    """ATLAS, by id."""
    return _listed("atlas.csv")


@cache
def tactics() -> tuple[tuple[str, str], ...]:
    """Id and name of each tactic: those of ATT&CK (``TA…``), then those of ATLAS (``AML.TA…``)."""
    return tuple((row["id"], row["name"]) for row in _rows("tactics.csv"))


def by_tactic(claims: Iterable[Claim]) -> dict[str, set[str]]:
    """Ids of the claimed techniques of ATT&CK by name of the tactic.

    A technique stands under those of its tactics that the claim names.
    """
    served = {technique.id: technique.tactics for technique in attack()}
    found: dict[str, set[str]] = {}
    for claim in claims:
        for technique in claim.techniques:
            for tactic in set(served.get(technique, ())) & set(claim.tactics):
                found.setdefault(tactic, set()).add(technique)
    return found


def _listed(file: str) -> tuple[Listed, ...]:
    return tuple(
        Listed(row["id"], row["name"], tuple(row["tactics"].split(";"))) for row in _rows(file)
    )


def _rows(file: str) -> list[dict[str, str]]:
    with resources.files(__package__).joinpath(file).open(encoding="utf-8") as text:
        return list(csv.DictReader(text))
