"""One finding in the form that the report's template reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobs.platform.terminal_text import printable
from jobs.stages.publish.queue_file import queue_day
from jobs.stages.publish.report import words
from jobs.stages.publish.report.evidence import (
    GraphDay,
    collect_activity,
    ego_graph,
    trails,
)
from jobs.stages.publish.report.pictures import (
    FAMILY_COLOURS,
    bullet,
    coverage_bar,
    graph_picture,
    map_picture,
    say_coverage,
    stacked_score,
)
from jobs.stages.publish.report.trail import trail_picture
from models.features.approval import approved_identity, covers, may_approve, moment
from models.wording import say_amount, say_taken, say_window

if TYPE_CHECKING:
    from models.detectors import Description
    from schemas.context import Context


MAX_LINKS = 2
"""Most other findings named beside an asset; a click on the asset lists all."""
OPEN_ASSETS = 6
"""Assets of a finding that are shown at first; the others unfold."""
MAX_NAMED = 12
"""Most addresses, hosts or identities that are named."""

Finding = dict[str, Any]


@dataclass(frozen=True)
class ReportData:
    """Inputs of the page besides the findings.

    ``totals``: a row per day and user with bytes, objects, events; ``nodes``, ``edges``: rows of
    GRAPH_NODES and GRAPH_EDGES for the findings' days; ``context_of``: the context in force on a
    day; ``descriptions``: detector → description from its own file.
    """

    totals: pd.DataFrame
    nodes: pd.DataFrame
    edges: pd.DataFrame
    context_of: Callable[[date], Context]
    descriptions: dict[str, Description]


def show(value: Any) -> Any:
    """A value as the templates print it: marks that hide or reverse text become visible."""
    return printable(value) if type(value) is str else value


@dataclass(frozen=True)
class _Surroundings:
    """A day's context by key: people by user_id, approvals by user_id, assets by asset_id."""

    context: Context
    people: dict[str, dict[str, Any]]
    approvals: dict[str, list[dict[str, Any]]]
    patterns: dict[str, str]
    sensitivities: dict[str, int | None]


def _look_up(context: Context) -> _Surroundings:
    approvals: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(context.approvals):
        approvals.setdefault(approved_identity(row["user_id"], context), []).append(row)
    assets = context.assets
    return _Surroundings(
        context=context,
        people={row["user_id"]: row for row in _rows(context.directory)},
        approvals=approvals,
        patterns=dict(zip(assets["asset_id"], assets["pattern"], strict=True)),
        sensitivities={
            asset: int(value) if _given(value) else None
            for asset, value in zip(assets["asset_id"], assets["sensitivity"], strict=True)
        },
    )


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [str(column) for column in frame.columns]
    return [dict(zip(columns, row, strict=True)) for row in frame.itertuples(index=False)]


