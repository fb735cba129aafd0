"""What several detectors need to know about rows, people and assets; nothing here judges.

Every detector reads the history through :func:`recent`, which drops whatever lies after the day,
so that no detector can look ahead. ``ago`` is the number of days before the day scored: 0 is the
day itself, 89 the oldest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from weakref import ref

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.history import History
    from schemas.context import Context

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Subject = TypeVar("Subject")
Result = TypeVar("Result")
Rest = ParamSpec("Rest")

HISTORY_DAYS = 90
TAKE_CLASSES = frozenset({"read", "copy", "clone", "share", "query"})
"""Classes by which content reaches the caller or a place of the caller's choosing."""
CONTENT_CLASSES = TAKE_CLASSES | {"execute"}
"""The same and execution, by which content is reached too; a mere look or listing is less."""
DISTANT_CLASSES = frozenset({"list", "inspect", "write", "sign_in", "assume", "other"})
REPOSITORY_SCHEMES = ("github://", "gitlab://")
UNKNOWN_SENSITIVITY = 2.0
"""Sensitivity taken for resources that assets.csv does not list (internal, not secret)."""
OPEN_NOTICE_DAYS = 120
"""Days a notice without an end date is believed."""
AFTER_END_DAYS = 30
MANY_PLACES = 3
HOUR_FIELDS = ("hour", "events", "bytes", "objects")
EVIDENCE_ASSETS = 20
"""Assets that one signal names."""


