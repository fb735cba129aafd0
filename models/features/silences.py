"""Sources, and parts of sources, that fall silent while what they log is in use.

A part (scope) of a source is silent in some hours if it has far fewer records than its use lets
expect. The use is seen

* in another source that logs the same part (``same``: two logs of one bucket in a known ratio),
* in the other parts of the same source, which go on (``beside``), or
* for a source as a whole, in all other sources (``elsewhere``: Kubernetes while Slurm's jobs run).

For the last two a quiet day's records are expected, scaled down by how far the use fell.

So a holiday of all sources is none. Nobody can raise or lower what others do, and noise in another
part of the source proves only that the source works. The look-back is 89 days: the last 28, and for
``same`` the 61 days before them too, so that a log that is thinned out over weeks is compared with
its old self. Days of the same type (working days, weekends) compare. A part of which fewer than
LEAST_DAYS such days are known is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.rows import Floats, recent
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    from models.features.history import History

HOURS = 24
SPANS = (3, 6, 12, 24)
"""Lengths in hours of the windows that are judged; each begins on any hour of the day."""
RECENT_DAYS = 28
LEAST_DAYS = 5
QUIET_QUANTILE = 0.1
"""Quantile of the earlier days that stands for a quiet day."""
GOES_ON = 0.5
"""Part of the usual use from which the rest of a source goes on."""
STALE_DAYS, STALE_HALF = 14, 3.0
"""Days before the day in which a silence may have begun; of that many it weighs half."""
WHOLE = ""
"""Scope of a source as a whole."""
GAP_COLUMNS = ("source", "scope", "first", "last", "observed", "expected", "evidence", "severity",
               "late")  # fmt: skip


@dataclass(frozen=True)
class Volumes:
    """Records of each part of a source: ``counts`` has shape (parts, 90 days back, 24 hours)."""

    parts: pd.DataFrame
    counts: Floats
    known: NDArray[np.bool_]
    """Days of the day's type since the part was first seen, shape (parts, 90)."""


@dataclass(frozen=True)
class Silence:
    """When a log counts as silent.

    ``share``: of the records expected; ``least``: fewest records expected; ``beside`` and
    ``elsewhere``: weights of the evidence, that of ``same`` is 1.
    """

    share: float
    least: float
    beside: float
    elsewhere: float


def find_silences(history: History, rule: Silence) -> pd.DataFrame:
    """GAP_COLUMNS of the day, one row for each part that fell silent, by ``source`` and ``scope``.

    ``severity``: 0 to 1, higher is more certain; it falls with each of the days before on which the
    part was as silent already. ``late``: the whole source has nothing until the end of the day, as
    if a file were late; its severity is 0.
    """
    volumes = _volumes(history)
    if volumes is None:
        return pd.DataFrame(columns=list(GAP_COLUMNS))
    found: dict[int, tuple[float, tuple[object, ...]]] = {}
    for span in SPANS:
        for first in range(HOURS - span + 1):
            for part, weight, row in _silent_in(volumes, first, span, rule):
                if part not in found or weight > found[part][0]:
                    found[part] = weight, row
    rows = [found[part][1] for part in sorted(found)]
    gaps = pd.DataFrame(rows, columns=list(GAP_COLUMNS))
    return gaps.sort_values(["source", "scope"], ignore_index=True)


def _volumes(history: History) -> Volumes | None:
    rows = recent(history.source_days, history.day, ["source", "scope", "hours"])
    if rows.empty or rows["ago"].max() == 0:
        return None
    hours = np.array([list(each) for each in rows["hours"]], dtype=np.float64).reshape(-1, HOURS)
    keys = pd.MultiIndex.from_frame(rows[["source", "scope"]].astype(str))
    names = pd.concat(
        [rows[["source", "scope"]], rows[["source"]].assign(scope=WHOLE)]
    ).astype(str).drop_duplicates().sort_values(["source", "scope"], ignore_index=True)  # fmt: skip
    index = pd.MultiIndex.from_frame(names)
    counts = np.zeros((len(names), HISTORY_DAYS, HOURS))
    ago = rows["ago"].to_numpy()
    np.add.at(counts, (index.get_indexer(keys), ago), hours)
    wholes = pd.MultiIndex.from_arrays([rows["source"].astype(str), [WHOLE] * len(rows)])
    np.add.at(counts, (index.get_indexer(wholes), ago), hours)
    days = np.arange(HISTORY_DAYS)
    weekday = (history.day.weekday() - days) % 7
    alike = (weekday >= 5) == (history.day.weekday() >= 5)
    seen = counts.sum(axis=2) > 0
    oldest = HISTORY_DAYS - 1 - np.argmax(seen[:, ::-1], axis=1)
    known = alike[None, :] & (days[None, :] <= oldest[:, None]) & (days[None, :] > 0)
    return Volumes(names, counts, known)


