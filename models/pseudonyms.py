"""Keyed pseudonyms in place of people: in identity fields, resource names and sentences.

The same key gives the same identity the same pseudonym on every day and in every place, so that
rows still join and a trend stays a trend; without the key nobody can compute it, not even from a
full list of the staff. Fields that hold an identity are replaced as a whole. In names of resources
and in sentences everything that names somebody known is replaced: ids, aliases, e-mail addresses
and their local parts, display names and each word of them, credentials, addresses; in any case,
with or without accents, whatever stands between the words.

What remains is behaviour. Whoever knows that somebody read a certain dataset on a certain night
can still tell who that was.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pandas as pd
from pandas.api.types import is_numeric_dtype

from models.features import each_row
from schemas.context import Context

CODE_CHARACTERS, SPELLING_CHARACTERS = 16, 4
"""Of base32, i.e. 80 bits: no two identities meet by chance; 20 bits for one's spellings."""
LONG_ID, LONG_NAME = 6, 8
"""From so many characters an id or a word of a name is also found within a longer word
(`s3://adalovelacebackup`); shorter ones are within too many ordinary words."""
SHORT_ID, SHORT_NAME, SHORT_NUMBER = 2, 3, 5
"""Shorter ids, words of names and numbers are replaced in their own fields only."""
BETWEEN = 3
"""Characters that may stand between the words of one name."""
OWN_WORDS = frozenset(
    """a about active action actions after all also an and archive are as asset assets at away
    before began by bytes cloned colleagues completes copied copies copy copying day days
    destination did differences disjoint each earlier entered estimated events exec expected fetched
    few fewer first for from gave graph had hour hours identities identity in is it its known lately
    leaves leaving left less likelihood listed looked make making many more most much namespaces
    nearly network never new no nobody not nothing notice objects odd of on one only or other others
    ours parts people person pods portions program read reading reads refused repeated repositories
    repository s service sessions shared sharing since size sizes small such take takes than that
    the there they thing things time times to together took touched touches tunnel two unusual up
    usual utc was week weekend were what when which who whole with within work write
    writes""".split()
)
"""Words of the detectors' own sentences. Where one stands alone in lower case in a sentence, it is
not somebody's name; replacing it would tell what that somebody is called."""

WORD = re.compile(r"[^\W_]+")
EMAIL = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")
ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}"
    r"|(?=[0-9A-Fa-f]*:[0-9A-Fa-f.]*:)[0-9A-Fa-f:.]{2,}[0-9A-Fa-f:])(?!\w)"
)
BEFORE_WORD = re.compile(r"[\s(]?")
AFTER_WORD = re.compile(r"$|[\s),;:]|[.…]+(\s|$)")
TEAM = re.compile(r" \([^()]*\)")
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
    """``user-7K4M2QXW3ZPTA5BN~Q2FA`` for what names somebody otherwise than by the value itself.

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

    The id in the table is a plain hash of who did what; with a list of the staff anybody could try
    whose it is.
    """
    return hmac.new(key, f"finding\0{event_id}".encode(), hashlib.sha256).hexdigest()[:32]


def is_pseudonym(user_id: str) -> bool:
    """Whether a ``user.id`` is a pseudonym of this module."""
    return PSEUDONYM.fullmatch(user_id) is not None


@dataclass(frozen=True)
class Pseudonyms:
    """The key, whom which words name, and every pseudonym given so far.

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
    masked: dict[tuple[str, bool], str] = field(default_factory=dict)

    def of(self, value: str, kind: str = "user") -> str:
        """The pseudonym of one value; the empty value has none."""
        if not value:
            return value
        if (kind, value) not in self.given:
            self.given[kind, value] = pseudonym(self.key, value, kind)
        return self.given[kind, value]

    def spelled(self, meaning: Meaning, written: str) -> str:
        """The pseudonym of what is written otherwise than the value itself, as in a text."""
        self.of(meaning[1], meaning[0])
        return spelled_pseudonym(self.key, meaning, written)


def known_people(
    key: bytes,
    directories: Iterable[pd.DataFrame],
    strangers: Iterable[str],
    credentials: Iterable[str],
    hidden: Iterable[str] = (),
    network_of: Callable[[str], str] = lambda _address: "",
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
        for part in _words(row.display_name):
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


def mask_resource(names: Pseudonyms, text: str) -> str:
    """The name of an asset, container, host or destination without the people in it."""
    return _mask(names, text, sentence=False)


def mask_sentence(names: Pseudonyms, text: str) -> str:
    """A sentence without the people in it; its own words stay (see ``OWN_WORDS``)."""
    return _mask(names, text, sentence=True)


def mask_address(names: Pseudonyms, text: str) -> str:
    """``address-… (zone/country/asn)``: one machine stays one machine, and where it is stays.

    What is no network address (vendors put names of their services there) is a resource.
    """
    address = _address(text)
    if address is None:
        return mask_resource(names, text)
    network = names.network_of(text)
    return names.of(address, "address") + (f" ({network})" if network else "")


def mask_finding(names: Pseudonyms, document: Mapping[str, Any]) -> dict[str, Any]:
    """A finding's document under pseudonyms.

    What is neither an identity nor known to hold none is treated as a sentence, so that a field
    of a later version is no leak.
    """
    masked: dict[str, Any] = _mask_object(names, document, "")
    user = document["user"]
    whom = names.of(user["id"])
    masked["event"]["id"] = finding_pseudonym(names.key, document["event"]["id"])
    masked["event"]["reason"] = _mask_reason(names, document)
    masked["user"] |= {"id": whom, "name": whom, "email": None}
    masked["related"] |= {
        "user": sorted(names.of(other) for other in document["related"]["user"]),
        "ip": sorted(mask_address(names, address) for address in document["related"]["ip"]),
    }
    return masked


def mask_table(names: Pseudonyms, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table of the warehouse (any of its columns) under pseudonyms."""
    masked = rows.copy()
    for column in rows.columns:
        if column == "node_id":
            masked[column] = _mask_nodes(names, rows)
        elif column not in KEPT_COLUMNS and not is_numeric_dtype(rows[column].dtype):
            mask = COLUMN_MASKS.get(column, mask_sentence)
            masked[column] = _mask_column(names, mask, rows[column])
    return masked


