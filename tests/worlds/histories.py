"""A small lab with heavy-tailed habits, as frames of ``access`` and ``object_access``.

Events are drawn one by one and aggregated in a slow and obvious way. So the detectors see data as
fine as in the real tables. This module depends on no detector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.features.assets import most_written
from schemas.config import Graph
from schemas.context import DIRECTORY_COLUMNS, Context
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.values import HISTORY_DAYS
from tests.worlds.access_rows import OwnRows, own_rows
from tests.worlds.api_queries import add_queries, api_frame
from tests.worlds.contexts import context_of
from tests.worlds.coverage import coverage_of, coverage_of_rows
from tests.worlds.features import Features, features_of, features_of_rows
from tests.worlds.graphs import graph_of
from tests.worlds.job_reads import job_frame, ordinary_jobs
from tests.worlds.late_history import LateHistory
from tests.worlds.lineage import with_lineage
from tests.worlds.place_days import place_access_frame, place_days_of
from tests.worlds.source_logs import Silence, act_frame, source_frame
from tests.worlds.steps import steps_of

FIRST = date(2026, 8, 3)  # a Monday
DAYS = 35
LAST = FIRST + timedelta(days=DAYS - 1)
TEAMS = ("pretraining", "posttraining", "inference", "evals", "data", "platform")
GRAPH = Graph(window_days=30, peers=8, factors=8, seed=7)
SHARD_BYTES = 2_000_000_000
CORP, HOME, DATACENTER = "corp/US/64512", "external/US/64600", "datacenter/US/64512"


@dataclass
class Event:
    """One access, before aggregation."""

    day: date
    user: str
    asset: str
    action_class: str
    hour: int
    object: str = ""
    size: int | None = None
    range: str = ""
    network: str = CORP
    agent: str = "boto3"
    action: str = ""
    credential: str = ""
    role: str = ""
    destination: str = ""
    failed: bool = False
    kind: str = "human"
    chosen: bool = False
    linked: bool = False
    account: str = ""
    effect: str = ""


@dataclass
class World:
    """People, services, assets and all events of the lab."""

    seed: int = 1
    directory: list[dict[str, Any]] = field(default_factory=list)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    approvals: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    queries: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)

    def shards(self, asset: str) -> list[str]:
        """Names of the asset's objects."""
        return [f"shard-{i:04d}" for i in range(int(self.assets[asset]["objects"]))]

    def person(self, user: str) -> dict[str, Any]:
        """Directory row of a user."""
        return next(row for row in self.directory if row["user_id"] == user)

    def read(self, day: date, user: str, asset: str, objects: list[str], hour: int = 14,
             **more: Any) -> None:  # fmt: skip
        """Whole reads of objects, up to a thousand an hour."""
        for i, name in enumerate(objects):
            self.events.append(
                Event(day, user, asset, "read", min(23, hour + i // 1000), name, SHARD_BYTES,
                      action="GetObject", **more)
            )  # fmt: skip

    def act(self, day: date, user: str, asset: str, action_class: str, **more: Any) -> None:
        """One event."""
        self.events.append(Event(day, user, asset, action_class, more.pop("hour", 14), **more))

    def copy(self) -> World:
        """A copy of the world, to which a case can be added."""
        return replace(
            self,
            events=list(self.events), silences=list(self.silences),
            queries=[dict(row) for row in self.queries], jobs=[dict(row) for row in self.jobs],
            approvals=[dict(row) for row in self.approvals],
            directory=[dict(row) for row in self.directory],
            assets={name: dict(row) for name, row in self.assets.items()},
        )  # fmt: skip


def everyday_world(seed: int = 1, people: int = 48, days: int = DAYS) -> World:
    """An ordinary lab without theft; worlds of the same numbers share their events."""
    return _everyday_world(seed, people, days).copy()


@cache
def _everyday_world(seed: int, people: int, days: int) -> World:
    rng = np.random.default_rng(seed)
    world = World(seed)
    _add_assets(world)
    for i in range(people):
        _add_identity(world, f"u{i:03d}", "human", TEAMS[i % len(TEAMS)])
    for name in ("svc-eval", "svc-backup", "svc-serve", "svc-ci", "svc-load"):
        _add_identity(world, name, "service", "platform")
    world.approvals.append(approval("u040", "s3://ckpt/evals/run/step-1/*", FIRST, FIRST))
    habits = [_habits(world, rng, row["team"]) for row in world.directory[:people]]
    for offset in range(days):
        day = FIRST + timedelta(days=offset)
        for row, (rate, favourites, repos, start) in zip(world.directory, habits, strict=False):
            if rng.random() < (0.9 if day.weekday() < 5 else 0.08):
                _person_day(world, rng, day, row, rate, favourites, repos, start)
        _service_day(world, rng, day)
    add_queries(world, np.random.default_rng([seed, 2]), people, days)
    ordinary_jobs(world, np.random.default_rng([seed, 3]))
    return world


def _add_assets(world: World) -> None:
    def add(asset: str, kind: str, team: str, sensitivity: int, pattern: str, objects: Any) -> None:
        world.assets[asset] = {
            "asset_id": asset, "kind": kind, "name": asset.replace("-", " "), "owner_team": team,
            "sensitivity": sensitivity, "objects": objects,
            "bytes": objects * SHARD_BYTES if objects else None, "allowed_countries": (),
            "pattern": pattern,
        }  # fmt: skip

    for i, team in enumerate(TEAMS[:4]):
        for step in (1, 2, 3):
            add(f"ckpt-{team}-{step}", "checkpoint", team, 5 if i < 2 else 4,
                f"s3://ckpt/{team}/run/step-{step}/*", (96, 64, 128)[step - 1])  # fmt: skip
    for i in range(5):
        add(f"data-{i}", "dataset", "data", 2 + i % 2, f"s3://data/set-{i}/v1/*", 200)
    for i in range(36):
        add(f"repo-{i}", "repo", TEAMS[i % 6], 2 + i % 3, f"github://lab/repo-{i}", None)
    add("model-orion", "model", "inference", 5, "model://model-orion", None)
    for i, team in enumerate(TEAMS[:4]):
        add(f"ns-{team}", "namespace", team, 3 + i % 3, f"k8s://prod/{team}", None)


def _add_identity(world: World, user: str, kind: str, team: str) -> None:
    world.directory.append(
        dict.fromkeys(DIRECTORY_COLUMNS, "")
        | {
            "user_id": user, "email": f"{user}@example.com", "display_name": f"Name {user}",
            "kind": kind, "team": team, "start_date": None, "notice_date": None, "end_date": None,
            "aliases": (),
        }
    )  # fmt: skip


def _habits(world: World, rng: np.random.Generator, team: str) -> Any:
    rate = float(rng.lognormal(0.3, 0.6))
    own = [a for a, row in world.assets.items() if row["kind"] == "checkpoint"
           and row["owner_team"] == team]  # fmt: skip
    favourites = [*own, *rng.choice([f"data-{i}" for i in range(5)], 2, replace=False)]
    repos = [f"repo-{i}" for i in range(36) if world.assets[f"repo-{i}"]["owner_team"] == team]
    repos += list(rng.choice([f"repo-{i}" for i in range(36)], 4, replace=False))
    return rate, favourites, sorted(set(repos)), int(rng.integers(8, 12))


def _person_day(world: World, rng: np.random.Generator, day: date, row: dict[str, Any], rate: float,
                favourites: list[str], repos: list[str], start: int) -> None:  # fmt: skip
    user, network = row["user_id"], CORP if rng.random() < 0.85 else HOME

    def hour() -> int:
        return int(np.clip(start + 9 * rng.beta(1.6, 1.5), 0, 23))

    for _ in range(rng.poisson(1.6 * rate)):
        asset = str(rng.choice(favourites))
        shards = world.shards(asset)
        count = min(len(shards), 1 + int(rng.lognormal(1.3, 1.1)))
        if rng.random() < 0.03:
            count = len(shards)  # a job that loads all of it
        begin = int(rng.integers(0, len(shards) - count + 1))
        world.read(day, user, asset, shards[begin : begin + count], hour(), network=network)
        world.act(day, user, asset, "list", hour=hour(), action="ListObjects", network=network)
    for _ in range(rng.poisson(2.0 * rate)):
        repo = str(rng.choice(repos))
        cloned = rng.random() < 0.2
        world.act(day, user, repo, "clone" if cloned else "read", hour=hour(), object=repo,
                  action="git.clone" if cloned else "git.fetch", network=network, agent="git",
                  credential=f"key-{user}")  # fmt: skip
    if row["team"] == "platform" and rng.random() < 0.6:
        space = str(rng.choice([a for a in world.assets if a.startswith("ns-")]))
        world.act(day, user, space, "execute", hour=hour(), object="pod-1", action="pods/exec",
                  network=network, agent="kubectl")  # fmt: skip
    if rng.random() < 0.6:
        space = str(rng.choice([a for a in world.assets if a.startswith("ns-")]))
        world.act(day, user, space, "list", hour=hour(), action="list", agent="kubectl",
                  network=network, failed=bool(rng.random() < 0.05))  # fmt: skip


def _service_day(world: World, rng: np.random.Generator, day: date) -> None:
    more = {"kind": "service", "network": DATACENTER, "agent": "boto3"}
    checkpoints = [a for a, row in world.assets.items() if row["kind"] == "checkpoint"]
    if day.weekday() == 0:  # the weekly sweep of every checkpoint
        for i, asset in enumerate(checkpoints):
            world.read(day, "svc-eval", asset, world.shards(asset), 2 + i, **more)
    world.read(
        day, "svc-eval", "data-0", world.shards("data-0")[: int(rng.integers(5, 20))], 3, **more
    )
    for asset in checkpoints:
        names = world.shards(asset)
        for name in rng.choice(names, 6, replace=False):
            world.act(day, "svc-backup", asset, "copy", hour=1, object=str(name),
                      action="CopyObject", destination="s3://lab-backup/copy", **more)  # fmt: skip
    world.read(
        day, "svc-serve", "ckpt-inference-1", world.shards("ckpt-inference-1")[:30], 5, **more
    )
    for i in rng.integers(0, 36, 30):
        world.act(day, "svc-ci", f"repo-{i}", "clone", hour=int(rng.integers(0, 24)),
                  object=f"repo-{i}", action="git.clone", credential="key-ci",
                  **(more | {"agent": "git"}))  # fmt: skip
    for i in range(5):
        part = world.shards(f"data-{i}")[:: int(rng.integers(2, 5))]
        world.read(day, "svc-load", f"data-{i}", part, 8 + i, **more)


# ---- slow and obvious aggregation --------------------------------------------------------------


class Frames(NamedTuple):
    """Rows of ACCESS of a world, and the rows of each identity."""

    access: pd.DataFrame
    own: dict[str, OwnRows]


def history_of(world: World, day: date, frames: Frames | None = None) -> LateHistory:
    """The detectors' input of a day; ``frames``: made once."""
    made = frames or frames_of(world)
    events, assets, silences = list(world.events), dict(world.assets), list(world.silences)
    queries, jobs = list(world.queries), list(world.jobs)
    context = context_of(world)
    first = day - timedelta(days=HISTORY_DAYS - 1)

    @cache
    def logged() -> list[Event]:
        return [event for event in events if first <= event.day <= day]

    return _history(
        made.access,
        cache(lambda: features_of_rows({u: own.access for u, own in made.own.items()}, context)),
        cache(lambda: coverage_of_rows({u: own.objects for u, own in made.own.items()}, context)),
        lambda users: objects_of(made.own[user] for user in users),
        context,
        day,
        cache(lambda: place_access_frame(events)),
    ).but(
        api_days=lambda: api_frame(queries, day),
        job_access=lambda: job_frame(jobs, first, day),
        source_days=lambda: source_frame(logged(), assets, silences),
        rare_acts=lambda: act_frame(logged()),
    )


def history_from(access: pd.DataFrame, objects: pd.DataFrame, context: Context, day: date
                 ) -> LateHistory:  # fmt: skip
    """The detectors' input of a day, from rows of ACCESS and OBJECT_ACCESS."""
    features = cache(lambda: features_of(access, context))
    coverage = cache(lambda: coverage_of(objects, context))
    own = lambda users: objects[objects["user_id"].isin(users)]  # noqa: E731
    places = cache(lambda: place_access_frame([]))
    return _history(access, features, coverage, own, context, day, places)


def _history(
    access: pd.DataFrame,
    features: Callable[[], Features],
    coverage: Callable[[], pd.DataFrame],
    objects: Callable[[list[str]], pd.DataFrame],
    context: Context,
    day: date,
    places: Callable[[], pd.DataFrame],
) -> LateHistory:
    first = day - timedelta(days=HISTORY_DAYS - 1)

    def known(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[(rows["day"] <= day) & (rows["day"] >= first)].reset_index(drop=True)

    # A row of a feature table looks back only. So all days are made once, and cut for each day.
    seen = cache(lambda: known(access))
    graph = cache(lambda: graph_of(seen(), context, day, GRAPH))
    covered = cache(lambda: known(coverage()))
    month = day - timedelta(days=29)
    return LateHistory(
        day=day,
        access=lambda: access[access["day"] == day].reset_index(drop=True),
        entity_days=lambda: known(features().entity_days),
        pairs=lambda: known(features().pairs),
        novelty=lambda: known(features().novelty),
        places=lambda: _places(seen(), day),
        place_access=lambda: places()[places()["day"] == day].reset_index(drop=True),
        place_days=lambda: place_days_of(places(), context, [day - timedelta(days=1), day]),
        grants=lambda: known(features().grants),
        steps=lambda: steps_of(seen(), known(places()), context),
        assets=lambda: most_written(known(features().asset_days)),
        coverage=lambda: covered()[covered()["day"] == day].reset_index(drop=True),
        covered=covered,
        first_reads=lambda: covered()[covered()["day"] >= month],
        api_days=lambda: api_frame([], day),
        job_access=lambda: job_frame([], first, day),
        source_days=lambda: source_frame([], {}, []),
        rare_acts=lambda: act_frame([]),
        nodes=lambda: graph()[0],
        edges=lambda: graph()[1],
        context=lambda: with_lineage(context, seen(), lambda users: known(objects(users))),
    )


def _places(access: pd.DataFrame, day: date) -> pd.DataFrame:
    """Who accessed which asset with success before the day, not by the name of a session alone."""
    proven = access["events"] - access["failures"]
    done = (access["day"] < day) & (proven > 0) & (access["chosen_names"] < proven)
    return access.loc[done, ["user_id", "asset_id"]].drop_duplicates()


def frames_of(world: World, base: Frames | None = None) -> Frames:
    """Rows of all events. Users with unchanged events get their rows of ``base``."""
    by_user: dict[str, list[Event]] = {}
    for event in world.events:
        by_user.setdefault(event.user, []).append(event)
    own = {user: own_rows(events, world.assets) for user, events in sorted(by_user.items())}
    if base is None:
        return Frames(_access(own), own)
    changed = {user for user in base.own | own if base.own.get(user) is not own.get(user)}
    if not changed:
        return base
    old = base.access
    new = _access({user: rows for user, rows in own.items() if user in changed}).astype(old.dtypes)
    access = pd.concat([old[~old["user_id"].isin(changed)], new])
    return Frames(access.sort_values(["day", *ACCESS.key], ignore_index=True), own)


def objects_of(own: Iterable[OwnRows]) -> pd.DataFrame:
    """Rows of OBJECT_ACCESS of some identities."""
    rows = [row for each in own for row in each.objects]
    return pd.DataFrame(rows, columns=OBJECT_ACCESS.column_names)


def _access(own: dict[str, OwnRows]) -> pd.DataFrame:
    rows = [row for each in own.values() for row in each.access]
    return pd.DataFrame(rows, columns=ACCESS.column_names).sort_values(
        ["day", *ACCESS.key], ignore_index=True
    )


def empty_history(day: date = LAST) -> LateHistory:
    """A day without any events before or on it."""
    access, objects = (pd.DataFrame(columns=t.column_names) for t in (ACCESS, OBJECT_ACCESS))
    return history_from(access, objects, context_of(World()), day)


def approval(
    user: str, pattern: str, start: date, end: date, approver: str = "u001"
) -> dict[str, Any]:
    """A ticket."""
    return {
        "ticket_id": "T-1", "user_id": user, "pattern": pattern,
        "start": datetime(start.year, start.month, start.day, tzinfo=UTC),
        "end": datetime(end.year, end.month, end.day, 23, 59, tzinfo=UTC),
        "approver_id": approver, "reason": "planned",
    }  # fmt: skip
