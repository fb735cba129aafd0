"""The context files: columns, closed values, and the typed rows that every stage reads.

All files are optional; a missing one is an empty frame with these columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.formats import FORMATS
from schemas.tables.values import ZONES

if TYPE_CHECKING:
    import pandas as pd

DIRECTORY_COLUMNS = (
    "user_id",
    "email",
    "display_name",
    "kind",
    "team",
    "manager_id",
    "title",
    "employment",
    "country",
    "start_date",
    "notice_date",
    "end_date",
    "aliases",
)
ASSET_COLUMNS = (
    "asset_id",
    "kind",
    "name",
    "owner_team",
    "sensitivity",
    "objects",
    "bytes",
    "allowed_countries",
    "pattern",
)
APPROVAL_COLUMNS = (
    "ticket_id",
    "user_id",
    "pattern",
    "start",
    "end",
    "approver_id",
    "reason",
)
NETWORK_COLUMNS = ("cidr", "zone", "country", "asn")

IDENTITY_KINDS = ("human", "service")
EMPLOYMENTS = ("employee", "contractor", "vendor", "")
ASSET_KINDS = ("checkpoint", "dataset", "repo", "cluster", "namespace", "model")
NETWORK_ZONES = ZONES
MANIFEST_KINDS = ("checkpoint", "dataset")
"""Kinds of asset whose single objects are followed (``object_access``)."""


def split_alias(alias: str, sources: Iterable[str] = ()) -> tuple[str, str]:
    """The log that an alias holds in, a format id or one of the config's ``sources``, and the name
    it has there; an empty text and the alias itself where it holds everywhere.
    """
    scopes = [scope for scope in (*FORMATS, *sources) if alias.startswith(f"{scope}:")]
    # The longest, as a source's name may hold a colon.
    scope = max(scopes, key=len, default="")
    return scope, alias[len(scope) + 1 :].strip() if scope else alias


def names_of(aliases: Iterable[str], sources: Iterable[str] = ()) -> tuple[str, ...]:
    """The aliases, and the names of those that hold in one log without that log."""
    known = tuple(sources)
    return tuple(
        dict.fromkeys(name for each in aliases for name in (each, split_alias(each, known)[1]))
    )


@dataclass(frozen=True)
class Context:
    """The context in force on one day, as pandas frames with the columns above.

    Types: text columns are ``str`` (empty where not given); ``sensitivity``, ``objects`` and
    ``bytes`` are pandas ``Int64`` (``<NA>`` where not known); ``start_date``, ``notice_date``,
    ``end_date`` are ``datetime.date`` or None; approvals' ``start`` and ``end`` are UTC
    ``datetime`` or None (open). ``aliases`` and ``allowed_countries`` are tuples of ``str``.
    """

    directory: pd.DataFrame
    assets: pd.DataFrame
    approvals: pd.DataFrame
    networks: pd.DataFrame
