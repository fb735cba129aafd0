"""The tables of stage ``features`` against the same rows made in plain Python."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from jobs.platform.delta_tables import replace_day, to_frame
from jobs.platform.errors import RunError
from jobs.platform.frames import stored_frame
from jobs.stages.features import STAGE
from schemas.tables.access import ACCESS, OBJECT_ACCESS, PLACE_ACCESS
from schemas.tables.coverage import COVERAGE
from schemas.tables.features import (
    ASSET_DAYS,
    ENTITY_DAYS,
    GRANTS,
    LINEAGE,
    NOVELTY,
    PAIRS,
    PLACE_DAYS,
    STEPS,
)
from tests.worlds.access_rows import access_frame, object_frame
from tests.worlds.coverage import coverage_of
from tests.worlds.features import features_of
from tests.worlds.histories import (
    FIRST,
    HOME,
    Event,
    World,
    context_of,
    everyday_world,
)
from tests.worlds.judged_days import job_config
from tests.worlds.lineage import lineage_of
from tests.worlds.lineage_plants import converts_in_every_way
from tests.worlds.place_days import place_access_frame, place_days_of
from tests.worlds.steps import steps_of

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

DAYS = 9
TABLES = (
    ASSET_DAYS, NOVELTY, PLACE_DAYS, GRANTS, STEPS, LINEAGE, PAIRS, ENTITY_DAYS, COVERAGE,
)  # fmt: skip


def strange_world() -> World:
    """Some ordinary people, and accesses of every kind that the tables tell apart."""
    world = everyday_world(people=6, days=DAYS)
    last = FIRST + timedelta(days=DAYS - 1)
    repository, checkpoint = "repo-1", "ckpt-evals-1"

    def add(ago: int, user: str, asset: str, action_class: str, **facts: Any) -> None:
        hour = facts.pop("hour", 11)
        event = Event(last - timedelta(days=ago), user, asset, action_class, hour, **facts)
        world.events.append(event)

    for ago in (0, 2, 5):
        add(ago, "u004", checkpoint, "read", object="b", linked=ago < 5, network="external/XX/1")
    for ago in (0, 1):
        add(ago, "u005", "s3://scratch", "write", object="c", size=900, hour=7 + ago)
        add(ago, "u005", "s3://scratch", "write", object="d", failed=bool(ago), size=80)
        add(ago, "u005", "s3://scratch", "read", object="c", size=9, network="cloud/US/1", hour=13)
        add(ago, "u005", "s3://scratch", "delete", object="c", failed=bool(ago), hour=19)
        add(ago, "u005", "s3://scratch", "share", object="c", destination="public://all")
    for ago in (0, 3, 8):
        add(ago, "u001", repository, "clone", action="git.zip", credential=f"token-{ago}")
        add(ago, "u002", "github://lab/unlisted", "read", action="git.fetch", credential="token-2")
        add(ago, "u003", checkpoint, "copy", object="a", destination="s3://abroad#999988887777")
    add(0, "new", repository, "clone", action="git.clone", credential="token-new")
    add(0, "u003", checkpoint, "share", object="b", destination="s3://failed", failed=True)
    for hour_of_failures in range(5):
        add(0, "u004", f"s3://closed-{hour_of_failures}", "list", failed=True)
        add(0, "u004", "s3://closed-0", "read", failed=True, network=HOME)
    add(0, "u005", "k8s://prod/models", "execute", action="create pods/exec", agent="kubectl")
    add(1, "u005", "k8s://prod/models", "execute", action="create jobs", agent="kubectl")
    for ago, network in ((0, "external/RO/64800"), (4, "external/RO/64801"), (6, "192.0.2.0/24")):
        for user in ("u001", "u002", "u005", "new"):
            add(ago, user, checkpoint, "read", object=f"c{ago}", network=network,
                failed=user == "u005")  # fmt: skip
    for ago in (0, 1, 7, 8):
        add(ago, "u003", checkpoint, "read", object="d", network="192.0.2.0/24", hour=ago)
    # A night's work around midnight, more of it before, then more of it after midnight.
    for user, hours, next_hours in (("u001", range(17, 24), range(2)), ("u002", (22,), range(5))):
        for hour in hours:
            add(2, user, checkpoint, "read", object=f"n{hour}", hour=hour, size=70)
            add(2, user, f"s3://night-{hour}", "read", object="n", hour=hour, size=7)
        for hour in next_hours:
            add(1, user, checkpoint, "read", object=f"m{hour}", hour=hour, size=50)
            add(1, user, f"s3://night-{hour + 20}", "read", object="n", hour=hour, size=5)
    converts_in_every_way(world, last)
    add(0, "", "s3://nobodys", "read", size=None, object="x")
    add(0, "looker", "s3://public", "inspect")
    return world


def partial_reads(seed: int) -> pd.DataFrame:
    """Rows of OBJECT_ACCESS with every mixture of ranges, parts, sizes and whole reads."""
    rng = random.Random(seed)
    rows = []
    for ago in range(DAYS):
        for user, asset, number in itertools.product(
            ("u001", "u002", "new"), ("ckpt-evals-1", "unlisted"), range(4)
        ):
            if rng.random() < 0.4:
                continue
            texts = [f"bytes={rng.randrange(900)}-{rng.randrange(300, 1200)}" for _ in range(3)]
            texts += ["bytes=-100", "bytes=200-", "bytes=0-9, 50-59", "rows=1-2", "bytes=9-3"]
            day = FIRST + timedelta(days=DAYS - 1 - ago)
            rows.append(
                {
                    "day": day, "user_id": user, "user_kind": "human", "asset_id": asset,
                    "object": f"part-{number}", "reads": rng.randrange(1, 4),
                    "bytes_out": rng.choice([None, 1000, 2000]),
                    "ranges": sorted(rng.sample(texts, rng.randrange(4)))
                    if rng.random() < 0.6 else [],
                    "part_bytes": rng.choice([None, None, None, 0, 150]),
                    "object_bytes": rng.choice([None, None, 1000]) if number else None,
                    "first_time": pd.Timestamp(day), "last_time": pd.Timestamp(day),
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=OBJECT_ACCESS.column_names)


@pytest.fixture(scope="module")
def world() -> World:
    return strange_world()


@dataclass(frozen=True)
class Stored:
    """A storage with the rows of ACCESS and OBJECT_ACCESS of some days."""

    config: JobConfig
    access: pd.DataFrame
    objects: pd.DataFrame
    places: pd.DataFrame
    days: list[date]


def stored(
    spark: SparkSession,
    world: World,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Stored:
    """The world's rows in a storage."""
    monkeypatch.setattr("jobs.stages.features.load_context", lambda *_: context_of(world))
    config, access = job_config(folder), access_frame(world.events)
    days = sorted(set(access["day"]))
    parts = (
        object_frame(world.events, world.assets).astype(object),
        partial_reads(3).astype(object),
    )
    objects = pd.concat(parts)
    objects = objects.drop_duplicates(["day", *OBJECT_ACCESS.key], ignore_index=True)
    places = place_access_frame(world.events)
    for table, rows in ((ACCESS, access), (OBJECT_ACCESS, objects), (PLACE_ACCESS, places)):
        for day in days:
            part = rows[rows["day"] == day].copy()
            for name in {"first_time", "last_time"} & set(part.columns):
                part[name] = pd.to_datetime(part[name]).dt.tz_localize("UTC")
            replace_day(to_frame(spark, part, table), config.storage, table, day)
    return Stored(config, access, objects, places, days)


