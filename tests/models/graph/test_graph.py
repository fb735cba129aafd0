"""The whole graph: the same rows give the same graph, places, the stage."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.inputs.config import load_config
from jobs.inputs.context import load_context
from jobs.platform.delta_tables import read_days, replace_day, to_frame
from jobs.stages import graph as stage
from models.graph.probability import PROBABILITY_FLOOR
from schemas.config import Graph, JobConfig
from schemas.context import DIRECTORY_COLUMNS
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

from tests.worlds.graphs import (
    DAY,
    SETTINGS,
    access_of,
    context_of,
    graph_of,
    peer_groups,
    planted_blocks,
    reduce_slowly,
    two_cliques,
)

REPOSITORY = Path(__file__).parents[3]


# The same rows, the same graph.


def test_order_of_rows_does_not_matter() -> None:
    access, foreign, user_blocks, _ = planted_blocks(60, 120, 5, seed=6)
    access = pd.concat([access, foreign])
    context = context_of({user: f"t{block}" for user, block in user_blocks.items()})
    first = graph_of(access, context, DAY, SETTINGS)
    shuffled = graph_of(access.sample(frac=1, random_state=1), context, DAY, SETTINGS)
    for left, right in zip(first, shuffled, strict=True):
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def graph_as_text() -> str:
    access, foreign, _, _ = planted_blocks(30, 60, 3, seed=8)
    frames = graph_of(pd.concat([access, foreign]), context_of(), DAY, SETTINGS)
    return "".join(frame.astype(str).to_json(orient="values") for frame in frames)


@pytest.mark.slow
def test_a_process_with_another_hash_seed_agrees() -> None:
    other = subprocess.run(
        [
            sys.executable,
            "-c",
            "import tests.models.graph.test_graph as t; print(t.graph_as_text(), end='')",
        ],
        env={**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert other.stdout == graph_as_text()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_bounds_hold_for_any_access(data: st.DataObject) -> None:
    # Users and assets draw from the same names, so that the namespaces collide.
    name = st.sampled_from(["a", "b", "c", "s3://d", "ü"])
    row = st.tuples(
        st.integers(-1, 12), name, name, st.sampled_from(["human", "service"]), st.integers(1, 9)
    )
    rows = data.draw(st.lists(st.tuples(row, st.integers(0, 3)), min_size=0, max_size=30))
    access = access_of(
        [(ago, user, asset) for (ago, user, asset, _, _), _ in rows],
        user_kind=[kind for (_, _, _, kind, _), _ in rows],
        events=[events for (_, _, _, _, events), _ in rows],
        failures=[min(failures, events) for (_, _, _, _, events), failures in rows],
    )
    team = data.draw(st.sampled_from([{}, {"a": "t", "b": "t"}]))
    small = Graph(window_days=10, peers=2, factors=3, seed=1)
    nodes, edges = graph_of(access, context_of(team), DAY, small)

    touched = defaultdict(set)
    for (ago, user, asset, _, events), failures in rows:
        if 0 <= ago < 10 and events > failures:
            touched[user, asset].add(ago)
    assert list(zip(edges["user_id"], edges["asset_id"], strict=True)) == sorted(touched)
    assert edges["active_days"].tolist() == [len(touched[pair]) for pair in sorted(touched)]
    assert edges["today"].tolist() == [0 in touched[pair] for pair in sorted(touched)]
    assert edges["is_new"].tolist() == [touched[pair] == {0} for pair in sorted(touched)]
    assert (edges["weight"] >= 1).all()
    assert edges["probability"].between(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR).all()
    ends = {("user", user) for user, _ in touched} | {("asset", asset) for _, asset in touched}
    keys = list(zip(nodes["node_type"], nodes["node_id"], strict=True))
    assert keys == sorted(ends)
    assert nodes.loc[nodes["node_type"] == "user", "degree"].sum() == len(edges)
    assert nodes[["x", "y"]].apply(lambda side: side.between(-1, 1)).all(axis=None)
    sizes = nodes["community"].value_counts().sort_index()
    assert sizes.index.tolist() == list(range(len(sizes)))
    assert sizes.is_monotonic_decreasing
    kinds = dict(zip(keys, nodes["kind"], strict=True))
    for user, peers in peer_groups(nodes).items():
        assert user not in peers
        assert len(peers) == len(set(peers)) <= 2
        assert {kinds["user", peer] for peer in peers} <= {kinds["user", user]}


# Places.


def test_users_are_drawn_near_their_assets_and_stay_there() -> None:
    access, _, _, _ = planted_blocks(60, 120, 5, seed=9)
    nodes, edges = graph_of(access, context_of(), DAY, SETTINGS)
    place = nodes.set_index(["node_type", "node_id"])[["x", "y"]]
    assert not place.duplicated().any()
    assert place.abs().max().max() == 1.0
    users = place.loc["user"].loc[edges["user_id"]].to_numpy()
    assets = place.loc["asset"].loc[edges["asset_id"]].to_numpy()
    drawn = np.linalg.norm(users - assets, axis=1)
    shuffled = np.random.default_rng(1).permutation(assets)
    assert np.median(drawn) < 0.5 * np.median(np.linalg.norm(users - shuffled, axis=1))
    yesterday, _ = graph_of(access, context_of(), DAY - timedelta(days=1), SETTINGS)
    moved = place.join(
        yesterday.set_index(["node_type", "node_id"])[["x", "y"]], rsuffix="_old", how="inner"
    )
    steps = np.hypot(moved["x"] - moved["x_old"], moved["y"] - moved["y_old"])
    assert np.median(steps) < 0.15


# The stage.


def stored_access(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with all columns of ACCESS; those that the graph does not use are empty."""
    filled = rows.assign(
        bytes_out=None,
        bytes_estimated=None,
        objects=1,
        first_time=None,
        last_time=None,
        chosen_names=0,
        bytes_in=None,
    )
    lists = [column.name for column in ACCESS.columns if column.type.startswith("array")]
    return filled.assign(**{column: [[] for _ in range(len(rows))] for column in lists})


