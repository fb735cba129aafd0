"""The sentences of a finding's document: its own, and one for each contribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.reasons.parts import UNITS, Amount, Count, Person
from models.reasons.reason import Reason, Series, load_reasons

REASON_CHARACTERS = 1000
SHOWN_CONTRIBUTIONS = 2
"""Contributions that the finding's own sentence repeats."""


def say_finding(reason: Reason) -> str:
    """The finding's own sentence, cut after REASON_CHARACTERS, with its full stop."""
    text = reason.say()
    text = text if len(text) < REASON_CHARACTERS else f"{text[: REASON_CHARACTERS - 1]}…"
    return f"{text}."


def with_reasons(document: Mapping[str, Any], reasons: Sequence[Reason]) -> dict[str, Any]:
    """The document with its sentences: of the finding, then of each contribution in order."""
    own, *others = reasons
    exfil = document["exfil"]
    contributions = [
        {**part, "reason": reason.say()}
        for part, reason in zip(exfil["contributions"], others, strict=True)
    ]
    return {
        **document,
        "event": {**document["event"], "reason": say_finding(own)},
        "exfil": {**exfil, "contributions": contributions},
    }


def plain_reasons(document: Mapping[str, Any]) -> list[Reason]:
    """Sentences made of the document's figures alone, for :func:`with_reasons`.

    They stand in for sentences whose parts are not known.
    """
    user, parts = document["user"], document["exfil"]["contributions"]
    measured = [measured_reason(p["observed"], p["expected"], p["unit"]) for p in parts]
    shown = [reason for reason, p in zip(measured, parts, strict=True) if p["points"] > 0]
    shown = (shown or measured)[:SHOWN_CONTRIBUTIONS]
    own = Reason(
        "finding", who=Person(user["id"], user["name"]), told=Series("; also ", tuple(shown))
    )
    return [own, *measured]


def signal_reason(row: Any, expected: float | None) -> Reason:
    """The sentence of a row of SIGNALS; its figures alone if an earlier version wrote the row."""
    stored = load_reasons(row.reason_parts)
    return stored[0] if stored else measured_reason(float(row.observed), expected, row.unit)


def measured_reason(observed: float, expected: float | None, unit: str) -> Reason:
    """A sentence of a signal's figures alone."""
    if unit not in UNITS:
        return Reason(
            "counted",
            observed=Count(observed),
            expected=None if expected is None else Count(expected),
        )
    return Reason(
        "measured",
        observed=Amount(observed, unit),
        expected=None if expected is None else Amount(expected, unit),
    )
