"""How much of an artefact one identity has read: objects and bytes, ranged reads merged.

A share counts each object by the part of it that was read. Whole reads and copies count 1. Ranged
reads count the union of their ranges ÷ the object's size. Some logs say that a part was read
(status 206) and not its place: such reads count the sum of their bytes, as if no part was read
twice. The size comes from a log, else from the object's own reads (the largest whole read, the
furthest range). Without any size a ranged read counts as the whole object: an analyst notices a
share that is too high, and nobody notices one that is too low.

The total of an artefact comes from assets.csv. Else it is learned: the most objects ever written to
it in a day, or the distinct objects that anybody has read, whichever is more. A learned total is
too small while most of the artefact is untouched. So detectors ask for a least number of objects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.assets import listed_assets
from models.features.memory import remembered
from models.features.rows import Codes, Floats, explode, recent
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

RANGE = re.compile(r"(\d*)-(\d*)")
FURTHEST_BYTE = 2**42
"""4.4 TB; a range may name any number, and sums of positions must stay exact."""
WHOLE = (0, FURTHEST_BYTE)


@dataclass(frozen=True)
class Objects:
    """Rows of ``object_access`` in codes, the totals of artefacts, and the sizes of objects.

    ``users`` and ``assets`` are sorted, ``kinds`` are those of the users.

    ``rows``: pair (user × asset), user, asset, object (codes; an object's code is unique over all
    assets), ago, reads, bytes_out, ranges, part_bytes, object_bytes. ``totals``: (assets,)
    objects; ``total_bytes``: (assets,) NaN where not known; ``sizes``: (objects,) bytes, NaN where
    not known.
    """

    rows: pd.DataFrame
    users: NDArray[Any]
    kinds: NDArray[Any]
    assets: NDArray[Any]
    totals: Floats
    total_bytes: Floats
    sizes: Floats

    def touched(self, days: int) -> Codes:
        """Pairs with a read in the last ``days`` days, sorted."""
        return np.unique(self.rows.loc[self.rows["ago"] < days, "pair"].to_numpy())

    def user_of(self, pairs: Codes) -> Codes:
        """Code of the user of each pair."""
        return pairs // max(1, len(self.assets))

    def asset_of(self, pairs: Codes) -> Codes:
        """Code of the asset of each pair."""
        return pairs % max(1, len(self.assets))


@remembered
def load_objects(history: History) -> Objects:
    """The 90 days of ``object_access`` up to the day."""
    amounts = ["reads", "bytes_out", "part_bytes", "object_bytes"]
    columns = ["user_id", "user_kind", "asset_id", "object", "ranges", *amounts]
    rows = recent(history.object_access, history.day, columns)
    rows = rows[rows["user_id"] != ""].reset_index(drop=True)
    user, users = pd.factorize(rows["user_id"], sort=True)
    asset, assets = pd.factorize(rows["asset_id"], sort=True)
    name, names = pd.factorize(rows["object"])
    kinds = np.full(len(users), "unknown", dtype=object)
    newest_last = np.argsort(-rows["ago"].to_numpy(), kind="stable")
    kinds[user[newest_last]] = rows["user_kind"].to_numpy(dtype=object)[newest_last]
    distinct, thing = np.unique(asset * max(1, len(names)) + name, return_inverse=True)
    coded = pd.DataFrame(
        {
            "pair": user * max(1, len(assets)) + asset,
            "user": user,
            "asset": asset,
            "object": thing,
            "ago": rows["ago"].to_numpy(),
            "ranges": rows["ranges"],
            **{name: pd.to_numeric(rows[name]).to_numpy(dtype=np.float64) for name in amounts},
        }
    )
    object_asset = distinct // max(1, len(names))
    totals, total_bytes = _totals(history, np.asarray(assets), object_asset)
    sizes = _sizes(coded, len(distinct))
    return Objects(coded, np.asarray(users), kinds, np.asarray(assets), totals, total_bytes, sizes)


def _totals(history: History, assets: NDArray[Any], object_asset: Codes) -> tuple[Floats, Floats]:
    listed = listed_assets(history.context)
    declared = listed["objects"].reindex(assets).to_numpy(dtype=np.float64)
    total_bytes = listed["bytes"].reindex(assets).to_numpy(dtype=np.float64)
    seen = np.bincount(object_asset, minlength=len(assets)).astype(np.float64)
    learned = np.fmax(seen, history.assets["written"].reindex(assets).to_numpy(dtype=np.float64))
    return np.where(declared > 0, declared, learned), np.where(total_bytes > 0, total_bytes, np.nan)


def _has_ranges(rows: pd.DataFrame) -> NDArray[np.bool_]:
    found = np.zeros(len(rows), dtype=bool)
    found[explode(rows["ranges"])[0]] = True
    return found


def _sizes(rows: pd.DataFrame, count: int) -> Floats:
    """Largest size each object has shown; NaN where none has."""
    sizes = np.full(count, -1.0)
    sized = rows[rows["object_bytes"] > 0]
    np.maximum.at(sizes, sized["object"].to_numpy(), sized["object_bytes"].to_numpy())
    ranged = _has_ranges(rows)
    whole = rows[~ranged & rows["part_bytes"].isna() & (rows["bytes_out"] > 0)]
    per_read = (whole["bytes_out"] / whole["reads"].clip(lower=1)).to_numpy()
    np.maximum.at(sizes, whole["object"].to_numpy(), per_read)
    row, spans = _spans(rows[ranged])
    ends = spans[:, 1]
    closed = ends < FURTHEST_BYTE
    things = rows.loc[ranged, "object"].to_numpy()[row]
    np.maximum.at(sizes, things[closed], ends[closed].astype(np.float64))
    return np.where(sizes > 0, sizes, np.nan)


def _spans(rows: pd.DataFrame) -> tuple[Codes, Codes]:
    """Row position and half-open byte span of each range; shape (ranges,), (ranges, 2)."""
    row, texts = explode(rows["ranges"])
    parsed = [parse_range(text) for text in texts]
    repeats = np.fromiter((len(spans) for spans in parsed), np.int64, len(parsed))
    spans = list(chain.from_iterable(parsed))
    return np.repeat(row, repeats), np.array(spans, dtype=np.int64).reshape(-1, 2)


@lru_cache(maxsize=65_536)
def parse_range(text: str) -> tuple[tuple[int, int], ...]:
    """Half-open byte spans of an HTTP range header (RFC 9110 §14.1.2).

    ``bytes=0-9`` is (0, 10); an open end or a suffix reaches to FURTHEST_BYTE; a text that
    is no range counts as the whole object.
    """
    unit, _, sets = text.partition("=")
    spans = []
    for part in sets.split(",") if unit.strip() == "bytes" else ():
        found = RANGE.fullmatch(part.strip())
        if not found or not (found[1] or found[2]):
            continue
        if not found[1]:
            spans.append((max(0, FURTHEST_BYTE - int(found[2])), FURTHEST_BYTE))
            continue
        first = min(int(found[1]), FURTHEST_BYTE)
        last = min(int(found[2]) + 1, FURTHEST_BYTE) if found[2] else FURTHEST_BYTE
        if first < last:
            spans.append((first, last))
    return tuple(spans) or (WHOLE,)


def union_lengths(group: Codes, start: Codes, end: Codes, count: int) -> Floats:
    """Length of the union of half-open spans in each of ``count`` groups; shape (count,)."""
    if len(group) == 0:
        return np.zeros(count)
    order = np.lexsort((start, group))
    group, start, end = group[order], start[order], end[order]
    first = np.r_[True, group[1:] != group[:-1]]
    # One running maximum over all groups: each group's positions lie beyond the one before.
    base = np.cumsum(first) * int(end.max() + 1)
    reached = np.maximum.accumulate(end + base)
    before = np.where(first, base, np.r_[0, reached[:-1]])
    added = np.maximum(0, end + base - np.maximum(start + base, before))
    return np.bincount(group, added, count).astype(np.float64)


def measure_coverage(objects: Objects, pairs: Codes, windows: tuple[int, ...]) -> pd.DataFrame:
    """Coverage of each pair in windows of so many days that end with the day.

    Columns: ``pair``, ``days`` (window), ``objects`` (distinct), ``share`` (0–1, of objects or of
    bytes, whichever is more), ``fresh`` (the part of the share that the identity had not read in
    the days before the window, 0–share), ``bytes`` (NaN: not known), ``unsized`` (objects, counted
    by parts, that ``bytes`` lacks as their size is not known), ``total`` (objects of the artefact).
    Rows for every pair and window, sorted.
    """
    reads = _reads(objects, pairs)
    everything = reads.parts(0, HISTORY_DAYS)
    frames = [_cover_window(objects, pairs, reads, everything, days) for days in windows]
    return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class Reads:
    """What was read of each cell, i.e. of each object by each pair.

    Of cells: ``pair`` (position), ``sizes`` (bytes, NaN: not known). Of rows of OBJECT_ACCESS:
    ``cell``, ``ago``, ``ranged``, ``part_bytes`` (NaN: whole or by ranges). Of spans of ranges:
    ``span_cell``, ``span_ago``, ``spans`` (spans, 2).
    """

    pair: Codes
    sizes: Floats
    cell: Codes
    ago: Codes
    ranged: NDArray[np.bool_]
    part_bytes: Floats
    span_cell: Codes
    span_ago: Codes
    spans: Codes

    def parts(self, low: int, high: int) -> Floats:
        """Part of each cell, 0–1, read from ``low`` to ``high`` (exclusive) days ago."""
        count, unplaced = len(self.pair), np.isfinite(self.part_bytes)
        inside = (self.ago >= low) & (self.ago < high)
        whole = np.bincount(self.cell[inside & ~self.ranged & ~unplaced], minlength=count) > 0
        near = (self.span_ago >= low) & (self.span_ago < high)
        spans = self.spans[near]
        union = union_lengths(self.span_cell[near], spans[:, 0], spans[:, 1], count)
        some = inside & unplaced
        union += np.bincount(self.cell[some], self.part_bytes[some], count)
        part = np.where(np.isfinite(self.sizes), union / self.sizes, union > 0)
        return np.where(whole, 1.0, np.clip(part, 0.0, 1.0))


def _reads(objects: Objects, pairs: Codes) -> Reads:
    """The reads of the pairs."""
    rows = objects.rows[np.isin(objects.rows["pair"].to_numpy(), pairs)].reset_index(drop=True)
    things = max(1, len(objects.sizes))
    cells, cell = np.unique(
        rows["pair"].to_numpy() * things + rows["object"].to_numpy(), return_inverse=True
    )
    sizes, ago = objects.sizes[cells % things], rows["ago"].to_numpy()
    ranged = _has_ranges(rows)
    row, spans = _spans(rows[ranged])
    span_cell = cell[ranged][row]
    limit = np.where(np.isfinite(sizes), sizes, FURTHEST_BYTE).astype(np.int64)[span_cell]
    return Reads(
        pair=np.searchsorted(pairs, cells // things),
        sizes=sizes,
        cell=cell,
        ago=ago,
        ranged=ranged,
        part_bytes=rows["part_bytes"].to_numpy(),
        span_cell=span_cell,
        span_ago=ago[ranged][row],
        spans=_within(spans, limit),
    )


def _cover_window(
    objects: Objects, pairs: Codes, reads: Reads, everything: Floats, days: int
) -> pd.DataFrame:
    """Rows of :func:`measure_coverage` of one window; ``everything``: parts read in all days."""
    asset, pair, sizes = objects.asset_of(pairs), reads.pair, reads.sizes
    totals, total_bytes = objects.totals[asset], objects.total_bytes[asset]
    part = reads.parts(0, days)
    new = np.clip(everything - reads.parts(days, HISTORY_DAYS), 0.0, part)
    read = np.bincount(pair, part, len(pairs))
    amounts = np.bincount(pair, np.nan_to_num(part * sizes), len(pairs))
    by_bytes = np.where(total_bytes > 0, amounts / total_bytes, 0.0)
    share = np.clip(np.fmax(read / np.maximum(totals, 1), by_bytes), 0.0, 1.0)
    return pd.DataFrame(
        {
            "pair": pairs,
            "days": days,
            "objects": np.bincount(pair, part > 0, len(pairs)),
            "share": share,
            "fresh": share * np.bincount(pair, new, len(pairs)) / np.maximum(read, 1e-12),
            "bytes": np.where(amounts > 0, amounts, np.nan),
            "unsized": np.bincount(pair, part * ~np.isfinite(sizes), len(pairs)),
            "total": totals,
        }
    )


def _within(spans: Codes, limit: Codes) -> Codes:
    """Spans cut to each object's size; a suffix range is moved to its end."""
    length = spans[:, 1] - spans[:, 0]
    suffix = (spans[:, 1] == FURTHEST_BYTE) & (spans[:, 0] > limit)
    start = np.where(suffix, np.maximum(0, limit - length), np.minimum(spans[:, 0], limit))
    return np.column_stack([start, np.minimum(spans[:, 1], limit)])
