"""Who acted, on what asset, from which network: resolved once for each distinct value.

Raw records hold few distinct names, folders and addresses compared with events. The engine brings
the distinct ones here, plain functions resolve them, and the engine joins the answers back.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import pandas as pd

from jobs.formats import CHOSEN
from jobs.identity_rules import (
    Identity,
    believed_names,
    in_foreign_account,
    near_rules,
    read_names,
    trusted_accounts,
)

WILDCARD = re.compile(r"[*?\[]")
CHARACTER_CLASS = re.compile(r"\[(?P<negated>!?)(?P<members>\]?[^\]]*)\]")
REGEX_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")
FOLDER_SCHEMES = ("s3", "gs", "az", "minio", "k8s", "slurm", "file")
"""URIs of these schemes end in an object's name; assets are matched by what comes before it."""
MAX_SESSION_HOPS = 5
Asker = TypeVar("Asker")
Rank = tuple[int, int]
"""Sensitivity and length of a pattern; the highest wins."""


@dataclass(frozen=True)
class IdentityMatch:
    """Whom the names of a record mean: one identity, or several candidates, or nobody known."""

    identity: Identity | None = None
    candidates: tuple[str, ...] = ()
    """user_ids, sorted, of whom nobody may be picked."""
    namesake: str | None = None
    """A user_id that is among the names although its identity is not meant."""
    foreign: bool = field(default=False, compare=False)
    """Whether the names are of an account that is not ours."""


class FindIdentity(Protocol):
    """Who is meant by the names (one a line, best first) of a record of a source and its format."""

    def __call__(self, names: str, source: str = "", format_id: str = "") -> IdentityMatch: ...


def identity_finder(
    people: pd.DataFrame,
    sources: Iterable[str] = (),
    own_accounts: Iterable[str] = (),
    learned_accounts: Iterable[str] = (),
) -> FindIdentity:
    """A function from a record's names to whom they mean, by the directory ``people``.

    A name matches an alias, a user_id or an e-mail address exactly. The most telling name that
    is known wins, so a person's session name goes before the role it was opened with; it says that
    it was chosen (`session_name`). Only where no name is known, the most telling one that a rule of
    :mod:`jobs.identity_rules` speaks of decides, by the most certain rule. What fits several
    identities matches none.

    ``sources``: names of the config's sources, with which an alias may begin.
    """
    directory = read_names(people, tuple(sources))
    rules = near_rules(people, directory.everywhere)
    accounts = trusted_accounts(directory, own_accounts, learned_accounts)

    def find(names: str, source: str = "", format_id: str = "") -> IdentityMatch:
        foreign = in_foreign_account(names, accounts)
        listed = believed_names(names, foreign)
        for name, chosen in listed:
            known = directory.bearers(name, source, format_id)
            if len(known) == 1:
                (identity,) = known
                if chosen:
                    identity = replace(identity, rule="session_name", name=name)
                return IdentityMatch(identity)
        logged = (name.removeprefix(CHOSEN) for name in names.split("\n"))
        namesake = next((name for name in logged if name in directory.user_ids), None)
        for name, chosen in listed:
            fitting = directory.bearers(name, source, format_id)
            rule = None
            for rule in rules if not fitting and not foreign else ():
                fitting = rules[rule](name.lower())
                if fitting:
                    break
            if len(fitting) == 1:
                (identity,) = fitting
                rule = "session_name" if chosen else rule
                return IdentityMatch(replace(identity, rule=rule, name=name))
            if fitting:
                candidates = tuple(sorted({i.user_id for i in fitting}))
                return IdentityMatch(None, candidates, namesake, foreign)
        return IdentityMatch(None, (), namesake, foreign)

    return find


