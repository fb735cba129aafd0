"""``steps``, made slowly and plainly in Python: the oracle of the engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from models.features.assets import listed_assets
from schemas.context import Context
from schemas.tables.features import STEPS

if TYPE_CHECKING:
    from tests.worlds.histories import Event

Row = dict[str, Any]
STORES = ("s3://", "gs://", "az://", "minio://")
ARCHIVES = ("zip", "archive", "tarball", "bundle")
CONTENT = ("clone", "copy", "query", "read", "share", "execute")


def bytes_in(group: Iterable[Event]) -> int | None:
    """Bytes that were written with success; None: none known."""
    done = [event for event in group if event.action_class == "write" and not event.failed]
    sizes = [event.size for event in done if event.size is not None]
    return sum(sizes) if sizes else None


def steps_of(access: pd.DataFrame, places: pd.DataFrame, context: Context) -> pd.DataFrame:
    """The table on all days of rows of ACCESS and PLACE_ACCESS."""
    facts = listed_assets(context)
    sensitive = set(facts.index[facts["sensitivity"] >= 4])
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)

    def add(
        row: Row, step: str, place: str, size: Any, source: str = "", hours: Any = None
    ) -> None:
        first, last = hours or (row["first_time"].hour, row["last_time"].hour)
        groups[row["day"], row["user_id"], step, place, source].append(
            {"user_kind": row["user_kind"], "objects": row["objects"], "bytes": size,
             "first": first, "last": last}
        )  # fmt: skip

    for row in access.to_dict("records"):
        if row["events"] > row["failures"]:
            _add_access(row, row["asset_id"] in sensitive, add)
    for row in places.to_dict("records"):
        stored = row["asset_id"].startswith(STORES)
        ours = row["zone"] in ("corp", "vpn", "datacenter")
        if row["events"] > row["failures"] and row["objects"] > 0 and stored and not ours:
            hours = [hour for hour in range(24) if row["hours"] >> hour & 1]
            add(row, "send", row["asset_id"], row["bytes"], hours=(hours[0], hours[-1]))
    rows = [_united(key, group) for key, group in sorted(groups.items())]
    return pd.DataFrame(rows, columns=STEPS.column_names)


def _add_access(row: Row, sensitive: bool, add: Any) -> None:
    asset, kind = row["asset_id"], row["action_class"]
    known = [row["bytes_out"], row["bytes_estimated"]]
    size = next((each for each in known if not pd.isna(each)), None)
    if sensitive and kind in ("read", "clone"):
        add(row, "collect", asset, size)
    named = any(word in action for word in ARCHIVES for action in row["actions"])
    if sensitive and named and kind in CONTENT:
        add(row, "pack", asset, size)
    if asset.startswith(STORES):
        if kind == "write":
            add(row, "stage", asset, row["bytes_in"])
        if kind == "share" and len(row["destinations"]):
            add(row, "send", asset, None)
        if kind == "delete":
            add(row, "clean", asset, None)
    if kind == "copy":
        for to in row["destinations"]:
            if (place := to.split("#")[0]).startswith(STORES):
                add(row, "stage", place, size, asset)


def _united(key: tuple[Any, ...], group: list[Row]) -> Row:
    day, user, step, place, source = key
    sizes = [int(row["bytes"]) for row in group if not pd.isna(row["bytes"])]
    return {
        "day": day, "user_id": user, "user_kind": min(row["user_kind"] for row in group),
        "step": step, "place": place, "source": source,
        "objects": sum(row["objects"] for row in group), "bytes": sum(sizes) if sizes else None,
        "first_hour": min(row["first"] for row in group),
        "last_hour": max(row["last"] for row in group),
    }  # fmt: skip