def plain(frame: pd.DataFrame, columns: list[str], key: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Rows in the order of their key, as values of Python."""
    rows = frame[columns].astype(object).where(frame[columns].notna(), None)
    rows = rows.sort_values(["day", *key])
    return [
        tuple(
            list(value) if hasattr(value, "__len__") and not isinstance(value, str) else value
            for value in row
        )
        for row in rows.itertuples(index=False)
    ]


def test_tables_are_those_made_in_plain_python(
    sail: SparkSession, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apache Spark makes the same rows: tests/whole/test_pipeline.py compares both engines."""
    made = stored(sail, world, tmp_path, monkeypatch)
    for day in made.days:
        STAGE.run(sail, made.config, day)
    expected = features_of(made.access, context_of(world))
    coverage = coverage_of(made.objects, context_of(world))
    places = place_days_of(made.places, context_of(world), made.days)
    steps = steps_of(made.access, made.places, context_of(world))
    made_apart = {COVERAGE.name: coverage, PLACE_DAYS.name: places, STEPS.name: steps,
                  LINEAGE.name: lineage_of(steps, made.objects, context_of(world))}  # fmt: skip
    for table in TABLES:
        rows = made_apart[table.name] if table.name in made_apart else getattr(expected, table.name)
        found = stored_frame(made.config.storage, table, made.days[-1], DAYS)
        # The hash of a name is the engine's own.
        columns = [name for name in table.column_names if name != "new_objects"]
        assert plain(found, columns, table.key) == plain(rows, columns, table.key), table.name
    kept = stored_frame(made.config.storage, COVERAGE, made.days[-1], DAYS)
    keys = ["day", "user_id", "asset_id"]
    names = coverage.set_index(keys)["new_objects"].map(len)
    hashes = kept.set_index(keys)["new_objects"].map(len)
    assert hashes.sort_index().to_dict() == names.sort_index().to_dict()
    for asset, rows in kept.groupby("asset_id"):
        mine = made.objects[(made.objects["asset_id"] == asset) & (made.objects["user_id"] != "")]
        assert len({hash_ for some in rows["new_objects"] for hash_ in some}) == (
            mine["object"].nunique()
        )


def test_a_day_run_again_gives_the_same_rows(
    sail: SparkSession, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stored(sail, world, tmp_path, monkeypatch)
    config, days = made.config, made.days
    for day in days:
        STAGE.run(sail, config, day)

    def rows() -> list[list[tuple[Any, ...]]]:
        frames = {table: stored_frame(config.storage, table, days[-1], DAYS) for table in TABLES}
        return [plain(frame, table.column_names, table.key) for table, frame in frames.items()]

    before = rows()
    for day in days[-3:-1]:
        STAGE.run(sail, config, day)
    assert rows() == before


def test_days_without_features_before_the_day_are_named(
    sail: SparkSession, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stored(sail, world, tmp_path, monkeypatch)
    config, days = made.config, made.days
    with pytest.raises(RunError, match=rf"lacks {DAYS - 1} of the days before {days[-1]}") as found:
        STAGE.run(sail, config, days[-1])
    assert f"stage features --config … --start {days[0]} --end {days[-2]}" in str(found.value)
