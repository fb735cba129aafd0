"""Keyed pseudonyms in place of people: in identity fields, names of resources and free text.

The same key gives the same identity the same pseudonym on every day and in every place, so that
rows still join and a trend stays a trend; without the key nobody can compute it, not even from a
full list of the staff. Fields that hold an identity are replaced as a whole. In names of resources
and in free text everything that names somebody known is replaced: ids, aliases, e-mail addresses
and their local parts, display names and each word of them, credentials, addresses; in any case,
with or without accents, whatever stands between the words. Our own sentences are masked part by
part (:mod:`models.privacy.reasons`): a word of theirs that is somebody's name as well must stay,
because its pseudonym would tell the name.

What remains is behaviour. Whoever knows that somebody read a certain dataset on a certain night
can still tell who that was.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

CODE_CHARACTERS, SPELLING_CHARACTERS = 16, 4
"""Of base32, i.e. 80 bits: no two identities meet by chance; 20 bits for one's spellings."""
LONG_ID, LONG_NAME = 6, 8
"""From so many characters an id or a word of a name is also found within a longer word
(`s3://adalovelacebackup`); shorter ones are within too many ordinary words."""
SHORT_ID, SHORT_NAME, SHORT_NUMBER = 2, 3, 5
"""Shorter ids, words of names and numbers are replaced in their own fields only."""
BETWEEN = 3
"""Characters that may stand between the words of one name."""

WORD = re.compile(r"[^\W_]+")
EMAIL = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")
ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}"
    r"|(?=[0-9A-Fa-f]*:[0-9A-Fa-f.]*:)[0-9A-Fa-f:.]{2,}[0-9A-Fa-f:])(?!\w)"
)
PSEUDONYM = re.compile(r"user-[A-Z2-7]{16}")

Meaning = tuple[str, str]
"""Kind of pseudonym (user, name, credential, address) and the value it stands for."""
Spelled = dict[tuple[str, ...], Meaning]
"""Words that name somebody, in lower case and without accents."""
Tree = dict[str, Any]
"""The same words, one below the other; under ``""`` the meaning of those down to here."""


