"""Who acted, on what asset, from which network: resolved once for each distinct value.

Raw records hold few distinct names, folders and addresses compared with events. The engine brings
the distinct ones here, plain functions resolve them, and the engine joins the answers back.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.identity_rules import (
    Identity,
    in_foreign_account,
    known_accounts,
    name_bearers,
    near_rules,
)

if TYPE_CHECKING:
    import pandas as pd

WILDCARD = re.compile(r"[*?\[]")
CHARACTER_CLASS = re.compile(r"\[(?P<negated>!?)(?P<members>\]?[^\]]*)\]")
REGEX_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")
FOLDER_SCHEMES = ("s3", "gs", "az", "minio", "k8s", "slurm", "file")
"""URIs of these schemes end in an object's name; assets are matched by what comes before it."""
MAX_SESSION_HOPS = 5


@dataclass(frozen=True)
class IdentityMatch:
    """Whom the names of a record mean: one identity, or several candidates, or nobody known."""

    identity: Identity | None = None
    candidates: tuple[str, ...] = ()
    """user_ids, sorted, of whom nobody may be picked."""


def identity_finder(directory: pd.DataFrame) -> Callable[[str], IdentityMatch]:
    """A function from candidate names (one a line, best first) to whom they mean.

    A name matches an alias, a user_id or an e-mail address exactly. The most telling name that
    is known wins, so a person's session name goes before the role it was opened with. Only where
    no name is known, the most telling one that a rule of :mod:`jobs.identity_rules` speaks of
    decides, by the most certain rule. What fits several identities matches none.
    """
    bearers = name_bearers(directory)
    rules = near_rules(directory, bearers)
    accounts = known_accounts(bearers)

    def find(names: str) -> IdentityMatch:
        listed = names.split("\n")
        for name in listed:
            known = bearers.get(name, ())
            if len(known) == 1:
                return IdentityMatch(*known)
        foreign = in_foreign_account(names, accounts)
        for name in listed:
            fitting: Collection[Identity] = bearers.get(name, ())
            rule = None
            for rule in rules if not fitting and not foreign else ():
                fitting = rules[rule](name.lower())
                if fitting:
                    break
            if len(fitting) == 1:
                (identity,) = fitting
                return IdentityMatch(replace(identity, rule=rule, name=name))
            if fitting:
                return IdentityMatch(candidates=tuple(sorted({i.user_id for i in fitting})))
        return IdentityMatch()

    return find


def resolve_sessions(
    issued: Iterable[tuple[str, str, str | None]],
    earlier: dict[str, Identity],
    find: Callable[[str], Identity | None],
) -> dict[str, Identity]:
    """Who stands behind each issued key.

    ``issued``: (key handed out, names of the one who asked, the key that one used). A role
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


def _further_back(earlier: Identity | None, later: Identity | None) -> Identity | None:
    if earlier is None or (later is not None and earlier.rule and not later.rule):
        return later
    return earlier


@dataclass(frozen=True)
class AssetMatch:
    """The asset a URI belongs to, and how many characters of the URI lead up to the object."""

    asset_id: str
    prefix_chars: int


def asset_finder(assets: pd.DataFrame) -> Callable[[str], AssetMatch | None]:
    """A function from a URI (or folder, ending in `/`) to the asset of the longest pattern.

    A pattern names the URIs that it matches as a glob (`*` crosses `/`) and everything below
    them. Of equally long patterns a literal one goes before a glob, then the first asset_id.
    Literal patterns are found by walking up the URI; only patterns with a wildcard before their
    end are tried one by one.
    """
    itself: dict[str, tuple[int, AssetMatch]] = {}
    below: dict[str, tuple[int, AssetMatch]] = {}
    globs: list[tuple[int, re.Pattern[str], AssetMatch]] = []
    for row in assets.sort_values("asset_id").itertuples(index=False):
        length = len(row.pattern)
        stem = row.pattern.removesuffix("/*")
        if WILDCARD.search(stem):
            literal = WILDCARD.split(row.pattern, maxsplit=1)[0]
            match = AssetMatch(row.asset_id, literal.rfind("/") + 1)
            body = fnmatch.translate(stem).removesuffix(r"\z").removesuffix(r"\Z")
            rest = "(/.*)?" if stem == row.pattern else "/.*"
            globs.append((length, re.compile(rf"{body}{rest}\Z", re.DOTALL), match))
            continue
        match = AssetMatch(row.asset_id, len(stem) + 1)
        if length > below.get(stem, (0,))[0]:
            below[stem] = (length, match)
        if stem == row.pattern:
            itself.setdefault(stem, (length, match))
    globs.sort(key=lambda entry: (-entry[0], entry[2].asset_id))

    def find(uri: str) -> AssetMatch | None:
        length, best = itself.get(uri, (0, None))
        stem = uri
        while best is None and "/" in stem:
            stem = stem.rpartition("/")[0]
            length, best = below.get(stem, (0, None))
        for glob_length, pattern, match in globs:
            if glob_length <= length:
                break
            if pattern.match(uri):
                return match
        return best

    return find


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
