"""Days of a synthetic population: rows of ``access`` and ``object_access``, as of `aggregate`.

All work is on whole arrays, because a day of 50,000 identities has a million rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.trial.bench.population import (
    ACCOUNT,
    CHECKPOINT,
    COUNTRIES,
    DATASET,
    MODEL,
    NAMESPACE,
    REPO,
    UNLISTED,
    WORK_STARTS,
    Codes,
    Population,
)
from jobs.trial.bench.population_jobs import job_rows
from jobs.trial.bench.population_places import place_rows
from jobs.trial.bench.population_queries import query_rows
from jobs.trial.bench.population_sources import act_rows, source_rows
from schemas.tables.access import ACCESS, HOURLY, OBJECT_ACCESS, PLACE_ACCESS
from schemas.tables.api import API_DAYS
from schemas.tables.jobs import JOB_ACCESS
from schemas.tables.sources import RARE_ACTS, SOURCE_DAYS
from schemas.tables.spec import Table

MADE = (ACCESS, OBJECT_ACCESS, PLACE_ACCESS, API_DAYS, JOB_ACCESS, SOURCE_DAYS, RARE_ACTS)
"""Tables whose rows are made."""
ROWS_DRAWN = 15.0
"""Mean draws of an active identity; some repeat a row, and 13 rows remain."""
ELSEWHERE = (0.80, 0.97)
"""Draws up to the first share touch the own team's assets, up to the second common ones, and the
rest those of another team."""
OBJECTS_READ = 12
"""Mean objects that an identity reads of a checkpoint or dataset on a day."""
PORTION_SHARE = 5
"""Every fifth person reads a new portion of the dataset each day; the others read the same."""
RANGED = 0.01  # share of object reads that ask for ranges
CHUNK = 8 * 1024**2
CLASSES = ("clone", "copy", "execute", "inspect", "list", "query", "read", "write")
CLONE, COPY, _, INSPECT, LIST, _, READ, _ = range(len(CLASSES))
SHARES = np.array(
    [
        [0.0, 0.0, 0.0, 0.17, 0.13, 0.0, 0.65, 0.05],
        [0.0, 0.0, 0.0, 0.17, 0.13, 0.0, 0.65, 0.05],
        [0.6, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.3],
        [0.0, 0.0, 0.0, 0.1, 0.0, 0.9, 0.0, 0.0],
        [0.0, 0.0, 0.1, 0.4, 0.3, 0.0, 0.0, 0.2],
        [0.0, 0.0, 0.0, 0.1, 0.3, 0.0, 0.4, 0.2],
    ]
)
"""Kind of asset × class of action: how a touch of an asset is drawn."""
ACTIONS = (
    "git.clone CopyObject pods/exec HeadObject ListObjects chat.completions GetObject PutObject"
).split()
AGENTS = "aws-cli boto3 aws-sdk-go s3fs python-requests git kubectl openai".split()
STORE_AGENTS = 5
AGENT_OF_KIND = {REPO: 5, NAMESPACE: 6, MODEL: 7}
SOURCES = "object-store repositories k8s-prod gateway".split()
SOURCE_OF_KIND = np.array([0, 0, 1, 3, 2, 0])
BACKUP = "s3://lab-backup#444455556666"
HOURS, HOUR_SHARES = (1, 2, 3, 6), (0.5, 0.2, 0.15, 0.15)
VALUES = {
    "date": pa.date32(),
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
HOUR = {"hour": pa.int32(), "events": pa.int64(), "bytes": pa.int64(), "objects": pa.int64()}
LISTS = {f"array<{name}>": pa.list_(value) for name, value in VALUES.items()}
TYPES = {**VALUES, **LISTS, HOURLY: pa.list_(pa.struct(HOUR))}
"""Column type of the tables → Arrow type."""


@dataclass(frozen=True)
class Touches:
    """One entry for each row of ``access``, in the order of its key.

    ``pair``: rows that read or copy objects of a manifest. ``start``, ``step``, ``hours``: first
    hour, hours between two hours with events, number of these. ``first``: seconds of the first
    event in its hour.
    """

    user: Codes
    asset: Codes
    action: Codes
    pair: Codes
    start: Codes
    step: Codes
    hours: Codes
    first: Codes


@dataclass(frozen=True)
class Reads:
    """One entry for each row of ``object_access``, in the order of its key.

    ``place``: position in ``Touches.pair``. ``chunks``: ranges asked for, 0: the whole object.
    ``amount``: bytes read, −1 if no log has them.
    """

    place: Codes
    object: Codes
    reads: Codes
    chunks: Codes
    amount: Codes


def make_day(population: Population, number: int, day: date, seed: int) -> tuple[pa.Table, ...]:
    """What `aggregate` writes for day ``number`` (0: the first), in the order of MADE."""
    rng = np.random.default_rng([seed, number])
    touches = _touches(population, rng)
    reads = _reads(population, touches, number, rng)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    access = _access_columns(population, touches, reads, number, midnight, rng)
    objects = _object_columns(population, touches, reads, midnight)
    made = _table(ACCESS, day, access)
    makers = (place_rows, query_rows, job_rows, source_rows, act_rows)
    rest = (make(made, schema_of(table)) for make, table in zip(makers, MADE[2:], strict=True))
    return made, _table(OBJECT_ACCESS, day, objects), *rest


def schema_of(table: Table) -> pa.Schema:
    """The Arrow schema of a table of the warehouse."""
    return pa.schema([(column.name, TYPES[column.type]) for column in table.columns])


def _table(table: Table, day: date, columns: dict[str, Any]) -> pa.Table:
    days = pa.repeat(pa.scalar(day), len(columns["user_id"]))
    schema = schema_of(table)
    filled = {"day": days, **columns}
    return pa.table(
        [pa.array(filled[name]).cast(schema.field(name).type) for name in schema.names], schema
    )


def _touches(population: Population, rng: np.random.Generator) -> Touches:
    people, assets = population.identities, population.assets
    active = np.flatnonzero(rng.random(len(people.ids)) < people.active_share)
    user = np.repeat(active, 1 + rng.poisson(ROWS_DRAWN - 1, len(active)))
    asset = _drawn_assets(population, user, rng)
    kind = assets.kind[asset]
    action = (np.cumsum(SHARES, axis=1)[kind] < rng.random(len(user))[:, None]).sum(axis=1)
    action = np.minimum(action, len(CLASSES) - 1)
    # A pair is either read or copied, so that its objects have one row each.
    action[(action == READ) & (kind <= DATASET) & (_mixed(user, asset) % 67 == 0)] = COPY
    key = np.unique((user * len(assets.ids) + asset) * len(CLASSES) + action)
    key, action = np.divmod(key, len(CLASSES))
    user, asset = np.divmod(key, len(assets.ids))
    hours = rng.choice(HOURS, len(key), p=HOUR_SHARES)
    step = np.where(hours > 3, 1, rng.integers(1, 3, len(key)))
    begins = WORK_STARTS[people.country[user]] + rng.integers(0, 6, len(key))
    begins = np.where(people.service[user], rng.integers(0, 24, len(key)), begins)
    return Touches(
        user,
        asset,
        action,
        pair=np.flatnonzero((assets.kind[asset] <= DATASET) & np.isin(action, (READ, COPY))),
        start=np.minimum(begins, 23 - (hours - 1) * step),
        step=step,
        hours=hours,
        first=rng.integers(0, 1200, len(key)),
    )


def _drawn_assets(population: Population, user: Codes, rng: np.random.Generator) -> Codes:
    """An asset for each draw: mostly the favourites of the identity among its team's."""
    where = rng.random(len(user))
    teams = len(population.sizes)
    own = population.identities.team[user]
    team = np.where(where < ELSEWHERE[1], own, rng.integers(0, teams, len(user)))
    size = population.sizes[team]
    slot = (size * rng.random(len(user)) ** 2).astype(np.int64)
    asset = population.members[population.starts[team] + (slot + user * 7) % size]
    popular = 1 / np.arange(1, len(population.common) + 1)
    shared = rng.choice(population.common, len(user), p=popular / popular.sum())
    return np.where((where >= ELSEWHERE[0]) & (where < ELSEWHERE[1]), shared, asset)


