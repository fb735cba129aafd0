"""Masks of columns, fields and sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from models.privacy.pseudonyms import TEAM, Pseudonyms, address_in, finding_pseudonym, mask_text
from schemas.context import Context


def mask_resource(names: Pseudonyms, text: str) -> str:
    """The name of an asset, container, host or destination without the people in it."""
    return mask_text(names, text, sentence=False)


def mask_sentence(names: Pseudonyms, text: str) -> str:
    """A sentence without the people in it; its own words stay (see ``OWN_WORDS``)."""
    return mask_text(names, text, sentence=True)


def mask_address(names: Pseudonyms, text: str) -> str:
    """``address-… (zone/country/asn)``: one machine stays one machine, and where it is stays.

    What is no network address (vendors put names of their services there) is a resource.
    """
    address = address_in(text)
    if address is None:
        return mask_resource(names, text)
    network = names.network_of(text)
    return names.of(address, "address") + (f" ({network})" if network else "")


def mask_finding(names: Pseudonyms, document: Mapping[str, Any]) -> dict[str, Any]:
    """A finding's document under pseudonyms.

    What is neither an identity nor known to hold none is treated as a sentence, so that a field
    of a later version is no leak.
    """
    masked: dict[str, Any] = _mask_object(names, document, "")
    user = document["user"]
    whom = names.of(user["id"])
    masked["event"]["id"] = finding_pseudonym(names.key, document["event"]["id"])
    masked["event"]["reason"] = _mask_reason(names, document)
    masked["user"] |= {"id": whom, "name": whom, "email": None}
    masked["related"] |= {
        "user": sorted(names.of(other) for other in document["related"]["user"]),
        "ip": sorted(mask_address(names, address) for address in document["related"]["ip"]),
    }
    return masked


def mask_table(names: Pseudonyms, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table of the warehouse (any of its columns) under pseudonyms."""
    masked = rows.copy()
    for column in rows.columns:
        if column == "node_id":
            masked[column] = _mask_nodes(names, rows)
        elif column not in KEPT_COLUMNS and not is_numeric_dtype(rows[column].dtype):
            mask = COLUMN_MASKS.get(column, mask_sentence)
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
        assets[column] = [mask_resource(names, value) for value in assets[column]]
    for column in ("user_id", "approver_id"):
        approvals[column] = [names.of(value) for value in approvals[column]]
    approvals["pattern"] = [mask_resource(names, value) for value in approvals["pattern"]]
    for column in ("ticket_id", "reason"):
        approvals[column] = [mask_sentence(names, value) for value in approvals[column]]
    return Context(people, assets, approvals, context.networks)


def _mask_user(names: Pseudonyms, value: str) -> str:
    return names.of(value)


def _mask_credential(names: Pseudonyms, value: str) -> str:
    return names.of(value, "credential")


def _mask_finding_id(names: Pseudonyms, value: str) -> str:
    return finding_pseudonym(names.key, value)


def _mask_document(names: Pseudonyms, value: str) -> str:
    return json.dumps(mask_finding(names, json.loads(value)), ensure_ascii=False, sort_keys=True)


COLUMN_MASKS: dict[str, Callable[[Pseudonyms, str], str]] = {
    **dict.fromkeys(("user_id", "entity", "principal", "peers", "related_users"), _mask_user),
    **dict.fromkeys(("credential", "credentials", "acting_as"), _mask_credential),
    **dict.fromkeys(("addresses", "source_ip"), mask_address),
    **dict.fromkeys(
        ("asset_id", "asset_ids", "resource", "object", "destination", "destinations", "file"),
        mask_resource,
    ),
    "event_id": _mask_finding_id,
    "document": _mask_document,
}
"""How a column of the warehouse is masked; one that is in no list is taken for a sentence."""
KEPT_COLUMNS = frozenset(
    """action action_class actions agents asn column country day detector expectation
    event_time first_time format hourly kind last_time networks node_type outcome ranges severity
    source sources unit user_kind window zone""".split()
)
"""Columns that name nobody: times, closed sets, names of our own config, programs, networks."""
KEPT_FIELDS = frozenset(
    """@timestamp event.start event.end event.kind event.category event.module rule.name
    threat.technique.id threat.tactic.name exfil.window exfil.day exfil.assets.kind
    exfil.assets.owner_team exfil.contributions.detector exfil.contributions.family
    exfil.contributions.unit""".split()
)
"""Fields of a finding that name nobody."""
RESOURCE_FIELDS = frozenset({"exfil.assets.id", "related.hosts"})


def _mask_object(names: Pseudonyms, value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        below = f"{path}." if path else ""
        return {key: _mask_object(names, inner, f"{below}{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask_object(names, inner, path) for inner in value]
    if not isinstance(value, str) or path in KEPT_FIELDS:
        return value
    return (mask_resource if path in RESOURCE_FIELDS else mask_sentence)(names, value)


def _mask_reason(names: Pseudonyms, document: Mapping[str, Any]) -> str:
    """``event.reason``: who, with the team (see models.findings.document), then the detectors.

    Who it is ends where the first detector's own sentence begins.
    """
    text, user = document["event"]["reason"], document["user"]
    parts = document["exfil"]["contributions"]
    first = next((part["reason"] for part in parts if part["points"] > 0), parts[0]["reason"])
    if text.endswith("…."):
        # Cut off somewhere, perhaps within a name.
        text = f"{text.rpartition(' ')[0]}…."
    service = "service " if text.startswith("service ") else ""
    begun = text.removeprefix(service)
    if not begun.startswith(user["name"]):
        return mask_sentence(names, text)
    rest = begun.removeprefix(user["name"])
    team, said, tail = rest.partition(first)
    if not said:
        # Cut off, or written otherwise than models.findings.document does.
        team = found[0] if (found := TEAM.match(rest)) else ""
        tail = rest.removeprefix(team)
    shown = "" if "team" in names.hidden else mask_sentence(names, team).rstrip()
    told = mask_sentence(names, f"{said}{tail}".lstrip())
    return f"{service}{names.of(user['id'])}{shown} {told}"


def _mask_column(
    names: Pseudonyms, mask: Callable[[Pseudonyms, str], str], cells: pd.Series[Any]
) -> list[Any]:
    """Each distinct text once: a table has few of them beside its rows."""
    known: dict[str, str] = {}
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
        names.of(node) if side == "user" else mask_resource(names, node)
        for side, node in zip(rows["node_type"], rows["node_id"], strict=True)
    ]


def _each(names: Pseudonyms, mask: Callable[[Pseudonyms, str], str], value: Any) -> Any:
    """A cell: text, lists of it, or something that names nobody (null, a number, a time)."""
    if isinstance(value, str):
        return mask(names, value)
    if isinstance(value, Mapping):
        return {key: _each(names, mask, inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_each(names, mask, inner) for inner in value]
    return value
