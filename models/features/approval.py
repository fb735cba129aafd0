"""Which approvals count, and how much of the evidence they cover.

One rule, for the score and for the report. An approval counts if somebody who may approve gave it.
It covers what its person did with the assets of its pattern between its start and its end: of the
evidence in a signal's window the part that lies inside. What it forgives of that shrinks with its
width: an approval of everything for ever is none.

Who may approve: a person of the directory, employed when the approval starts, who is neither the
approved identity under another name or account nor below it in the line of managers. It lapses when
the approver leaves. Peers who approve each other in a ring are one party, and approve nothing.
Without people in the directory this cannot be known; then any other name counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.assets import listed_assets
from models.features.memory import remembered
from models.features.people import marks_of_people, people
from models.features.rows import Codes, Floats, each_row, explode_structs
from schemas.context import names_of

if TYPE_CHECKING:
    from schemas.context import Context

BREAK_DAYS = 7.0
"""Days between two approvals of the same that make no break."""
OPEN_DAYS = 365.0
"""Days that an approval without a start or an end lasts."""
A_DAY = 86_400.0
HOUR = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class Ticket:
    """An approval that counts. ``start``, ``end``: naive UTC, None if open.

    ``credit``: part of the covered evidence that it forgives, 0 to 1; less for a wide one.
    """

    ticket_id: str
    pattern: str
    start: pd.Timestamp | None
    end: pd.Timestamp | None
    credit: float


class FullCredit(Protocol):
    """How wide and long an approval may be and count fully."""

    @property
    def approved_assets(self) -> float:
        """Listed assets."""

    @property
    def approved_days(self) -> float:
        """Days."""


@dataclass(frozen=True)
class _Given:
    """A row of approvals.csv whose approver may approve, between ``start`` and ``end``.

    ``since``, ``until``: as far as the approver was employed, too. ``peer``: no manager gave it.
    """

    ticket_id: str
    user: str
    approver: str
    pattern: str
    start: pd.Timestamp | None
    end: pd.Timestamp | None
    until: pd.Timestamp | None
    peer: bool

    @property
    def days(self) -> float:
        """How long it lasts."""
        if self.start is None or self.end is None:
            return OPEN_DAYS
        return float((self.end - self.start).total_seconds() / A_DAY)

    def near(self, other: _Given, days: float) -> bool:
        """Whether there are at most so many days between both, 0 if they overlap."""
        first, last = sorted((self, other), key=lambda each: each.start or pd.Timestamp.min)
        if first.end is None or last.start is None:
            return True
        return bool((last.start - first.end).total_seconds() <= days * A_DAY)


def tickets_by_user(context: Context, rules: FullCredit) -> dict[str, list[Ticket]]:
    """Approvals that count, by the identity that they are for, sorted by id."""
    given: dict[str, list[_Given]] = {}
    for each in _without_rings(_given(context), rules.approved_days):
        given.setdefault(each.user, []).append(each)
    listed = asset_patterns(replace(context, derived={}))
    width: dict[str, frozenset[str]] = {
        each.pattern: frozenset(asset for asset in listed if covers(each.pattern, asset, listed))
        for mine in given.values()
        for each in mine
    }
    tickets: dict[str, list[Ticket]] = {}
    for user, mine in given.items():
        found = [
            Ticket(each.ticket_id, each.pattern, each.start, each.until,
                   _credit(each, mine, width, rules))
            for each in mine
        ]  # fmt: skip
        tickets[user] = sorted(found, key=lambda ticket: (ticket.ticket_id, ticket.pattern))
    return tickets


def _given(context: Context) -> list[_Given]:
    """The approvals whose approver may approve."""
    found = []
    for row in each_row(context.approvals):
        user = approved_identity(row.user_id, context)
        approver = approved_identity(row.approver_id, context)
        start, end = moment(row.start), moment(row.end)
        if may_approve(row.approver_id, user, start, context):
            left = _left(approver, context)
            until = min((each for each in (end, left) if each is not None), default=None)
            peer = approver not in _line(user, context)
            ticket, pattern = str(row.ticket_id), str(row.pattern)
            found.append(_Given(ticket, user, approver, pattern, start, end, until, peer))
    return found


def _left(approver: str, context: Context) -> pd.Timestamp | None:
    """End of the approver's last day; None: not known."""
    persons = _persons(context)
    ends = persons.loc[approver, "end_date"] if approver in persons.index else None
    return pd.Timestamp(ends) + pd.Timedelta(days=1) if isinstance(ends, date) else None