def mask_context(names: Pseudonyms, context: Context) -> Context:
    """The context files under pseudonyms; names, addresses and aliases are left out."""
    people, assets, approvals = (
        context.directory.copy(),
        context.assets.copy(),
        context.approvals.copy(),
    )
    for column in ("user_id", "manager_id"):
        people[column] = [names.of(value) for value in people[column]]
    people["email"] = people["display_name"] = ""
    people["aliases"] = [() for _ in range(len(people))]
    for column in names.hidden:
        people[column] = None if column == "start_date" else ""
    for column in ("asset_id", "name", "pattern"):
        assets[column] = [mask_resource(names, value) for value in assets[column]]
    for column in ("user_id", "approver_id"):
        approvals[column] = [names.of(value) for value in approvals[column]]
    approvals["pattern"] = [mask_resource(names, value) for value in approvals["pattern"]]
    for column in ("ticket_id", "reason"):
        approvals[column] = [mask_sentence(names, value) for value in approvals[column]]
    return Context(people, assets, approvals, context.networks)


def _mask_user(names: Pseudonyms, value: str) -> str:
    return names.of(value)


def _mask_credential(names: Pseudonyms, value: str) -> str:
    return names.of(value, "credential")


def _mask_finding_id(names: Pseudonyms, value: str) -> str:
    return finding_pseudonym(names.key, value)


def _mask_document(names: Pseudonyms, value: str) -> str:
    return json.dumps(mask_finding(names, json.loads(value)), ensure_ascii=False, sort_keys=True)


COLUMN_MASKS: dict[str, Callable[[Pseudonyms, str], str]] = {
    **dict.fromkeys(("user_id", "entity", "principal", "peers", "related_users"), _mask_user),
    **dict.fromkeys(("credential", "credentials", "acting_as"), _mask_credential),
    **dict.fromkeys(("addresses", "source_ip"), mask_address),
    **dict.fromkeys(
        ("asset_id", "asset_ids", "resource", "object", "destination", "destinations", "file"),
        mask_resource,
    ),
    "event_id": _mask_finding_id,
    "document": _mask_document,
}
"""How a column of the warehouse is masked; one that is in no list is taken for a sentence."""
KEPT_COLUMNS = frozenset(
    """action action_class actions agents asn column country day detector expectation
    event_time first_time format hourly kind last_time networks node_type outcome ranges severity
    source sources unit user_kind window zone""".split()
)
"""Columns that name nobody: times, closed sets, names of our own config, programs, networks."""
KEPT_FIELDS = frozenset(
    """@timestamp event.start event.end event.kind event.category event.module rule.name
    threat.technique.id threat.tactic.name exfil.window exfil.day exfil.assets.kind
    exfil.assets.owner_team exfil.contributions.detector exfil.contributions.family
    exfil.contributions.unit""".split()
)
"""Fields of a finding that name nobody."""
RESOURCE_FIELDS = frozenset({"exfil.assets.id", "related.hosts"})


