"""The evaluation counts what a reader of the queue would count."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from jobs.trial.ablations import ABLATIONS
from jobs.trial.evaluate import own_queue
from jobs.trial.evaluation_page import BUDGETS, CHANCE, OWN, report, shares
from jobs.trial.evaluation_picture import draw_shares
from jobs.trial.judging import Case, Lab, expected_by_chance, judge
from jobs.trial.rankings import RANKINGS, daily_counts, ecod, ranked, with_cool_down

FIRST = date(2026, 10, 1)
A_DAY = timedelta(days=1)
DAYS = [FIRST + n * A_DAY for n in range(6)]


def case(name: str, users: str, first: int, last: int, taken: dict[int, float]) -> Case:
    days = {FIRST + n * A_DAY: share for n, share in taken.items()}
    return Case(
        name,
        name,
        frozenset(users),
        frozenset({f"of {name}"}),
        FIRST + first * A_DAY,
        FIRST + last * A_DAY,
        days,
    )


THEFT = case("theft", "ab", 1, 2, {1: 0.25, 2: 1.0})
SWEEP = case("sweep", "s", 0, 5, {})


def test_found_from_the_first_day_to_two_days_after_the_last() -> None:
    queue = {day: [("x",), ("b",)] for day in DAYS}
    result = judge(queue, 2, [THEFT], [SWEEP])
    assert (result.found["theft"].day, result.found["theft"].taken) == (DAYS[1], 0.25)
    assert (result.shown, result.right, result.look_alikes) == (12, 4, [])
    assert judge(queue, 1, [THEFT], []).found == {}
    early = {DAYS[0]: [("a",)], DAYS[5]: [("a",)]}
    assert judge(early, 5, [THEFT], []).found == {}


def test_an_incident_is_named_if_an_entry_names_its_asset_beside_a_person() -> None:
    queue = {DAYS[1]: [("a", "of sweep")], DAYS[2]: [("x", "of theft"), ("b", "of theft")]}
    assert judge(queue, 1, [THEFT], []).named == set()
    assert judge(queue, 2, [THEFT], []).named == {"theft"}


def test_an_entry_of_several_people_counts_once() -> None:
    result = judge({DAYS[2]: [("a", "b", "s")]}, 3, [THEFT], [SWEEP])
    assert (result.shown, result.right, result.look_alikes) == (1, 1, ["sweep"])
    assert result.found["theft"].taken == 1.0


def test_chance_is_that_of_drawing_without_return() -> None:
    """All draws of two of five identities on each of the four days, counted out."""
    identities = "abcde"
    draws = list(itertools.combinations(identities, 2))
    missed = sum(not set(draw) & {"a", "b"} for draw in draws) / len(draws)
    days = dict.fromkeys(DAYS, 5)
    assert expected_by_chance(days, 2, [THEFT]) == pytest.approx(1 - missed**4)


def test_only_the_queue_counts_and_not_the_findings_below_it() -> None:
    rows = [(FIRST, 2, "b", True), (FIRST, 1, "a", True), (FIRST, 3, "c", False)]
    findings = pd.DataFrame(rows, columns=["day", "queue_rank", "entity", "in_budget"])
    findings["document"] = '{"related": {"user": ["z"]}, "exfil": {"assets": [{"id": "ckpt"}]}}'
    assert own_queue(findings) == {FIRST: [("a", "z", "ckpt"), ("b", "z", "ckpt")]}


def test_whoever_was_shown_rests_for_a_week() -> None:
    days = [FIRST + n * A_DAY for n in range(9)]
    queue = {day: [("a",), ("b",)] for day in days}
    rested = with_cool_down(queue, 1)
    shown = [rested[day][0][0] if rested[day] else "" for day in days]
    assert shown == ["a", "b", "", "", "", "", "", "", "a"]


def access(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (day, f"u{user}", f"asset-{rng.integers(4)}", *rng.integers(0, 99, 4))
        for day in DAYS
        for user in range(8)
        for _ in range(rng.integers(1, 4))
    ]
    columns = ["day", "user_id", "asset_id", "events", "failures", "bytes_out", "objects"]
    return pd.DataFrame(rows, columns=columns)


def test_ecod_is_the_published_sum_of_tails() -> None:
    """Each row alone, from the definition: the part of all rows that is as small or as large."""
    rows = access(3)
    counts = daily_counts(rows)[["events", "failures", "bytes", "objects", "assets"]].to_numpy()
    centred = counts - counts.mean(axis=0)
    negative = (centred**3).sum(axis=0) < 0
    expected = []
    for value in counts:
        left = -np.log((counts <= value).mean(axis=0))
        right = -np.log((counts >= value).mean(axis=0))
        expected.append(max(left.sum(), right.sum(), np.where(negative, left, right).sum()))
    assert ecod(rows)["score"].to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize("name", RANKINGS)
def test_every_ranking_ranks_everybody_of_every_day(name: str) -> None:
    rows = access(4)
    queue = ranked(RANKINGS[name](rows))
    assert {day: {user for (user,) in entries} for day, entries in queue.items()} == {
        day: set(part["user_id"]) for day, part in rows.groupby("day")
    }


def test_the_report_has_a_line_for_each_ranking_budget_kind_and_case() -> None:
    queues = {
        name: {day: [("b",), ("s",)] for day in DAYS} for name in (OWN, *RANKINGS, *ABLATIONS)
    }
    lab = Lab("lab-1", [THEFT], [SWEEP], queues, dict.fromkeys(DAYS, 5))
    lines: list[str] = []
    report([lab], [lab], "page.svg", lines.append)
    assert (
        "![Incidents found and precision by entries a day, for each ranking](page.svg)\n" in lines
    )
    assert f"| {OWN} | 3 | 1 of 1 | 33% | 2.0 | 25% | 25% | 0 | 1 of 1 |" in lines
    for name in (*RANKINGS, *ABLATIONS):
        for budget in BUDGETS:
            assert any(line.startswith(f"| {name} | {budget} | 1 of 1 ") for line in lines)
    for name in RANKINGS:
        for budget in BUDGETS:
            assert any(line.startswith(f"| {name}, cool-down | {budget} |") for line in lines)
    assert "| 3 | 0 of 1 | 0% |" in lines[lines.index("\n## Found with the asset\n") :]
    assert "| theft | 1 of 1 | 1 of 1 | 1 of 1 |" in lines
    assert "| lab-1 | sweep | 2026-10-01 | 2026-10-06 | 2 on 2026-10-01 |" in lines
    assert any("the queue held 2.0 entries a day, 2 at most" in line for line in lines)


def test_incidents_of_one_day_do_not_count_among_the_longer_ones() -> None:
    grab = case("grab", "b", 1, 1, {1: 1.0})
    queues = {
        name: {day: [("b",), ("s",)] for day in DAYS} for name in (OWN, *RANKINGS, *ABLATIONS)
    }
    lab = Lab("lab-1", [THEFT, grab], [], queues, dict.fromkeys(DAYS, 5))
    lines: list[str] = []
    report([lab], [], "page.svg", lines.append)
    assert any(line.startswith(f"| {OWN} | 3 | 2 of 2 |") and "| 62% | 25% |" in line
               for line in lines)  # fmt: skip
    assert any("Of the 1 incidents longer than a day, 25% is gone" in line for line in lines)


def test_the_picture_has_the_shares_of_the_table() -> None:
    days = [case.first for case in (THEFT,)]
    queues = {name: {day: [("b",), ("s",)] for day in days} for name in (OWN, *RANKINGS)}
    rows = shares([Lab("lab-1", [THEFT], [SWEEP], queues, dict.fromkeys(days, 5))])
    own = {row["measure"]: row["share"] for row in rows if row["ranking"] == OWN}
    assert own == {"incidents found": 1.0, "precision": 0.5}
    chance = [row["share"] for row in rows if row["ranking"] == CHANCE]
    assert len(chance) == len(BUDGETS)
    assert all(0 < share <= 1 for share in chance)
    drawn = draw_shares(rows, OWN, CHANCE)
    assert drawn.startswith("<svg")
    for name in (OWN, CHANCE, *RANKINGS):
        assert f">{name}<" in drawn
