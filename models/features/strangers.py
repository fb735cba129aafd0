"""Identities for whom nobody vouches, and by what they belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from models.features.addresses import end_site
from models.features.people import people
from models.features.rows import explode, recent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.features.history import History


def strangers(history: History, entities: Iterable[str]) -> dict[str, frozenset[str]]:
    """Those of ``entities`` that the directory does not know, with their addresses of the day.

    Besides people in whose names services opened all their sessions, with these services. Nobody
    where there is no directory. An address of IPv6 counts by its network of 64 bits, in
    which one device has as many as it likes.
    """
    known = people(history.context).index
    if known.empty:
        return {}
    unknown = sorted(set(entities) - {str(user) for user in known})
    rows = recent(history.access, history.day, ["user_id", "addresses"], 1)
    rows = rows[rows["user_id"].isin(unknown)].reset_index(drop=True)
    row, values = explode(rows["addresses"])
    users = rows["user_id"].to_numpy(dtype=object)[row]
    sites = pd.Series([end_site(str(value)) for value in values], dtype=object).groupby(users)
    found = {str(user): frozenset(of_user) for user, of_user in sites}
    return {user: found.get(user, frozenset()) for user in unknown} | _named_by_services(history)


def parties(history: History, users: Iterable[str]) -> dict[str, str]:
    """Whom each of ``users`` belongs to: a service to its owner, strangers of one address together.

    The owner is the only person with the service's address. Everybody else stands for themselves.
    Strangers of one address are called by the first of them; the address is that of the day.
    """
    everybody = {str(user) for user in users}
    return united_strangers(history, everybody) | _owned(history, everybody)


def united_strangers(history: History, users: Iterable[str]) -> dict[str, str]:
    """:func:`parties` of strangers alone; all others stand for themselves."""
    everybody = {str(user) for user in users}
    found = {user: user for user in everybody}
    known, of_site = set(people(history.context).index.astype(str)), dict[str, str]()
    for user, sites in sorted(strangers(history, everybody).items()):
        if user not in everybody or user in known:
            continue
        first = min((of_site[site] for site in sites if site in of_site), default=user)
        found[user] = first
        of_site |= dict.fromkeys(sites, first)
    return found


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
