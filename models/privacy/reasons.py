"""Pseudonyms in sentences: the type of a part decides whether the part is masked."""

from __future__ import annotations

from typing import assert_never

from models.privacy.pseudonyms import Pseudonyms, mask_text
from models.reasons.parts import (
    Actions,
    Amount,
    Assets,
    Clock,
    Count,
    Day,
    Days,
    Destinations,
    FreeText,
    Identities,
    Likelihood,
    Networks,
    Person,
    Programs,
    Share,
    Team,
    Tickets,
    Times,
    Word,
)
from models.reasons.reason import Part, Reason, Series


def mask_reason(names: Pseudonyms, reason: Reason) -> Reason:
    """The sentence with pseudonyms in its parts; a hidden team is left out."""
    return Reason(
        reason.sentence, **{name: _mask_part(names, part) for name, part in reason.parts.items()}
    )


def _mask_part(names: Pseudonyms, part: Part) -> Part | None:
    """The part with pseudonyms; None if it must not be shown.

    mypy rejects this function if a type of part is missing here.
    """
    match part:
        case (
            Amount() | Count() | Share() | Likelihood() | Times() | Days() | Day() | Clock()
            | Word() | Actions() | Networks()
        ):  # fmt: skip
            return part
        case Identities(users):
            return Identities(tuple(names.of(user) for user in users))
        case Person(user):
            return Person(names.of(user), names.of(user))
        case Assets(texts):
            return Assets(_mask_texts(names, texts))
        case Destinations(texts):
            return Destinations(_mask_texts(names, texts))
        case Programs(texts):
            return Programs(_mask_texts(names, texts))
        case Tickets(texts):
            return Tickets(_mask_texts(names, texts))
        case FreeText(text):
            return FreeText(mask_text(names, text))
        case Team(name):
            return None if "team" in names.hidden else Team(mask_text(names, name))
        case Reason():
            return mask_reason(names, part)
        case Series(between, items):
            return Series(between, tuple(mask_reason(names, item) for item in items))
        case _:
            assert_never(part)


def _mask_texts(names: Pseudonyms, texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(mask_text(names, text) for text in texts)