def stage_config(folder: Path) -> JobConfig:
    """A job in ``folder`` with a window of ten days and a directory of one."""
    (folder / "context").mkdir()
    (folder / "raw").mkdir()
    (folder / "context" / "directory.csv").write_text(
        ",".join(DIRECTORY_COLUMNS) + "\nl0,,,human,red,,,,,,,,\n", encoding="utf-8"
    )
    (folder / "job.yml").write_text(
        "sources: [{name: s, format: aws_cloudtrail, path: 'raw/*.json'}]\n"
        "graph: {window_days: 10}\n",
        encoding="utf-8",
    )
    return load_config(folder / "job.yml")


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_engine_reduces_access_like_the_slow_loop(
    engine: str, request: pytest.FixtureRequest
) -> None:
    spark = request.getfixturevalue(engine)
    rng = np.random.default_rng(12)
    # The longest window, so that both masks and their outermost bits are in use.
    agos = np.concatenate([[0, 44, 45, 89], rng.integers(0, 90, 400)])
    touches = [(int(ago), f"u{rng.integers(12)}", f"a{rng.integers(9)}") for ago in agos]
    events = rng.integers(1, 6, len(touches))
    access = access_of(
        touches,
        user_kind=rng.choice(["human", "service", "unknown"], len(touches)),
        action_class=rng.choice(["read", "list", "execute", "write"], len(touches)),
        events=events,
        failures=np.minimum(events, rng.integers(0, 6, len(touches))),
    )
    frame = to_frame(spark, stored_access(access), ACCESS)
    found = (stage.reduce_pairs(frame, DAY).toPandas(), stage.reduce_kinds(frame, DAY).toPandas())
    keys = (["user_id", "asset_id"], ["user_id", "user_kind"])
    for rows, expected, key in zip(found, reduce_slowly(access, DAY, 90), keys, strict=True):
        rows, expected = (each.sort_values(key, ignore_index=True) for each in (rows, expected))
        pd.testing.assert_frame_equal(rows, expected, check_dtype=False)


def test_stage_writes_an_empty_graph_without_access(sail: SparkSession, tmp_path: Path) -> None:
    config = stage_config(tmp_path)
    assert (
        str(stage.STAGE.run(sail, config, DAY))
        == "0 users, 0 assets, 0 edges (0 new), 0 communities"
    )
    assert read_days(sail, config.storage, GRAPH_NODES, DAY).count() == 0


def test_stage_reads_its_window_and_replaces_its_day(sail: SparkSession, tmp_path: Path) -> None:
    config = stage_config(tmp_path)
    touches = [*two_cliques(), (0, "l0", "y0"), (9, "l1", "first-day"), (10, "l1", "too-old")]
    access = access_of(touches)
    for day, rows in access.groupby("day"):
        replace_day(to_frame(sail, stored_access(rows), ACCESS), config.storage, ACCESS, day)
    for _ in range(2):
        summary = str(stage.STAGE.run(sail, config, DAY))
        assert summary == "7 users, 8 assets, 30 edges (1 new), 2 communities"
    nodes, edges = graph_of(access, load_context(config.context, DAY), DAY, config.graph)
    stored = read_days(sail, config.storage, GRAPH_EDGES, DAY).toPandas()
    stored = stored.sort_values(["user_id", "asset_id"], ignore_index=True)
    pd.testing.assert_frame_equal(stored, edges, check_dtype=False)
    stored = read_days(sail, config.storage, GRAPH_NODES, DAY).toPandas()
    stored = stored.sort_values(["node_type", "node_id"], ignore_index=True)
    assert peer_groups(stored) == peer_groups(nodes)
    pd.testing.assert_frame_equal(
        stored.drop(columns="peers"), nodes.drop(columns="peers"), check_dtype=False
    )