def pseudonym(key: bytes, value: str, kind: str = "user") -> str:
    """``user-7K4M2QXW3ZPTA5BN``: HMAC-SHA-256 of kind and value under the key, in base32."""
    code = hmac.new(key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"{kind}-{base64.b32encode(code.digest()).decode()[:CODE_CHARACTERS]}"


def spelled_pseudonym(key: bytes, meaning: Meaning, written: str) -> str:
    """``user-7K4M2QXW3ZPTA5BN~Q2FA`` for another spelling of an identity's name.

    Two folders that bear one person's login and surname stay two.
    """
    kind, value = meaning
    code = "" if written == value else pseudonym(key, written, "~")[2 : 2 + SPELLING_CHARACTERS]
    return pseudonym(key, value, kind) + (f"~{code}" if code else "")


def identity_part(text: str) -> str:
    """The pseudonym without the spelling (see :func:`spelled_pseudonym`)."""
    return text.partition("~")[0]


def finding_pseudonym(key: bytes, event_id: str) -> str:
    """A finding's id as it is published: 32 hexadecimal digits like the one it stands for.

    The id in the table is a plain hash of entity and evidence. With a list of the staff anybody
    could find the entity by trying.
    """
    return hmac.new(key, f"finding\0{event_id}".encode(), hashlib.sha256).hexdigest()[:32]


def is_pseudonym(user_id: str) -> bool:
    """Whether a ``user.id`` is a pseudonym of this module."""
    return PSEUDONYM.fullmatch(user_id) is not None


@dataclass(frozen=True)
class Pseudonyms:
    """The key, the identities that words name, and every pseudonym given so far.

    ``words``: names of people anywhere; ``within``: those that are also found within a longer word;
    ``hidden``: columns of the directory that are not published; ``network_of``: an address's
    ``zone/country/asn``, empty where not known; ``masked``: texts that were asked for before.
    """

    key: bytes
    words: Tree
    within: Spelled
    hidden: frozenset[str]
    network_of: Callable[[str], str]
    given: dict[Meaning, str] = field(default_factory=dict)
    masked: dict[str, str] = field(default_factory=dict)

    def of(self, value: str, kind: str = "user") -> str:
        """The pseudonym of one value; the empty value has none."""
        if not value:
            return value
        if (kind, value) not in self.given:
            self.given[kind, value] = pseudonym(self.key, value, kind)
        return self.given[kind, value]

    def spelled(self, meaning: Meaning, written: str) -> str:
        """The pseudonym of another spelling of a value."""
        self.of(meaning[1], meaning[0])
        return spelled_pseudonym(self.key, meaning, written)


def mask_text(names: Pseudonyms, text: str) -> str:
    """The text without the people in it: a name of a resource, or free text."""
    if text not in names.masked:
        composed = unicodedata.normalize("NFC", text)
        done, place = [], 0
        for start, end, meaning in _addresses(names, composed):
            done.append(_replace_words(names, composed, place, start))
            done.append(names.spelled(meaning, composed[start:end]))
            place = end
        done.append(_replace_words(names, composed, place, len(composed)))
        names.masked[text] = "".join(done)
    return names.masked[text]


def _addresses(names: Pseudonyms, text: str) -> Iterator[tuple[int, int, Meaning]]:
    """First and last place of e-mail and network addresses, whether or not anybody knows them."""
    found: list[tuple[int, int, Meaning]] = []
    for match in EMAIL.finditer(text):
        words = words_of(match[0])
        count, meaning = _longest(names.words, words) or (0, ("", ""))
        found.append((*match.span(), meaning if count == len(words) else ("user", match[0])))
    for match in ADDRESS.finditer(text):
        address = address_in(match[0])
        if address is not None:
            found.append((*match.span(), ("address", address)))
    place = 0
    for start, end, meaning in sorted(found):
        if start >= place:
            yield start, end, meaning
            place = end


def address_in(text: str) -> str | None:
    """The network address that the text is, in its canonical form; None if it is no address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _replace_words(names: Pseudonyms, text: str, begin: int, end: int) -> str:
    matches = list(WORD.finditer(text, begin, end))
    words = [_fold(match[0]) for match in matches]
    done, place, number = [], begin, 0
    while number < len(words):
        match = matches[number]
        reach = number + 1
        while reach < len(words) and matches[reach].start() - matches[reach - 1].end() <= BETWEEN:
            reach += 1
        first, last, count = match.start(), match.end(), 1
        if found := _longest(names.words, words[number:reach]):
            count, meaning = found
            last = matches[number + count - 1].end()
        elif inner := _inner(names, words[number], match[0]):
            first, last = match.start() + inner[0], match.start() + inner[1]
            meaning = inner[2]
        else:
            meaning = None
        if meaning is not None:
            done += [text[place:first], names.spelled(meaning, text[first:last])]
            place = last
        number += count
    return "".join([*done, text[place:end]])


def _longest(tree: Tree, words: list[str]) -> tuple[int, Meaning] | None:
    """The longest run of words, from the first one on, that names an identity; and the identity."""
    found = None
    for count, word in enumerate(words, start=1):
        if word not in tree:
            break
        tree = tree[word]
        if "" in tree:
            found = (count, tree[""])
    return found


def _inner(names: Pseudonyms, word: str, written: str) -> tuple[int, int, Meaning] | None:
    """First and last place, within a word, of the longest id or name that it holds."""
    for length in range(len(word), LONG_ID - 1, -1):
        for start in range(len(word) - length + 1):
            meaning = names.within.get((word[start : start + length],))
            if meaning is not None and len(word) == len(written):
                return start, start + length, meaning
            if meaning is not None:
                # Folding changed its length (ß, ligatures), so the whole word goes.
                return 0, len(written), meaning
    return None


def words_of(text: str) -> list[str]:
    """Runs of letters and digits in the text, in lower case and without accents."""
    return [_fold(word) for word in WORD.findall(unicodedata.normalize("NFC", text))]


def _fold(word: str) -> str:
    """Without case and accents."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))
