"""One finding with its contributions, its assets and the rows that are its evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from jobs.cli.events import EVENT_HEADER, as_table, instant
from jobs.platform.delta_tables import table_exists
from jobs.platform.errors import InputError
from jobs.platform.stored_rows import stored_rows
from jobs.platform.terminal_text import printable, table
from jobs.review.queue_table import entity_name
from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS
from schemas.tables.findings import FINDINGS
from schemas.tables.values import WINDOW_DAYS

if TYPE_CHECKING:
    import pyarrow.compute as pc

SHOWN_CANDIDATES = 10
REASON_CHARS = 500


@dataclass(frozen=True)
class Evidence:
    """A finding, its case, its entity's rows on its assets within its window, and their number.

    ``case``: rows of FINDINGS of the same case by day and rank, the finding's own among them.
    """

    day: date
    document: dict[str, Any]
    case: list[dict[str, Any]]
    access: list[dict[str, Any]]
    access_rows: int
    events: list[dict[str, Any]]
    event_rows: int


def find_evidence(storage: str, finding_id: str, limit: int) -> Evidence:
    """The finding whose id begins with ``finding_id``, with at most ``limit`` rows of each kind.

    Raises :class:`InputError` if no finding or several begin so. If several days keep the finding,
    the last day's row is shown.
    """
    day, document = _find(storage, finding_id)
    condition = _of_entity(day, document)
    assets = [asset["id"] for asset in document["exfil"].get("assets", [])]
    access, access_rows = stored_rows(
        storage,
        ACCESS,
        condition & _field("asset_id").isin(assets),
        ["day", "user_id", "asset_id", "action_class"],
        limit,
    )
    events, event_rows = stored_rows(
        storage,
        EVENTS,
        condition & _on_assets(assets),
        ["event_time", "source", "event_id"],
        limit,
    )
    case = _case(storage, document)
    return Evidence(day, document, case, access, access_rows, events, event_rows)


def as_text(evidence: Evidence) -> str:
    """The finding for a person at a terminal."""
    document = evidence.document
    event, exfil, user = document["event"], document["exfil"], document["user"]
    place = "in the queue" if exfil["in_budget"] else "kept, below the alert budget"
    who = entity_name(document) + (f", {user['email']}" if user.get("email") else "")
    techniques = document.get("threat", {}).get("technique", {}).get("id", [])
    lines = [
        f"Finding {event['id']} of {evidence.day}: rank {exfil['queue_rank']} ({place})",
        f"{who}: score {event['risk_score']:.1f} of 100, severity {event['severity']} of 4",
        event["reason"],
        f"Window {exfil['window']}, evidence from {event['start']} to {event['end']}; leading "
        f"detector {document['rule']['name']}; techniques {', '.join(techniques) or 'none'}",
    ]
    sections = [
        "\n".join(printable(line) for line in lines),
        f"Case{_of(evidence.case, len(evidence.case))}\n" + _timeline(evidence.case),
        "Contributions (points sum to the score)\n" + _contributions(exfil["contributions"]),
        "Assets\n" + _assets(exfil.get("assets", [])),
        f"Access by day{_of(evidence.access, evidence.access_rows)}\n" + _access(evidence.access),
        f"Events{_of(evidence.events, evidence.event_rows)}\n"
        + as_table(evidence.events, EVENT_HEADER),
    ]
    return "\n\n".join(sections)


def _find(storage: str, finding_id: str) -> tuple[date, dict[str, Any]]:
    import pyarrow.compute as pc

    if not table_exists(storage, FINDINGS):
        raise InputError([f"there are no findings in {storage} yet; `exfilwatch run` makes them"])
    begins = pc.starts_with(_field("event_id"), finding_id)
    rows, _ = stored_rows(storage, FINDINGS, begins, ["day", "event_id"], 0)
    ids = sorted({row["event_id"] for row in rows})
    if finding_id in ids:
        ids, rows = [finding_id], [row for row in rows if row["event_id"] == finding_id]
    if not ids:
        raise InputError([f"no finding in {storage} has an id that begins with {finding_id!r}"])
    if len(ids) > 1:
        shown = ", ".join(ids[:SHOWN_CANDIDATES])
        more = ", …" if len(ids) > SHOWN_CANDIDATES else ""
        raise InputError([f"{len(ids)} findings begin with {finding_id!r}: {shown}{more}"])
    return rows[-1]["day"], json.loads(rows[-1]["document"])


def _case(storage: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    case_id = document["exfil"].get("case_id", document["event"]["id"])
    same = (_field("case_id") == case_id) | (_field("event_id") == document["event"]["id"])
    return stored_rows(storage, FINDINGS, same, ["day", "queue_rank"], 0)[0]


def _timeline(rows: list[dict[str, Any]]) -> str:
    header = ("day", "id", "user", "score", "rank", "queue", "detector")
    cells = [
        [
            str(row["day"]),
            row["event_id"],
            row["entity"],
            row["risk_score"],
            row["queue_rank"],
            "yes" if row["in_budget"] else "no",
            json.loads(row["document"])["rule"]["name"],
        ]
        for row in rows
    ]
    return table(header, cells)


def _field(name: str) -> pc.Expression:
    import pyarrow.compute as pc

    return pc.field(name)


def _of_entity(day: date, document: dict[str, Any]) -> pc.Expression:
    import pyarrow.compute as pc

    first = day - timedelta(days=WINDOW_DAYS[document["exfil"]["window"]] - 1)
    users = {document["user"]["id"], *document.get("related", {}).get("user", [])}
    in_window = (_field("day") >= pc.scalar(first)) & (_field("day") <= pc.scalar(day))
    return in_window & _field("user_id").isin(sorted(users))


def _on_assets(assets: list[str]) -> pc.Expression:
    """Events on listed assets hold the asset's id; the others match by the container's URI."""
    import pyarrow.compute as pc

    condition = _field("asset_id").isin(assets)
    for container in (asset for asset in assets if "://" in asset):
        condition |= (_field("resource") == container) | pc.starts_with(
            _field("resource"), f"{container}/"
        )
    return condition


def _of(rows: list[dict[str, Any]], total: int) -> str:
    return f" ({len(rows):,} of {total:,} rows)" if len(rows) < total else f" ({total:,} rows)"


def _contributions(contributions: list[dict[str, Any]]) -> str:
    header = ("points", "family", "detector", "p_value", "observed", "expected", "unit", "reason")
    ordered = sorted(contributions, key=lambda item: -item["points"])
    return table(
        header, [[item.get(name) for name in header] for item in ordered], {"reason": REASON_CHARS}
    )


def _assets(assets: list[dict[str, Any]]) -> str:
    header = (
        "id",
        "kind",
        "owner_team",
        "sensitivity",
        "objects",
        "objects_total",
        "bytes",
        "bytes_estimated",
    )
    rows = [
        [
            *(asset.get(name) for name in header),
            None if asset.get("coverage") is None else f"{asset['coverage']:.0%}",
            "yes" if asset.get("first_access") else "no",
        ]
        for asset in assets
    ]
    return table((*header, "coverage", "first access"), rows)


def _access(rows: list[dict[str, Any]]) -> str:
    header = (
        "day",
        "user",
        "asset",
        "class",
        "events",
        "bytes",
        "objects",
        "first",
        "last",
        "from",
    )
    cells = [
        [
            str(row["day"]),
            row["user_id"],
            row["asset_id"],
            row["action_class"],
            row["events"],
            row["bytes_out"],
            row["objects"],
            instant(row["first_time"]),
            instant(row["last_time"]),
            row["addresses"],
        ]
        for row in rows
    ]
    return table(header, cells)
