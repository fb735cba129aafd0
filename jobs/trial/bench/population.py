"""A synthetic population: identities in teams of ten, and the assets that they use.

Positions count identities and assets in the order of their ids, so sorted positions are sorted ids.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Texts = NDArray[np.str_]

ACCOUNT = "111122223333"
PEOPLE_OF_A_TEAM = 9
"""People of a team; its tenth identity is a service."""
ACTIVE_SHARE = 0.32
"""Identities that are active on a day."""
SERVICE_SHARE = 0.9
"""Days on which a service is active."""
COUNTRIES = ("US", "GB", "DE", "IN")
COUNTRY_SHARES = (0.7, 0.1, 0.1, 0.1)
WORK_STARTS = np.array([16, 8, 7, 4])
"""UTC hour at which work begins in each of the countries."""
KINDS = ("checkpoint", "dataset", "repo", "model", "namespace", "")
"""Kinds of asset; the last one is a bucket that assets.csv does not list."""
CHECKPOINT, DATASET, REPO, MODEL, NAMESPACE, UNLISTED = range(len(KINDS))
KIND_SHARES = (0.25, 0.30, 0.28, 0.05, 0.10, 0.02)
ID_STARTS = ("ckpt-", "data-", "repo-", "model-", "ns-", "s3://lab-scratch-")
PATTERNS = (
    "s3://lab-ckpt/{0}/*",
    "s3://lab-data/{0}/*",
    "github://lab/{0}",
    "model://{0}",
    "k8s://prod/{0}",
)
TEAM_ASSETS = (10, 40)
"""Least and most assets of a team."""
COMMON_ASSETS = (20, 50)
"""Least number of assets used by everybody, and the identities for each further one."""
DIRECTORY = (
    "user_id,email,display_name,kind,team,manager_id,title,employment,country,start_date,"
    "notice_date,end_date,aliases"
).split(",")
ASSETS = (
    "asset_id,kind,name,owner_team,sensitivity,objects,bytes,allowed_countries,pattern"
).split(",")
NETWORKS = (
    "cidr,zone,country,asn\n10.0.0.0/8,corp,US,64512\n100.64.0.0/10,vpn,US,64512\n"
    "198.51.100.0/24,cloud,US,64513\n203.0.113.0/24,external,US,64604\n"
)


@dataclass(frozen=True)
class Identities:
    """One entry for each identity; services come first, because ``svc`` sorts before ``u``.

    ``active_share``: share of days with any access, 0 to 1. ``country``: position in
    :data:`COUNTRIES`. ``addresses``: three for each identity; of a person office, VPN, outside; of
    a service data centre, cloud, outside. ``token``: credential for repositories and models.
    """

    ids: Texts
    service: NDArray[np.bool_]
    team: Codes
    active_share: Floats
    country: Codes
    addresses: Texts
    token: Texts


@dataclass(frozen=True)
class Assets:
    """One entry for each asset: ``kind`` as a position in :data:`KINDS`, sizes in bytes.

    ``team``: the owner; −1: everybody's. ``objects``: objects of the manifest, 1 for other kinds.
    ``object_bytes``: size of each object.
    """

    ids: Texts
    kind: Codes
    team: Codes
    objects: Codes
    object_bytes: Codes


@dataclass(frozen=True)
class Population:
    """Identities, assets, and the assets of each team.

    The assets of team t are ``members[starts[t] : starts[t] + sizes[t]]``. ``common``: everybody's
    assets, the most popular one first.
    """

    identities: Identities
    assets: Assets
    members: Codes
    starts: Codes
    sizes: Codes
    common: Codes


def make_population(count: int, seed: int) -> Population:
    """``count`` identities (at least 10) and their assets; the same seed makes the same."""
    rng = np.random.default_rng([seed, count])
    identities = _identities(count, rng)
    sizes = rng.integers(TEAM_ASSETS[0], TEAM_ASSETS[1] + 1, identities.team.max() + 1)
    common = max(COMMON_ASSETS[0], count // COMMON_ASSETS[1])
    team = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.full(common, -1)])
    kind = rng.choice(len(KINDS), len(team), p=KIND_SHARES)
    starts = np.char.add(np.array(ID_STARTS)[kind], np.char.mod("%06d", np.arange(len(team))))
    order = np.argsort(starts)
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    assets = _assets(starts[order], kind[order], team[order], rng)
    return Population(
        identities,
        assets,
        members=position[: sizes.sum()],
        starts=np.cumsum(sizes) - sizes,
        sizes=sizes,
        common=position[sizes.sum() :],
    )


def _identities(count: int, rng: np.random.Generator) -> Identities:
    services = count // (PEOPLE_OF_A_TEAM + 1)
    people = count - services
    mean = (ACTIVE_SHARE * count - SERVICE_SHARE * services) / people
    number = np.concatenate([np.arange(services), np.arange(people)])
    service = np.arange(count) < services
    high, low = np.divmod(np.arange(count), 250)
    middle, high = high % 64, high // 64
    return Identities(
        ids=np.char.add(np.where(service, "svc", "u"), np.char.mod("%06d", number)),
        service=service,
        team=np.where(service, number, number // PEOPLE_OF_A_TEAM),
        active_share=np.where(
            service,
            rng.beta(9, 9 / SERVICE_SHARE - 9, count),
            rng.beta(1.2, 1.2 / mean - 1.2, count),
        ),
        country=rng.choice(len(COUNTRIES), count, p=COUNTRY_SHARES),
        addresses=np.array(
            [
                _addresses("10.%d.%d.%d", high, middle, low),
                np.where(
                    service,
                    np.char.mod("198.51.100.%d", low),
                    _addresses("100.%d.%d.%d", 64 + high, middle, low),
                ),
                np.char.mod("203.0.113.%d", low),
            ]
        ).T,
        token=np.char.mod("token-%012x", rng.integers(0, 2**48, count)),
    )


def _addresses(form: str, *parts: Codes) -> Texts:
    return np.array([form % each for each in zip(*parts, strict=True)])


def _assets(ids: Texts, kind: Codes, team: Codes, rng: np.random.Generator) -> Assets:
    objects = np.ones(len(ids), dtype=np.int64)
    objects[kind == CHECKPOINT] = rng.choice([16, 32, 64, 128, 256], (kind == CHECKPOINT).sum())
    objects[kind == DATASET] = rng.integers(100, 2000, (kind == DATASET).sum())
    return Assets(ids, kind, team, objects, rng.lognormal(18.5, 1.0, len(ids)).astype(np.int64))


def write_inputs(folder: Path, population: Population) -> Path:
    """Write the context and the job config into ``folder``; returns the config's path."""
    context = folder / "context"
    context.mkdir(parents=True)
    # No stage reads it here, but a config names only folders that exist.
    (folder / "raw").mkdir()
    _write_csv(context / "directory.csv", DIRECTORY, _directory_rows(population.identities))
    _write_csv(context / "assets.csv", ASSETS, _asset_rows(population.assets))
    (context / "networks.csv").write_text(NETWORKS)
    source = {"name": "object-store", "format": "aws_cloudtrail", "path": "raw/*.json.gz"}
    config = {
        "sources": [source],
        "context": "context",
        "storage": "warehouse",
        "output": "out",
        "engine": "sail",
        "own_accounts": [ACCOUNT],
    }
    path = folder / "job.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    return path


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _directory_rows(identities: Identities) -> Iterable[Sequence[Any]]:
    for number, user in enumerate(identities.ids):
        service = identities.service[number]
        email = "" if service else f"{user}@example.com"
        employment = "" if service else ("contractor" if number % 12 == 0 else "employee")
        yield [
            user,
            email,
            f"Identity {user}",
            "service" if service else "human",
            f"team-{identities.team[number]:05d}",
            "",
            "",
            employment,
            "" if service else COUNTRIES[identities.country[number]],
            "2024-01-08",
            "",
            "",
            f"arn:aws:iam::{ACCOUNT}:role/{user}" if service else email,
        ]


def _asset_rows(assets: Assets) -> Iterable[Sequence[Any]]:
    for number, asset in enumerate(assets.ids):
        kind = assets.kind[number]
        if kind == UNLISTED:
            continue
        counted = kind in (CHECKPOINT, DATASET)
        objects = assets.objects[number]
        yield [
            asset,
            KINDS[kind],
            asset,
            "platform" if assets.team[number] < 0 else f"team-{assets.team[number]:05d}",
            2 + number % 4,
            objects if counted else "",
            objects * assets.object_bytes[number] if counted or kind == REPO else "",
            "",
            PATTERNS[kind].format(asset),
        ]