def resolve_sessions(
    issued: Iterable[tuple[str, Asker, str | None]],
    earlier: dict[str, Identity],
    find: Callable[[Asker], Identity | None],
) -> dict[str, Identity]:
    """Who stands behind each issued key.

    ``issued``: (key handed out, the one who asked as ``find`` takes it, the key that one used),
    one for each key. A role
    session that assumes another role is followed back to its own key, at most
    ``MAX_SESSION_HOPS`` times; the identity nearest to where the chain began is the answer, those
    found by a rule only if no other is known.
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
    """Keys handed out to other accounts, whoever they may be, and to sessions with such keys."""
    rows = list(issued)
    strange = {key for key, asker, _ in rows if foreign(asker)}
    for _ in range(MAX_SESSION_HOPS):
        strange |= {key for key, _, used in rows if used in strange}
    return strange


def _further_back(earlier: Identity | None, later: Identity | None) -> Identity | None:
    if earlier is None or (later is not None and earlier.rule and not later.rule):
        return later
    return earlier


@dataclass(frozen=True)
class AssetMatch:
    """The asset a URI belongs to, and how many characters of the URI lead up to the object."""

    asset_id: str
    prefix_chars: int


def asset_finder(
    assets: pd.DataFrame, nested: str = "most_sensitive"
) -> Callable[[str], AssetMatch | None]:
    """A function from a URI (or folder, ending in `/`) to its asset.

    A pattern names the URIs that it matches as a glob (`*` crosses `/`) and everything below
    them. Of several patterns the asset of the highest sensitivity is the answer (an unknown one is
    the lowest), then that of the longest pattern; with ``nested="longest"`` the longest alone
    decides. Of equally long patterns a literal one goes before a glob, then the first asset_id.
    Literal patterns are found by walking up the URI; only patterns with a wildcard before their
    end are tried one by one.
    """
    itself: dict[str, tuple[Rank, AssetMatch]] = {}
    below: dict[str, tuple[Rank, AssetMatch]] = {}
    globs: list[tuple[Rank, re.Pattern[str], AssetMatch]] = []
    by_sensitivity = nested == "most_sensitive" and "sensitivity" in assets
    for row in assets.sort_values("asset_id").itertuples(index=False):
        rank = (_sensitivity(row) if by_sensitivity else 0, len(row.pattern))
        stem = row.pattern.removesuffix("/*")
        if WILDCARD.search(stem):
            literal = WILDCARD.split(row.pattern, maxsplit=1)[0]
            match = AssetMatch(row.asset_id, literal.rfind("/") + 1)
            globs.append((rank, _glob_regex(row.pattern), match))
            continue
        match = AssetMatch(row.asset_id, len(stem) + 1)
        nothing = ((-1, 0), match)
        if rank > below.get(stem, nothing)[0]:
            below[stem] = (rank, match)
        if stem == row.pattern and rank > itself.get(stem, nothing)[0]:
            itself[stem] = (rank, match)
    globs.sort(key=lambda entry: (-entry[0][0], -entry[0][1], entry[2].asset_id))

    def find(uri: str) -> AssetMatch | None:
        rank, best = itself.get(uri, ((-1, 0), None))
        stem = uri
        while "/" in stem:
            stem = stem.rpartition("/")[0]
            above = below.get(stem)
            if above and above[0] > rank:
                rank, best = above
        for glob_rank, pattern, match in globs:
            if glob_rank <= rank:
                break
            if pattern.match(uri):
                return match
        return best

    return find


def concealing_patterns(assets: pd.DataFrame) -> list[str]:
    """What is wrong with patterns that are within, or equal to, another asset's pattern of higher
    sensitivity: by the longest pattern alone they would take its objects out of sight.
    """
    rows = sorted(assets.itertuples(index=False), key=lambda row: (row.asset_id, row.pattern))
    literal: dict[str, list[Any]] = {}
    globs = []
    for row in rows:
        stem = row.pattern.removesuffix("/*")
        if WILDCARD.search(stem):
            globs.append((_glob_regex(row.pattern), row))
        else:
            literal.setdefault(stem, []).append(row)
    problems = []
    for row in rows:
        stem = row.pattern.removesuffix("/*")
        around = []
        while stem:
            around += literal.get(stem, [])
            stem = stem.rpartition("/")[0]
        around += [outer for regex, outer in globs if regex.match(row.pattern)]
        higher = [outer for outer in around if _sensitivity(outer) > _sensitivity(row)]
        if higher:
            outer = max(higher, key=_sensitivity)
            problems.append(
                f"{row.asset_id} ({row.pattern}, sensitivity {_sensitivity(row) or 'unknown'}) is "
                f"within {outer.asset_id} ({outer.pattern}, sensitivity {_sensitivity(outer)})"
            )
    return problems


def _sensitivity(row: Any) -> int:
    """1 to 5; 0 where it is not known."""
    return 0 if pd.isna(row.sensitivity) else int(row.sensitivity)


def _glob_regex(pattern: str) -> re.Pattern[str]:
    """What a pattern with a wildcard before its end names."""
    stem = pattern.removesuffix("/*")
    body = fnmatch.translate(stem).removesuffix(r"\z").removesuffix(r"\Z")
    rest = "(/.*)?" if stem == pattern else "/.*"
    return re.compile(rf"{body}{rest}\Z", re.DOTALL)


def needs_whole_uri(assets: pd.DataFrame) -> tuple[list[str], str]:
    """What patterns a folder alone cannot decide: exact URIs, and one regular expression.

    The expression is empty if there is no such pattern.
    """
    exact, odd = [], []
    for pattern in sorted(set(assets["pattern"])):
        if pattern.endswith("/*"):
            continue
        if WILDCARD.search(pattern):
            odd.append(_portable_regex(pattern))
        elif pattern.split("://", 1)[0] in FOLDER_SCHEMES:
            exact.append(pattern)
    return exact, rf"(?s)^({'|'.join(odd)})\z" if odd else ""


def network_finder(networks: pd.DataFrame) -> Callable[[str], tuple[str, str, str] | None]:
    """A function from an address to (zone, country, asn) of the longest matching network."""
    tables: dict[tuple[int, int], dict[int, tuple[str, str, str]]] = {}
    for row in networks.itertuples(index=False):
        network = ipaddress.ip_network(row.cidr, strict=False)
        shift = network.max_prefixlen - network.prefixlen
        table = tables.setdefault((network.version, shift), {})
        table[int(network.network_address) >> shift] = (row.zone, row.country, row.asn)
    order = sorted(tables)

    def find(address: str) -> tuple[str, str, str] | None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        if parsed.version == 6 and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        number = int(parsed)
        for version, shift in order:
            if version == parsed.version:
                found = tables[version, shift].get(number >> shift)
                if found is not None:
                    return found
        return None

    return find


def _portable_regex(pattern: str) -> str:
    """A glob as a regular expression that Java's and Rust's engines read alike."""
    out = []
    place = 0
    while place < len(pattern):
        char = pattern[place]
        if char == "[" and (members := CHARACTER_CLASS.match(pattern, place)):
            inner = re.sub(r"([\\\[\]^&~])", r"\\\1", members["members"])
            out.append(f"[{'^' if members['negated'] else ''}{inner}]")
            place = members.end()
            continue
        out.append({"*": ".*", "?": "."}.get(char) or REGEX_SIGNS.sub(r"\\\g<0>", char))
        place += 1
    return "".join(out)