class Pages:
    """Turns findings into values for the templates; holds the values that findings share."""

    def __init__(
        self, findings: Sequence[Finding], data: ReportData, graphs: dict[date, GraphDay]
    ) -> None:
        self.data = data
        self.graphs = graphs
        self.activity = collect_activity(data.totals)
        self.surroundings: dict[date, _Surroundings] = {}
        families = sorted({p["family"] for f in findings for p in f["exfil"]["contributions"]})
        self.colours = {family: n % FAMILY_COLOURS for n, family in enumerate(families)}
        self.techniques = {
            technique.id: technique.name
            for description in data.descriptions.values()
            for technique in description.techniques
        }
        self.by_asset: dict[str, list[Finding]] = {}
        self.by_user: dict[str, list[Finding]] = {}
        for finding in findings:
            self.by_user.setdefault(finding["user"]["id"], []).append(finding)
            for asset in finding["exfil"]["assets"]:
                self.by_asset.setdefault(asset["id"], []).append(finding)
        self.asset_keys = {asset: n for n, asset in enumerate(sorted(self.by_asset))}
        self.user_keys = {user: n for n, user in enumerate(sorted(self.by_user))}

    def view(self, finding: Finding) -> dict[str, Any]:
        """Everything that one finding shows, as text and pictures."""
        day = queue_day(finding)
        event, exfil, user = finding["event"], finding["exfil"], finding["user"]
        around = self._surroundings(day)
        contributions = sorted(exfil["contributions"], key=lambda part: -part["points"])
        score = words.say_points(event["risk_score"])
        lead = finding["rule"]["name"]
        about = self.data.descriptions.get(lead)
        name = user.get("name") or user["id"]
        return {
            "id": event["id"],
            "day": day_view(day),
            "rank": exfil["queue_rank"],
            "score": event["risk_score"],
            "score_said": score,
            "severity": event["severity"],
            "severity_name": words.say_severity(event["severity"]),
            "reason": event["reason"],
            "name": name,
            "user_id": user["id"],
            "user_key": self.user_keys[user["id"]],
            "email": user.get("email") or "",
            "person": _person(around.people.get(user["id"])),
            "detector": lead,
            "detector_name": words.say_detector(lead),
            "window": say_window(exfil["window"]),
            "span": words.say_span(event["start"], event["end"]),
            "start": event["start"],
            "end": event["end"],
            "stack": stacked_score(contributions, self.colours, f"score {score} of 100"),
            "contributions": [self._contribution(part) for part in contributions],
            "trails": self._trails(finding, day),
            **self._graph(finding, day, name, around),
            **self._evidence(finding),
            "approvals": _approvals(around, finding),
            "has_approvals": bool(around.approvals),
            "runbook": about.runbook if about else (),
            "false_positives": about.false_positives if about else (),
            "others": [
                _link(other)
                for other in self.by_user[user["id"]]
                if other["event"]["id"] != event["id"]
            ],
        }

    def _evidence(self, finding: Finding) -> dict[str, Any]:
        """Assets, places, other identities and techniques, and the text that a search looks in."""
        event, exfil, user = finding["event"], finding["exfil"], finding["user"]
        assets = [asset["id"] for asset in exfil["assets"]]
        name, lead = user.get("name") or user["id"], finding["rule"]["name"]
        related = finding["related"]
        places = {
            "Addresses": _texts(related.get("ip")),
            "Hosts": _texts(related.get("hosts")),
            "Other identities": [u for u in _texts(related.get("user")) if u != user["id"]],
        }
        return {
            "assets": [self._asset_view(asset, finding) for asset in exfil["assets"]],
            "open_assets": OPEN_ASSETS,
            "asset_keys": " ".join(str(self.asset_keys[key]) for key in sorted({*assets})),
            "searched": " ".join([name, user["id"], event["reason"], lead, *assets]).lower(),
            "places": [
                (label, values[:MAX_NAMED], max(0, len(values) - MAX_NAMED))
                for label, values in places.items()
                if values
            ],
            "techniques": [
                (key, self.techniques.get(key, ""))
                for key in _texts(finding["threat"]["technique"].get("id"))
            ],
            "tactics": _texts(finding["threat"]["tactic"].get("name")),
        }

    def _contribution(self, part: dict[str, Any]) -> dict[str, Any]:
        expected = part.get("expected")
        about = self.data.descriptions.get(part["detector"])
        return {
            "colour": self.colours[part["family"]],
            "name": about.title if about else words.say_detector(part["detector"]),
            "family": part["family"],
            "points": words.say_points(part["points"]),
            "reason": part["reason"][:1].upper() + part["reason"][1:],
            "observed": say_amount(part["observed"], part["unit"]),
            "expected": None if expected is None else say_amount(expected, part["unit"]),
            "chance": words.say_chance(part["p_value"]),
            "bullet": bullet(part),
        }

    def _trails(self, finding: Finding, day: date) -> list[dict[str, Any]]:
        user_id = finding["user"]["id"]
        graph = self.graphs.get(day)
        peers = graph.peers.get(user_id, []) if graph else []
        first = words.parse_time(finding["event"]["start"]).date()
        last = words.parse_time(finding["event"]["end"]).date()
        found = trails(user_id, peers, day, self.activity)
        return [{"peers": t.peers, "picture": trail_picture(t, first, last)} for t in found]

    def _graph(
        self, finding: Finding, day: date, name: str, around: _Surroundings
    ) -> dict[str, Any]:
        graph = self.graphs.get(day)
        ego = ego_graph(finding, graph) if graph else None
        if ego is None:
            return {"graph": None, "map": None}
        sensitivities = {
            **around.sensitivities,
            **{a["id"]: a.get("sensitivity") for a in finding["exfil"]["assets"]},
        }
        drawn = [other.user_id for other in ego.others if other.user_id in around.people]
        names = {user: around.people[user]["display_name"] or user for user in drawn}
        return {
            "graph": graph_picture(ego, name, names, sensitivities),
            "map": map_picture(ego, f"map-{day}"),
        }

    def _surroundings(self, day: date) -> _Surroundings:
        if day not in self.surroundings:
            self.surroundings[day] = _look_up(self.data.context_of(day))
        return self.surroundings[day]

    def _asset_view(self, asset: dict[str, Any], finding: Finding) -> dict[str, Any]:
        others = [f for f in self.by_asset[asset["id"]] if f is not finding]
        coverage = asset.get("coverage")
        return {
            "id": asset["id"],
            "key": self.asset_keys[asset["id"]],
            "kind": asset.get("kind") or "",
            "owner_team": asset.get("owner_team") or "",
            "sensitivity": asset.get("sensitivity") or 0,
            "coverage": say_coverage(asset),
            "bar": None if coverage is None else coverage_bar(coverage, say_coverage(asset)),
            "bytes": say_taken(asset.get("bytes"), asset.get("bytes_estimated")),
            "first_access": bool(asset.get("first_access")),
            "others": [_link(other) for other in others[:MAX_LINKS]],
            "more": max(0, len(others) - MAX_LINKS),
        }


