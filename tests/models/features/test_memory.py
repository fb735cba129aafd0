"""Answers that are kept for an object go with it."""

from __future__ import annotations

import gc
from weakref import ref

from models.features.memory import remembered


class Thing:
    """Something that can be asked about."""


def test_an_answer_is_given_once_and_goes_with_its_object() -> None:
    asked: list[int] = []

    @remembered
    def answer(_: Thing, number: int) -> Thing:
        asked.append(number)
        return Thing()

    thing = Thing()
    first = answer(thing, 1)
    assert answer(thing, 1) is first
    assert answer(thing, 2) is not first
    assert asked == [1, 2]
    kept = ref(first)
    del first, thing
    gc.collect()
    assert kept() is None
