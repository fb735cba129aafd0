"""Rows of ACCESS and OBJECT_ACCESS of a world's events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from schemas.tables.access import ACCESS, OBJECT_ACCESS
from tests.worlds.steps import bytes_in

if TYPE_CHECKING:
    from tests.worlds.histories import Event


@dataclass(frozen=True, eq=False)
class OwnRows:
    """Rows of ACCESS and OBJECT_ACCESS of one identity."""

    events: list[Event]
    stored: dict[str, Mapping[str, Any]]
    access: list[dict[str, Any]]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """Rows of OBJECT_ACCESS."""
        return object_rows(self.events, self.stored)


MADE: dict[tuple[Any, ...], OwnRows] = {}
"""Rows by the events' ids; the rows keep the events, so that no other event gets such an id."""


def own_rows(events: list[Event], assets: Mapping[str, Mapping[str, Any]]) -> OwnRows:
    """The rows of an identity's events, made once for the same events."""
    stored = sorted(each for each in {event.asset for event in events} if _stored(each, assets))
    key = (*map(id, events), *stored)
    if key not in MADE:
        MADE[key] = OwnRows(events, {each: assets[each] for each in stored}, access_rows(events))
    return MADE[key]


@cache
def _moment(day: date, hour: int, minute: int) -> pd.Timestamp:
    return pd.Timestamp(datetime(day.year, day.month, day.day, hour, minute))  # noqa: DTZ001


def access_frame(events: list[Event]) -> pd.DataFrame:
    """Rows of ACCESS, as a frame."""
    return pd.DataFrame(access_rows(events), columns=ACCESS.column_names)


def access_rows(events: list[Event]) -> list[dict[str, Any]]:
    """Rows of ACCESS."""
    groups: dict[tuple[date, str, str, str], list[Event]] = {}
    for event in events:
        groups.setdefault((event.day, event.user, event.asset, event.action_class), []).append(
            event
        )
    return [_access_row(*key, group) for key, group in sorted(groups.items())]


def _access_row(
    day: date, user: str, asset: str, action_class: str, group: list[Event]
) -> dict[str, Any]:
    def names(attribute: str) -> list[str]:
        return sorted({getattr(event, attribute) for event in group} - {""})[:50]

    hourly = []
    for hour in sorted({event.hour for event in group}):
        part = [event for event in group if event.hour == hour]
        hourly.append({"hour": hour, "events": len(part), "bytes": sum(e.size or 0 for e in part),
                       "objects": len({e.object for e in part if not e.failed})})  # fmt: skip
    sizes = [e.size for e in group if e.size is not None and action_class != "write"]
    return {
        "day": day, "user_id": user, "user_kind": group[0].kind, "asset_id": asset,
        "action_class": action_class, "events": len(group),
        "failures": sum(event.failed for event in group),
        "bytes_out": sum(sizes) if sizes else None, "bytes_estimated": None,
        "objects": len({event.object for event in group if not event.failed}),
        "first_time": _moment(day, hourly[0]["hour"], 0),
        "last_time": _moment(day, hourly[-1]["hour"], 59), "bytes_in": bytes_in(group),
        "hourly": hourly, "actions": names("action"), "addresses": ["192.0.2.1"],
        "networks": names("network"), "agents": names("agent"),
        "credentials": names("credential"), "acting_as": names("role"),
        "destinations": names("destination"), "sources": ["test"], "sessions": [],
        "chosen_names": sum(event.chosen for event in group), "accounts": names("account"),
    }  # fmt: skip


def object_frame(events: list[Event], assets: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of OBJECT_ACCESS, as a frame."""
    return pd.DataFrame(object_rows(events, assets), columns=OBJECT_ACCESS.column_names)


def _stored(asset: str, assets: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether OBJECT_ACCESS holds the asset's objects."""
    return assets.get(asset, {}).get("kind") in ("checkpoint", "dataset")


def object_rows(
    events: list[Event], assets: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of OBJECT_ACCESS."""
    groups: dict[tuple[date, str, str, str], list[Event]] = {}
    for event in events:
        given = event.action_class in ("read", "copy") and not event.failed
        if given and _stored(event.asset, assets):
            groups.setdefault((event.day, event.user, event.asset, event.object), []).append(event)
    rows = []
    for (day, user, asset, name), group in sorted(groups.items()):
        sizes = [event.size for event in group if event.size is not None]
        rows.append(
            {
                "day": day, "user_id": user, "user_kind": group[0].kind, "asset_id": asset,
                "object": name, "reads": len(group), "bytes_out": sum(sizes) if sizes else None,
                "ranges": sorted({event.range for event in group} - {""}),
                "part_bytes": None, "object_bytes": None,
                "first_time": _moment(day, group[0].hour, 0),
                "last_time": _moment(day, group[-1].hour, 59),
            }
        )  # fmt: skip
    return rows
