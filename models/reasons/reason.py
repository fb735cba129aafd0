"""A sentence's name and its typed parts: rendered to text, and stored as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, TypeAlias, get_args

from models.reasons import parts
from models.reasons.parts import SEPARATORS
from models.reasons.sentences import SENTENCES

PLACE = re.compile(r"\{(\w+):(\w+)\}")
BRACKET = re.compile(r"\[([^\]]*)\]|([^\[]+)")

PlainPart = (
    parts.Amount
    | parts.Count
    | parts.Share
    | parts.Likelihood
    | parts.Times
    | parts.Days
    | parts.Day
    | parts.Clock
    | parts.Word
    | parts.Actions
    | parts.Networks
    | parts.Programs
    | parts.Assets
    | parts.Destinations
    | parts.Identities
    | parts.Person
    | parts.Team
    | parts.Tickets
    | parts.FreeText
)
"""A part that holds no sentence of its own."""
Part: TypeAlias = "PlainPart | Reason | Series"
PLAIN_PARTS: dict[str, type[PlainPart]] = {part.kind: part for part in get_args(PlainPart)}
"""Every plain part by its kind."""


@dataclass(frozen=True, init=False)
class Reason:
    """A sentence of SENTENCES with its parts, ``Reason("clones", count=Amount(…), …)``.

    Raises ValueError if there is no such sentence, a part is missing, of another type or unknown.
    A part that is None is not given.
    """

    kind: ClassVar = "reason"
    sentence: str
    parts: Mapping[str, Part]

    def __init__(self, sentence: str, /, **given: Part | None) -> None:
        if sentence not in SENTENCES:
            raise ValueError(f"no sentence is called {sentence!r}")
        known = {name: part for name, part in given.items() if part is not None}
        wanted, needed = parts_of(sentence)
        kinds = {name: part.kind for name, part in known.items()}
        if any(wanted.get(name) != kind for name, kind in kinds.items()) or not needed <= set(
            kinds
        ):
            raise ValueError(f"sentence {sentence!r} has the parts {wanted}, not {kinds}")
        object.__setattr__(self, "sentence", sentence)
        object.__setattr__(self, "parts", known)

    def say(self) -> str:
        """The sentence as a person reads it."""
        said = {name: part.say() for name, part in self.parts.items()}
        text = []
        for names, optional, pieces in _compiled(self.sentence):
            if not (optional and any(not said.get(name) for name in names)):
                text += [said[piece] if place else piece for piece, place in pieces]
        return "".join(text)


@dataclass(frozen=True)
class Series:
    """Several sentences with one of SEPARATORS between them."""

    kind: ClassVar = "series"
    between: str
    items: tuple[Reason, ...]

    def __post_init__(self) -> None:
        if self.between not in SEPARATORS:
            raise ValueError(f"unknown separator {self.between!r}")

    def say(self) -> str:
        """All sentences in order, with the separator between them; empty for no sentence."""
        return self.between.join(item.say() for item in self.items)


@cache
def parts_of(sentence: str) -> tuple[dict[str, str], frozenset[str]]:
    """Kind of each part of a sentence by name, and the names of those that it needs."""
    wanted = dict(PLACE.findall(SENTENCES[sentence]))
    needed = {name for names, optional, _ in _compiled(sentence) if not optional for name in names}
    return wanted, frozenset(needed)


@cache
def _compiled(
    sentence: str,
) -> tuple[tuple[tuple[str, ...], bool, tuple[tuple[str, bool], ...]], ...]:
    """Runs of a sentence: names of the parts, whether it is a bracket, texts and places."""
    runs = []
    for bracket, plain in BRACKET.findall(SENTENCES[sentence]):
        pieces: list[tuple[str, bool]] = []
        # A split with two groups gives text, name, kind, text, name, kind, …, text.
        found = PLACE.split(bracket or plain)
        for place, piece in enumerate(found):
            if place % 3 < 2 and piece:
                pieces.append((piece, place % 3 == 1))
        names = tuple(piece for piece, is_place in pieces if is_place)
        runs.append((names, bool(bracket), tuple(pieces)))
    return tuple(runs)


def dump_reasons(reasons: Iterable[Reason]) -> str:
    """The reasons as JSON, in ASCII."""
    return json.dumps([_encoded(reason) for reason in reasons], separators=(",", ":"))


def load_reasons(text: str | None) -> list[Reason] | None:
    """The reasons of :func:`dump_reasons`.

    None where nothing was stored, or another version stored something unknown to this one.
    """
    if not isinstance(text, str):
        return None
    try:
        return [_decoded_reason(item) for item in json.loads(text)]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def _encoded(part: Part) -> list[Any]:
    if isinstance(part, Reason):
        inner = {name: _encoded(each) for name, each in part.parts.items()}
        return [part.kind, part.sentence, inner]
    if isinstance(part, Series):
        return [part.kind, part.between, [_encoded(item) for item in part.items]]
    return [part.kind, *(getattr(part, name) for name in _fields_of(part.kind))]


@cache
def _fields_of(kind: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(PLAIN_PARTS[kind]))


def _decoded(item: Sequence[Any]) -> Part:
    kind, *values = item
    if kind == Reason.kind:
        return _decoded_reason(item)
    if kind == Series.kind:
        between, items = values
        return Series(between, tuple(_decoded_reason(each) for each in items))
    make: Callable[..., PlainPart] = PLAIN_PARTS[kind]
    return make(*(tuple(value) if isinstance(value, list) else value for value in values))


def _decoded_reason(item: Sequence[Any]) -> Reason:
    kind, sentence, inner = item
    if kind != Reason.kind:
        raise ValueError(f"a reason expected, not {kind!r}")
    return Reason(sentence, **{name: _decoded(part) for name, part in inner.items()})