def _mask_object(names: Pseudonyms, value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        below = f"{path}." if path else ""
        return {key: _mask_object(names, inner, f"{below}{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask_object(names, inner, path) for inner in value]
    if not isinstance(value, str) or path in KEPT_FIELDS:
        return value
    return (mask_resource if path in RESOURCE_FIELDS else mask_sentence)(names, value)


def _mask_reason(names: Pseudonyms, document: Mapping[str, Any]) -> str:
    """``event.reason``: who (with the team, see models.explanation), then what the detectors say.

    Who it is ends where the first detector's own sentence begins.
    """
    text, user = document["event"]["reason"], document["user"]
    parts = document["exfil"]["contributions"]
    first = next((part["reason"] for part in parts if part["points"] > 0), parts[0]["reason"])
    if text.endswith("…."):
        # Cut off somewhere, perhaps within a name.
        text = f"{text.rpartition(' ')[0]}…."
    service = "service " if text.startswith("service ") else ""
    begun = text.removeprefix(service)
    if not begun.startswith(user["name"]):
        return mask_sentence(names, text)
    rest = begun.removeprefix(user["name"])
    team, said, tail = rest.partition(first)
    if not said:
        # Cut off, or written otherwise than models.explanation does.
        team = found[0] if (found := TEAM.match(rest)) else ""
        tail = rest.removeprefix(team)
    shown = "" if "team" in names.hidden else mask_sentence(names, team).rstrip()
    told = mask_sentence(names, f"{said}{tail}".lstrip())
    return f"{service}{names.of(user['id'])}{shown} {told}"


def _mask_column(
    names: Pseudonyms, mask: Callable[[Pseudonyms, str], str], cells: pd.Series[Any]
) -> list[Any]:
    """Each distinct text once: a table has few of them beside its rows."""
    known: dict[str, str] = {}
    masked = []
    for cell in cells:
        if not isinstance(cell, str):
            masked.append(_each(names, mask, cell))
            continue
        if cell not in known:
            known[cell] = mask(names, cell)
        masked.append(known[cell])
    return masked


def _mask_nodes(names: Pseudonyms, rows: pd.DataFrame) -> list[str]:
    return [
        names.of(node) if side == "user" else mask_resource(names, node)
        for side, node in zip(rows["node_type"], rows["node_id"], strict=True)
    ]


def _each(names: Pseudonyms, mask: Callable[[Pseudonyms, str], str], value: Any) -> Any:
    """A cell: text, lists of it, or something that names nobody (null, a number, a time)."""
    if isinstance(value, str):
        return mask(names, value)
    if isinstance(value, Mapping):
        return {key: _each(names, mask, inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_each(names, mask, inner) for inner in value]
    return value


def _mask(names: Pseudonyms, text: str, sentence: bool) -> str:
    if (text, sentence) not in names.masked:
        composed = unicodedata.normalize("NFC", text)
        done, place = [], 0
        for start, end, meaning in _addresses(names, composed):
            done.append(_replace_words(names, composed, place, start, sentence))
            done.append(names.spelled(meaning, composed[start:end]))
            place = end
        done.append(_replace_words(names, composed, place, len(composed), sentence))
        names.masked[text, sentence] = "".join(done)
    return names.masked[text, sentence]


def _addresses(names: Pseudonyms, text: str) -> Iterator[tuple[int, int, Meaning]]:
    """First and last place of e-mail and network addresses, whether or not anybody knows them."""
    found: list[tuple[int, int, Meaning]] = []
    for match in EMAIL.finditer(text):
        words = _words(match[0])
        count, meaning = _longest(names.words, words) or (0, ("", ""))
        found.append((*match.span(), meaning if count == len(words) else ("user", match[0])))
    for match in ADDRESS.finditer(text):
        address = _address(match[0])
        if address is not None:
            found.append((*match.span(), ("address", address)))
    place = 0
    for start, end, meaning in sorted(found):
        if start >= place:
            yield start, end, meaning
            place = end


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _replace_words(names: Pseudonyms, text: str, begin: int, end: int, sentence: bool) -> str:
    matches = list(WORD.finditer(text, begin, end))
    words = [_fold(match[0]) for match in matches]
    done, place, number = [], begin, 0
    while number < len(words):
        match = matches[number]
        reach = number + 1
        while reach < len(words) and matches[reach].start() - matches[reach - 1].end() <= BETWEEN:
            reach += 1
        first, last, count = match.start(), match.end(), 1
        if sentence and _is_own_word(text, match):
            meaning = None
        elif found := _longest(names.words, words[number:reach]):
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


def _is_own_word(text: str, match: re.Match[str]) -> bool:
    return (
        match[0] in OWN_WORDS
        and BEFORE_WORD.fullmatch(text[: match.start()][-1:]) is not None
        and AFTER_WORD.match(text, match.end()) is not None
    )


def _longest(tree: Tree, words: list[str]) -> tuple[int, Meaning] | None:
    """The most words from the first one on that name somebody, and whom."""
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


def _learn(known: Spelled, text: str, meaning: Meaning) -> None:
    """Take up what names somebody, as it is and as it is written within URIs."""
    for spelled in (text, quote(text, safe="", errors="replace")):
        words = _words(spelled)
        joined = "".join(words)
        if len(joined) >= (SHORT_NUMBER if joined.isdigit() else SHORT_ID):
            _put(known, words, meaning)


def _learn_within(known: Spelled, text: str, meaning: Meaning, least: int) -> None:
    joined = "".join(_words(text))
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


def _words(text: str) -> list[str]:
    return [_fold(word) for word in WORD.findall(unicodedata.normalize("NFC", text))]


def _fold(word: str) -> str:
    """Without case and accents."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))
