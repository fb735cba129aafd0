"""Rows of ``coverage``, made slowly and plainly in Python: the oracle of the engine.

The engine's hash of an object's name is replaced by a number of its own for each name, because only
equality counts.
"""

from __future__ import annotations

import hashlib
import pickle
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import pandas as pd

from models.features.assets import listed_assets
from schemas.context import Context
from schemas.tables.coverage import COVERAGE, COVERAGE_DAYS
from schemas.tables.values import HISTORY_DAYS

Row = dict[str, Any]
Span = tuple[int, int]
Cell = tuple[str, str]
FURTHEST_BYTE = 2**42
WHOLE: list[Span] = [(0, FURTHEST_BYTE)]
MADE: dict[bytes, list[Row]] = {}


def coverage_of(objects: pd.DataFrame, context: Context) -> pd.DataFrame:
    """The table of all days of ``object_access``."""
    declared = listed_assets(context)["objects"].to_dict()
    used = objects.drop(columns=["first_time", "last_time"])
    rows = [row for row in used.to_dict("records") if row["user_id"] != ""]
    by_user: dict[str, list[Row]] = defaultdict(list)
    shown: dict[Cell, list[tuple[date, int]]] = defaultdict(list)
    touched: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for row in rows:
        by_user[row["user_id"]].append(row)
        touched[row["asset_id"]].append((row["day"], row["object"]))
        for size in _shown_sizes(row):
            shown[row["asset_id"], row["object"]].append((row["day"], size))
    made = [row for rows in by_user.values() for row in _remembered(rows, shown)]
    for row in made:
        if not declared.get(row["asset_id"], 0) > 0:
            near = {name for day, name in touched[row["asset_id"]] if _near(day, row["day"])}
            row["asset_objects"] = len(near)
    return pd.DataFrame(made, columns=COVERAGE.column_names)


def _near(day: date, last: date) -> bool:
    return last - timedelta(days=HISTORY_DAYS) < day <= last


