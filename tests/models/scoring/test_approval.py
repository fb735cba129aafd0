"""One rule of what a ticket covers, for the score and for the report."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from models.scoring.approval import approved_by_another, approved_share, covers, in_force

DAY = date(2026, 10, 5)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
A_DAY = timedelta(days=1)
PATTERNS = {"orion-7": "s3://ckpt/orion-7/*", "repo": "github://lab/repo"}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, True),
        (pd.NaT, pd.NaT, True),
        (NOON, NOON, True),
        (NOON - A_DAY, None, True),
        (None, NOON + A_DAY, True),
        (NOON + A_DAY, None, False),
        (None, NOON - A_DAY, False),
        (datetime(2026, 10, 6, tzinfo=UTC), None, False),
        (None, datetime(2026, 10, 5, tzinfo=UTC), True),
        (datetime(2026, 10, 5, 23, 59), None, True),  # noqa: DTZ001
    ],
)
def test_a_ticket_is_in_force_on_days_that_it_meets(
    start: datetime | None, end: datetime | None, expected: bool
) -> None:
    assert in_force(start, end, DAY) == expected


@pytest.mark.parametrize(
    ("approved", "asset", "expected"),
    [
        ("s3://ckpt/*", "orion-7", True),
        ("s3://ckpt/orion-7", "orion-7", True),
        ("s3://ckpt/orion-7/*", "orion-7", True),
        ("s3://ckpt/orion-7/shard-1", "orion-7", False),
        ("github://lab/*", "repo", True),
        # Containers that assets.csv does not list.
        ("file://home/*", "file://home", True),
        ("file://home", "file://home/", True),
        ("file://homes/*", "file://home", False),
    ],
)
def test_a_pattern_covers_what_lies_below_it(approved: str, asset: str, expected: bool) -> None:
    assert covers(approved, asset, PATTERNS) == expected


def test_own_tickets_and_those_of_nobody_do_not_count() -> None:
    assert approved_by_another("u1", "u2")
    assert not approved_by_another("u1", "u1")
    assert not approved_by_another("u1", "")


def test_later_assets_weigh_less() -> None:
    tickets = [("T-1", "s3://ckpt/*"), ("T-2", "s3://*")]
    assert approved_share(["orion-7", "repo"], tickets, PATTERNS) == (1 / 1.25, ["T-1"])
    assert approved_share(["repo", "orion-7"], tickets, PATTERNS) == (0.25 / 1.25, ["T-1"])
    assert approved_share([], tickets, PATTERNS) == (0.0, [])
    assert approved_share(["orion-7"], [], PATTERNS) == (0.0, [])
