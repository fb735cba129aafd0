"""Masks of columns and fields."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from models.privacy.pseudonyms import Pseudonyms, address_in, finding_pseudonym, mask_text
from models.privacy.reasons import mask_reason
from models.reasons.finding import plain_reasons, with_reasons
from models.reasons.reason import dump_reasons, load_reasons
from schemas.context import Context


def mask_address(names: Pseudonyms, text: str) -> str:
    """``address-… (zone/country/asn)``: one machine stays one machine, and where it is stays.

    What is no network address (vendors put names of their services there) is a resource.
    """
    address = address_in(text)
    if address is None:
        return mask_text(names, text)
    network = names.network_of(text)
    return names.of(address, "address") + (f" ({network})" if network else "")


def mask_finding(names: Pseudonyms, document: Mapping[str, Any]) -> dict[str, Any]:
    """A finding's document under pseudonyms; its sentences tell the figures alone.

    The sentences that are stored beside it, masked by :func:`models.privacy.reasons.mask_reason`,
    take their place where it is published. A field of a later version is masked as free text, so
    that it is no leak.
    """
    masked: dict[str, Any] = _mask_object(names, document, "")
    user = document["user"]
    pseudonym = names.of(user["id"])
    masked["event"]["id"] = finding_pseudonym(names.key, document["event"]["id"])
    if "case_id" in document["exfil"]:
        masked["exfil"]["case_id"] = finding_pseudonym(names.key, document["exfil"]["case_id"])
    masked["user"] |= {"id": pseudonym, "name": pseudonym, "email": None}
    masked["related"] |= {
        "user": sorted(names.of(other) for other in document["related"]["user"]),
        "ip": sorted(mask_address(names, address) for address in document["related"]["ip"]),
    }
    return with_reasons(masked, plain_reasons(masked))


def mask_table(names: Pseudonyms, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table of the warehouse (any of its columns) under pseudonyms."""
    masked = rows.copy()
    for column in rows.columns:
        if column == "node_id":
            masked[column] = _mask_nodes(names, rows)
        elif column not in KEPT_COLUMNS and not is_numeric_dtype(rows[column].dtype):
            mask = COLUMN_MASKS.get(column, mask_text)
            masked[column] = _mask_column(names, mask, rows[column])
    return masked


def mask_context(names: Pseudonyms, context: Context) -> Context:
    """The context files under pseudonyms; names, addresses and aliases are left out."""
    people, assets, approvals = (
        context.directory.copy(),
        context.assets.copy(),
        context.approvals.copy(),
    )
    for column in ("user_id", "manager_id"):
        people[column] = [names.of(value) for value in people[column]]
    people["email"] = people["display_name"] = ""
    people["aliases"] = [() for _ in range(len(people))]
    for column in names.hidden:
        people[column] = None if column == "start_date" else ""
    for column in ("asset_id", "name", "pattern"):
        assets[column] = [mask_text(names, value) for value in assets[column]]
    for column in ("user_id", "approver_id"):
        approvals[column] = [names.of(value) for value in approvals[column]]
    approvals["pattern"] = [mask_text(names, value) for value in approvals["pattern"]]
    for column in ("ticket_id", "reason"):
        approvals[column] = [mask_text(names, value) for value in approvals[column]]
    return Context(people, assets, approvals, context.networks)


def _mask_user(names: Pseudonyms, value: str) -> str:
    return names.of(value)


def _mask_credential(names: Pseudonyms, value: str) -> str:
    return names.of(value, "credential")


def _mask_finding_id(names: Pseudonyms, value: str) -> str:
    return finding_pseudonym(names.key, value)


def _mask_reasons(names: Pseudonyms, value: str) -> str | None:
    stored = load_reasons(value)
    return None if stored is None else dump_reasons(mask_reason(names, each) for each in stored)


def _hide(_names: Pseudonyms, _value: str) -> str:
    return "…"


def _mask_quoted(_names: Pseudonyms, value: str) -> str:
    """A message of the stage ``check`` without the samples of the log, which it quotes."""
    return QUOTED.sub('"…"', value)


def _mask_document(names: Pseudonyms, value: str) -> str:
    return json.dumps(mask_finding(names, json.loads(value)), ensure_ascii=False, sort_keys=True)


Mask = Callable[[Pseudonyms, str], str | None]
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*("|$)', re.DOTALL)
"""A JSON string; one without its end reaches to the end of the text."""

COLUMN_MASKS: dict[str, Mask] = {
    **dict.fromkeys(
        (
            "entity",
            "members",
            "peers",
            "principal",
            "related_users",
            "sessions",
            "user_id",
            "writer",
        ),
        _mask_user,
    ),
    **dict.fromkeys(("credential", "credentials", "acting_as"), _mask_credential),
    **dict.fromkeys(("addresses", "source_ip"), mask_address),
    **dict.fromkeys(("event_id", "case_id"), _mask_finding_id),
    **dict.fromkeys(("reasons", "reason_parts"), _mask_reasons),
    "reason": _hide,
    **dict.fromkeys(("message", "observed", "expected"), _mask_quoted),
    "document": _mask_document,
}
"""How a column of the warehouse is masked; one that is in no list is taken for free text."""
KEPT_COLUMNS = frozenset(
    """action action_class actions agents asn column country day detector expectation
    event_time first_time format hourly kind last_time networks node_type outcome ranges
    scoring_hash settings_hash severity source sources unit user_kind window zone""".split()
)
"""Columns that name nobody: times, closed sets, names of our own config, programs, networks."""
KEPT_FIELDS = frozenset(
    """@timestamp event.start event.end event.kind event.category event.module rule.name
    threat.technique.id threat.tactic.name exfil.window exfil.day exfil.assets.kind
    exfil.assets.owner_team exfil.contributions.detector exfil.contributions.family
    exfil.contributions.unit""".split()
)
"""Fields of a finding that name nobody."""
SENTENCE_FIELDS = frozenset({"event.reason", "exfil.contributions.reason"})


def _mask_object(names: Pseudonyms, value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        below = f"{path}." if path else ""
        return {key: _mask_object(names, inner, f"{below}{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask_object(names, inner, path) for inner in value]
    if not isinstance(value, str) or path in KEPT_FIELDS:
        return value
    return "" if path in SENTENCE_FIELDS else mask_text(names, value)


def _mask_column(names: Pseudonyms, mask: Mask, cells: pd.Series[Any]) -> list[Any]:
    """Each distinct text once: a table has few of them beside its rows."""
    known: dict[str, str | None] = {}
    masked = []
    for cell in cells:
        if not isinstance(cell, str):
            masked.append(_each(names, mask, cell))
            continue
        if cell not in known:
            known[cell] = mask(names, cell)
        masked.append(known[cell])
    return masked


def _mask_nodes(names: Pseudonyms, rows: pd.DataFrame) -> list[str]:
    return [
        names.of(node) if side == "user" else mask_text(names, node)
        for side, node in zip(rows["node_type"], rows["node_id"], strict=True)
    ]


def _each(names: Pseudonyms, mask: Mask, value: Any) -> Any:
    """A cell: text, lists of it, or something that names nobody (null, a number, a time)."""
    if isinstance(value, str):
        return mask(names, value)
    if isinstance(value, Mapping):
        return {key: _each(names, mask, inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_each(names, mask, inner) for inner in value]
    return value
