"""The tables of stage ``features``, made slowly and plainly in Python: the oracle of the engine."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from models.features.assets import listed_assets
from schemas.context import Context
from schemas.tables.features import ASSET_DAYS, ENTITY_DAYS, GRANTS, NOVELTY, PAIRS
from schemas.tables.values import HISTORY_DAYS

Row = dict[str, Any]
Lists = ("networks", "agents", "acting_as", "credentials")
KINDS = {
    "networks": "network",
    "agents": "agent",
    "acting_as": "role",
    "credentials": "credential",
    "destinations": "destination",
}
HOUR_FIELDS = ("hour", "events", "bytes", "objects")
TAKING = {"read", "copy", "clone", "share", "query"}
CONTENT = TAKING | {"execute"}
DISTANT = {"list", "inspect", "write", "sign_in", "assume", "other"}
ENTERING = ("/exec", "/attach", "/portforward", "/proxy", "/cp", "ephemeralcontainers")
Tables = tuple[list[Row], list[Row], list[Row], list[Row]]
"""Rows of novelty, pairs, entity_days and grants."""
MADE: dict[tuple[Any, ...], tuple[list[Row], Tables]] = {}
"""Tables by the id of the rows of ACCESS, which stay, so that no others get their id."""
WEEK = timedelta(days=7)
ARCHIVES = ("zip", "archive", "tarball", "bundle")


@dataclass(frozen=True)
class Features:
    """Rows of the five tables."""

    asset_days: pd.DataFrame
    novelty: pd.DataFrame
    pairs: pd.DataFrame
    entity_days: pd.DataFrame
    grants: pd.DataFrame


def features_of(access: pd.DataFrame, context: Context) -> Features:
    """The tables of all days of ``access``."""
    by_user: dict[str, list[Row]] = defaultdict(list)
    for row in access.to_dict("records"):
        by_user[row["user_id"]].append(row)
    return features_of_rows(by_user, context)


def features_of_rows(by_user: Mapping[str, list[Row]], context: Context) -> Features:
    """The tables of all days, from each identity's rows of ACCESS."""
    facts = listed_assets(context)
    kinds, sensitivity = facts["kind"].to_dict(), facts["sensitivity"].to_dict()
    parts = [_remembered(rows, kinds, sensitivity) for rows in by_user.values()]
    novelty, pairs, days, grants = (
        [row for part in parts for row in part[place]] for place in range(4)
    )
    assets = list(_asset_rows(row for rows in by_user.values() for row in rows))
    first = {(row["day"], row["asset_id"]): row["first_day"] for row in assets}
    known = [first[row["day"], row["asset_id"]] for row in pairs]
    return Features(
        _frame(assets, ASSET_DAYS.column_names),
        _frame(novelty, NOVELTY.column_names),
        _frame(pairs, PAIRS.column_names).assign(asset_first_day=known),
        _frame(days, ENTITY_DAYS.column_names),
        _frame(sorted(grants, key=_place_of_grant), GRANTS.column_names),
    )


def _frame(rows: Iterable[Row], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns)


def _before(days: list[date], day: date) -> list[date]:
    """Those of the sorted ``days`` that lie in the 89 days before ``day``."""
    first = day - timedelta(days=HISTORY_DAYS - 1)
    return days[bisect_left(days, first) : bisect_left(days, day)]