def _without_rings(given: Sequence[_Given], days: float) -> list[_Given]:
    """Approvals but those that come back to their approver by approvals of peers near in time.

    Who approves each other's plans is one party. What managers approve is no part of a ring.
    """
    of_peers: dict[str, list[_Given]] = {}
    for each in given:
        if each.peer:
            of_peers.setdefault(each.approver, []).append(each)

    def comes_back(ticket: _Given) -> bool:
        reached, todo = {ticket.user}, [ticket.user]
        while todo:
            for each in of_peers.get(todo.pop(), ()):
                if each.user not in reached and each.near(ticket, days):
                    reached.add(each.user)
                    todo.append(each.user)
        return ticket.approver in reached

    return [each for each in given if not each.peer or not comes_back(each)]


def approved_identity(name: str, context: Context) -> str:
    """The ``user_id`` of the person or service that an approval names; the name of a stranger."""
    return _identities(context).get(str(name).casefold(), str(name))


def may_approve(approver: str, user: str, start: pd.Timestamp | None, context: Context) -> bool:
    """Whether the approval of ``approver`` counts for ``user``; see above."""
    persons = _persons(context)
    if persons.empty:
        return bool(approver) and str(approver).casefold() != user.casefold()
    found = approved_identity(approver, context)
    if not approver or found == user or found not in persons.index:
        return False
    if _same_person(found, user, context):
        return False
    row = persons.loc[found]
    if start is not None:
        begins, ends = row["start_date"], row["end_date"]
        if isinstance(begins, date) and start.date() < begins:
            return False
        if isinstance(ends, date) and start.date() > ends:
            return False
    return user not in _line(found, context)


def _same_person(one: str, other: str, context: Context) -> bool:
    """Whether two people of the directory share an address, an alias or their whole name."""
    marks, persons = marks_of_people(context), _persons(context)
    if one not in marks or other not in marks:
        return False
    whole, name = (str(persons.at[each, "display_name"]).casefold() for each in (one, other))
    return bool(marks[one] & marks[other]) or whole == name != ""


def _line(user: str, context: Context) -> set[str]:
    """The managers above ``user``, of each level."""
    managers, line = _managers(context), set[str]()
    while managers.get(user) and managers[user] not in line:
        user = managers[user]
        line.add(user)
    return line


@remembered
def _persons(context: Context) -> pd.DataFrame:
    """The people of the directory, without its services."""
    known = people(context)
    return known[known["kind"] == "human"]


@remembered
def _managers(context: Context) -> dict[str, str]:
    """Each identity that has a manager → the ``user_id`` of the manager."""
    named = people(context)["manager_id"].items()
    return {str(user): approved_identity(name, context) for user, name in named if name}


@remembered
def _identities(context: Context) -> dict[str, str]:
    """Each name of the directory in lower case → its ``user_id``; ids go before other names."""
    found: dict[str, str] = {}
    for row in each_row(context.directory):
        for name in (row.email, *names_of(row.aliases)):
            if name:
                found.setdefault(str(name).casefold(), str(row.user_id))
    return found | {str(user).casefold(): str(user) for user in context.directory["user_id"]}


@remembered
def asset_patterns(context: Context) -> dict[str, str]:
    """Pattern of each listed asset, and of the origin of each place that holds content of one."""
    listed = listed_assets(context)["pattern"]
    patterns = {str(asset): str(text) for asset, text in listed.items()}
    copies = context.derived.items()
    return {place: patterns[of.origin] for place, of in copies if of.origin in patterns} | patterns


def moment(value: Any) -> pd.Timestamp | None:
    """A time of approvals.csv as naive UTC; None if it is not given."""
    if value is None or pd.isna(value):
        return None
    found = pd.Timestamp(value)
    return found.tz_convert(None) if found.tzinfo else found


def _credit(
    ticket: _Given,
    mine: Sequence[_Given],
    width: Mapping[str, frozenset[str]],
    rules: FullCredit,
) -> float:
    """1 up to ``approved_assets`` listed assets and ``approved_days`` days, then in proportion.

    ``mine``: all approvals of the person. Many narrow ones at a time are a wide one, and short ones
    for the same assets, one after the other, are a long one. ``width``: listed assets of each
    pattern.
    """
    own = width[ticket.pattern]
    if not own and not _names_a_container(ticket.pattern):
        return 0.0
    narrow = [each for each in mine if len(width[each.pattern]) <= rules.approved_assets]
    assets = len(own.union(*(width[each.pattern] for each in narrow if each.near(ticket, 0))))
    short = [each for each in mine if each.days <= rules.approved_days]
    alike = [each for each in short if each.pattern == ticket.pattern or own & width[each.pattern]]
    length = _days_of_run(ticket, alike)
    return float(
        min(1.0, rules.approved_assets / max(assets, 1e-9))
        * min(1.0, rules.approved_days / max(length, 1e-9))
    )


