"""Robust expectation of heavy-tailed daily amounts, for many entities at once.

Amounts of access are close to log-normal, with days of nothing between. So a baseline lies on the
scale log(1 + amount), over the days on which there was any; a median and an upper spread hold
against the odd large day, and both are drawn towards those of peers while an entity is young.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from models.features.rows import Codes, Floats

MAD_TO_SIGMA = 1.4826
UPPER_QUANTILE, UPPER_SIGMAS = 0.9, 1.2816
"""Quantile whose distance from the median is the upper spread, and that distance of a normal."""
LEAST_SPREAD = 0.25
"""Spread (natural log) below which nobody is believed to be: about ± 28 %."""
UNKNOWN_SPREAD = 1.0
"""Spread where nobody has enough days to tell."""
DAYS_FOR_PRIOR = 5
NEIGHBOURS_FOR_PRIOR = 3
BLOCK_MEMBERS = 1_000_000
"""Members of circles compared at once; bounds the memory."""
WEEKDAY_TRUST = 2.0
"""Same weekdays after which their median counts as much as that of all days."""


@dataclass(frozen=True)
class Baseline:
    """Per entity, natural log of 1 + amount: ``location``, ``spread``; ``days`` it rests on."""

    location: Floats
    spread: Floats
    days: Floats


def row_quantile(values: Floats, q: float) -> Floats:
    """Quantile of each row, NaN left out (NaN for rows without any); shape (rows,).

    As numpy's ``nanquantile`` with linear interpolation, without its loop over rows.
    """
    ordered = np.sort(values, axis=1)
    counts = np.isfinite(ordered).sum(axis=1)
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    place = np.maximum(counts - 1, 0) * q
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(counts - 1, 0))
    rows = np.arange(len(values))
    part = place - low
    found = ordered[rows, low] * (1 - part) + ordered[rows, high] * part
    return np.where(counts > 0, found, np.nan)


def each_block(
    numbers: Iterable[int], circle_of: Callable[[int], Codes]
) -> Iterator[tuple[Codes, Codes, Codes]]:
    """Circles with members one after the other, in blocks of about BLOCK_MEMBERS members.

    Each block: the numbers of its circles, then of each member its circle's place in the block and
    the member itself.
    """
    block: list[int] = []
    circles: list[Codes] = []
    size = 0
    for number in (*numbers, None):
        if number is not None and len(circle := circle_of(number)):
            block.append(number)
            circles.append(circle)
            size += len(circle)
        if block and (number is None or size >= BLOCK_MEMBERS):
            owner = np.repeat(np.arange(len(block)), [len(circle) for circle in circles])
            yield np.array(block, dtype=np.int64), owner, np.concatenate(circles)
            block, circles, size = [], [], 0


def medians_of_parts(values: Floats, lengths: Codes) -> Floats:
    """Median of each part of ``values``; the parts have ``lengths``, NaN for parts of none."""
    ends = np.cumsum(lengths)
    if len(values) == 0:
        return np.full(len(lengths), np.nan)
    ordered = values[np.lexsort((values, np.repeat(np.arange(len(lengths)), lengths)))]
    low = np.minimum(ends - lengths + np.maximum(lengths - 1, 0) // 2, len(values) - 1)
    high = np.minimum(ends - lengths + lengths // 2, len(values) - 1)
    return np.where(lengths > 0, (ordered[low] + ordered[high]) / 2, np.nan)


def spreads_of_parts(values: Floats, lengths: Codes) -> Floats:
    """Standard deviation of each part of ``values``; the parts have ``lengths``, NaN for none."""
    starts = np.cumsum(lengths) - lengths
    found = np.full(len(lengths), np.nan)
    for length in np.unique(lengths[lengths > 0]):
        same = np.flatnonzero(lengths == length)
        found[same] = np.std(values[starts[same][:, None] + np.arange(length)], axis=1)
    return found


def measure_baseline(
    past: Floats,
    today: Floats,
    kinds: Codes,
    circles: list[Codes],
    prior_days: float,
    weekday: Floats | None = None,
) -> Baseline:
    """Expectation for one measure.

    ``past``: (entities, days) log(1 + amount), NaN on days without; ``today``: (entities,), used
    only where no entity at all has a past; ``kinds``: code of each entity's kind; ``circles``: its
    neighbours' positions; ``prior_days``: days that the neighbours' typical level counts for;
    ``weekday``: columns of ``past`` on the same weekday, so that a weekly rhythm is expected (the
    higher of the two medians counts).

    Fails for rhythms longer than a week, which stay surprising until the upper quantile of the
    days holds them.
    """
    days = np.isfinite(past).sum(axis=1).astype(np.float64)
    median = row_quantile(past, 0.5)
    spread = np.maximum(
        MAD_TO_SIGMA * row_quantile(np.abs(past - median[:, None]), 0.5),
        (row_quantile(past, UPPER_QUANTILE) - median) / UPPER_SIGMAS,
    )
    prior = _typical(median, days, kinds, today)
    for numbers, owner, mates in each_block(range(len(circles)), circles.__getitem__):
        known = days[mates] >= DAYS_FOR_PRIOR
        counts = np.bincount(owner[known], minlength=len(numbers))
        typical = medians_of_parts(median[mates[known]], counts)
        prior[numbers] = np.where(counts >= NEIGHBOURS_FOR_PRIOR, typical, prior[numbers])
    location = (days * np.nan_to_num(median) + prior_days * prior) / (days + prior_days)
    if weekday is not None:
        seen = np.isfinite(weekday).sum(axis=1).astype(np.float64)
        same = np.nan_to_num(row_quantile(weekday, 0.5))
        mixed = (seen * same + WEEKDAY_TRUST * location) / (seen + WEEKDAY_TRUST)
        location = np.maximum(location, mixed)
    usual = _typical(spread, days, kinds, np.full(len(today), UNKNOWN_SPREAD))
    variance = days * np.nan_to_num(spread) ** 2 + prior_days * usual**2
    spread = np.maximum(np.sqrt(variance / (days + prior_days)), LEAST_SPREAD)
    return Baseline(location, spread, days)


def _typical(values: Floats, days: Floats, kinds: Codes, otherwise: Floats) -> Floats:
    """Median over established entities of the same kind, else of all, else of ``otherwise``."""
    known = np.isfinite(values) & (days >= DAYS_FOR_PRIOR)
    rest = otherwise[np.isfinite(otherwise)]
    default = float(np.median(values[known])) if known.any() else _median_or_zero(rest)
    typical = np.full(len(values), default)
    for kind in np.unique(kinds):
        same = kinds == kind
        if (known & same).sum() >= NEIGHBOURS_FOR_PRIOR:
            typical[same] = np.median(values[known & same])
    return typical


def _median_or_zero(values: Floats) -> float:
    return float(np.median(values)) if len(values) else 0.0
