"""One rule of the approvals that count and of the evidence that they forgive."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from models.features.approval import (
    Ticket,
    approved_share,
    asset_patterns,
    covers,
    hours_of,
    inside,
    may_approve,
    moment,
    tickets_by_user,
)
from schemas.config import Scoring
from schemas.context import Context, Derived
from tests.models.scoring.test_scoring import RULES
from tests.worlds import histories

DAY = date(2026, 10, 5)
NOON = pd.Timestamp("2026-10-05 12:00")
A_DAY = timedelta(days=1)
PATTERNS = {"orion-7": "s3://ckpt/orion-7/*", "repo": "github://lab/repo"}


def context(**approval: Any) -> Context:
    """``thief`` works for ``boss``; ``helper`` works for ``thief``; ``bot`` is a service."""
    made = histories.World()
    histories._add_assets(made)
    for user in ("thief", "boss", "helper", "gone", "colleague"):
        histories._add_identity(made, user, "human", "evals")
    histories._add_identity(made, "bot", "service", "evals")
    made.person("thief").update(manager_id="boss", email="Thief@lab.example", aliases=("tt", "t9"))
    made.person("helper")["manager_id"] = "thief"
    made.person("gone")["end_date"] = DAY - 30 * A_DAY
    ticket = histories.approval("thief", "s3://ckpt/pretraining/*", DAY, DAY, approver="boss")
    made.approvals.append(ticket | approval)
    return histories.context_of(made)


@pytest.mark.parametrize(
    ("approver", "counts"),
    [
        ("boss", True),
        ("colleague", True),
        ("BOSS", True),
        ("thief", False),
        ("thief@LAB.example", False),
        ("tt", False),
        ("helper", False),
        ("bot", False),
        ("gone", False),
        ("security-team", False),
        ("", False),
    ],
)
def test_a_person_other_than_the_thief_and_not_below_him_may_approve(
    approver: str, counts: bool
) -> None:
    found = tickets_by_user(context(approver_id=approver), RULES)
    assert (list(found) == ["thief"]) == counts


def test_an_approval_may_name_its_person_by_any_name() -> None:
    assert list(tickets_by_user(context(user_id="thief@lab.example"), RULES)) == ["thief"]


def test_without_a_directory_another_name_counts() -> None:
    empty = histories.context_of(histories.World())
    assert may_approve("boss", "thief", None, empty)
    assert not may_approve("Thief", "thief", None, empty)
    assert not may_approve("", "thief", None, empty)


@pytest.mark.parametrize(
    ("approval", "credit"),
    [
        ({}, 1.0),
        ({"start": None}, 30 / 365),
        ({"end": None}, 30 / 365),
        ({"end": datetime.combine(DAY + 60 * A_DAY, datetime.min.time())}, 0.5),
    ],
)
def test_a_long_approval_forgives_less(approval: dict[str, Any], credit: float) -> None:
    (ticket,) = tickets_by_user(context(**approval), RULES)["thief"]
    assert ticket.credit == pytest.approx(credit)


def test_a_wide_approval_forgives_less() -> None:
    few: Scoring = RULES.model_copy(update={"approved_assets": 2.0})
    forgiven = [
        tickets_by_user(context(pattern=pattern), few)["thief"][0].credit
        for pattern in ("s3://ckpt/pretraining/run/step-1/*", "s3://ckpt/pretraining/*", "s3://*")
    ]
    assert forgiven[0] == 1.0
    assert forgiven == sorted(forgiven, reverse=True)
    assert forgiven[2] < 0.2


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


def test_a_copy_is_covered_by_its_own_name_and_by_that_of_its_origin() -> None:
    copied = {"s3://scratch": Derived("ckpt-pretraining-1", 5.0, 1.0, logged=True)}
    patterns = asset_patterns(replace(context(), derived=copied))
    approved = ("s3://ckpt/pretraining/*", "s3://scratch/*", "s3://scratch", "s3://ckpt/evals/*")
    covered = [covers(pattern, "s3://scratch", patterns) for pattern in approved]
    assert covered == [True, True, True, False]


def access(asset: str, hours: dict[int, int], day: date = DAY, minute: int = 30) -> dict[str, Any]:
    """A row of ACCESS: objects by hour; the first and the last at ``minute`` of their hours."""
    midnight = pd.Timestamp(day)
    return {
        "day": day,
        "asset_id": asset,
        "first_time": midnight + pd.Timedelta(hours=min(hours), minutes=minute),
        "last_time": midnight + pd.Timedelta(hours=max(hours), minutes=minute),
        "hourly": [
            {"hour": hour, "events": objects, "bytes": 0, "objects": objects}
            for hour, objects in hours.items()
        ],
    }


def ticket(start: Any = NOON - A_DAY, end: Any = NOON + A_DAY, credit: float = 1.0) -> Ticket:
    return Ticket("T-1", "s3://ckpt/*", moment(start), moment(end), credit)


@pytest.mark.parametrize(
    ("start", "end", "part"),
    [
        (NOON - A_DAY, NOON + A_DAY, 1.0),
        (None, None, 1.0),
        # from the hour after the first ten objects
        (pd.Timestamp("2026-10-05 09:00"), None, 0.25),
        # a ticket that starts after the act, in its hour or on its day
        (pd.Timestamp("2026-10-05 08:45"), None, 0.25),
        (pd.Timestamp("2026-10-05 15:45"), None, 0.0),
        (NOON + A_DAY, None, 0.0),
        # one that ended on the day, before the act, or between its hours
        (None, pd.Timestamp("2026-10-05 08:00"), 0.0),
        (None, pd.Timestamp("2026-10-05 10:00"), 0.75),
        # the row's first and last event are known to the minute
        (pd.Timestamp("2026-10-05 08:30"), pd.Timestamp("2026-10-05 15:30"), 1.0),
    ],
)
def test_evidence_inside_a_ticket_is_counted_by_the_hour(start: Any, end: Any, part: float) -> None:
    rows = pd.DataFrame([access("orion-7", {8: 30, 15: 10})])
    assert inside(hours_of(rows), ticket(start, end)) == pytest.approx(part)


def test_the_least_part_of_objects_and_bytes_counts() -> None:
    row = access("orion-7", {8: 1, 15: 99})
    row["hourly"][0]["bytes"] = 10**12
    late = ticket(start=NOON)
    assert inside(hours_of(pd.DataFrame([row])), late) == 0.0


def test_a_ticket_of_today_forgives_nothing_of_last_month() -> None:
    old = [access("orion-7", {9: 10}, DAY - n * A_DAY) for n in range(1, 10)]
    rows = pd.DataFrame([*old, access("orion-7", {9: 10})])
    today = ticket(start=pd.Timestamp(DAY), end=pd.Timestamp(DAY + A_DAY))
    assert approved_share(["orion-7"], [today], PATTERNS, rows, DAY)[0] == 1.0
    month = approved_share(["orion-7"], [today], PATTERNS, rows, DAY - 29 * A_DAY)
    assert month == (pytest.approx(0.1), ["T-1"])


def test_later_assets_weigh_less() -> None:
    rows = pd.DataFrame([access("orion-7", {9: 1}), access("repo", {9: 1})])
    given = [ticket(), ticket(credit=0.5)]
    share = approved_share(["orion-7", "repo"], given, PATTERNS, rows, DAY)
    assert share == (pytest.approx(1 / 1.25), ["T-1"])
    share = approved_share(["repo", "orion-7"], given, PATTERNS, rows, DAY)
    assert share == (pytest.approx(0.25 / 1.25), ["T-1"])
    assert approved_share([], given, PATTERNS, rows, DAY) == (0.0, [])
    assert approved_share(["orion-7"], [], PATTERNS, rows, DAY) == (0.0, [])
    assert approved_share(["orion-7"], given, PATTERNS, rows[:0], DAY) == (0.0, [])


def credits_of(*tickets: dict[str, Any]) -> list[float]:
    """Credit of each of the thief's approvals that count."""
    made = context()
    rows = pd.DataFrame([histories.approval("thief", "s3://x/*", DAY, DAY, "boss") | each
                         for each in tickets], columns=made.approvals.columns)  # fmt: skip
    found = tickets_by_user(replace(made, approvals=rows), RULES)
    return [each.credit for each in found.get("thief", [])]