def _days_of_run(ticket: _Given, alike: Sequence[_Given]) -> float:
    """Days of an approval and of those alike that follow each other with hardly a break."""
    run, rest = [ticket], [each for each in alike if each is not ticket]
    while True:
        more = [each for each in rest if any(each.near(other, BREAK_DAYS) for other in run)]
        if not more:
            break
        run += more
        rest = [each for each in rest if each not in more]
    spans = [(each.start, each.end) for each in run if each.start and each.end]
    last, days = pd.Timestamp.min, 0.0
    for start, end in sorted(spans):
        days += max(0.0, (end - max(start, last)).total_seconds() / A_DAY)
        last = max(last, end)
    return max(days, ticket.days)


def _names_a_container(pattern: str) -> bool:
    """Whether a pattern has a whole container before its first wildcard."""
    literal = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    return literal == pattern or "/" in literal.partition("://")[2]


def covers(approved: str, asset: str, patterns: Mapping[str, str]) -> bool:
    """Whether an approval's pattern covers an asset; ``patterns``: see :func:`asset_patterns`.

    An asset's own pattern stands for its objects: its stars match the approval's stars. A copy is
    covered by its own name and by that of its origin.
    """
    samples = [patterns[asset]] if asset in patterns else []
    if "://" in asset or not samples:
        samples.append(f"{asset.rstrip('/')}/*" if "://" in asset else asset)
    names = (name for sample in samples for name in (sample, sample.removesuffix("/*")))
    return any(fnmatchcase(name, approved) for name in names)


def approved_share(
    assets: Sequence[str],
    tickets: Sequence[Ticket],
    patterns: Mapping[str, str],
    evidence: pd.DataFrame,
    first: date,
) -> tuple[float, list[str]]:
    """Part of the evidence, 0 to 1, that tickets forgive, and their ids.

    The k-th asset weighs 1/k². ``evidence``: rows of ACCESS of the identity; those from day
    ``first`` on count. An asset without rows is not covered.
    """
    fitting = [[t for t in tickets if covers(t.pattern, asset, patterns)] for asset in assets]
    if not any(fitting):
        return 0.0, []
    forgiven, used, whole = 0.0, set(), 0.0
    evidence = evidence[evidence["day"] >= first]
    hours = hours_of(evidence)
    touched = evidence["asset_id"].to_numpy()[hours.row]
    for rank, (asset, fits) in enumerate(zip(assets, fitting, strict=True), start=1):
        weight = 1 / rank**2
        whole += weight
        if not fits:
            continue
        own = Hours(*(values[touched == asset] for values in hours))
        shares = [(inside(own, ticket) * ticket.credit, ticket.ticket_id) for ticket in fits]
        best = max(shares, key=lambda share: share[0], default=(0.0, ""))
        if best[0] > 0:
            forgiven += weight * best[0]
            used.add(best[1])
    return forgiven / whole, sorted(used)


class Hours(NamedTuple):
    """Hours with access: position of the row, times of first and last event, and amounts.

    Amounts: events, bytes and objects. Shapes: (hours,), (hours,), (hours,), (hours, 3).
    """

    row: Codes
    first: NDArray[np.datetime64]
    last: NDArray[np.datetime64]
    amounts: Floats


def hours_of(rows: pd.DataFrame) -> Hours:
    """The hours of rows of ACCESS. The times of a row bound those of its hours."""
    row, amounts = explode_structs(rows["hourly"], ["hour", "events", "bytes", "objects"])
    begins = pd.to_datetime(rows["day"]).to_numpy()[row] + pd.to_timedelta(amounts[:, 0], unit="h")
    first = np.maximum(begins, rows["first_time"].to_numpy()[row])
    last = np.minimum(begins + HOUR, rows["last_time"].to_numpy()[row])
    return Hours(row, np.asarray(first), np.asarray(last), amounts[:, 1:])


def inside(hours: Hours, ticket: Ticket) -> float:
    """Part of the access, 0 to 1, that lies between a ticket's start and end.

    The least part of events, objects and bytes counts. An hour that is only partly inside is
    outside, unless all of its row's events are inside.
    """
    kept = np.ones(len(hours.first), dtype=bool)
    if ticket.start is not None:
        kept &= hours.first >= ticket.start.to_datetime64()
    if ticket.end is not None:
        kept &= hours.last <= ticket.end.to_datetime64()
    total: Floats = hours.amounts.sum(axis=0)
    part = hours.amounts[kept].sum(axis=0)
    known = total > 0
    return float((part[known] / total[known]).min()) if known.any() else 0.0
