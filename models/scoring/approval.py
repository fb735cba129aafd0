"""Which approvals count on a day, and how much of the evidence they cover.

The score discounts by this rule, and the report shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from models.features.rows import each_row

Ticket = tuple[str, str]
"""Id and pattern of an approval."""


def tickets_by_user(approvals: pd.DataFrame, day: date) -> dict[str, list[Ticket]]:
    """Approvals (rows of approvals.csv) that count on the day, by user, sorted."""
    tickets: dict[str, list[Ticket]] = {}
    for row in each_row(approvals):
        if approved_by_another(row.user_id, row.approver_id) and in_force(row.start, row.end, day):
            tickets.setdefault(row.user_id, []).append((str(row.ticket_id), str(row.pattern)))
    return {user: sorted(found) for user, found in tickets.items()}


def approved_by_another(user: str, approver: str) -> bool:
    """Whether somebody approved, and not the user alone."""
    return bool(approver) and approver != user


def in_force(start: Any, end: Any, day: date) -> bool:
    """Whether the time from ``start`` to ``end`` (null: open) meets the day in UTC."""
    begin = datetime.combine(day, time(), tzinfo=UTC)
    starts, ends = instant(start), instant(end)
    later = starts is not None and starts >= begin + timedelta(days=1)
    earlier = ends is not None and ends < begin
    return not later and not earlier


def instant(value: Any) -> datetime | None:
    """A time of approvals.csv in UTC; None where it is not given."""
    if value is None or pd.isna(value):
        return None
    moment: datetime = pd.Timestamp(value).to_pydatetime()
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def covers(approved: str, asset: str, patterns: Mapping[str, str]) -> bool:
    """Whether an approval's pattern covers an asset; ``patterns``: those of the listed assets.

    An asset's own pattern stands for its objects: its stars match the approval's stars.
    """
    sample = patterns.get(asset, f"{asset.rstrip('/')}/*" if "://" in asset else asset)
    return fnmatchcase(sample, approved) or fnmatchcase(sample.removesuffix("/*"), approved)


def approved_share(
    assets: Sequence[str], tickets: Sequence[Ticket], patterns: Mapping[str, str]
) -> tuple[float, list[str]]:
    """Part of the evidence that tickets cover (the k-th asset weighs 1/k²), and their ids."""
    if not tickets or not assets:
        return 0.0, []
    covered, used, whole = 0.0, set(), 0.0
    for rank, asset in enumerate(assets, start=1):
        whole += 1 / rank**2
        fits = [ticket for ticket, approved in tickets if covers(approved, asset, patterns)]
        if fits:
            covered += 1 / rank**2
            used.add(fits[0])
    return covered / whole, sorted(used)