def _asset_rows(access: Iterable[Row]) -> Iterable[Row]:
    touched: dict[str, dict[date, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in access:
        touched[row["asset_id"]][row["day"]].append(row)
    for asset, days in touched.items():
        known = sorted(days)
        for day, rows in days.items():
            wrote = sorted(
                ((row["objects"], row["user_id"]) for row in rows
                 if row["action_class"] == "write" and row["objects"]), reverse=True,
            )  # fmt: skip
            yield {
                "day": day,
                "asset_id": asset,
                "users": len({row["user_id"] for row in rows}),
                "written": wrote[0][0] if wrote else 0,
                "writer": wrote[0][1] if wrote else None,
                "others_wrote": wrote[1][0] if len(wrote) > 1 else 0,
                "first_day": min([day, *_before(known, day)]),
            }


def _place_of_grant(row: Row) -> tuple[Any, ...]:
    return row["day"], row["user_id"], row["asset_id"], row["destination"]


def _grant_rows(access: Iterable[Row]) -> Iterable[Row]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in access:
        if _given(row):
            for to in row["destinations"]:
                groups[row["day"], row["user_id"], row["asset_id"], to].append(row)
    for (day, user, asset, to), rows in groups.items():
        yield {
            "day": day, "user_id": user, "user_kind": min(row["user_kind"] for row in rows),
            "asset_id": asset, "destination": to,
            "ways": sorted({action for row in rows for action in row["actions"]})[:50],
            "objects": sum(row["objects"] for row in rows),
        }  # fmt: skip


def _remembered(
    rows: list[Row], kinds: Mapping[str, Any], sensitivity: Mapping[str, float]
) -> Tables:
    """:func:`_of_user`, once for the same rows: most worlds differ in one identity only."""
    touched = sorted({row["asset_id"] for row in rows})
    key = id(rows), *((asset, kinds.get(asset), sensitivity.get(asset)) for asset in touched)
    if key not in MADE:
        MADE[key] = rows, _of_user(rows, kinds, sensitivity)
    return MADE[key][1]


def _of_user(rows: list[Row], kinds: Mapping[str, Any], sensitivity: Mapping[str, float]) -> Tables:
    """Rows of novelty, pairs, entity_days and grants of one identity."""
    days: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        days[row["day"]].append(row)
    values = {day: _values(found) for day, found in days.items()}
    chosen = {day: values[day] - _values([row for row in found if not _chosen(row)])
              for day, found in days.items()}  # fmt: skip
    seen_value: dict[tuple[str, str], list[date]] = defaultdict(list)
    seen_asset: dict[str, list[date]] = defaultdict(list)
    for day, found in sorted(days.items()):
        for value in values[day]:
            seen_value[value].append(day)
        for asset in {row["asset_id"] for row in found}:
            seen_asset[asset].append(day)
    novelty, pairs, entities = [], [], []
    for day, found in sorted(days.items()):
        earlier = {value: _before(seen_value[value], day) for value in values[day]}
        counts = {value: len(days_with) for value, days_with in earlier.items()}
        novelty += [
            {"day": day, "user_id": found[0]["user_id"], "kind": kind, "value": value,
             "days_before": len(days_with), "last_day": max(days_with, default=None),
             "earlier_day": max((d for d in days_with if d <= day - WEEK), default=None),
             "chosen": (kind, value) in chosen[day]}
            for (kind, value), days_with in sorted(earlier.items())
        ]  # fmt: skip
        known = len(_before(sorted(days), day))
        fresh = {value for (kind, value), count in counts.items()
                 if kind == "credential" and count == 0 and known}  # fmt: skip
        today = []
        for asset in sorted({row["asset_id"] for row in found}):
            mine = [row for row in found if row["asset_id"] == asset]
            pair = _pair(mine, kinds.get(asset) == "repo", fresh)
            touched = _before(seen_asset[asset], day)
            today.append(pair | {"days_before": len(touched), "first_day": min([day, *touched])})
        pairs += today
        week = {
            row["asset_id"] for row in rows
            if day - timedelta(days=7) < row["day"] <= day and _taken(row)
        }  # fmt: skip
        entity = _entity(found, today, counts, known, len(week), sensitivity)
        entities.append(entity | _rolling(found, days.get(day - timedelta(days=1), [])))
    return novelty, pairs, entities, list(_grant_rows(rows))


def _hours(row: Row) -> list[Row]:
    return [
        h if isinstance(h, Mapping) else dict(zip(HOUR_FIELDS, h, strict=True))
        for h in row["hourly"]
    ]


def _taken(row: Row) -> bool:
    return row["action_class"] in TAKING and row["events"] > row["failures"]


def _chosen(row: Row) -> bool:
    return row["chosen_names"] >= row["events"] - row["failures"] > 0


def _given(row: Row) -> bool:
    return row["action_class"] in ("copy", "share") and row["events"] > row["failures"]


def _values(rows: list[Row]) -> set[tuple[str, str]]:
    found = {("action", row["action_class"]) for row in rows}
    found |= {("hour", str(int(hour["hour"]))) for row in rows for hour in _hours(row)}
    for column in Lists:
        found |= {(KINDS[column], value) for row in rows for value in row[column]}
    return found | {
        ("destination", value) for row in rows if _given(row) for value in row["destinations"]
    }


def _pair(rows: list[Row], listed: bool, fresh: set[str]) -> Row:
    asset = rows[0]["asset_id"]
    repository = listed or asset.startswith(("github://", "gitlab://"))
    done = [row for row in rows if row["events"] > row["failures"]]
    cloned = [row for row in done if row["action_class"] == "clone"]
    fetched = [row for row in done if row["action_class"] == "read" and repository]

    def total(column: str, *classes: str) -> int:
        return sum(int(row[column]) for row in rows if row["action_class"] in classes)

    def named(row: Row, words: tuple[str, ...]) -> bool:
        return any(word in action for word in words for action in row["actions"])

    sizes = [row["bytes_out"] for row in rows if _taken(row) and not pd.isna(row["bytes_out"])]
    return {
        "day": rows[0]["day"],
        "user_id": rows[0]["user_id"],
        "user_kind": min(row["user_kind"] for row in rows),
        "asset_id": asset,
        "events": sum(row["events"] for row in rows),
        "failures": sum(row["failures"] for row in rows),
        "attempts": sum(round(math.sqrt(row["failures"]) * 1e6) for row in rows) / 1e6,
        "near": any(row["action_class"] not in DISTANT for row in rows),
        "content": any(row["action_class"] in CONTENT for row in rows),
        "looked": any(row["action_class"] in ("list", "inspect") for row in rows),
        "taken": any(map(_taken, rows)),
        "bytes": sum(sizes) if sizes else None,
        "objects": sum(int(row["objects"]) for row in rows if _taken(row)),
        "clones": total("objects", "clone"),
        "lists": total("events", "list", "inspect"),
        "writes": total("events", "write", "delete"),
        "executes": total("events", "execute"),
        "gives": total("events", "copy", "share"),
        "given": sum(int(row["objects"]) for row in rows if _given(row)),
        "entries": sum(row["events"] for row in done
                       if row["action_class"] == "execute" and named(row, ENTERING)),
        "cloned": bool(cloned),
        "fetched": bool(fetched),
        "archived": any(named(row, ARCHIVES) for row in cloned + fetched),
        "new_credential": any(fresh & set(row["credentials"]) for row in cloned + fetched),
        "destinations": sorted({d for row in rows if _given(row) for d in row["destinations"]}),
        "chosen": bool(done) and all(map(_chosen, done)),
    }  # fmt: skip


def _rolling(today: list[Row], yesterday: list[Row]) -> Row:
    """The largest amounts of 24 hours that end with an hour of the day."""
    now, before = list(_amounts(today)), list(_amounts(yesterday))
    most = {"bytes": 0.0, "objects": 0.0, "assets": 0.0}
    for end in {hour for hour, *_ in now}:
        mine = [found for found in now if found[0] <= end]
        earlier = [found for found in before if found[0] > end]
        assets = {asset for *_, asset in mine}
        others = {asset for *_, asset in earlier} - assets
        for name, taken, left in (
            ("bytes", sum(size for _, size, *_ in mine), sum(size for _, size, *_ in earlier)),
            ("objects", sum(n for _, _, n, _ in mine), sum(n for _, _, n, _ in earlier)),
            ("assets", len(assets), len(others)),
        ):
            most[name] = max(most[name], taken + min(taken, left))
    return {
        "rolling_bytes": int(most["bytes"]) or None,
        "rolling_objects": math.floor(round(most["objects"], 4) + 0.5),
        "rolling_assets": int(most["assets"]),
    }


def _amounts(rows: list[Row]) -> Iterator[tuple[int, int, float, str]]:
    """Hour, bytes, objects and asset of each hour of each row with a taking."""
    for row in filter(_taken, rows):
        hours = _hours(row)
        total = sum(int(hour["objects"]) for hour in hours)
        for hour in hours:
            objects = row["objects"] * int(hour["objects"]) / total if total else 0.0
            yield int(hour["hour"]), int(hour["bytes"]), objects, row["asset_id"]


def _entity(
    rows: list[Row],
    pairs: list[Row],
    counts: dict[tuple[str, str], int],
    known: int,
    week: int,
    sensitivity: Mapping[str, float],
) -> Row:
    hours: dict[int, list[tuple[Row, Row]]] = defaultdict(list)
    for row in rows:
        for hour in _hours(row):
            hours[int(hour["hour"])].append((row, hour))
    taken = [[(row, hour) for row, hour in found if _taken(row)] for found in hours.values()]
    most = max((sum(int(hour["bytes"]) for _, hour in found) for found in taken), default=0)
    sizes = [pair["bytes"] for pair in pairs if pair["bytes"] is not None]

    def count(kind: str, least: float) -> int:
        return sum(1 for (each, _), days in counts.items() if each == kind and days < least)

    rare = 0.1 * known if known >= 5 else 0.0
    totals = ("events", "failures", "objects", "clones", "lists", "writes", "executes", "gives")
    return {
        "day": rows[0]["day"],
        "user_id": rows[0]["user_id"],
        "user_kind": min(pair["user_kind"] for pair in pairs),
        "near": any(pair["near"] for pair in pairs) or len(pairs) >= 3,
        "days_before": known,
        **{name: sum(pair[name] for pair in pairs) for name in totals},
        "attempts": sum(round(pair["attempts"] * 1e6) for pair in pairs) / 1e6,
        "touched": len(pairs),
        "sensitive": sum(sensitivity.get(pair["asset_id"], 0) >= 4 for pair in pairs),
        "looked": sum(pair["looked"] for pair in pairs),
        "bytes": sum(sizes) if sizes else None,
        "assets": sum(pair["taken"] for pair in pairs),
        "week_assets": week,
        "hour_bytes": most or None,
        "hour_objects": max(
            (sum(int(hour["objects"]) for _, hour in found) for found in taken), default=0
        ),
        "hour_assets": max((len({row["asset_id"] for row, _ in found}) for found in taken),
                           default=0),
        "roles": count("role", math.inf),
        "hours": [sum(int(each["events"]) for _, each in hours[hour]) for hour in range(24)],
        "new_networks": count("network", 1),
        "new_agents": count("agent", 1),
        "new_actions": count("action", 1),
        "new_hours": count("hour", 1),
        "new_assets": sum(pair["days_before"] == 0 for pair in pairs),
        "rare_networks": count("network", rare),
        "rare_agents": count("agent", rare),
    }  # fmt: skip