def test_many_narrow_approvals_at_a_time_are_a_wide_one() -> None:
    narrow = [{"ticket_id": f"T-{n:02}", "pattern": f"github://lab/repo-{n}"} for n in range(36)]
    assert credits_of(*narrow[:20]) == [1.0] * 20
    assert credits_of(*narrow) == pytest.approx([20 / 36] * 36)
    assert credits_of({"pattern": "github://lab/*"}) == pytest.approx([20 / 36])
    days = [pd.Timestamp(DAY) - 40 * A_DAY, pd.Timestamp(DAY) - 39 * A_DAY]
    later = [each | {"start": days[0], "end": days[1]} for each in narrow[20:]]
    assert credits_of(*narrow[:20], *later) == [1.0] * 36


def test_approvals_one_after_the_other_are_a_long_one() -> None:
    start = pd.Timestamp(DAY)
    months = [
        {"ticket_id": f"T-{n}", "start": start + 33 * n * A_DAY,
         "end": start + (33 * n + 30) * A_DAY} for n in range(4)
    ]  # fmt: skip
    assert credits_of(*months) == pytest.approx([30 / 120] * 4)
    assert credits_of(months[0], months[2]) == [1.0, 1.0]
    other = months[1] | {"pattern": "s3://y/*"}
    assert credits_of(months[0] | {"pattern": "s3://ckpt/evals/run/step-1/*"}, other) == [1.0, 1.0]


