"""``lineage``, made slowly and plainly in Python: the oracle of the engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from models.features.assets import listed_assets
from models.features.lineage import derive
from schemas.context import Context
from schemas.tables.access import PLACE_ACCESS
from schemas.tables.features import LINEAGE
from tests.worlds.steps import STORES, steps_of

Row = dict[str, Any]


def lineage_of(steps: pd.DataFrame, objects: pd.DataFrame, context: Context) -> pd.DataFrame:
    """The table on all days, of rows of STEPS and OBJECT_ACCESS."""
    rows = steps.to_dict("records")
    listed = listed_assets(context).to_dict("index")
    touched: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in objects.to_dict("records"):
        touched[row["day"], row["user_id"], row["asset_id"]].append(row)
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        known = row["source"] in listed or row["source"].startswith(STORES)
        moved = row["place"] not in listed and row["place"] != row["source"]
        if row["step"] == "stage" and moved and known:
            groups[row["place"], row["source"]].append(row)
    made = []
    for (place, origin), group in sorted(groups.items()):
        for day in sorted({row["day"] for row in group}):
            until = [row for row in group if timedelta(0) <= day - row["day"] < timedelta(90)]
            amounts = _copied(until, touched, listed.get(origin))
            made.append({"day": day, "place": place, "origin": origin, "logged": True, **amounts})
    for day in sorted({row["day"] for row in rows}):
        written: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for user in sorted({row["user_id"] for row in rows if row["day"] == day}):
            mine = [row for row in rows if row["user_id"] == user]
            for place, origin, group in _fitting(mine, day, listed):
                written[place, origin] += group
        made += [
            {
                "day": day, "place": place, "origin": origin, "logged": False,
                "objects": sum(row["objects"] for row in group), "bytes": _bytes(group),
            }
            for (place, origin), group in sorted(written.items())
        ]  # fmt: skip
    return pd.DataFrame(made, columns=LINEAGE.column_names)


def _copied(
    copies: list[Row], touched: dict[tuple[Any, ...], list[Row]], listed: Row | None
) -> dict[str, int | None]:
    """Objects and bytes of the copies; of those whose names are known each once."""
    sizes: dict[str, list[float]] = defaultdict(list)
    mean = listed["bytes"] / listed["objects"] if listed else None
    for row in copies:
        for one in touched[row["day"], row["user_id"], row["source"]]:
            sizes[one["object"]].append(_size(one) or mean)
    objects, size = sum(row["objects"] for row in copies), _bytes(copies)
    if sizes:
        each = [max(known, default=None) for known in sizes.values()]
        unknown = any(one is None or pd.isna(one) for one in each)
        whole = None if unknown else round(sum(one for one in each if one is not None))
        objects = min(objects, len(sizes))
        size = min((one for one in (size, whole) if one is not None), default=None)
    return {"objects": objects, "bytes": size}


def _size(row: Row) -> float | None:
    """Bytes of an object, as a log shows them; None: not known."""
    shown = (
        [row["object_bytes"]] if pd.notna(row["object_bytes"]) and row["object_bytes"] > 0 else []
    )
    partial = len(row["ranges"]) > 0 or pd.notna(row["part_bytes"])
    if not partial and pd.notna(row["bytes_out"]) and row["bytes_out"] > 0:
        shown.append(int(row["bytes_out"] / max(row["reads"], 1)))
    return max(shown, default=None)


def with_lineage(
    context: Context, access: pd.DataFrame, objects: Callable[[list[str]], pd.DataFrame]
) -> Context:
    """The context with what the rows of ACCESS bring to places.

    ``objects``: gives the rows of OBJECT_ACCESS of some identities.
    """
    moved = access.loc[access["action_class"].isin(["write", "copy"]), "user_id"].unique()
    nowhere = pd.DataFrame(columns=PLACE_ACCESS.column_names)
    steps = steps_of(access[access["user_id"].isin(moved)], nowhere, context)
    copiers = sorted(set(steps.loc[steps["source"] != "", "user_id"]))
    made = lineage_of(steps, objects(copiers), context)
    return replace(context, derived=derive(made, context))


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
