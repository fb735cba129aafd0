"""Prompts of the sample lab: they follow from ids, and are as alike as the way to ask."""

from __future__ import annotations

import pytest

from jobs.trial.lab.prompts import REDACTED, REDACTED_SHARE, messages_of

WAYS = ("chat", "product", "own", "template", "sweep", "same")
LOGGED = next(f"key-{n}" for n in range(99) if messages_of("own", "", f"key-{n}", "") != REDACTED)


def texts(says: str, seed: str = "one") -> list[tuple[str, str]]:
    """System message and question of some requests of a key."""
    found = []
    for number in range(50):
        messages = messages_of(says, seed, LOGGED, f"request-{number}")
        system = messages[0]["content"] if len(messages) > 1 else ""
        found.append((system, messages[-1]["content"]))
    return found


@pytest.mark.parametrize("says", WAYS)
def test_prompts_follow_from_ids(says: str) -> None:
    assert texts(says) == texts(says)
    assert len({system for system, _ in texts(says)}) == 1


def test_questions_are_as_alike_as_the_way_to_ask() -> None:
    assert len(set(texts("same"))) == 1
    for says in ("chat", "product", "own", "template", "sweep"):
        assert len(set(texts(says))) == 50
    for says, alike in (("template", True), ("sweep", True), ("own", False)):
        starts = {" ".join(question.split()[:8]) for _, question in texts(says)}
        assert (len(starts) == 1) == alike


def test_a_wording_is_that_of_all_keys_with_its_seed() -> None:
    assert texts("template", "one")[0][0] != texts("template", "two")[0][0]
    assert texts("chat", "one")[0][0] == texts("chat", "two")[0][0]


def test_of_some_keys_no_prompt_is_logged() -> None:
    hidden = [messages_of("own", "", f"key-{n}", "x") == REDACTED for n in range(1000)]
    assert abs(sum(hidden) / 1000 - REDACTED_SHARE) < 0.06
