"""Who a principal is: names of a record to an identity of the directory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

import pandas as pd

from models.resolve.identity_rules import (
    Identity,
    believed_names,
    in_foreign_account,
    near_rules,
    read_names,
    trusted_accounts,
)
from models.resolve.marks import CHOSEN


@dataclass(frozen=True)
class IdentityMatch:
    """The identity that a record's names mean: one, several candidates, or none."""

    identity: Identity | None = None
    candidates: tuple[str, ...] = ()
    """Sorted user_ids that fit equally well; none of them is chosen."""
    namesake: str | None = None
    """A user_id that is among the names although its identity is not meant."""
    foreign: bool = field(default=False, compare=False)
    """Whether the names are of an account that is not ours."""


class FindIdentity(Protocol):
    """Finds the identity that a record names."""

    def __call__(self, names: str, source: str = "", format_id: str = "") -> IdentityMatch:
        """The identity of ``names`` (one a line, best first).

        ``source`` and ``format_id`` select the aliases that hold in one log; empty: no such alias.
        """
        ...


def identity_finder(
    people: pd.DataFrame,
    sources: Iterable[str] = (),
    own_accounts: Iterable[str] = (),
    learned_accounts: Iterable[str] = (),
) -> FindIdentity:
    """A function from a record's names to an identity of the directory ``people``.

    A name matches an alias, a user_id or an e-mail address exactly. The first known name wins, as
    names are given best first: a person's session name goes before the role of the session. A match
    by a chosen name is marked (`session_name`). If no name is known, the rules of
    :mod:`models.resolve.identity_rules` decide, the most certain rule first. A name that fits
    several identities matches none.

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
