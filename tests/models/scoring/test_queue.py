"""The queue's order and length: by evidence, at most the budget, short on ordinary days."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from models.scoring.points import Contribution, ScoredEntity
from models.scoring.queue import (
    LEAST_DAYS,
    SETTLE_DAYS,
    comparable,
    entries_a_day,
    one_stranger_a_day,
    queue_length,
    ranked_for_review,
    reference_days,
)
from tests.models.scoring.test_scoring import score, signal

BUDGET, ORDINARY, IDENTITIES = 10, 4.0, 400


def entity(name: str, raw: float, contributions: tuple[Contribution, ...] = ()) -> ScoredEntity:
    return ScoredEntity(name, "human", "1d", 40.0, raw, contributions, ())


def past_of(days: int, draw: np.random.Generator, entries: int = 12) -> pd.DataFrame:
    """Findings of ordinary days: each has about ``entries`` entries of like evidence."""
    return pd.DataFrame({"evidence": draw.exponential(3.0, draw.poisson(entries * days))})


def ranking(draw: np.random.Generator, entries: int = 12) -> list[ScoredEntity]:
    amounts = draw.exponential(3.0, draw.poisson(entries))
    return ranked_for_review([entity(f"u{n}", float(raw)) for n, raw in enumerate(amounts)])


def test_an_ordinary_day_fills_its_share_of_the_budget_on_average() -> None:
    draw = np.random.default_rng(8)
    lengths = [
        queue_length(ranking(draw), past_of(28, draw), 28, BUDGET, ORDINARY, IDENTITIES)
        for _ in range(300)
    ]
    assert np.mean(lengths) == pytest.approx(ORDINARY, abs=0.4)
    assert min(lengths) <= 2
    assert max(lengths) <= BUDGET


def test_a_bad_day_fills_the_whole_budget_and_no_more() -> None:
    draw = np.random.default_rng(8)
    thieves = ranked_for_review([entity(f"t{n}", 90.0 + n) for n in range(30)])
    assert queue_length(thieves, past_of(28, draw), 28, BUDGET, ORDINARY, IDENTITIES) == BUDGET


def test_before_there_is_a_past_an_entry_has_to_exceed_chance() -> None:
    """Of 400 identities 4 reach two points of evidence by chance."""
    draw = np.random.default_rng(8)
    few = LEAST_DAYS - 1
    ranked = [entity(f"u{n}", raw) for n, raw in enumerate((9.0, 2.1, 1.9, 1.0))]
    assert queue_length(ranked, past_of(few, draw), few, BUDGET, ORDINARY, IDENTITIES) == 2
    assert queue_length(ranked, past_of(few, draw), few, 1, ORDINARY, IDENTITIES) == 1
    assert queue_length(ranked, past_of(few, draw), few, BUDGET, ORDINARY, 10 * IDENTITIES) == 1
    assert queue_length([], past_of(few, draw), few, BUDGET, ORDINARY, IDENTITIES) == 0
    unknown = past_of(28, draw).assign(evidence=np.nan)
    assert queue_length(ranking(draw, 40), unknown, 28, BUDGET, ORDINARY, IDENTITIES) == BUDGET


def test_the_first_days_of_a_log_are_no_reference() -> None:
    assert reference_days(log_days=SETTLE_DAYS, calibration_days=28) == 0
    assert reference_days(log_days=SETTLE_DAYS + 9, calibration_days=28) == 9
    assert reference_days(log_days=89, calibration_days=28) == 28


def test_evidence_of_other_weights_is_no_reference() -> None:
    last = date(2026, 10, 4)
    days = [last - timedelta(days=ago) for ago in (9, 6, 6, 1)]
    past = pd.DataFrame(
        {"day": days, "evidence": 1.0, "scoring_hash": ["old", "new", "old", "new"]}
    )
    same, known = comparable(past, "new", last, 28)
    assert list(same["day"]) == [days[1], days[3]]
    assert known == 7
    assert comparable(past, "new", last, 5)[1] == 5
    assert comparable(past, "newest", last, 28)[1] == 0
    unknown = past.assign(scoring_hash=None)
    assert comparable(unknown, "new", last, 28)[1] == 0


def test_entries_a_day_counts_past_entries_with_at_least_the_evidence() -> None:
    found = entries_a_day(np.array([1.0, 2.0, 2.0, 5.0]), 2, [entity("a", 2.0), entity("b", 9.0)])
    assert found.tolist() == [1.5, 0.0]


def test_volume_does_not_push_near_proof_out() -> None:
    """Thirty loud names stand before one quiet reader of a frontier checkpoint."""
    (quiet,) = score(signal("shard_coverage", entity="reader", p_value=5e-4, observed=0.9))
    assert quiet.proof
    loud = [entity(f"sybil{n}", 100.0) for n in range(30)]
    queue = ranked_for_review([*loud, quiet])
    assert queue[0].entity == "reader"
    past = past_of(28, np.random.default_rng(8)).assign(evidence=80.0)
    assert queue_length([quiet], past, 28, BUDGET, ORDINARY, IDENTITIES) == 1
    assert queue_length([entity("weak", quiet.raw)], past, 28, BUDGET, ORDINARY, IDENTITIES) == 0


@pytest.mark.parametrize(
    ("detector", "more", "proves"),
    [
        ("shard_coverage", {"observed": 0.9}, True),
        ("shard_coverage", {"observed": 0.2}, False),
        ("shard_coverage", {"observed": 0.9, "p_value": 0.01}, False),
        ("shard_coverage", {"observed": 0.9, "asset_ids": ["repo-evals-1"]}, False),
        ("shard_coverage", {"observed": 0.9, "asset_ids": []}, False),
        ("collusion", {"observed": 0.95}, True),
        ("slow_drip", {"observed": 0.95}, False),
    ],
)
def test_near_proof_is_most_of_a_most_sensitive_artefact(
    detector: str, more: dict[str, object], proves: bool
) -> None:
    (found,) = score(signal(detector, **({"p_value": 1e-4} | more)))
    assert (found.proof > 0) is proves


def test_a_flood_of_strangers_on_earlier_days_is_no_ordinary_evidence() -> None:
    days = [date(2026, 10, 5) - timedelta(days=ago) for ago in range(1, 29)]
    ours = [(day, f"u{n}", 3.0 - n) for day in days for n in range(2)]
    flood = [(day, f"key-{day}-{n}", 90.0 - n) for day in days for n in range(20)]
    past = pd.DataFrame([*ours, *flood], columns=["day", "entity", "evidence"])
    thief = ranked_for_review([entity("u7", 50.0)])
    lengths = [
        queue_length(thief, one_stranger_a_day(past, known), 28, BUDGET, ORDINARY, IDENTITIES)
        for known in ({"u0", "u1", "u7"}, set[str]())
    ]
    assert lengths == [1, 0]
    assert one_stranger_a_day(past, {"u0", "u1"})["evidence"].notna().sum() == 3 * 28