def _mixed(user: Codes, asset: Codes) -> Codes:
    """A number that looks random, the same on each day."""
    return (user * 2_654_435_761 + asset * 40_503) % 1_000_003


def _reads(
    population: Population, touches: Touches, number: int, rng: np.random.Generator
) -> Reads:
    user, asset = touches.user[touches.pair], touches.asset[touches.pair]
    total = population.assets.objects[asset]
    count = np.minimum(1 + rng.poisson(OBJECTS_READ - 1, len(asset)), total)
    moves = (user % PORTION_SHARE == 0) & (population.assets.kind[asset] == DATASET)
    start = _mixed(user, asset) + np.where(moves, number * OBJECTS_READ, 0)
    place = np.repeat(np.arange(len(count)), count)
    one = (start[place] + _within(count)) % total[place]
    widest = int(total.max(initial=1))
    place, one = np.divmod(np.sort(place * widest + one), widest)
    reads = np.where(rng.random(len(place)) < 0.08, 2, 1)
    chunks = np.where(rng.random(len(place)) < RANGED, reads, 0)
    amount = np.where(chunks > 0, CHUNK, population.assets.object_bytes[asset][place]) * reads
    copied = touches.action[touches.pair][place] == COPY
    return Reads(place, one, reads, np.where(copied, 0, chunks), np.where(copied, -1, amount))


