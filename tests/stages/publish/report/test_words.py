"""Chances and spans of time in words."""

from __future__ import annotations

import pytest

from jobs.stages.publish.report import words


@pytest.mark.parametrize(
    ("p_value", "said"),
    [(1.0, "100 in 100"), (0.2, "20 in 100"), (0.1, "1 in 10"), (0.000083, "1 in 12,000"),
     (1e-6, "1 in 1,000,000"), (0.0, "never seen")],
)  # fmt: skip
def test_chances_in_words(p_value: float, said: str) -> None:
    assert words.say_chance(p_value) == said


def test_spans_in_words() -> None:
    say = words.say_span
    assert say("2026-10-05T09:00:00Z", "2026-10-05T15:30:00Z") == "5 Oct 09:00 – 15:30 UTC"
    assert say("2026-09-29T09:00:00+02:00", "2026-10-05T15:30:00Z") == (
        "29 Sep 07:00 – 5 Oct 15:30 UTC"
    )
