"""What the queue has told before counts for less, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from models.scoring.circumstances import ENTRY_MOST
from tests.worlds.scored_signals import DAY, NOTHING_SHOWN, RULES, circumstances, score, signal

LOW = replace(circumstances(), rules=RULES.model_copy(update={"min_score": 0}))
"""No entry is too small."""


def shown_before(**more: Any) -> pd.DataFrame:
    old = {k: v for k, v in signal().items() if k in NOTHING_SHOWN.columns}
    return pd.DataFrame([old | {"day": DAY - timedelta(days=1)} | more])


def test_mere_repetition_fades_from_the_queue() -> None:
    fresh = score(signal())[0].raw
    (next_day,) = score(signal(), shown=shown_before())
    assert next_day.raw < fresh / 5
    (later,) = score(signal(), shown=shown_before(day=DAY - timedelta(days=5)))
    assert later.raw == pytest.approx(fresh / 2)
    assert f"in the queue since {DAY - timedelta(days=5)}" in later.contributions[0].reason.say()


@pytest.mark.parametrize(
    "more",
    [
        {"statistic": 0.3},  # has grown much since
        {"asset_ids": ["ckpt-evals-1"]},  # was about another asset
        {"entity": "u2"},
        {"detector": "first_access"},
        {"window": "7d"},
    ],
)
def test_growing_or_other_evidence_is_no_repetition(more: dict[str, Any]) -> None:
    fresh = score(signal())[0].raw
    (found,) = score(signal(), shown=shown_before(**more))
    assert found.raw > fresh / 2


def entry(evidence: float, ago: int = 1, entity: str = "u1") -> pd.DataFrame:
    return pd.DataFrame(
        [{"day": DAY - timedelta(days=ago), "entity": entity, "evidence": evidence}]
    )


def shown_ago(ago: int, **more: Any) -> pd.DataFrame:
    return shown_before(day=DAY - timedelta(days=ago), **more)


@pytest.mark.parametrize("ago", [1, 7])
def test_what_repeats_an_own_entry_counts_for_less_once_more(ago: int) -> None:
    """A weekly backup, and a sweep that reads the next step of a run."""
    fresh, faded = score(signal())[0].raw, 0.5 ** (ago / RULES.half_life_days)
    twice = {"shown": shown_ago(ago), "entries": entry(fresh, ago), "facts": LOW}
    (repeated,) = score(signal(), **twice)
    assert repeated.raw == pytest.approx(fresh * (1 - faded) * (1 - ENTRY_MOST * faded))
    assert f"in the queue since {DAY - timedelta(days=ago)}" in repeated.notes[-1].say()
    assert sum(c.points for c in repeated.contributions) == repeated.score
    (sibling,) = score(signal(asset_ids=["ckpt-pretraining-2"]), **twice)
    assert sibling.raw == pytest.approx(fresh * (1 - ENTRY_MOST * faded))


@pytest.mark.parametrize(
    "more",
    [
        {"asset_ids": ["ckpt-evals-1"]},
        {"detector": "first_access"},
        {"window": "7d"},
    ],
)
def test_a_loud_harmless_entry_hides_no_theft_that_comes_later(more: dict[str, Any]) -> None:
    """The thief is in the queue for something else, with more evidence than the theft has."""
    fresh = score(signal())[0].raw
    for ago in (1, 3, 9):
        (found,) = score(signal(), shown=shown_ago(ago, **more), entries=entry(50.0, ago))
        assert found.raw == fresh


def test_a_theft_is_no_repetition_though_harmless_assets_of_an_entry_lead_it() -> None:
    """The bulk is what was told before. A checkpoint that weighs more comes with it."""
    harmless = [f"web-{number}" for number in range(19)]
    taken = signal(asset_ids=[*harmless, "ckpt-pretraining-1"])
    fresh = score(taken)[0].raw
    told = {"shown": shown_ago(1, asset_ids=harmless), "entries": entry(50.0), "facts": LOW}
    assert score(taken, **told)[0].raw == fresh
    less = score(signal(asset_ids=harmless[:5]), **told)[0].raw
    assert less < score(signal(asset_ids=harmless[:5]))[0].raw / 5


def test_a_tenfold_amount_is_hardly_dulled() -> None:
    fresh = score(signal(statistic=10.0))[0].raw
    (found,) = score(signal(statistic=10.0), shown=shown_ago(1), entries=entry(fresh))
    assert found.raw > 0.8 * fresh


def test_noise_made_before_a_theft_hides_little_of_it() -> None:
    """The thief first draws attention with a tenth of the evidence."""
    fresh = score(signal())[0].raw
    shown = shown_ago(1, asset_ids=["ckpt-pretraining-2"])
    (found,) = score(signal(), shown=shown, entries=entry(fresh / 10))
    assert 0.93 * fresh < found.raw < fresh


def test_entries_of_others_dull_nobody() -> None:
    assert score(signal(), entries=entry(50.0, entity="u2")) == score(signal())