def _link(finding: Finding) -> dict[str, str]:
    return {
        "id": finding["event"]["id"],
        "name": finding["user"].get("name") or finding["user"]["id"],
        "day": words.say_short_day(queue_day(finding)),
        "reason": finding["event"]["reason"],
    }


def _person(row: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Facts from the directory, each with a class of the style sheet."""
    if row is None:
        return [("missing", "not in the directory")]
    facts = [("", ", ".join(text for text in (row["title"], row["team"]) if text))]
    facts.append(("", "service identity" if row["kind"] == "service" else row["employment"]))
    for column, label in (("start_date", "since"), ("country", "in")):
        if _given(row[column]):
            facts.append(("", f"{label} {row[column]}"))
    for column, label in (("notice_date", "notice given"), ("end_date", "leaves")):
        if _given(row[column]):
            facts.append(("notice", f"{label} {row[column]}"))
    return [(kind, text) for kind, text in facts if text]


def _given(value: Any) -> bool:
    """Whether a cell of the context has a value: not None, NaN, NaT, <NA> or empty."""
    return bool(pd.notna(value)) and value != ""


def _approvals(around: _Surroundings, finding: Finding) -> list[dict[str, Any]]:
    """Approvals of the user whose time meets the evidence's, each with the assets it covers.

    An approval that the score does not count covers nothing.
    """
    user, found = finding["user"]["id"], []
    first, last = (moment(finding["event"][key]) for key in ("start", "end"))
    for row in around.approvals.get(user, []):
        begins, ends = moment(row["start"]), moment(row["end"])
        if (begins and last and begins > last) or (ends and first and ends < first):
            continue
        counts = may_approve(row["approver_id"], user, begins, around.context)
        covered = [
            asset["id"]
            for asset in finding["exfil"]["assets"]
            if counts and covers(row["pattern"], asset["id"], around.patterns)
        ]
        found.append(
            {
                "ticket": row["ticket_id"],
                "pattern": row["pattern"],
                "reason": row["reason"],
                "approver": row["approver_id"],
                "own": approved_identity(row["approver_id"], around.context) == user,
                "counts": counts,
                "from": words.say_day(begins.date()) if begins else "",
                "until": words.say_day(ends.date()) if ends else "",
                "covered": covered,
            }
        )
    return found


def _texts(values: Iterable[Any] | None) -> list[str]:
    if isinstance(values, str):
        return [values]
    return [str(value) for value in values or []]


def day_view(day: date) -> dict[str, str]:
    """A day as ISO 8601, in words, and in short words."""
    return {
        "iso": day.isoformat(),
        "said": words.say_day(day),
        "short": words.say_short_day(day),
    }


def calendar(days: Sequence[date]) -> list[date]:
    """Every day from the first to the last: a day that was not run leaves a gap."""
    return [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)]


def place(finding: Finding) -> tuple[int, int]:
    """Key that sorts findings: the latest day first, then by rank."""
    return -queue_day(finding).toordinal(), finding["exfil"]["queue_rank"]