def _silent_in(
    volumes: Volumes, first: int, span: int, rule: Silence
) -> list[tuple[int, float, tuple[object, ...]]]:
    """Parts that are silent in ``span`` hours: place, weight and values of GAP_COLUMNS."""
    sums = volumes.counts[:, :, first : first + span].sum(axis=2)
    today, parts = sums[:, 0], volumes.parts
    days = np.arange(HISTORY_DAYS)
    lately = volumes.known & (days <= RECENT_DAYS)
    long_ago = volumes.known & (days > RECENT_DAYS)
    quiet = _of_days(sums, lately, QUIET_QUANTILE)
    whole = (parts["scope"] == WHOLE).to_numpy()
    same_expected = _expected_by_twins(parts, sums, (lately, long_ago), whole, rule.least)
    beside, elsewhere = _uses(parts, sums, lately, whole)
    beside_expected = quiet * np.where(whole, elsewhere, beside)
    by_same = (today <= rule.share * same_expected) & (same_expected >= rule.least)
    by_rest = (today <= rule.share * beside_expected) & (beside_expected >= rule.least)
    rest_goes_on = np.where(whole, elsewhere, beside) >= GOES_ON
    found: list[tuple[int, float, tuple[object, ...]]] = []
    for part in np.flatnonzero(by_same | (by_rest & rest_goes_on)):
        evidence, weight, expected = (
            ("same", 1.0, same_expected[part])
            if by_same[part]
            else ("elsewhere", rule.elsewhere, beside_expected[part])
            if whole[part]
            else ("beside", rule.beside, beside_expected[part])
        )
        late = _is_late(volumes, parts["source"].iloc[part], first)
        stale = _stale_days(sums[part], volumes.known[part], rule.share * expected)
        severity = 0.0 if late else weight / (1 + stale / STALE_HALF)
        row = (
            parts["source"].iloc[part], parts["scope"].iloc[part], first, first + span - 1,
            float(today[part]), float(expected), evidence, severity, late,
        )  # fmt: skip
        found.append((int(part), float(weight * (expected - today[part])), row))
    return found


def _of_days(sums: Floats, days: NDArray[np.bool_], quantile: float) -> Floats:
    """Quantile over the marked days of each part; 0 for fewer than LEAST_DAYS days."""
    answer: Floats = np.zeros(len(sums))
    enough = days.sum(axis=1) >= LEAST_DAYS
    if enough.any():
        # As nanquantile, which takes a hundred times as long for many short rows.
        ordered = np.sort(np.where(days[enough], sums[enough], np.inf), axis=1)
        place = quantile * (days[enough].sum(axis=1) - 1)
        low = np.floor(place).astype(np.int64)
        each, part = np.arange(len(ordered)), place - low
        below, above = ordered[each, low], ordered[each, np.ceil(place).astype(np.int64)]
        answer[enough] = below + part * (above - below)
    return answer


def _expected_by_twins(
    parts: pd.DataFrame,
    sums: Floats,
    periods: tuple[NDArray[np.bool_], ...],
    whole: NDArray[np.bool_],
    least: float,
) -> Floats:
    """Records expected of each part from the log that has most of the same part today; 0: none.

    The other log's records today × a low ratio of both, the larger one of the ``periods``.
    """
    expected = np.zeros(len(parts))
    scopes = parts["scope"].to_numpy()
    for _, twins in pd.Series(np.arange(len(parts))[~whole]).groupby(scopes[~whole]):
        for part in twins if len(twins) > 1 else ():
            twin = max((each for each in twins if each != part), key=lambda each: sums[each, 0])
            if sums[twin, 0] < least:
                continue
            enough = sums[twin] >= least / 2
            ratios = np.divide(sums[part], sums[twin], out=np.zeros(HISTORY_DAYS), where=enough)
            low = [
                float(_of_days(ratios[None], (days[part] & enough)[None], QUIET_QUANTILE)[0])
                for days in periods
            ]
            expected[part] = sums[twin, 0] * max(low)
    return expected


def _uses(
    parts: pd.DataFrame, sums: Floats, lately: NDArray[np.bool_], whole: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Use of each source's other parts, and of all other sources, which whole sources have.

    Each is 0 to 1: the share of the usual amount that is there today.
    """
    sources = parts["source"].to_numpy()
    totals = dict(zip(sources[whole], sums[whole], strict=True))
    rest = np.array([totals[source] for source in sources]) - sums
    others = sums[whole].sum(axis=0)[None, :] - sums
    elsewhere = np.where(whole, _share_today(others, lately), 0.0)
    return _share_today(rest, lately), elsewhere


def _share_today(sums: Floats, days: NDArray[np.bool_]) -> Floats:
    """Today's part of the usual sum of each row, 0 to 1; 0 where nothing is usual."""
    usual = _of_days(sums, days, 0.5)
    shares = np.divide(sums[:, 0], usual, out=np.zeros(len(sums)), where=usual > 0)
    return np.asarray(np.minimum(1.0, shares), dtype=np.float64)


def _is_late(volumes: Volumes, source: str, first: int) -> bool:
    """Whether the whole source has no record from the hour ``first`` to the end of the day."""
    mine = (volumes.parts["source"] == source) & (volumes.parts["scope"] == WHOLE)
    return bool(volumes.counts[mine.to_numpy(), 0, first:].sum() == 0)


def _stale_days(sums: Floats, known: NDArray[np.bool_], limit: float) -> int:
    """How many of the days right before were as silent already."""
    days = np.arange(HISTORY_DAYS)
    return int((sums[known & (days <= STALE_DAYS)] <= limit).sum())
