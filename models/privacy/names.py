"""Every spelling of the names of known people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pandas as pd

from models.features.rows import each_row
from models.privacy.pseudonyms import (
    LONG_ID,
    LONG_NAME,
    SHORT_ID,
    SHORT_NAME,
    SHORT_NUMBER,
    Meaning,
    Pseudonyms,
    Spelled,
    Tree,
    words_of,
)


@dataclass(frozen=True)
class Spellings:
    """Names by certainty: ``ids`` before ``shared`` before ``loose``.

    ``ids``: ids, aliases and credentials. ``shared``: names that two people may share, such as a
    display name or the local part of an e-mail address. ``loose``: single words of a display name,
    and the address and display name of a service. ``within``: names that are also found inside a
    longer word. A name that two people share in one of them stands for neither person.
    """

    ids: Spelled = field(default_factory=dict)
    shared: Spelled = field(default_factory=dict)
    loose: Spelled = field(default_factory=dict)
    within: Spelled = field(default_factory=dict)


def known_people(
    key: bytes,
    directories: Iterable[pd.DataFrame],
    strangers: Iterable[str],
    credentials: Iterable[str],
    hidden: Iterable[str] = (),
    network_of: Callable[[str], str] = lambda address: "",
) -> Pseudonyms:
    """Pseudonyms for everybody in ``directories`` (versions of the directory) and the logs.

    ``strangers``: user ids that the directory does not know, i.e. principals as logged. ``hidden``:
    columns of the directory that are not published. ``network_of``: ``zone/country/asn`` of an
    address, empty where not known.
    """
    spellings = Spellings()
    for row in (row for rows in directories for row in each_row(rows)):
        _learn_identity(spellings, row)
    for principal in strangers:
        _learn(spellings.ids, principal, ("user", principal))
        for name in (principal, *_logins(principal)):
            _learn(spellings.shared, name, ("user", principal))
            _learn_within(spellings.within, name, ("user", principal), LONG_ID)
    for credential in credentials:
        _learn(spellings.ids, credential, ("credential", credential))
    return Pseudonyms(key, _tree_of(spellings), spellings.within, frozenset(hidden), network_of)


def _learn_identity(spellings: Spellings, row: Any) -> None:
    """Add every spelling of one row of the directory."""
    user = ("user", row.user_id)
    for name in (row.user_id, *row.aliases):
        _learn(spellings.ids, name, user)
    _learn(spellings.ids, row.manager_id, ("user", row.manager_id))
    # Services often carry their owner's address.
    for name in (row.email, row.display_name):
        _learn(spellings.loose if row.kind == "service" else spellings.shared, name, user)
    if row.kind == "service":
        return
    for name in _logins(row.email, *row.aliases):
        _learn(spellings.shared, name, user)
    for name in (row.user_id, row.display_name, *_logins(row.email, *row.aliases)):
        _learn_within(spellings.within, name, user, LONG_ID)
    for part in words_of(row.display_name):
        if len(part) >= SHORT_NAME:
            spellings.loose[part,] = ("name", part)
            _learn_within(spellings.within, part, ("name", part), LONG_NAME)


def _tree_of(spellings: Spellings) -> Tree:
    """All spellings in one tree; of equal spellings the most certain one is kept."""
    tree: Tree = {}
    for words, meaning in {**spellings.loose, **spellings.shared, **spellings.ids}.items():
        node = tree
        for word in words:
            node = node.setdefault(word, {})
        node[""] = meaning
    return tree


def _learn(known: Spelled, text: str, meaning: Meaning) -> None:
    """Add a name as it is written, and as a URI encodes it; very short names are left out."""
    for spelled in (text, quote(text, safe="", errors="replace")):
        words = words_of(spelled)
        joined = "".join(words)
        if len(joined) >= (SHORT_NUMBER if joined.isdigit() else SHORT_ID):
            _put(known, words, meaning)


def _learn_within(known: Spelled, text: str, meaning: Meaning, least: int) -> None:
    """Add the name as one word if it has at least ``least`` characters."""
    joined = "".join(words_of(text))
    if len(joined) >= least:
        _put(known, [joined], meaning)


def _put(known: Spelled, words: list[str], meaning: Meaning) -> None:
    """Set the meaning of the words; words with two meanings stand for the words alone."""
    held = known.setdefault(tuple(words), meaning)
    if held != meaning:
        known[tuple(words)] = ("name", " ".join(words))


def _logins(*principals: str) -> Iterator[str]:
    """Local parts of e-mail addresses, and the last parts of ARNs and paths."""
    for principal in principals:
        last = principal.rpartition("/")[2] if "/" in principal else ""
        for name in dict.fromkeys((principal, last)):
            local, at, _ = name.partition("@")
            if at and local:
                yield local
        if last:
            yield last