def remembered(
    function: Callable[Concatenate[Subject, Rest], Result],
) -> Callable[Concatenate[Subject, Rest], Result]:
    """Answer again what was just asked of the same object, for as long as the object lives.

    Several detectors need the same costly view of one day. Results are shared: don't change them.
    """
    answers: dict[tuple[Any, ...], tuple[ref[Any], Result]] = {}

    @wraps(function)
    def ask(subject: Subject, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Result:
        key = (id(subject), *args, *sorted(kwargs.items()))
        held = answers.get(key)
        if held is not None and held[0]() is subject:
            return held[1]
        for old in [name for name, (about, _) in answers.items() if about() is None]:
            del answers[old]
        result = function(subject, *args, **kwargs)
        answers[key] = (ref(subject), result)
        return result

    return ask


def recent(
    frame: pd.DataFrame, day: date, columns: Iterable[str], days: int = HISTORY_DAYS
) -> pd.DataFrame:
    """``columns`` of the rows of the ``days`` days that end with ``day``, and their ``ago``."""
    codes, distinct = pd.factorize(frame["day"])
    offsets = np.array([(day - value).days for value in distinct], dtype=np.int64)
    ago = offsets[codes] if len(codes) else np.zeros(0, dtype=np.int64)
    kept = (ago >= 0) & (ago < days)
    chosen = frame.loc[kept, list(columns)].reset_index(drop=True)
    chosen["ago"] = ago[kept]
    return chosen


def explode(values: pd.Series) -> tuple[Codes, list[Any]]:
    """Row position of each item of a column of lists, and the items, in order."""
    if isinstance(values.dtype, pd.ArrowDtype):
        return _item_rows(values), values.list.flatten().to_numpy(dtype=object).tolist()
    lists = [() if value is None or isinstance(value, float) else value for value in values]
    lengths = np.fromiter((len(value) for value in lists), dtype=np.int64, count=len(lists))
    return np.repeat(np.arange(len(lists)), lengths), list(chain.from_iterable(lists))


def explode_hours(values: pd.Series) -> tuple[Codes, Floats]:
    """Row position of each hour of a column ``hourly``, and its HOUR_FIELDS; shape (hours, 4)."""
    if isinstance(values.dtype, pd.ArrowDtype):
        hours = values.list.flatten().struct
        fields = [hours.field(name).to_numpy(np.float64) for name in HOUR_FIELDS]
        return _item_rows(values), np.column_stack(fields)
    row, items = explode(values)
    # An engine's row is a tuple in the order of the table's fields.
    found = [h if isinstance(h, tuple) else tuple(h[name] for name in HOUR_FIELDS) for h in items]
    return row, np.array(found, dtype=np.float64).reshape(-1, len(HOUR_FIELDS))


def _item_rows(values: pd.Series) -> Codes:
    lengths = values.list.len().fillna(0).to_numpy(np.int64)
    return np.repeat(np.arange(len(values)), lengths)


@remembered
def active_entities(history: History) -> pd.DataFrame:
    """``user_id`` (sorted, unique) and ``user_kind`` of whoever came near assets on the day.

    That is whoever did more than look, write or sign in, or touched MANY_PLACES and more. The
    hundreds of cluster nodes that only report to their API server would otherwise be the usual
    service, beside which every other one is unusual.
    """
    columns = ["user_id", "user_kind", "asset_id", "action_class"]
    today = history.access.loc[history.access["day"] == history.day, columns]
    near = ~today["action_class"].isin(DISTANT_CLASSES)
    near |= today.groupby("user_id")["asset_id"].transform("nunique") >= MANY_PLACES
    today = today[near & (today["user_id"] != "")].sort_values(["user_id", "user_kind"])
    return today.drop_duplicates("user_id")[["user_id", "user_kind"]].reset_index(drop=True)


def active_kinds(history: History) -> dict[str, str]:
    """Kind of each identity that acted on the day."""
    return {str(user): str(kind) for user, kind in each_row(active_entities(history))}


def each_row(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows as named tuples."""
    yield from frame.itertuples(index=False)


def each_group(frame: pd.DataFrame, key: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Rows of each value of a column, sorted by it."""
    yield from frame.groupby(key)


def log_days(history: History) -> int:
    """Days between the oldest row and the day: how long the habits could be watched, 0 to 89."""
    if history.access.empty:
        return 0
    oldest = min(value for value in history.access["day"].unique())
    return max(0, min(HISTORY_DAYS - 1, int((history.day - oldest).days)))


def settled(days: float | Floats, settle_days: float) -> Any:
    """Trust in "never seen before" after ``days`` of watching: 0 at once, 1 from settle_days on.

    Without it the first days of a log, when everything is new, would be its loudest, and would
    then dull the calibration of the days that follow.
    """
    return np.clip(np.asarray(days, dtype=np.float64) / max(settle_days, 1e-9), 0.0, 1.0)


@remembered
def people(context: Context) -> pd.DataFrame:
    """The directory by ``user_id``, first row of each."""
    return context.directory.drop_duplicates("user_id").set_index("user_id")


@remembered
def teams(context: Context) -> dict[str, str]:
    """Declared team of each user that has one."""
    rows = people(context)["team"]
    return {str(user): str(team) for user, team in rows.items() if team}


def leaving(context: Context, day: date, leaver_days: int) -> dict[str, str]:
    """What to say of whoever is within a notice or offer window, or active after the end."""
    found = {}
    for user, row in people(context).iterrows():
        notice = row["notice_date"] if isinstance(row["notice_date"], date) else None
        end = row["end_date"] if isinstance(row["end_date"], date) else None
        if end is not None and end < day <= end + timedelta(days=AFTER_END_DAYS):
            found[str(user)] = f"active after leaving on {end}"
        elif end is not None and day <= end <= day + timedelta(days=leaver_days):
            found[str(user)] = f"leaves on {end}"
        elif notice is not None and notice <= day <= (
            end or notice + timedelta(days=OPEN_NOTICE_DAYS)
        ):
            found[str(user)] = f"gave notice on {notice}"
    return found


@remembered
def listed_assets(context: Context) -> pd.DataFrame:
    """assets.csv by ``asset_id`` with float ``sensitivity``, ``objects``, ``bytes`` (NaN: unknown).

    ``group``: what a checkpoint or dataset has in common with its siblings, such as the folder of
    the run that a training step belongs to; empty where there is none.
    """
    rows = context.assets.drop_duplicates("asset_id").set_index("asset_id").copy()
    for name in ("sensitivity", "objects", "bytes"):
        rows[name] = pd.to_numeric(rows[name], errors="coerce").astype("float64")
    rows["group"] = [
        _folder(str(pattern)) if kind in ("checkpoint", "dataset") else ""
        for pattern, kind in zip(rows["pattern"], rows["kind"], strict=True)
    ]
    return rows


def _folder(pattern: str) -> str:
    scheme, _, path = pattern.partition("://")
    parts = [part for part in path.split("/") if part]
    while parts and "*" in parts[-1]:
        parts.pop()
    # A bucket alone says nothing of kinship.
    return f"{scheme}://{'/'.join(parts[:-1])}" if len(parts) >= 3 else ""


@remembered
def sensitivities(context: Context) -> dict[str, float]:
    """Sensitivity of each listed asset that has one."""
    rows = listed_assets(context)["sensitivity"].dropna()
    return {str(asset): float(value) for asset, value in rows.items()}


def sensitivity_shares(assets: Iterable[Any], context: Context) -> Floats:
    """Sensitivity ÷ 5 of each asset, 0.2 to 1."""
    known = sensitivities(context)
    return np.array([known.get(a, UNKNOWN_SENSITIVITY) for a in assets], dtype=np.float64) / 5


def repositories(assets: Iterable[str], context: Context) -> dict[str, float]:
    """Sensitivity of those assets that are repositories."""
    rows = listed_assets(context)
    kinds, known = rows["kind"].to_dict(), sensitivities(context)
    return {
        asset: known.get(asset, UNKNOWN_SENSITIVITY)
        for asset in assets
        if kinds.get(asset) == "repo" or asset.startswith(REPOSITORY_SCHEMES)
    }


def tenure_days(history: History, users: Iterable[str]) -> dict[str, float]:
    """Days since each user began: by ``start_date``, else since first seen (at most 89).

    Of a user without a start date who is there since the log began nothing is known, so the
    answer is then the whole 89 days.
    """
    started = people(history.context)["start_date"].to_dict()
    access = recent(history.access, history.day, ["user_id"])
    first = access.groupby("user_id")["ago"].max().to_dict()
    oldest = log_days(history)
    tenures = {}
    for user in users:
        start = started.get(user)
        if isinstance(start, date):
            tenures[user] = float(max(0, (history.day - start).days))
        else:
            seen = int(first.get(user, 0))
            tenures[user] = float(HISTORY_DAYS - 1 if seen >= oldest else seen)
    return tenures


def novelty_days(seen: pd.DataFrame, settle_days: float) -> pd.DataFrame:
    """How often an identity does something for the first time: ``user``, ``novel``, ``days``.

    ``seen``: user, value, ago. Counted are active days before the day, from ``settle_days`` after
    the identity's first one on (until then everything is new); ``novel`` are those with a value
    that was never there before.
    """
    past = seen[seen["ago"] > 0]
    oldest = past.groupby("user")["ago"].transform("max")
    counted = past[past["ago"] <= oldest - settle_days]
    first = past.groupby(["user", "value"])["ago"].transform("max")
    novel = counted[counted["ago"] == first.loc[counted.index]]
    days = counted.drop_duplicates(["user", "ago"]).groupby("user").size()
    with_new = novel.drop_duplicates(["user", "ago"]).groupby("user").size()
    result = pd.DataFrame({"days": days, "novel": with_new.reindex(days.index).fillna(0)})
    return result.rename_axis("user").reset_index()


def neighbours(history: History, users: NDArray[Any]) -> list[Codes]:
    """For each of the sorted ``users``, positions of its learned peers and declared team-mates."""
    place = {user: number for number, user in enumerate(users)}
    nodes = history.nodes
    nodes = nodes[(nodes["node_type"] == "user") & (nodes["day"] == history.day)]
    learned = dict(zip(nodes["node_id"], nodes["peers"], strict=True))
    declared = teams(history.context)
    members: dict[str, list[int]] = {}
    for number, user in enumerate(users):
        if user in declared:
            members.setdefault(declared[user], []).append(number)
    circles = []
    for number, user in enumerate(users):
        peers = learned.get(user)
        circle = {place[peer] for peer in (() if peers is None else peers) if peer in place}
        circle |= set(members.get(declared.get(user, ""), ()))
        circle.discard(number)
        circles.append(np.array(sorted(circle), dtype=np.int64))
    return circles


def leading_assets(
    rows: pd.DataFrame, amount: str, context: Context, count: int = EVIDENCE_ASSETS
) -> dict[str, list[str]]:
    """Assets of each user, by ``amount`` × sensitivity, most first; ties by name."""
    sums = rows.groupby(["user_id", "asset_id"], sort=True)[amount].sum().reset_index()
    sums["rank"] = -sums[amount].fillna(0) * sensitivity_shares(sums["asset_id"], context)
    sums = sums.sort_values(["user_id", "rank", "asset_id"])
    users, starts = np.unique(sums["user_id"].to_numpy(dtype=object), return_index=True)
    parts = np.split(sums["asset_id"].to_numpy(dtype=object), starts[1:])
    return {str(user): list(part[:count]) for user, part in zip(users, parts, strict=False)}
