"""The context files: columns, closed values, and the typed rows that every stage reads.

All files are optional; a missing one is an empty frame with these columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.formats import FORMATS
from schemas.tables.values import LEAST_SHARE, ZONES

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

FORMAT_IDS = tuple(FORMATS)
IDENTITY_KINDS = ("human", "service")
EMPLOYMENTS = ("employee", "contractor", "vendor", "")
ASSET_KINDS = ("checkpoint", "dataset", "repo", "cluster", "namespace", "model")
NETWORK_ZONES = ZONES
MANIFEST_KINDS = ("checkpoint", "dataset")
"""Kinds of asset whose objects are followed one by one (``object_access``)."""


def split_alias(alias: str, sources: Iterable[str] = ()) -> tuple[str, str]:
    """Splits an alias into the log in which it holds and its name there.

    The log is a format id or one of the config's ``sources``. For an alias that holds everywhere it
    is an empty text, and the name is the alias itself.
    """
    scopes = [scope for scope in (*FORMAT_IDS, *sources) if alias.startswith(f"{scope}:")]
    # The longest scope, because a source's name may hold a colon.
    scope = max(scopes, key=len, default="")
    return scope, alias[len(scope) + 1 :].strip() if scope else alias


def names_of(aliases: Iterable[str], sources: Iterable[str] = ()) -> tuple[str, ...]:
    """All aliases, and besides the bare name of each alias that holds in one log."""
    known = tuple(sources)
    return tuple(
        dict.fromkeys(name for each in aliases for name in (each, split_alias(each, known)[1]))
    )


@dataclass(frozen=True)
class Derived:
    """What a place that assets.csv does not list holds of a listed asset, its ``origin``.

    ``sensitivity``: 1 to 5, inherited from the origin. ``share``: of the origin that came there, 0
    to 1. ``logged``: a log says that it was copied there; else sizes alone suggest it. ``objects``:
    of the whole origin; ``object_bytes``: bytes of one of them as it lies at the place, packed or
    not; 0: not known. ``least_bytes``: whoever takes fewer bytes at the place takes none of it.
    """

    origin: str
    sensitivity: float
    share: float
    logged: bool
    objects: float = 0.0
    object_bytes: float = 0.0

    @property
    def least_bytes(self) -> float:
        """Bytes of one object, or of LEAST_SHARE of all objects if they are fewer; 0: not known."""
        return self.object_bytes * min(1.0, LEAST_SHARE * self.objects)

    @property
    def share_bytes(self) -> float:
        """Bytes of LEAST_SHARE of all objects, at least of one; 0: not known."""
        return self.object_bytes * max(1.0, LEAST_SHARE * self.objects)


@dataclass(frozen=True)
class Context:
    """The context in force on one day, as pandas frames with the columns above.

    Types: text columns are ``str``, empty if not given. ``sensitivity``, ``objects`` and ``bytes``
    are pandas ``Int64``, ``<NA>`` if unknown. ``start_date``, ``notice_date`` and ``end_date`` are
    ``datetime.date`` or None. ``start`` and ``end`` of approvals are UTC ``datetime`` or None
    (open). ``aliases`` and ``allowed_countries`` are tuples of ``str``.

    ``derived``: by place, made of the logs of 90 days and not of the files; only the history that
    detectors and findings read has it (:mod:`models.features.lineage`).
    """

    directory: pd.DataFrame
    assets: pd.DataFrame
    approvals: pd.DataFrame
    networks: pd.DataFrame
    derived: Mapping[str, Derived] = field(default_factory=dict)