def test_a_precise_approval_counts_beside_a_wide_and_a_long_one() -> None:
    precise = {"ticket_id": "T-2", "pattern": "github://lab/repo-1"}
    wide = {"pattern": "github://lab/*"}
    longer = {"pattern": "github://lab/repo-1", "start": pd.Timestamp(DAY) - 200 * A_DAY}
    assert credits_of(wide, precise) == [pytest.approx(20 / 36), 1.0]
    assert credits_of(longer, precise)[1] == 1.0
    assert credits_of(longer | {"start": None}, precise)[1] == 1.0


def test_an_approval_of_every_place_is_none_where_nothing_says_how_wide_it_is() -> None:
    patterns = ("gs://*", "*gs*", "gs://a*", "gs://a/*", "gs://a")
    assert [credits_of({"pattern": each}) for each in patterns] == [[0.0]] * 3 + [[1.0]] * 2


@pytest.mark.parametrize(
    ("start", "until"),
    [(None, DAY - 9 * A_DAY), (DAY - 20 * A_DAY, DAY - 9 * A_DAY), (DAY - 5 * A_DAY, None)],
)
def test_an_approval_lapses_when_its_approver_leaves(start: Any, until: date | None) -> None:
    made = context(start=start and datetime.combine(start, datetime.min.time()))
    made.directory.loc[made.directory["user_id"] == "boss", "end_date"] = DAY - 10 * A_DAY
    found = tickets_by_user(made, RULES).get("thief", [])
    assert [each.end for each in found] == ([pd.Timestamp(until)] if until else [])


@pytest.mark.parametrize(
    "second",
    [
        {"email": "thief+admin@lab.example"},
        {"email": "THIEF@lab.example"},
        {"display_name": "name THIEF"},
        {"aliases": ("T9",)},
        {"manager_id": "thief"},
    ],
)
def test_a_second_account_of_the_approved_person_may_not_approve(second: dict[str, Any]) -> None:
    made = context(approver_id="colleague")
    row = made.directory["user_id"] == "colleague"
    for name, value in second.items():
        made.directory.loc[row, name] = pd.Series([value] * row.sum(), index=row[row].index)
    assert tickets_by_user(made, RULES) == {}


def test_peers_who_approve_each_other_in_a_ring_approve_nothing() -> None:
    def holders(*pairs: tuple[str, str], ago: int = 0) -> list[str]:
        first = DAY - ago * A_DAY
        rows = [histories.approval("thief", "s3://ckpt/*", DAY, DAY, "colleague")]
        rows += [histories.approval(user, "s3://x/*", first, first, by) for user, by in pairs]
        table = pd.DataFrame(rows, columns=context().approvals.columns)
        return sorted(tickets_by_user(replace(context(), approvals=table), RULES))

    assert holders() == ["thief"]
    assert holders(("colleague", "thief")) == []
    assert holders(("boss", "thief"), ("colleague", "boss")) == ["colleague", "thief"]
    assert holders(("bot", "thief"), ("colleague", "bot")) == ["bot", "thief"]
    assert holders(("gone", "thief"), ("colleague", "gone")) == ["gone", "thief"]
    assert holders(("colleague", "boss")) == ["colleague", "thief"]
    assert holders(("colleague", "thief"), ago=20) == []
    assert holders(("colleague", "thief"), ago=90) == ["colleague", "thief"]
