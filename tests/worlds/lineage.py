"""``lineage``, made slowly and plainly in Python: the oracle of the engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from models.features.assets import listed_assets
from models.features.lineage import derive
from schemas.context import Context
from schemas.tables.access import PLACE_ACCESS
from schemas.tables.features import LINEAGE
from tests.worlds.steps import steps_of

Row = dict[str, Any]


def lineage_of(steps: pd.DataFrame, context: Context) -> pd.DataFrame:
    """The table on all days of rows of STEPS."""
    rows = steps.to_dict("records")
    listed = listed_assets(context).to_dict("index")
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["step"] == "stage" and row["place"] not in listed and row["source"] in listed:
            groups[row["day"], row["place"], row["source"], True].append(row)
    for day in sorted({row["day"] for row in rows}):
        for user in sorted({row["user_id"] for row in rows if row["day"] == day}):
            mine = [row for row in rows if row["user_id"] == user]
            for place, origin, written in _fitting(mine, day, listed):
                groups[day, place, origin, False] += written
    made = [
        {
            "day": day, "place": place, "origin": origin, "logged": logged,
            "objects": sum(row["objects"] for row in group), "bytes": _bytes(group),
        }
        for (day, place, origin, logged), group in sorted(groups.items())
    ]  # fmt: skip
    return pd.DataFrame(made, columns=LINEAGE.column_names)


def with_lineage(context: Context, access: pd.DataFrame) -> Context:
    """The context with what the rows of ACCESS bring to places."""
    moved = access.loc[access["action_class"].isin(["write", "copy"]), "user_id"].unique()
    nowhere = pd.DataFrame(columns=PLACE_ACCESS.column_names)
    steps = steps_of(access[access["user_id"].isin(moved)], nowhere, context)
    return replace(context, derived=derive(lineage_of(steps, context), context))


def _fitting(
    mine: list[Row], day: date, listed: dict[Any, Row]
) -> Iterator[tuple[str, str, list[Row]]]:
    read: dict[str, list[Row]] = defaultdict(list)
    written: dict[str, list[Row]] = defaultdict(list)
    for row in mine:
        if row["step"] == "collect" and row["day"] in (day, day - timedelta(days=1)):
            read[row["place"]].append(row)
        unlisted = row["place"] not in listed
        if row["step"] == "stage" and row["source"] == "" and row["day"] == day and unlisted:
            written[row["place"]].append(row)
    sizes = {}
    for asset, group in read.items():
        whole, size = listed[asset], _bytes(group)
        if size is None:
            continue
        if pd.notna(whole["bytes"]):
            share = size / whole["bytes"]
        else:
            share = sum(row["objects"] for row in group) / whole["objects"]
        if share >= 0.5:
            sizes[asset] = min(size, whole["bytes"]) if pd.notna(whole["bytes"]) else size
    for place, group in written.items():
        total = _bytes(group)
        alone = [asset for asset, size in sizes.items() if _fits(total, size)]
        together = list(sizes) if _fits(total, sum(sizes.values())) else []
        yield from ((place, asset, group) for asset in alone or together)


def _bytes(group: list[Row]) -> int | None:
    sizes = [int(row["bytes"]) for row in group if pd.notna(row["bytes"])]
    return sum(sizes) if sizes else None


def _fits(written: int | None, size: float) -> bool:
    return bool(written) and size / 16 / 1.15 <= (written or 0) <= size * 1.15
