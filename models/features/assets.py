"""Assets: which are listed, how sensitive each is, which are repositories."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.memory import remembered
from schemas.context import MANIFEST_KINDS
from schemas.tables.values import REPOSITORY_SCHEMES, SENSITIVE

if TYPE_CHECKING:
    from schemas.context import Context

UNKNOWN_SENSITIVITY = 2.0
"""Sensitivity taken for resources that assets.csv does not list (internal, not secret)."""
WHOLE_WORTH = 100
"""Worth of an object of the highest sensitivity."""
EVIDENCE_ASSETS = 20
"""Assets that one signal names."""


@remembered
def listed_assets(context: Context) -> pd.DataFrame:
    """assets.csv by ``asset_id`` with float ``sensitivity``, ``objects``, ``bytes`` (NaN: unknown).

    ``group``: what a checkpoint or dataset has in common with its siblings, such as the folder of
    the run that a training step belongs to; empty where there is none.
    """
    rows = context.assets.drop_duplicates("asset_id").set_index("asset_id").copy()
    for name in ("sensitivity", "objects", "bytes"):
        rows[name] = pd.to_numeric(rows[name], errors="coerce").astype("float64")
    rows["group"] = [
        _folder(str(pattern)) if kind in MANIFEST_KINDS else ""
        for pattern, kind in zip(rows["pattern"], rows["kind"], strict=True)
    ]
    return rows


def _folder(pattern: str) -> str:
    scheme, _, path = pattern.partition("://")
    parts = [part for part in path.split("/") if part]
    while parts and "*" in parts[-1]:
        parts.pop()
    # A bucket alone says nothing of kinship.
    return f"{scheme}://{'/'.join(parts[:-1])}" if len(parts) >= 3 else ""


WRITTEN = ["written", "writer", "others_wrote"]
"""Columns of ASSET_DAYS that tell what was written."""


def most_written(rows: pd.DataFrame) -> pd.DataFrame:
    """The most objects ``written`` to each asset on a day, its ``writer``, ``others_wrote``.

    ``rows``: of ASSET_DAYS. ``others_wrote``: the most that anybody but the writer wrote on a day.
    """
    rows = rows.sort_values(["asset_id", "written"], ascending=[True, False], kind="stable")
    most = rows.drop_duplicates("asset_id").set_index("asset_id")[["written", "writer"]]
    own = rows["writer"].to_numpy(dtype=object) == rows["asset_id"].map(most["writer"]).to_numpy()
    others = rows["written"].where(~own, rows["others_wrote"])
    return most.assign(others_wrote=others.groupby(rows["asset_id"]).max())


def families(assets: Iterable[Any], context: Context) -> NDArray[Any]:
    """What each artefact has in common with its siblings; without any it stands for itself."""
    codes, known = pd.factorize(np.array(list(assets), dtype=object))
    names = listed_assets(context)["group"].reindex(known).fillna("").to_numpy(dtype=object)
    alone = np.array([f"={asset}" for asset in known], dtype=object)
    return np.asarray(np.where(names == "", alone, names))[codes]


def assets_below(container: str, context: Context) -> tuple[str, ...]:
    """Ids of the listed assets below a container, which is itself no listed asset; sorted."""
    stem = container.rstrip("/") + "/"
    patterns = _patterns(context)
    found = set()
    for place in range(bisect_left(patterns.literals, stem), len(patterns.literals)):
        if not patterns.literals[place].startswith(stem):
            break
        found.add(patterns.assets[place])
    for end in range(len(stem) + 1):
        found.update(patterns.globs.get(stem[:end], ()))
    return tuple(sorted(found))


@dataclass(frozen=True)
class _Patterns:
    """Patterns of assets.csv up to their first wildcard.

    ``literals``: sorted; ``assets``: the asset of each. ``globs``: assets of those with a wildcard.
    """

    literals: list[str]
    assets: list[str]
    globs: dict[str, list[str]]


@remembered
def _patterns(context: Context) -> _Patterns:
    pairs, globs = [], dict[str, list[str]]()
    for asset, pattern in zip(context.assets["asset_id"], context.assets["pattern"], strict=True):
        literal, *glob = re.split(r"[*?\[]", str(pattern), maxsplit=1)
        pairs.append((literal, str(asset)))
        if glob:
            globs.setdefault(literal, []).append(str(asset))
    pairs.sort()
    return _Patterns([literal for literal, _ in pairs], [asset for _, asset in pairs], globs)


@remembered
def sensitivities(context: Context) -> dict[str, float]:
    """Sensitivity of each listed asset that has one, and of each place that inherits one."""
    rows = listed_assets(context)["sensitivity"].dropna()
    inherited = {place: found.sensitivity for place, found in context.derived.items()}
    return inherited | {str(asset): float(value) for asset, value in rows.items()}


@remembered
def object_worths(context: Context) -> dict[str, int]:
    """What an object of each listed asset is worth, of WHOLE_WORTH: (sensitivity ÷ 5)²."""
    rows = listed_assets(context)["sensitivity"].dropna()
    return {str(asset): worth_of(float(value)) for asset, value in rows.items()}


def worth_of(sensitivity: float) -> int:
    """What an object of that sensitivity is worth, of WHOLE_WORTH."""
    return round(WHOLE_WORTH * (sensitivity / 5) ** 2)


@remembered
def sensitive_assets(context: Context) -> frozenset[str]:
    """Listed assets from SENSITIVE on, and places that hold content of one, converted or not."""
    listed = listed_assets(context)["sensitivity"] >= SENSITIVE
    assets = {str(asset) for asset in listed.index[listed]}
    places = {place for place, of in context.derived.items() if of.origin in assets}
    return frozenset(assets | places)


@remembered
def owner_teams(context: Context) -> dict[str, str]:
    """The team that owns each listed asset, and what came from it to other places; or empty."""
    owners = {str(a): str(team) for a, team in listed_assets(context)["owner_team"].items()}
    copies = {place: owners.get(of.origin, "") for place, of in context.derived.items()}
    return copies | owners


def of_families(rows: pd.DataFrame, wanted: Collection[str], context: Context) -> pd.DataFrame:
    """Rows of the assets (``asset_id``) whose family is wanted, with ``family``."""
    codes, assets = pd.factorize(rows["asset_id"])
    family = families(assets, context)
    kept = np.isin(codes, np.flatnonzero(pd.Index(family).isin(list(wanted))))
    return rows[kept].assign(family=family[codes[kept]])


def repositories(assets: Iterable[str], context: Context) -> dict[str, float]:
    """Sensitivity of those assets that are repositories."""
    rows = listed_assets(context)
    kinds, known = rows["kind"].to_dict(), sensitivities(context)
    return {
        asset: known.get(asset, UNKNOWN_SENSITIVITY)
        for asset in assets
        if kinds.get(asset) == "repo" or asset.startswith(REPOSITORY_SCHEMES)
    }
