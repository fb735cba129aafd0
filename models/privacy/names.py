"""Every name by which the known people are spelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


def known_people(
    key: bytes,
    directories: Iterable[pd.DataFrame],
    strangers: Iterable[str],
    credentials: Iterable[str],
    hidden: Iterable[str] = (),
    network_of: Callable[[str], str] = lambda address_in: "",
) -> Pseudonyms:
    """Whom the directory (every version of it) and the logs know.

    ``strangers``: user ids that the directory does not know, i.e. principals as logged. Ids and
    aliases go before what two may share, such as a display name or an e-mail address's local part,
    and these before mere words of a name. What two do share names neither of them.
    """
    ids, shared, loose, within = Spelled(), Spelled(), Spelled(), Spelled()
    for row in (row for rows in directories for row in each_row(rows)):
        whom = ("user", row.user_id)
        for name in (row.user_id, *row.aliases):
            _learn(ids, name, whom)
        _learn(ids, row.manager_id, ("user", row.manager_id))
        # Services often carry their owner's address.
        for name in (row.email, row.display_name):
            _learn(loose if row.kind == "service" else shared, name, whom)
        if row.kind == "service":
            continue
        for name in _logins(row.email, *row.aliases):
            _learn(shared, name, whom)
        for name in (row.user_id, row.display_name, *_logins(row.email, *row.aliases)):
            _learn_within(within, name, whom, LONG_ID)
        for part in words_of(row.display_name):
            if len(part) >= SHORT_NAME:
                loose[part,] = ("name", part)
                _learn_within(within, part, ("name", part), LONG_NAME)
    for principal in strangers:
        _learn(ids, principal, ("user", principal))
        for name in (principal, *_logins(principal)):
            _learn(shared, name, ("user", principal))
            _learn_within(within, name, ("user", principal), LONG_ID)
    for credential in credentials:
        _learn(ids, credential, ("credential", credential))
    tree: Tree = {}
    for words, meaning in {**loose, **shared, **ids}.items():
        node = tree
        for word in words:
            node = node.setdefault(word, {})
        node[""] = meaning
    return Pseudonyms(key, tree, within, frozenset(hidden), network_of)


def _learn(known: Spelled, text: str, meaning: Meaning) -> None:
    """Take up what names somebody, as it is and as it is written within URIs."""
    for spelled in (text, quote(text, safe="", errors="replace")):
        words = words_of(spelled)
        joined = "".join(words)
        if len(joined) >= (SHORT_NUMBER if joined.isdigit() else SHORT_ID):
            _put(known, words, meaning)


def _learn_within(known: Spelled, text: str, meaning: Meaning, least: int) -> None:
    joined = "".join(words_of(text))
    if len(joined) >= least:
        _put(known, [joined], meaning)


def _put(known: Spelled, words: list[str], meaning: Meaning) -> None:
    held = known.setdefault(tuple(words), meaning)
    if held != meaning:
        known[tuple(words)] = ("name", " ".join(words))


def _logins(*principals: str) -> Iterator[str]:
    """Local parts of e-mail addresses, and what ARNs and paths end in."""
    for principal in principals:
        last = principal.rpartition("/")[2] if "/" in principal else ""
        for name in dict.fromkeys((principal, last)):
            local, at, _ = name.partition("@")
            if at and local:
                yield local
        if last:
            yield last
