"""Names that are not in the directory and nearly certainly mean one of its identities.

A rule knows how some system rewrites an e-mail address on its way into a log. It speaks only where
exactly one identity fits; where several do, they are candidates and nobody is matched. A name
without an address in it (`ana`, `asilva`) is no more than a guess, which `doctor --identities`
offers and nothing uses.

What a match may be used for: to put events into the history of the one they most likely belong to,
so that they are scored together and an analyst sees whose they may be. What not: to prove who
acted. Whoever opens a role session chooses its name, and whoever administers a cluster or a GitLab
makes local accounts, so a name may be borrowed to hide in a colleague's history or to burden her.
The events say `identity_rule` and `identity_name`; before anybody is confronted or cleared, compare
credential, address and session with what that person really used, and make the name an alias once
it is known to be hers. Never loosen a rule to match more: what is left out is seen as unresolved,
what is wrongly matched is not seen at all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
ROLE_SESSION = re.compile(r"arn:aws[a-z-]*:sts::([0-9]*):assumed-role/[\w+=,.@-]+/([\w+=,.@-]+)")
ACCOUNT = re.compile(r"\barn:aws[a-z-]*:(?:iam|sts)::([0-9]+):", re.IGNORECASE)
GUEST = re.compile(r"([^@]+)#ext#@(?:[a-z0-9-]+\.)+[a-z0-9-]+")
PREFIXED = re.compile(r"(?:([a-z][a-z0-9_.-]*):|https://[^#\s]+#)([^:#]+)")
NOT_PEOPLE = ("system", "serviceaccount", "group", "svc")
OWN_STAFF = ("employee", "")


def name_bearers(directory: pd.DataFrame) -> dict[str, set[Identity]]:
    """Every alias, user_id and e-mail address → whose it is; several where they share it.

    A service's e-mail address, which is often its owner's, counts only where nobody else bears it,
    in whatever case.
    """
    bearers: dict[str, set[Identity]] = defaultdict(set)
    contacts: dict[str, set[Identity]] = defaultdict(set)
    for row in directory.itertuples(index=False):
        identity = Identity(row.user_id, row.kind)
        for name in (*row.aliases, row.user_id):
            bearers[name].add(identity)
        (bearers if row.kind == "human" else contacts)[row.email].add(identity)
    taken = {name.lower() for name in bearers}
    bearers.update({name: who for name, who in contacts.items() if name.lower() not in taken})
    bearers.pop("", None)
    return dict(bearers)


def near_rules(directory: pd.DataFrame, bearers: Bearers) -> dict[str, Rule]:
    """The rules by name, the most certain first.

    ``email_case``
        `ANA@Example.com`: mail systems and identity providers do not tell case apart, and each
        writes an address as somebody once typed it (a SAML name id, an OIDC subject, GitHub's
        external identity). The only rule that services may be found by.
    ``email_tag``
        `ana+aws@example.com` is delivered to `ana@example.com`; people tag the address they sign up
        with. The tag of a service's mailbox is often another account, so it is for people only.
    ``guest_name``
        Entra ID names an invited guest `ana_example.com#EXT#@tenant.onmicrosoft.com`. No domain has
        an underscore, so the last one was the `@`.
    ``session_name``
        EKS writes the `@` of a role session's name as `-` (aws-auth's `{{SessionName}}`, user names
        of access entries): `ana-example.com`, alone or at the end of the session's ARN.
    ``prefixed_name``
        Kubernetes and others put a provider before a user name: `oidc:ana@example.com`,
        `https://issuer.example.com#ana@example.com`. What `system:` names is never a person.
    ``email_domain``
        `ana@corp.example.com`: the same local part under a domain above or below the person's own,
        or, of the lab's staff, under another of the staff's domains, where nobody else has that
        local part. The domains of contractors and vendors are not the lab's: some are mail
        providers, where anybody gets an address.
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
        for row in directory.itertuples(index=False)
        if row.kind == "human" and row.employment in OWN_STAFF
    }

    def email_tag(name: str) -> Collection[Identity]:
        address = ADDRESS.fullmatch(name)
        if not address or "+" not in address[1]:
            return ()
        return people.get(f"{address[1].partition('+')[0]}@{address[2]}", ())

    def guest_name(name: str) -> Collection[Identity]:
        guest = GUEST.fullmatch(name)
        return people.get("@".join(guest[1].rsplit("_", 1)), ()) if guest else ()

    def session_name(name: str) -> Collection[Identity]:
        session = ROLE_SESSION.fullmatch(name)
        if session:
            return people.get(session[2], ()) or by_session.get(session[2], ())
        return by_session.get(name, ())

    def prefixed_name(name: str) -> Collection[Identity]:
        prefixed = PREFIXED.fullmatch(name)
        if not prefixed or prefixed[1] in NOT_PEOPLE:
            return ()
        return people.get(prefixed[2], ()) or by_session.get(prefixed[2], ())

    def email_domain(name: str) -> Collection[Identity]:
        address = ADDRESS.fullmatch(name)
        if not address:
            return ()
        local, domain = address.groups()
        for other in domains.get(local, ()):
            if {domain, other} <= own_domains or _nested(domain, other):
                return by_local[local]
        return ()

    return {
        "email_case": lambda name: folded.get(name, ()),
        "email_tag": email_tag,
        "guest_name": guest_name,
        "session_name": session_name,
        "prefixed_name": prefixed_name,
        "email_domain": email_domain,
    }


def known_accounts(bearers: Bearers) -> set[str]:
    """AWS accounts in the directory's names."""
    return {account for name in bearers for account in ACCOUNT.findall(name)}


def in_foreign_account(names: str, accounts: set[str]) -> bool:
    """Whether the names hold the ARN of an account that the directory never names.

    Whoever has an account of his own opens sessions in it under any name. Where the directory
    holds no ARN at all nothing is known to be foreign.
    """
    return bool(accounts) and not accounts.issuperset(ACCOUNT.findall(names))


def guess_finder(directory: pd.DataFrame) -> Callable[[str], list[str]]:
    """A function from a principal to the user_ids that share its bare name, sorted: mere guesses.

    The bare name of `arn:aws:iam::111122223333:user/ana`, `oidc:ana` and `ana@elsewhere.example` is
    `ana`; a display name is one as it stands.
    """
    bare: dict[str, set[str]] = defaultdict(set)
    for row in directory.itertuples(index=False):
        for name in (*row.aliases, row.user_id, row.email):
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
