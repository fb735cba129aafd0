"""``place_access`` and ``place_days``, made slowly and plainly in Python.

``place_days_of`` is the oracle of the engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from models.features.assets import object_worths
from models.features.people import teams
from schemas.context import Context
from schemas.tables.access import PLACE_ACCESS
from schemas.tables.features import PLACE_DAYS
from schemas.tables.values import CONTENT_CLASSES, HISTORY_DAYS, ZONES

if TYPE_CHECKING:
    from tests.worlds.histories import Event

Row = dict[str, Any]
MADE: dict[tuple[int, ...], list[Row]] = {}


def place_access_frame(events: Iterable[Event]) -> pd.DataFrame:
    """Rows of PLACE_ACCESS; the same events of an identity are counted once."""
    by_user: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.network:
            by_user[event.user].append(event)
    rows = []
    for mine in by_user.values():
        key = tuple(map(id, mine))
        if key not in MADE:
            KEPT.append(mine)
            MADE[key] = _rows_of(mine)
        rows += MADE[key]
    frame = pd.DataFrame(rows, columns=PLACE_ACCESS.column_names)
    return frame.sort_values(["day", *PLACE_ACCESS.key], ignore_index=True)


KEPT: list[list[Event]] = []
"""Events behind MADE, so that no other event gets the id of one of them."""


def _rows_of(events: list[Event]) -> list[Row]:
    groups: dict[tuple[date, str, str, str], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.day, event.user, event.network, event.asset].append(event)
    return [_row(*key, group) for key, group in groups.items()]


def _row(day: date, user: str, place: str, asset: str, group: list[Event]) -> Row:
    zone, country, _ = place.split("/") if place.startswith(ZONES) else (None, None, None)
    done = [event for event in group if not event.failed]
    content = [event for event in done if event.action_class in CONTENT_CLASSES]
    sizes = [event.size for event in content if event.size is not None]
    return {
        "day": day, "user_id": user, "user_kind": group[0].kind, "place": place, "zone": zone,
        "country": None if country == "-" else country, "asset_id": asset, "events": len(group),
        "failures": len(group) - len(done),
        "objects": len({(event.action_class, event.object) for event in content}),
        "bytes": sum(sizes) if sizes else None,
        "hours": sum(1 << hour for hour in {event.hour for event in done}),
        "linked": sum(event.linked for event in done),
        "linked_objects": min(
            sum(event.linked for event in content),
            len({(event.action_class, event.object) for event in content}),
        ),
    }  # fmt: skip


def place_days_of(access: pd.DataFrame, context: Context, days: Iterable[date]) -> pd.DataFrame:
    """The table on ``days``, from all rows of PLACE_ACCESS."""
    declared, listed = teams(context), set(context.directory["user_id"])
    by_day: dict[date, list[Row]] = defaultdict(list)
    worths = object_worths(context)
    for row in access.to_dict("records"):
        worth = row["objects"] * worths.get(row["asset_id"], 16)
        by_day[row["day"]].append(row | {"worth": worth})
    used = [
        row for rows in by_day.values() for row in _united(rows) if row["events"] > row["failures"]
    ]
    by_place, by_land = _by(used, lambda row: row["place"]), _by(used, _land)
    found = [
        row | _habits(row, "", by_place[row["place"]], declared, listed)
        | _habits(row, "country_", by_land[_land(row)], declared, listed)
        for day in days for row in _united(by_day[day])
    ]  # fmt: skip
    return pd.DataFrame(found, columns=PLACE_DAYS.column_names)


def _by(rows: list[Row], value: Callable[[Row], str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[value(row)].append(row)
    return groups


def _land(row: Row) -> str:
    return row["country"] if isinstance(row["country"], str) else "-"


def _united(rows: list[Row]) -> list[Row]:
    """A row for each identity and place of a day."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["user_id"], row["place"]].append(row)
    return [
        group[0]
        | {
            name: sum(row[name] for row in group)
            for name in ("events", "failures", "objects", "linked", "worth")
        }
        | {"hours": sum(1 << h for h in range(24) if any(row["hours"] >> h & 1 for row in group))}
        | {"user_kind": min(row["user_kind"] for row in group)}
        for group in groups.values()
    ]


def _habits(
    today: Row, prefix: str, same: list[Row], declared: dict[str, str], listed: set[str]
) -> Row:
    """What rows of the ``same`` place or country say of the days before."""
    day, user = today["day"], today["user_id"]
    first = day - timedelta(days=HISTORY_DAYS - 1)
    alike = [row for row in same if first <= row["day"] < day]
    mine = [row for row in alike if row["user_id"] == user]
    others = {row["user_id"] for row in alike} - {user}
    others = others & listed if listed else others
    worths: dict[int, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in mine:
        if row["objects"] > 0:
            worths[(day - row["day"]).days // 7][row["day"]] += row["worth"]
    team = declared.get(user)
    return {
        f"{prefix}days": len({row["day"] for row in mine}),
        f"{prefix}weeks": len({(day - row["day"]).days // 7 for row in mine if row["objects"] > 0}),
        **(
            {}
            if prefix
            else {
                "own_days": len(
                    {row["day"] for row in mine if row["events"] - row["failures"] > row["linked"]}
                )
            }
        ),
        f"{prefix}week_worths": sorted(max(days.values()) for days in worths.values()),
        f"{prefix}others": len(others),
        f"{prefix}team_others": sum(
            team is not None and declared.get(other) == team for other in others
        ),
    }
