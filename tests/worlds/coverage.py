"""Rows of ``coverage``, made slowly and plainly in Python: the oracle of the engine.

The engine's hash of an object's name is replaced by a number of its own for each name, because only
equality counts.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
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
TOTALS = ("objects", "read", "new", "bytes", "unsized")
MADE: dict[tuple[Any, ...], list[Row]] = {}
SPLIT: dict[int, tuple[list[Row], list[list[Row]]]] = {}
"""What was made by the id of the rows, which stay, so that no others get their id."""


def coverage_of(objects: pd.DataFrame, context: Context) -> pd.DataFrame:
    """The table of all days of ``object_access``."""
    by_user: dict[str, list[Row]] = defaultdict(list)
    for row in objects.to_dict("records"):
        by_user[row["user_id"]].append(row)
    return coverage_of_rows(by_user, context)


def coverage_of_rows(by_user: Mapping[str, list[Row]], context: Context) -> pd.DataFrame:
    """The table of all days, from each identity's rows of OBJECT_ACCESS."""
    declared = listed_assets(context)["objects"].to_dict()
    known = {user: rows for user, rows in by_user.items() if user != ""}
    pairs = [part for rows in known.values() for part in _split(rows)]
    unclear = {cell for rows in pairs for cell in _unclear(rows)}
    shown: dict[Cell, list[tuple[date, int]]] = defaultdict(list)
    touched: dict[str, list[tuple[date, str]]] = defaultdict(list)
    asked = {asset for asset, _ in unclear}
    for rows in pairs:
        asset = rows[0]["asset_id"]
        if asset in asked:
            for row in rows:
                if (cell := (asset, row["object"])) in unclear:
                    shown[cell] += [(row["day"], size) for size in _shown_sizes(row)]
        if not declared.get(asset, 0) > 0:
            touched[asset] += [(row["day"], row["object"]) for row in rows]
    made = [row for rows in pairs for row in _remembered(rows, shown)]
    for row in made:
        if row["asset_id"] in touched:
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
    """Sizes that whole reads, logged sizes and (``with_ends``) ends of ranges show."""
    size, taken = _number(row["object_bytes"]), _number(row["bytes_out"])
    sizes = [size] if size else []
    if not is_partial(row) and taken:
        sizes.append(int(taken / max(1, row["reads"])))
    spans = [span for text in row["ranges"] for span in parse_range(text)]
    bounded = [(low, high) for low, high in spans if high < FURTHEST_BYTE]
    proved = taken is None or taken >= sum(high - low for low, high in bounded)
    return sizes + [high for _, high in bounded if with_ends and proved]


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


def _split(rows: list[Row]) -> list[list[Row]]:
    """Rows of one identity by asset; the same lists for the same rows."""
    if id(rows) not in SPLIT:
        by_asset: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            facts = {"partial": is_partial(row), "sizes": _shown_sizes(row, with_ends=False)}
            by_asset[row["asset_id"]].append(row | facts)
        SPLIT[id(rows)] = rows, list(by_asset.values())
    return SPLIT[id(rows)][1]


def _unclear(rows: list[Row]) -> set[Cell]:
    """Objects of one identity and asset whose size also the rows of others may show."""
    return {(row["asset_id"], row["object"]) for row in rows if row["partial"] or not row["sizes"]}


def _remembered(rows: list[Row], shown: dict[Cell, list[tuple[date, int]]]) -> list[Row]:
    """:func:`_of_pairs`, once for the same rows: most worlds differ in one identity only."""
    asked = {cell: shown.get(cell, []) for cell in sorted(_unclear(rows))}
    key = id(rows), *((cell, *sizes) for cell, sizes in asked.items())
    if key not in MADE:
        MADE[key] = _of_pairs(rows, lambda cell: asked.get(cell, []))
    return [dict(row) for row in MADE[key]]


def _of_pairs(rows: list[Row], shown: Callable[[Cell], list[tuple[date, int]]]) -> list[Row]:
    """A row for each day of one identity and asset."""
    objects: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        objects[row["object"]].append(row)
    made = []
    for day in sorted({row["day"] for row in rows}):
        first = day - timedelta(days=HISTORY_DAYS - 1)
        near = {
            name: found for name, mine in objects.items()
            if (found := [row for row in mine if first <= row["day"] <= day])
        }  # fmt: skip
        made.append(_of_pair(rows[0]["asset_id"], near, day, shown))
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
    totals = {window: dict.fromkeys(TOTALS, 0) for window in COVERAGE_DAYS}
    portions: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, mine in objects.items():
        partial = [row for row in mine if row["partial"]]
        size = max((size for row in mine for size in row["sizes"]), default=None)
        if partial or size is None:
            others = [found for seen, found in shown((asset, name)) if _near(seen, day)]
            size = max([*others, *([size] if size else [])], default=None)
        ages = sorted({(day - row["day"]).days for row in mine})
        for ago in ages:
            portions[ago][0] += 1
        portions[ages[-1]][2] += 1
        if ages[0] < 30:
            portions[max(ago for ago in ages if ago < 30)][1] += 1
        made["recent_today"] += ages[0] == 0 and ages[-1] < 30
        if ages[-1] == 0:
            digest = hashlib.blake2b(name.encode(), digest_size=7).digest()
            made["new_objects"].append(int.from_bytes(digest, "big"))
        wholes = [(day - row["day"]).days for row in mine if not row["partial"]]
        for window, total in totals.items():
            part, earlier, everything = _parts(wholes, partial, day, window, size)
            new = min(max(everything - earlier, 0.0), part)
            total["objects"] += part > 0
            total["read"] += round(part * 1e6)
            total["new"] += round(new * 1e6)
            total["bytes"] += round(part * (size or 0))
            total["unsized"] += round(part * 1e6) if size is None else 0
    for window, total in totals.items():
        for name, value in total.items():
            whole = name in ("objects", "bytes")
            made[f"{name}_{window}"] = int(value) if whole else value / 1e6
    made["new_objects"].sort()
    made["portions"] = [
        {"ago": ago, "objects": counts[0], "first30": counts[1], "first90": counts[2]}
        for ago, counts in sorted(portions.items())
    ]
    return made


def _parts(
    wholes: list[int], partial: list[Row], day: date, window: int, size: int | None
) -> tuple[float, float, float]:
    """Parts of the object read in the window, before it, and in both together."""
    if not partial:
        return float(min(wholes) < window), float(max(wholes) >= window), 1.0
    return (
        _part(wholes, partial, day, 0, window, size),
        _part(wholes, partial, day, window, HISTORY_DAYS, size),
        _part(wholes, partial, day, 0, HISTORY_DAYS, size),
    )


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
