"""Identities for whom nobody vouches, and by what they belong together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from models.features.addresses import end_site
from models.features.people import people
from models.features.rows import explode, recent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.features.history import History

NAMESPACE = re.compile(r"system:serviceaccount:([^:]+):[^:]+$")
PROJECT = re.compile(r"@([^@]+)\.iam\.gserviceaccount\.com$")
OWN_OF_PROJECT = re.compile(r"([^@:/]+?)(?:-compute@developer|@appspot)\.gserviceaccount\.com$")
"""The accounts that a project has from its beginning are called by it."""


def strangers(history: History, entities: Iterable[str]) -> dict[str, frozenset[str]]:
    """Those of ``entities`` that the directory does not know, with their sites of the day.

    Sites: addresses, the namespace or project of a service account, and the services as which they
    acted. An address of IPv6 counts by its network of 64 bits, in which one device has as many as
    it likes. Besides people in whose names services opened all their sessions, with these services.
    Nobody where there is no directory.
    """
    known = people(history.context).index
    if known.empty:
        return {}
    unknown = sorted(set(entities) - {str(user) for user in known})
    rows = recent(history.access, history.day, ["user_id", "addresses", "acting_as"], 1)
    rows = rows[rows["user_id"].isin(unknown)].reset_index(drop=True)
    users = rows["user_id"].to_numpy(dtype=object)
    sites: dict[str, set[str]] = {user: _homes(user) for user in unknown}
    row, values = explode(rows["addresses"])
    for user, value in zip(users[row], values, strict=True):
        sites[user].add(end_site(str(value)))
    services = people(history.context)["kind"] == "service"
    of_directory = set(known[services])
    row, roles = explode(rows["acting_as"])
    for user, role in zip(users[row], roles, strict=True):
        if role in of_directory or _homes(str(role)):
            sites[user].add(f"service {role}")
    return {user: frozenset(of) for user, of in sites.items()} | _named_by_services(history)


def _homes(user: str) -> set[str]:
    """The namespace or project that a service account's name tells; nobody chooses it freely."""
    found = {
        "namespace": NAMESPACE.search(user),
        "project": PROJECT.search(user) or OWN_OF_PROJECT.search(user),
    }
    return {f"{kind} {match[1]}" for kind, match in found.items() if match}


def parties(history: History, users: Iterable[str]) -> dict[str, str]:
    """Whom each of ``users`` belongs to: a service to its owner, strangers of one site together.

    The owner is the only person with the service's address. Everybody else stands for themselves.
    Strangers of one site are called by the first of them; see :func:`strangers`.
    """
    everybody = {str(user) for user in users}
    return united_strangers(history, everybody) | _owned(history, everybody)


def united_strangers(history: History, users: Iterable[str]) -> dict[str, str]:
    """:func:`parties` of strangers alone; all others stand for themselves."""
    everybody = {str(user) for user in users}
    found = {user: user for user in everybody}
    known, of_site = set(people(history.context).index.astype(str)), dict[str, str]()

    def first_of(user: str) -> str:
        while found[user] != user:
            user = found[user]
        return user

    for user, sites in sorted(strangers(history, everybody).items()):
        if user not in everybody or user in known:
            continue
        # One who has two sites unites those who have either.
        firsts = {first_of(of_site[site]) for site in sites if site in of_site} | {user}
        found |= dict.fromkeys(firsts, min(firsts))
        of_site |= dict.fromkeys(sites, user)
    return {user: first_of(user) for user in everybody}


def _owned(history: History, users: Iterable[str]) -> dict[str, str]:
    known = people(history.context)
    address = known["email"].astype(str).str.casefold()
    human = known["kind"] == "human"
    owners = address[human & (address != "")].drop_duplicates(keep=False)
    owner_of = {mail: str(user) for user, mail in owners.items()}
    mine = address[~human & address.isin(list(owner_of)) & known.index.isin(list(users))]
    return {str(user): owner_of[mail] for user, mail in mine.items()}


def _named_by_services(history: History) -> dict[str, frozenset[str]]:
    """Identities of the directory of whom services' sessions speak alone, with the services."""
    kinds = people(history.context)["kind"]
    columns = ["user_id", "events", "chosen_names", "acting_as"]
    rows = recent(history.access, history.day, columns, 1)
    rows = rows.assign(chosen=pd.to_numeric(rows["chosen_names"]).fillna(0).astype("int64"))
    sums = rows.groupby("user_id")[["events", "chosen"]].sum()
    named = sums.index[(sums["chosen"] > 0) & (sums["chosen"] >= sums["events"])]
    rows = rows[rows["user_id"].isin(list(named))].reset_index(drop=True)
    row, values = explode(rows["acting_as"])
    pairs = pd.DataFrame({"user": rows["user_id"].to_numpy(dtype=object)[row], "by": values})
    pairs = pairs[pairs["by"].isin(list(kinds.index[kinds == "service"]))]
    return {str(user): frozenset(map(str, by)) for user, by in pairs.groupby("user")["by"]}
