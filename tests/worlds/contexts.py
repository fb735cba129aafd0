"""The context files of a world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
    Context,
)

if TYPE_CHECKING:
    from tests.worlds.histories import World


def context_of(world: World) -> Context:
    """The world's context files."""
    assets = pd.DataFrame(list(world.assets.values()), columns=ASSET_COLUMNS)
    for name in ("sensitivity", "objects", "bytes"):
        assets[name] = pd.array([None if pd.isna(v) else int(v) for v in assets[name]], "Int64")
    directory = pd.DataFrame(world.directory, columns=DIRECTORY_COLUMNS)
    for name in ("start_date", "notice_date", "end_date"):
        directory[name] = pd.Series([row[name] for row in world.directory], dtype=object)
    approvals = pd.DataFrame(world.approvals, columns=APPROVAL_COLUMNS).astype(object)
    return Context(directory, assets, approvals, pd.DataFrame(columns=NETWORK_COLUMNS))
