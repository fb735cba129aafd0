"""Places that content is given to, and which of them are ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.features.people import directory_ids
from models.features.rows import explode, recent
from schemas.context import names_of
from schemas.tables.values import ANYBODY_SCHEMES, GIVING_CLASSES, STORES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from models.features.history import History


def gifts(access: pd.DataFrame) -> pd.DataFrame:
    """The day's successful copies, shares and writes: a row for each place that they went to.

    Columns: ``user_id``, ``user_kind``, ``asset_id``, ``action_class``, ``objects``, ``to`` (the
    place; behind ``#`` its account, where the log names it), ``named`` (places of the row of
    access). A write goes to its own container; writes into listed assets are no gifts.
    """
    columns = ["user_id", "user_kind", "asset_id", "action_class", "objects"]
    done = access[access["events"] > access["failures"]]
    given = done[done["action_class"].isin(GIVING_CLASSES)]
    stored = done["asset_id"].astype(str).str.startswith(STORES)
    written = done[(done["action_class"] == "write") & stored]
    rows = done.loc[[*given.index, *written.index]].reset_index(drop=True)
    place, targets = explode(rows["destinations"])
    count = np.bincount(place, minlength=len(rows))
    named = rows.loc[place, columns].assign(to=[str(target) for target in targets])
    silent = rows[(rows["action_class"] == "write") & (count == 0)]
    named = named.assign(named=count[place])
    silent = silent[columns].assign(to=silent["asset_id"].astype(str), named=1)
    # pandas cannot tell the types of a frame without rows.
    parts = [part for part in (named, silent) if len(part)] or [named]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class OwnPlaces:
    """What makes a place ours."""

    accounts: frozenset[str]
    listed: frozenset[str]
    names: frozenset[str]
    users: Mapping[str, Collection[str]]
    """Place → identities that used it with success on earlier days."""
    known_users: int
    owners: Mapping[str, str]
    """Container → its account, where a log of an earlier day told it of a copy or upload."""

    def place_is(self, to: str, user: str) -> str:
        """``ours``, ``foreign`` or ``unknown``: the place ``to``, for something that ``user`` did.

        Nothing that ``user`` did makes a place ours, nor anything of the day itself, nor anything
        that failed. The first statement that applies decides:

        1. Everybody, a link, or a grantee that the log does not tell is never ours.
        2. If the place's account is known and the config lists our accounts, the list decides.
        3. A container of a pattern in assets.csv and a name of the directory are ours.
        4. A place is ours if ``known_users`` other identities used it with success on earlier days:
           as the container of an access, or as the place of a copy or share. If there is a
           directory, only its identities count, and not by the mere name of a session: callers
           may choose names.
        5. Everything else is unknown.
        """
        place, _, account = to.partition("#")
        # The cloud says whose a container is, and not the caller.
        account = account or self.owners.get(place, "")
        scheme, mark, name = place.partition("://")
        if mark and scheme in ANYBODY_SCHEMES:
            return "unknown" if scheme == "unknown" else "foreign"
        if mark and scheme in ("account", "domain"):
            account = name
        if account and self.accounts:
            return "ours" if account in self.accounts else "foreign"
        # Anybody may call a group or a project by the name of one of our people.
        who = place if not mark else name if scheme == "user" else ""
        if container_of(place) in self.listed or who.casefold() in self.names:
            return "ours"
        others = {*self.users.get(place, ()), *self.users.get(to, ())} - {user}
        return "ours" if len(others) >= self.known_users else "unknown"


def own_places(history: History, accounts: Collection[object], known_users: int) -> OwnPlaces:
    """What the config, the context files and the earlier days say of places."""
    directory = history.context.directory
    named = [str(name) for names in directory["aliases"] for name in names_of(names)]
    people = directory_ids(history.context)
    names = {*named, *people, *directory["email"].astype(str)}
    used = recent(history.novelty, history.day, ["user_id", "kind", "value", "chosen"])
    used = used[(used["kind"] == "destination") & (used["ago"] > 0)]
    # Whoever may take a role opens sessions under the names of colleagues.
    used = used[~used["chosen"].fillna(False).astype(bool)]
    users: dict[str, set[str]] = {}
    told = (str(value).partition("#") for value in used.sort_values("ago")["value"])
    owners: dict[str, str] = {}
    for place, mark, account in told:
        if mark:
            owners.setdefault(place, account)
    for frame, column in ((used, "value"), (history.places, "asset_id")):
        for user, place in zip(frame["user_id"], frame[column], strict=True):
            if not people or user in people:
                users.setdefault(str(place), set()).add(str(user))
    return OwnPlaces(
        frozenset(str(account) for account in accounts),
        frozenset(container_of(str(pattern)) for pattern in history.context.assets["pattern"]),
        frozenset(name.casefold() for name in names if name),
        users,
        known_users,
        owners,
    )


def container_of(uri: str) -> str:
    """Scheme and first part of a URI's path: ``s3://bucket``; a text that is no URI stays whole."""
    scheme, mark, path = uri.partition("://")
    return f"{scheme}://{path.split('/')[0]}" if mark else uri
