"""Names that are not in the directory and nearly certainly mean one of its identities.

A rule knows how some system rewrites an e-mail address on its way into a log. It speaks only where
exactly one identity fits; where several do, they are candidates and nobody is matched. A name
without an address in it (`ana`, `asilva`) is no more than a guess, which `doctor --identities`
offers and nothing uses.

A match puts events into the history of their likeliest actor. They are scored together there, and
an analyst sees the likely actor. A match proves nothing: a caller chooses the name of a role
session, and an administrator of a cluster or a GitLab makes local accounts. So a thief may borrow a
colleague's name, to hide in her history or to burden her. The events say `identity_rule` and
`identity_name`. Before anybody is confronted or cleared, compare credential, address and session
with those that the person really used. Make the name an alias once it is known to be hers. Never
loosen a rule to match more: an unmatched name is listed as unresolved, and nobody notices a wrong
match.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from models.features.rows import each_row
from models.resolve.marks import CHOSEN, OF_ACCOUNT
from schemas.context import names_of, split_alias

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Identity:
    """One identity of the directory, and how it was found."""

    user_id: str
    kind: str
    rule: str | None = None
    """The near-certain rule that found it; None: one of its names is exactly in the log."""
    name: str | None = None
    """The logged name that the rule took for it."""


Bearers = Mapping[str, Collection[Identity]]
"""A name → the identities that bear it."""
Rule = Callable[[str], Collection[Identity]]
"""From a name in small letters to the identities it may mean."""

# ASCII only: a letter of another alphabet that looks the same is somebody else's.
ADDRESS = re.compile(r"([a-z0-9!#$%&'*+/=?^_`{|}~.-]+)@((?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*)")
ROLE_SESSION = re.compile(
    r"arn:aws[a-z-]*:sts::[0-9]*:(?:assumed-role/[\w+=,.@-]+|federated-user)/([\w+=,.@-]+)"
)
UNIQUE_ID_SESSION = re.compile(r"a[a-z]{3}[a-z0-9]{12,}:([\w+=,.@-]+)")
"""`AROAEXAMPLEID000000000:ana@example.com`: the principal id of a role session."""
ACCOUNT = re.compile(r"\barn:aws[a-z-]*:(?:iam|sts)::([0-9]+):", re.IGNORECASE)
SESSION_ARN = re.compile(
    r"\barn:aws[a-z-]*:sts::([0-9]*):(assumed-role|federated-user)/(?:(.*)/)?([^/]+)$",
    re.IGNORECASE,
)
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]*):role/(?:.*/)?([^/]+)", re.IGNORECASE)
GUEST = re.compile(r"([^@]+)#ext#@((?:[a-z0-9-]+\.)+[a-z0-9-]+)")
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PREFIXED = re.compile(r"(?:([a-z][a-z0-9_.-]*):|https://[^#\s]+#)([^:#]+)")
NOT_PEOPLE = ("system", "serviceaccount", "group", "svc")
OWN_STAFF = ("employee", "")


@dataclass(frozen=True)
class Directory:
    """The names of the directory, each with its identities and the logs in which it holds."""

    everywhere: dict[str, set[Identity]]
    """Aliases without a scope, user_ids and e-mail addresses, which hold in every log."""
    within: dict[tuple[str, str], set[Identity]] = field(default_factory=dict)
    """(scope, alias) of the aliases that hold in one log: of a source, or of a format."""
    user_ids: frozenset[str] = frozenset()
    mere_ids: frozenset[str] = frozenset()
    """user_ids that are no alias of their own."""
    named_within: frozenset[tuple[str, str]] = frozenset()
    """(scope, user_id) of those with an alias that holds in one log."""

    def bearers(self, name: str, source: str, format_id: str) -> Collection[Identity]:
        """Who has the name in a log: by the source's aliases, the format's, then all others.

        A person with an alias for a log has no other login there, so their user_id is no login.
        """
        for scope in (source, format_id):
            found = self.within.get((scope, name))
            if found:
                return found
        known = self.everywhere.get(name, ())
        if name not in self.mere_ids or "@" in name:
            return known
        return {
            identity
            for identity in known
            if identity.user_id != name
            or self.named_within.isdisjoint({(source, name), (format_id, name)})
        }


def read_names(directory: pd.DataFrame, sources: Collection[str] = ()) -> Directory:
    """Every alias, user_id and e-mail address with its identities; several may share one.

    ``sources``: names of the config's sources, with which an alias may begin as with a format id
    (``github_audit:mlind``). A service's e-mail address, which is often its owner's, counts only
    where nobody else bears it, in whatever case.
    """
    bearers: dict[str, set[Identity]] = defaultdict(set)
    contacts: dict[str, set[Identity]] = defaultdict(set)
    within: dict[tuple[str, str], set[Identity]] = defaultdict(set)
    mere_ids = set()
    for row in each_row(directory):
        identity = Identity(row.user_id, row.kind)
        for alias in row.aliases:
            scope, name = split_alias(alias, sources)
            if scope:
                within[scope, name].add(identity)
            else:
                bearers[name].add(identity)
        bearers[row.user_id].add(identity)
        if row.user_id not in row.aliases:
            mere_ids.add(row.user_id)
        (bearers if row.kind == "human" else contacts)[row.email].add(identity)
    taken = {name.lower() for name in bearers}
    bearers.update({name: who for name, who in contacts.items() if name.lower() not in taken})
    bearers.pop("", None)
    user_ids = frozenset(directory["user_id"])
    named = frozenset((scope, who.user_id) for (scope, _), found in within.items() for who in found)
    return Directory(dict(bearers), dict(within), user_ids, frozenset(mere_ids), named)


@dataclass(frozen=True)
class Addresses:
    """E-mail addresses of the directory in lower case, each with its identities."""

    everybody: Mapping[str, Collection[Identity]]
    people: Mapping[str, Collection[Identity]]
    """Of people only."""
    by_session: Mapping[str, Collection[Identity]]
    """People by their address with ``-`` in place of ``@``."""
    by_local: Mapping[str, Collection[Identity]]
    """Everybody by the local part."""
    domains: Mapping[str, Collection[str]]
    """Domains of people's addresses by the local part."""
    own_domains: Set[str]
    """Domains of the staff."""


