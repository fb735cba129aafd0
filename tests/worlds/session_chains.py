"""Whose session it is, key by key: the slow and obvious way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from jobs.stages.ingest.sessions import MAX_SESSION_HOPS
from models.resolve.identity_rules import Identity

Asker = TypeVar("Asker")


def resolve_sessions(
    issued: Iterable[tuple[str, Asker, str | None]],
    earlier: dict[str, Identity],
    find: Callable[[Asker], Identity | None],
) -> dict[str, Identity]:
    """Who stands behind each issued key.

    ``issued``: (key handed out, the one who asked as ``find`` takes it, the key that one used),
    one for each key. A role session that assumes another role is followed back to its own key, at
    most ``MAX_SESSION_HOPS`` times. The identity nearest to where the chain began is the answer;
    those found by a rule only if no other is known.
    ``earlier``: keys known from the look-back days.
    """
    asked = {key: (names, used) for key, names, used in issued}
    found = dict(earlier)
    for key, (names, used) in asked.items():
        identity = find(names)
        for _ in range(MAX_SESSION_HOPS):
            if used in earlier:
                identity = _further_back(earlier[used], identity)
            if used in earlier or used not in asked:
                break
            names, used = asked[used]
            identity = _further_back(find(names), identity)
        if identity is not None:
            found[key] = identity
    return found


def keys_of_strangers(
    issued: Iterable[tuple[str, Asker, str | None]], foreign: Callable[[Asker], bool]
) -> set[str]:
    """Keys handed out to other accounts, and to sessions that use these keys."""
    rows = list(issued)
    strange = {key for key, asker, _ in rows if foreign(asker)}
    for _ in range(MAX_SESSION_HOPS):
        strange |= {key for key, _, used in rows if used in strange}
    return strange


def _further_back(earlier: Identity | None, later: Identity | None) -> Identity | None:
    if earlier is None or (later is not None and earlier.rule and not later.rule):
        return later
    return earlier