def _number(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def is_partial(row: Row) -> bool:
    """Whether the row holds no read of the whole object."""
    return bool(len(row["ranges"])) or _number(row["part_bytes"]) is not None


def _shown_sizes(row: Row, with_ends: bool = True) -> list[int]:
    size, taken = _number(row["object_bytes"]), _number(row["bytes_out"])
    sizes = [size] if size else []
    if not is_partial(row) and taken:
        sizes.append(int(taken / max(1, row["reads"])))
    spans = [span for text in row["ranges"] for span in parse_range(text)]
    bounded = [(low, high) for low, high in spans if high < FURTHEST_BYTE]
    proved = taken is None or taken >= sum(high - low for low, high in bounded)
    return sizes + [high for _, high in bounded if with_ends and proved]


def _own_size(rows: Iterable[Row]) -> int | None:
    """The size that whole reads and logged sizes show; no end of a range."""
    sizes = [size for row in rows for size in _shown_sizes(row, with_ends=False)]
    return max(sizes, default=None)


def parse_range(text: str) -> list[Span]:
    """Half-open byte spans of an HTTP range header (RFC 9110 §14.1.2)."""
    if not text.startswith("bytes="):
        return WHOLE
    spans: list[Span] = []
    for part in text.removeprefix("bytes=").split(","):
        found = re.fullmatch(r"(\d*)-(\d*)", part.strip())
        first, last = (found[1], found[2]) if found else ("", "")
        if first:
            low = min(int(first), FURTHEST_BYTE)
            high = min(int(last) + 1, FURTHEST_BYTE) if last else FURTHEST_BYTE
        elif last:
            low, high = max(0, FURTHEST_BYTE - int(last)), FURTHEST_BYTE
        else:
            low, high = WHOLE[0]
        spans += [(low, high)] if low < high else WHOLE
    return spans


def union_length(spans: Iterable[Span]) -> int:
    """Bytes in the union of half-open spans."""
    length, reached = 0, 0
    for low, high in sorted(spans):
        length += max(0, high - max(low, reached))
        reached = max(reached, high)
    return length


def _remembered(rows: list[Row], shown: dict[Cell, list[tuple[date, int]]]) -> list[Row]:
    """:func:`_of_user`, once for the same rows: most worlds differ in one identity only."""
    asked: dict[Cell, list[tuple[date, int]]] = {}
    cells: dict[Cell, list[Row]] = defaultdict(list)
    for row in rows:
        cells[row["asset_id"], row["object"]].append(row)
    for cell, mine in cells.items():
        if any(map(is_partial, mine)) or _own_size(mine[:1]) is None:
            asked[cell] = shown.get(cell, [])
    key = hashlib.sha256(pickle.dumps((rows, sorted(asked.items())))).digest()
    if key not in MADE:
        MADE[key] = _of_user(rows, lambda cell: asked.get(cell, []))
    return [dict(row) for row in MADE[key]]


def _of_user(rows: list[Row], shown: Callable[[Cell], list[tuple[date, int]]]) -> list[Row]:
    by_asset: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_asset[row["asset_id"]][row["object"]].append(row)
    made = []
    for asset, objects in by_asset.items():
        days = {row["day"] for mine in objects.values() for row in mine}
        for day in sorted(days):
            near = {
                name: found for name, mine in objects.items()
                if (found := [row for row in mine if _near(row["day"], day)])
            }  # fmt: skip
            made.append(_of_pair(asset, near, day, shown))
    return made


def _of_pair(
    asset: str,
    objects: dict[str, list[Row]],
    day: date,
    shown: Callable[[Cell], list[tuple[date, int]]],
) -> Row:
    some = next(row for mine in objects.values() for row in mine)
    today = [row for mine in objects.values() for row in mine if row["day"] == day]
    made: Row = {
        "day": day,
        "user_id": some["user_id"],
        "asset_id": asset,
        "user_kind": min(row["user_kind"] for row in today),
        "asset_objects": None,
        "recent_today": 0,
        "new_objects": [],
    }
    totals: dict[str, float] = defaultdict(float)
    portions: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, mine in objects.items():
        size = _own_size(mine)
        if any(map(is_partial, mine)) or size is None:
            others = [found for seen, found in shown((asset, name)) if _near(seen, day)]
            size = max([*others, *([size] if size else [])], default=None)
        ages = sorted({(day - row["day"]).days for row in mine})
        for ago in ages:
            portions[ago][0] += 1
        portions[max(ages)][2] += 1
        if ages[0] < 30:
            portions[max(ago for ago in ages if ago < 30)][1] += 1
        made["recent_today"] += ages[0] == 0 and ages[-1] < 30
        if ages[-1] == 0:
            digest = hashlib.blake2b(name.encode(), digest_size=7).digest()
            made["new_objects"].append(int.from_bytes(digest, "big"))
        wholes = [(day - row["day"]).days for row in mine if not is_partial(row)]
        partial = [row for row in mine if is_partial(row)]
        everything = _part(wholes, partial, day, 0, HISTORY_DAYS, size)
        for window in COVERAGE_DAYS:
            part = _part(wholes, partial, day, 0, window, size)
            earlier = _part(wholes, partial, day, window, HISTORY_DAYS, size)
            new = min(max(everything - earlier, 0.0), part)
            totals[f"objects_{window}"] += part > 0
            totals[f"read_{window}"] += round(part * 1e6)
            totals[f"new_{window}"] += round(new * 1e6)
            totals[f"bytes_{window}"] += round(part * (size or 0))
            totals[f"unsized_{window}"] += round(part * 1e6) if size is None else 0
    for column, value in totals.items():
        whole = column.startswith(("objects", "bytes"))
        made[column] = int(value) if whole else value / 1e6
    made["new_objects"].sort()
    made["portions"] = [
        {"ago": ago, "objects": counts[0], "first30": counts[1], "first90": counts[2]}
        for ago, counts in sorted(portions.items())
    ]
    return made


def _part(
    wholes: list[int], partial: list[Row], day: date, low: int, high: int, size: int | None
) -> float:
    """Part of the object, 0 to 1, read from ``low`` to ``high`` (exclusive) days ago.

    ``wholes``: days ago of reads of the whole; ``partial``: the other rows.
    """
    if any(low <= ago < high for ago in wholes):
        return 1.0
    near = [row for row in partial if low <= (day - row["day"]).days < high]
    if not near:
        return 0.0
    limit = FURTHEST_BYTE if size is None else size
    spans = [_cut(span, limit) for row in near for text in row["ranges"]
             for span in parse_range(text)]  # fmt: skip
    length = union_length(spans) + sum(_number(row["part_bytes"]) or 0 for row in near)
    length += sum(_beyond(row, limit) for row in near)
    if size is None:
        return 1.0 if length > 0 else 0.0
    return min(1.0, length / size)


def _beyond(row: Row, limit: int) -> int:
    """Bytes sent beyond the longest range of each read."""
    cut = [[_cut(span, limit) for span in parse_range(text)] for text in row["ranges"]]
    longest = max((sum(max(0, high - low) for low, high in spans) for spans in cut), default=0)
    sent = (_number(row["bytes_out"]) or 0) - (_number(row["part_bytes"]) or 0)
    return max(0, sent - row["reads"] * longest)


def _cut(span: Span, limit: int) -> Span:
    """The span within the object; a suffix is moved to its end."""
    low, high = span
    if high == FURTHEST_BYTE and low > limit:
        low = max(0, limit - (high - low))
    return min(low, limit), min(high, limit)