def near_rules(directory: pd.DataFrame, bearers: Bearers) -> dict[str, Rule]:
    """The rules by name, the most certain first."""
    addresses = _read_addresses(directory, bearers)
    return {
        "email_case": lambda name: addresses.everybody.get(name, ()),
        "email_tag": partial(_by_email_tag, addresses),
        "guest_name": partial(_by_guest_name, addresses),
        "session_name": partial(_by_session_name, addresses),
        "prefixed_name": partial(_by_prefixed_name, addresses),
        "email_domain": partial(_by_email_domain, addresses),
    }


def _read_addresses(directory: pd.DataFrame, bearers: Bearers) -> Addresses:
    """``email_case``: mail systems and identity providers do not tell case apart.

    Each writes an address as somebody once typed it (a SAML name id, an OIDC subject, GitHub's
    external identity). It is the only rule by which services may be found.
    """
    folded: dict[str, set[Identity]] = defaultdict(set)
    for name, identities in bearers.items():
        if ADDRESS.fullmatch(name.lower()):
            folded[name.lower()] |= set(identities)
    people: dict[str, set[Identity]] = {}
    by_session: dict[str, set[Identity]] = defaultdict(set)
    by_local: dict[str, set[Identity]] = defaultdict(set)
    domains: dict[str, set[str]] = defaultdict(set)
    for address, identities in folded.items():
        local, _, domain = address.partition("@")
        by_local[local] |= identities
        humans = {identity for identity in identities if identity.kind == "human"}
        if humans:
            people[address] = humans
            by_session[address.replace("@", "-")] |= humans
            domains[local].add(domain)
    own_domains = {
        row.email.lower().partition("@")[2]
        for row in each_row(directory)
        if row.kind == "human" and row.employment in OWN_STAFF
    }
    return Addresses(folded, people, by_session, by_local, domains, own_domains)