def _within(counts: Codes) -> Codes:
    """0, 1, … for each group of ``counts``."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _access_columns(
    population: Population,
    touches: Touches,
    reads: Reads,
    number: int,
    midnight: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    people, assets = population.identities, population.assets
    user, asset, action, pair = touches.user, touches.asset, touches.action, touches.pair
    rows, kind = len(user), assets.kind[asset]
    events = np.ceil(rng.lognormal(0.8, 1.0, rows)).astype(np.int64)
    objects = np.where(np.isin(action, (INSPECT, LIST)) & (kind != REPO), events, 1)
    events[pair] = np.bincount(reads.place, reads.reads, len(pair))
    objects[pair] = np.bincount(reads.place, minlength=len(pair))
    amount = np.full(rows, -1)
    amount[pair] = np.bincount(reads.place, reads.amount, len(pair))
    scratch = (kind == UNLISTED) & (action == READ)
    amount[scratch] = (assets.object_bytes[asset] * events)[scratch]
    failures = (rng.random(rows) < 0.01).astype(np.int64)
    estimated = (
        np.where((action == COPY) | (action == CLONE), assets.object_bytes[asset], 0) * objects
    )
    events = events + failures
    hours = np.minimum(touches.hours, events)
    last = touches.start + (hours - 1) * touches.step
    known = np.maximum(amount, 0)
    return {
        "user_id": _taken(people.ids, user),
        "user_kind": _taken(["human", "service"], people.service[user].astype(np.int64)),
        "asset_id": _taken(assets.ids, asset),
        "action_class": _taken(CLASSES, action),
        "events": events,
        "failures": failures,
        "bytes_out": pa.array(amount, mask=amount < 0),
        "bytes_estimated": pa.array(estimated, mask=estimated == 0),
        "objects": objects,
        "first_time": _times(midnight + touches.start * 3600 + touches.first),
        "last_time": _times(midnight + last * 3600 + 2400 + touches.first),
        "hourly": _hourly(touches, hours, events, known, objects),
        "actions": _single(ACTIONS, action),
        **_whereabouts(population, user, rng),
        **_means(population, touches, number),
    }


def _hourly(
    touches: Touches, hours: Codes, events: Codes, amount: Codes, objects: Codes
) -> pa.ListArray:
    row, part = np.repeat(np.arange(len(hours)), hours), _within(hours)
    parts = hours[row]

    def split(total: Codes) -> Codes:
        return total[row] // parts + (part < total[row] % parts)

    structs = pa.StructArray.from_arrays(
        [
            pa.array((touches.start[row] + part * touches.step[row]).astype(np.int32)),
            pa.array(split(events)),
            pa.array(split(amount)),
            pa.array(np.maximum(split(objects), 1)),
        ],
        ["hour", "events", "bytes", "objects"],
    )
    return _lists(structs, hours)


def _whereabouts(
    population: Population, user: Codes, rng: np.random.Generator
) -> dict[str, pa.ListArray]:
    """Addresses and networks: of an identity the same ones in all rows of a day."""
    people = population.identities
    place = rng.random(len(people.ids))
    outside = (rng.random(len(people.ids)) < 0.003) & ~people.service
    used = np.stack([place < 0.72, place >= 0.68, outside], axis=1)
    group = np.where(people.service, len(COUNTRIES), people.country)
    zones = [[f"corp/{c}/64512", f"vpn/{c}/64512", f"external/{c}/64604"] for c in COUNTRIES]
    zones.append(["datacenter/US/64512", "cloud/US/64513", "external/US/64604"])
    networks = pa.array(
        [
            sorted(zone for bit, zone in enumerate(three) if bits >> bit & 1)
            for three in zones
            for bits in range(8)
        ]
    )
    row, column = np.nonzero(used[user])
    addresses = _taken(people.addresses.ravel(), user[row] * 3 + column)
    return {
        "addresses": _lists(addresses, used[user].sum(axis=1)),
        "networks": networks.take(pa.array((group * 8 + used @ (1, 2, 4))[user])),
    }


def _means(population: Population, touches: Touches, number: int) -> dict[str, pa.ListArray]:
    """Programs, credentials, roles, destinations and sources of each row."""
    people, kind = population.identities, population.assets.kind[touches.asset]
    user, all_users = touches.user, np.arange(len(people.ids))
    store = SOURCE_OF_KIND[kind] == 0
    agent = user % STORE_AGENTS
    for other, code in AGENT_OF_KIND.items():
        agent = np.where(kind == other, code, agent)
    # A person's session key is new each day; a service keeps its key.
    sessions = np.where(people.service, 0, number + 1) + all_users * 1000
    keys = np.concatenate([np.char.mod("ASIA%016d", sessions), people.token])
    roles = np.where(
        people.service,
        np.char.add(f"arn:aws:iam::{ACCOUNT}:role/", people.ids),
        f"arn:aws:iam::{ACCOUNT}:role/research",
    )
    return {
        "agents": _single(AGENTS, agent),
        "credentials": _single(
            keys, np.where(store, user, user + len(people.ids)), kind != NAMESPACE
        ),
        "acting_as": _single(roles, user, store),
        "destinations": _single([BACKUP], np.zeros_like(user), touches.action == COPY),
        "sources": _single(SOURCES, SOURCE_OF_KIND[kind]),
        "sessions": _single([""], np.zeros_like(user), np.zeros(len(user), dtype=bool)),
        "accounts": _single([ACCOUNT], np.zeros_like(user)),
        **dict.fromkeys(("chosen_names", "bytes_in"), np.zeros(len(user), dtype=np.int64)),
    }


def _object_columns(
    population: Population, touches: Touches, reads: Reads, midnight: int
) -> dict[str, Any]:
    people, assets = population.identities, population.assets
    row = touches.pair[reads.place]
    user, asset = touches.user[row], touches.asset[row]
    most = int(assets.objects.max())
    numbers = np.arange(most)
    names = np.concatenate(
        [np.char.mod("model-%05d.safetensors", numbers), np.char.mod("part-%05d.parquet", numbers)]
    )
    name = np.where(assets.kind[asset] == CHECKPOINT, reads.object, reads.object + most)
    begins = midnight + touches.start[row] * 3600 + touches.first[row] + reads.object % 60
    asked = [
        [f"bytes={n * CHUNK}-{(n + 1) * CHUNK - 1}" for n in range(first, first + chunks)]
        for first in range(20)
        for chunks in range(3)
    ]
    ranges = pa.array([sorted(each) for each in asked], pa.list_(pa.string()))
    return {
        "user_id": _taken(people.ids, user),
        "user_kind": _taken(["human", "service"], people.service[user].astype(np.int64)),
        "asset_id": _taken(assets.ids, asset),
        "object": _taken(names, name),
        "reads": reads.reads,
        "bytes_out": pa.array(reads.amount, mask=reads.amount < 0),
        "ranges": ranges.take(pa.array(reads.object % 20 * 3 + reads.chunks)),
        "part_bytes": pa.nulls(len(row), pa.int64()),
        # The log of every second asset has the sizes of its objects.
        "object_bytes": pa.array(assets.object_bytes[asset], mask=asset % 2 == 0),
        "first_time": _times(begins),
        "last_time": _times(begins + np.where(reads.reads > 1, 600, 0)),
    }


def _taken(values: Any, codes: Codes) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(codes))


def _times(seconds: NDArray[Any]) -> pa.Array:
    return pa.array(seconds * 1_000_000).cast(TYPES["timestamp"])


def _single(values: Any, codes: Codes, present: NDArray[np.bool_] | bool = True) -> pa.ListArray:
    """Lists of one value, or of none where ``present`` is false."""
    kept = np.broadcast_to(present, len(codes))
    return _lists(_taken(values, codes[kept]), kept.astype(np.int64))


def _lists(values: pa.Array, lengths: Codes) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