def _by_email_tag(addresses: Addresses, name: str) -> Collection[Identity]:
    """`ana+aws@example.com` is delivered to `ana@example.com`.

    People tag the address they sign up with. The tag of a service's mailbox is often another
    account, so the rule is for people only.
    """
    address = ADDRESS.fullmatch(name)
    if not address or "+" not in address[1]:
        return ()
    return addresses.people.get(f"{address[1].partition('+')[0]}@{address[2]}", ())


def _by_guest_name(addresses: Addresses, name: str) -> Collection[Identity]:
    """Entra ID names a guest `ana_example.com#EXT#@tenant.onmicrosoft.com`.

    No domain has an underscore, so the last one was the `@`.
    """
    guest = GUEST.fullmatch(name)
    return addresses.people.get("@".join(guest[1].rsplit("_", 1)), ()) if guest else ()


def _by_session_name(addresses: Addresses, name: str) -> Collection[Identity]:
    """EKS writes the `@` of a role session's name as `-`: `ana-example.com`.

    That name stands alone or at the end of the session's ARN or principal id (aws-auth's
    `{{SessionName}}`, user names of access entries). Whoever opens a session names it, so no match
    is certain, even one to the letter.
    """
    session = ROLE_SESSION.fullmatch(name) or UNIQUE_ID_SESSION.fullmatch(name)
    if session:
        found = addresses.people.get(session[1], ())
        return found or addresses.by_session.get(session[1], ())
    return addresses.by_session.get(name, ())


def _by_prefixed_name(addresses: Addresses, name: str) -> Collection[Identity]:
    """Kubernetes and others put a provider before a user name.

    `oidc:ana@example.com`, `https://issuer.example.com#ana@example.com`. A name that begins with
    `system:` is never a person's.
    """
    prefixed = PREFIXED.fullmatch(name)
    if not prefixed or prefixed[1] in NOT_PEOPLE or UNIQUE_ID_SESSION.fullmatch(name):
        return ()
    return addresses.people.get(prefixed[2], ()) or addresses.by_session.get(prefixed[2], ())


def _by_email_domain(addresses: Addresses, name: str) -> Collection[Identity]:
    """`ana@corp.example.com`: the same local part under a related domain.

    The domain is above or below the person's own. The lab's staff may also bear another of the
    staff's domains, where nobody else has that local part. The domains of contractors and vendors
    are not the lab's: some are mail providers, where anybody gets an address.
    """
    address = ADDRESS.fullmatch(name)
    if not address:
        return ()
    local, domain = address.groups()
    for other in addresses.domains.get(local, ()):
        if {domain, other} <= addresses.own_domains or _nested(domain, other):
            return addresses.by_local[local]
    return ()


def trusted_accounts(
    directory: Directory, own: Iterable[str] = (), learned: Iterable[str] = ()
) -> set[str]:
    """Accounts and tenants that are ours, of those kinds of which any is known.

    Of each kind: ``own``, which the config gives; else those in the directory's names; else those
    ``learned`` from the logs.
    """
    names = (*directory.everywhere, *(name for _, name in directory.within))
    named = {account for name in names for account in _accounts(name)}
    ours: set[str] = set()
    for accounts in (own, named, learned):
        kinds = {_kind_of_account(account) for account in ours}
        ours |= {account for account in accounts if _kind_of_account(account) not in kinds}
    return ours


def in_foreign_account(names: str, accounts: Collection[str]) -> bool:
    """Whether the names hold an account that is not among ``accounts``, which are ours.

    Whoever has an account of their own opens sessions in it under any name. Where no account of a
    kind is known to be ours, none of that kind is known to be foreign.
    """
    kinds = {_kind_of_account(account) for account in accounts}
    return any(
        account not in accounts and _kind_of_account(account) in kinds
        for account in _accounts(names)
    )


def believed_names(names: str, foreign: bool) -> list[tuple[str, bool]]:
    """The trusted names among ``names`` (one a line, best first), each with a mark.

    The mark is True if the bearer chose the name. Names of a foreign account are trusted only if
    they are a whole ARN or id. If a session and its issuer disagree about role or account, the
    issuer's names are trusted. The name of a federated user goes last, because the issuer of the
    session chose it.
    """
    lines = [line for line in names.split("\n") if line and not line.startswith(OF_ACCOUNT)]
    listed = [(line.removeprefix(CHOSEN), line.startswith(CHOSEN)) for line in lines]
    sessions = [session for text, _ in listed if (session := SESSION_ARN.search(text))]
    session_names = {session[4] for session in sessions}
    listed = [(text, chosen or text in session_names) for text, chosen in listed]
    if foreign:
        listed = [(text, chosen) for text, chosen in listed if not chosen and _whole(text)]
    if sessions and _contradicted(sessions, [text for text, _ in listed]):
        return [
            (text, chosen) for text, chosen in listed if not chosen and not SESSION_ARN.search(text)
        ]
    if any(session[2].lower() == "federated-user" for session in sessions):
        listed.sort(key=lambda name: name[1] or bool(SESSION_ARN.search(name[0])))
    return listed


def _contradicted(sessions: list[re.Match[str]], texts: list[str]) -> bool:
    """Whether the session's ARN and another ARN of the record disagree."""
    accounts = {account for text in texts for account in ACCOUNT.findall(text)}
    opened = {(s[1], s[3].lower()) for s in sessions if s[3]}
    roles = {(role[1], role[2].lower()) for text in texts if (role := ROLE_ARN.fullmatch(text))}
    return len(accounts) > 1 or (bool(opened) and not roles <= opened)


def _whole(text: str) -> bool:
    """Whether a name says which account it is of, or is an id that no two accounts share."""
    return bool(
        text.lower().startswith("arn:") or GUID.fullmatch(text) or GUEST.fullmatch(text.lower())
    )


def _accounts(names: str) -> set[str]:
    """AWS accounts and tenants in names, one a line."""
    found = set(ACCOUNT.findall(names))
    for line in names.split("\n"):
        if line.startswith(OF_ACCOUNT):
            found.add(line.removeprefix(OF_ACCOUNT))
        elif guest := GUEST.fullmatch(line.lower()):
            found.add(guest[2])
    return found


def _kind_of_account(account: str) -> str:
    if account.isdecimal():
        return "account"
    if GUID.fullmatch(account):
        return "tenant"
    return "domain" if "." in account else "name"


def guess_finder(directory: pd.DataFrame) -> Callable[[str], list[str]]:
    """A function from a principal to the user_ids that share its bare name, sorted: mere guesses.

    The bare name of `arn:aws:iam::111122223333:user/ana`, `oidc:ana` and `ana@elsewhere.example` is
    `ana`; a display name is one as it stands.
    """
    bare: dict[str, set[str]] = defaultdict(set)
    for row in each_row(directory):
        for name in (*names_of(row.aliases), row.user_id, row.email):
            bare[_bare(name)].add(row.user_id)
        bare[row.display_name.lower()].add(row.user_id)
    bare.pop("", None)
    return lambda principal: sorted(
        bare.get(_bare(principal), set()) | bare.get(principal.lower(), set())
    )


def _nested(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _bare(name: str) -> str:
    """What a person would call it by, in small letters; empty where that is a mere number."""
    guest = GUEST.fullmatch(name.lower())
    last = guest[1].rpartition("_")[0] if guest else re.split(r"[/:#]", name.lower())[-1]
    bare = last.partition("@")[0].partition("+")[0]
    return "" if bare.isdecimal() else bare
