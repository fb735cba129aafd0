"""The user–asset graph against closed forms, slow obvious versions and a planted truth."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.inputs.config import load_config
from jobs.inputs.context import load_context
from jobs.platform.delta_tables import read_days, replace_day, to_frame
from jobs.stages import graph as stage
from models.graph import bipartite_graph, build_graph, peer_groups
from models.graph.probability import PROBABILITY_FLOOR, PSEUDO_TOUCHES, ROOT_RATE
from models.graph.window import TEAM_SHARE
from schemas.config import Graph, JobConfig
from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
    Context,
)
from schemas.tables.access import ACCESS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REPOSITORY = Path(__file__).parents[3]
DAY = date(2026, 3, 31)
SETTINGS = Graph(window_days=30, peers=5, factors=10, seed=7)

Touch = tuple[int, str, str]
"""Days before DAY, user, asset."""


def access_of(touches: list[Touch], **columns: Any) -> pd.DataFrame:
    """Rows of ACCESS with one successful event each, unless ``columns`` say otherwise."""
    rows = pd.DataFrame(
        {
            "day": [DAY - timedelta(days=ago) for ago, _, _ in touches],
            "user_id": [user for _, user, _ in touches],
            "user_kind": "human",
            "asset_id": [asset for _, _, asset in touches],
            "action_class": "read",
            "events": 1,
            "failures": 0,
        }
    )
    return rows.assign(**columns)


def context_of(
    teams: dict[str, str] | None = None, assets: list[dict[str, str]] | None = None
) -> Context:
    people = [{"user_id": user, "kind": "human", "team": t} for user, t in (teams or {}).items()]
    return Context(
        directory=pd.DataFrame(people, columns=DIRECTORY_COLUMNS).fillna(""),
        assets=pd.DataFrame(assets or [], columns=ASSET_COLUMNS).fillna(""),
        approvals=pd.DataFrame(columns=APPROVAL_COLUMNS),
        networks=pd.DataFrame(columns=NETWORK_COLUMNS),
    )


def two_cliques() -> list[Touch]:
    """Four users on three assets, three users on three others, on five days; one common asset."""
    large = [(ago, f"l{u}", f"x{a}") for ago in range(5) for u in range(4) for a in range(3)]
    small = [(ago, f"s{u}", f"y{a}") for ago in range(5) for u in range(3) for a in range(3)]
    wiki = [(1, user, "wiki") for user in ("l0", "l1", "l2", "l3", "s0", "s1", "s2")]
    return large + small + wiki


def planted_blocks(
    n_users: int, n_assets: int, n_blocks: int, seed: int, habit_shape: float = math.inf
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], dict[str, int]]:
    """Access of 30 days where users touch assets of their own block or a few common ones.

    Users differ in activity and assets in popularity; the rates of single pairs spread about that
    like a Gamma variable of shape ``habit_shape`` (infinite: not at all). Returns access, the
    foreign touches of DAY (random pairs across blocks, not in access), the blocks of users and of
    assets (common ones -1).
    """
    rng = np.random.default_rng(seed)
    user_blocks = rng.integers(n_blocks, size=n_users)
    asset_blocks = np.where(rng.random(n_assets) < 0.03, -1, rng.integers(n_blocks, size=n_assets))
    activity, popularity = rng.gamma(1.5, 1 / 1.5, n_users), rng.gamma(0.7, 1 / 0.7, n_assets)
    own = (user_blocks[:, None] == asset_blocks) * 0.02 + (asset_blocks == -1) * 0.05
    rates = own * np.outer(activity, popularity)
    if math.isfinite(habit_shape):
        rates *= rng.gamma(habit_shape, 1 / habit_shape, rates.shape)
    chance = 1 - np.exp(-rates)
    touches = [
        (ago, f"u{user:03d}", f"a{asset:03d}")
        for ago in range(30)
        for user, asset in np.argwhere(rng.random(chance.shape) < chance)
    ]
    pairs = zip(rng.integers(n_users, size=300), rng.integers(n_assets, size=300), strict=True)
    foreign = {
        (0, f"u{user:03d}", f"a{asset:03d}")
        for user, asset in pairs
        if asset_blocks[asset] not in (-1, user_blocks[user])
    }
    return (
        access_of(touches),
        access_of(sorted(foreign)),
        {f"u{user:03d}": int(block) for user, block in enumerate(user_blocks)},
        {f"a{asset:03d}": int(block) for asset, block in enumerate(asset_blocks)},
    )


def share_ranked_higher(legitimate: pd.Series, foreign: pd.Series) -> float:
    """AUC, the obvious way: how often a legitimate value beats a foreign one; ties count half."""
    left, right = legitimate.to_numpy()[:, None], foreign.to_numpy()[None, :]
    return float(((left > right) + 0.5 * (left == right)).mean())


# What an edge is.


def test_weight_days_and_newness_follow_their_definitions() -> None:
    touches = [(0, "ann", "new"), (0, "ann", "old"), (3, "ann", "old"), (29, "ann", "edge")]
    access = access_of([*touches, (30, "ann", "gone")], events=[10, 50, 50, 1, 1])
    _, edges = build_graph(access, context_of(), DAY, SETTINGS)
    assert list(edges.columns) == GRAPH_EDGES.column_names
    found = edges.drop(columns=["day", "user_id", "probability"]).to_dict("records")
    assert found == [
        # The first day of the window counts, the day before it does not.
        {"asset_id": "edge", "weight": 1.0, "active_days": 1, "today": False, "is_new": False},
        {"asset_id": "new", "weight": 1.25, "active_days": 1, "today": True, "is_new": True},
        {
            "asset_id": "old",
            "weight": round(math.log2(3) + 0.5, 6),
            "active_days": 2,
            "today": True,
            "is_new": False,
        },
    ]


def test_failures_alone_make_no_edge() -> None:
    touches = [(0, "ann", "shut"), (1, "ann", "mixed"), (1, "bob", "shut")]
    access = access_of(touches, events=[7, 7, 1], failures=[7, 6, 1])
    nodes, edges = build_graph(access, context_of(), DAY, SETTINGS)
    assert edges[["user_id", "asset_id"]].to_numpy().tolist() == [["ann", "mixed"]]
    # One event of seven did not fail, and only it counts.
    assert edges["weight"].tolist() == [1.0]
    assert nodes["node_id"].tolist() == ["mixed", "ann"]


def test_later_days_are_not_looked_at() -> None:
    access = access_of(two_cliques())
    later = access_of([(-1, "l0", "y0"), (-2, "zoe", "x0")])
    before = build_graph(access, context_of(), DAY, SETTINGS)
    after = build_graph(pd.concat([access, later]), context_of(), DAY, SETTINGS)
    for left, right in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.parametrize("touches", [[], [(40, "ann", "old")]])
def test_no_touch_gives_empty_frames(touches: list[Touch]) -> None:
    nodes, edges = build_graph(access_of(touches), context_of(), DAY, SETTINGS)
    assert nodes.empty
    assert list(nodes.columns) == GRAPH_NODES.column_names
    assert edges.empty
    assert list(edges.columns) == GRAPH_EDGES.column_names


def test_users_and_assets_may_share_their_names() -> None:
    access = access_of([(1, "x", "x"), (0, "x", "y"), (0, "y", "x")])
    nodes, edges = build_graph(access, context_of(), DAY, SETTINGS)
    assert nodes[["node_type", "node_id", "degree"]].to_numpy().tolist() == [
        ["asset", "x", 2],
        ["asset", "y", 1],
        ["user", "x", 2],
        ["user", "y", 1],
    ]
    graph = bipartite_graph(edges)
    assert sorted(graph.neighbors(("user", "x"))) == [("asset", "x"), ("asset", "y")]


# Communities and peers.


def test_two_cliques_are_two_communities_of_peers() -> None:
    nodes, _ = build_graph(access_of(two_cliques()), context_of(), DAY, SETTINGS)
    community = nodes.set_index(["node_type", "node_id"])["community"]
    for node_type, node_id in community.index:
        # The common asset has more users in the larger clique.
        expected = 1 if node_id[0] in "sy" else 0
        assert community[node_type, node_id] == expected, (node_type, node_id)
    peers = peer_groups(nodes)
    assert set(peers) == set(nodes.loc[nodes["node_type"] == "user", "node_id"])
    assert {user: others[:3] for user, others in peers.items() if user[0] == "l"} == {
        "l0": ["l1", "l2", "l3"],
        "l1": ["l0", "l2", "l3"],
        "l2": ["l0", "l1", "l3"],
        "l3": ["l0", "l1", "l2"],
    }
    assert peers["s2"][:2] == ["s0", "s1"]
    assert all(not peers for peers in nodes.loc[nodes["node_type"] == "asset", "peers"])


def test_unconnected_users_are_communities_of_their_own() -> None:
    access = access_of([(1, f"u{n}", f"a{n}") for n in range(5)])
    nodes, _ = build_graph(access, context_of(), DAY, SETTINGS)
    assert nodes.loc[nodes["node_type"] == "user", "community"].tolist() == [0, 1, 2, 3, 4]
    assert nodes.loc[nodes["node_type"] == "asset", "community"].tolist() == [0, 1, 2, 3, 4]
    assert nodes["peers"].map(len).sum() == 0


def test_peers_equal_a_naive_loop() -> None:
    access, foreign, user_blocks, _ = planted_blocks(25, 40, 3, seed=3)
    access = pd.concat([access, foreign, access_of([(0, "zoe", "a001"), (0, "zoe", "a002")])])
    kinds = ["service" if user in ("u003", "u004", "u010") else "human" for user in access.user_id]
    access = access.assign(user_kind=kinds, events=np.arange(len(access)) % 40 + 1)
    teams = {user: f"t{block}" for user, block in user_blocks.items() if user < "u015"}
    # The directory knows the kinds that the log tells.
    context = context_of(teams)
    context.directory.loc[context.directory["user_id"].isin(["u003", "u004", "u010"]), "kind"] = (
        "service"
    )
    nodes, _ = build_graph(access, context, DAY, SETTINGS)

    earlier = access[access["day"] < DAY]
    seen = set(earlier["user_id"])
    rows = pd.concat([earlier, access[(access["day"] == DAY) & ~access["user_id"].isin(seen)]])
    days, events = defaultdict(int), defaultdict(int)
    for user, asset, count in zip(rows["user_id"], rows["asset_id"], rows["events"], strict=True):
        days[user, asset] += 1
        events[user, asset] += count
    users = sorted(set(access["user_id"]))
    fans = defaultdict(set)
    for user, asset in days:
        fans[asset].add(user)
    profile: dict[str, dict[str, float]] = {user: {} for user in users}
    for user, asset in days:
        weight = math.log2(1 + days[user, asset]) + math.log10(events[user, asset]) / 4
        profile[user][asset] = weight * math.log((1 + len(users)) / len(fans[asset]))
    kind = dict(zip(access["user_id"], access["user_kind"], strict=True))

    def likeness(left: str, right: str) -> float:
        common = set(profile[left]) & set(profile[right])
        dot = sum(profile[left][asset] * profile[right][asset] for asset in common)
        lengths = math.hypot(*profile[left].values()) * math.hypot(*profile[right].values())
        team = left in teams and teams[left] == teams.get(right)
        cosine = dot / lengths if dot else 0.0
        return round((1 - TEAM_SHARE) * cosine + TEAM_SHARE * team, 9)

    for user, peers in peer_groups(nodes).items():
        others = [other for other in users if other != user and kind[other] == kind[user]]
        alike = sorted((-likeness(user, other), other) for other in others)
        assert peers == [other for score, other in alike if score < 0][: SETTINGS.peers], user


def test_todays_conduct_does_not_choose_ones_peers() -> None:
    before = access_of(two_cliques())
    raid = access_of([(0, "l0", f"y{n}") for n in range(3)], events=100_000)
    calm, _ = build_graph(before[before["day"] < DAY], context_of(), DAY, SETTINGS)
    nodes, _ = build_graph(pd.concat([before, raid]), context_of(), DAY, SETTINGS)
    assert peer_groups(nodes) == peer_groups(calm)


# Probabilities.


def test_first_day_of_all_knows_nothing() -> None:
    access = access_of([(0, "ann", "a"), (0, "bob", "a"), (0, "bob", "b")])
    _, edges = build_graph(access, context_of(), DAY, SETTINGS)
    assert edges["probability"].to_numpy() == pytest.approx(1 - math.exp(-ROOT_RATE), abs=1e-12)


def test_first_accesses_of_the_own_block_are_likelier_than_foreign_ones() -> None:
    access, foreign, user_blocks, asset_blocks = planted_blocks(140, 350, 10, seed=1)
    rng = np.random.default_rng(2)
    # Half of the users and assets are declared.
    teams = {u: f"t{block}" if rng.random() < 0.5 else "" for u, block in user_blocks.items()}
    owned = [
        {"asset_id": a, "kind": "repo", "owner_team": f"t{block}"}
        for a, block in asset_blocks.items()
        if rng.random() < 0.5
    ]
    access = pd.concat([access, foreign])
    for context, least in ((context_of(teams, owned), 0.9), (context_of(), 0.85)):
        _, edges = build_graph(access, context, DAY, SETTINGS)
        earlier = edges["active_days"] - edges["today"]
        popularity = edges["asset_id"].map(earlier.groupby(edges["asset_id"]).sum())
        own = edges["user_id"].map(user_blocks) == edges["asset_id"].map(asset_blocks)
        common = edges["asset_id"].map(asset_blocks) == -1
        legitimate = edges["is_new"] & (own | common)
        strange = edges["is_new"] & ~(own | common)
        assert legitimate.sum() > 25
        assert strange.sum() > 200
        scored = share_ranked_higher(
            edges["probability"][legitimate], edges["probability"][strange]
        )
        baseline = share_ranked_higher(popularity[legitimate], popularity[strange])
        assert scored > least
        assert scored > baseline + 0.1


def test_probabilities_are_calibrated_where_pairs_spread_as_assumed() -> None:
    expected = touched = 0.0
    for seed in (4, 5, 6):
        access, _, user_blocks, asset_blocks = planted_blocks(
            140, 350, 10, seed=seed, habit_shape=PSEUDO_TOUCHES
        )
        owned = [
            {"asset_id": a, "kind": "repo", "owner_team": f"t{b}"} for a, b in asset_blocks.items()
        ]
        context = context_of({u: f"t{b}" for u, b in user_blocks.items()}, owned)
        _, edges = build_graph(access, context, DAY, SETTINGS)
        known = edges[~edges["is_new"]]
        expected += known["probability"].sum()
        touched += known["today"].sum()
    assert touched > 200
    assert expected == pytest.approx(touched, rel=0.15)


def test_daily_work_is_nearly_certain_and_more_days_are_likelier() -> None:
    daily = [(ago, "ann", "daily") for ago in range(1, 30)]
    weekly = [(ago, "ann", "weekly") for ago in range(1, 30, 7)]
    access = access_of([*daily, *weekly, (5, "ann", "once"), (0, "ann", "never")])
    _, edges = build_graph(access, context_of(), DAY, SETTINGS)
    probability = edges.set_index("asset_id")["probability"]
    assert probability["daily"] > 0.8
    assert probability["weekly"] == pytest.approx(1 / 7, abs=0.08)
    assert probability["daily"] > probability["weekly"] > probability["once"]


def test_strangers_are_judged_by_their_team_and_new_assets_by_their_owner() -> None:
    touches = [
        (ago, f"{team}{user}", f"{team}-repo{asset}")
        for ago in range(1, 25)
        for team in ("red", "blue")
        for user in range(6)
        for asset in range(6)
        if (ago + user + asset) % 4 == 0
    ]
    hires = [(0, "newcomer", "red-repo0"), (0, "newcomer", "blue-repo0")]
    launches = [(0, "red1", "red-launch"), (0, "red1", "blue-launch")]
    access = access_of(touches + hires + launches)
    names = sorted(set(access["asset_id"]))
    owned = [{"asset_id": a, "kind": "repo", "owner_team": a.split("-")[0]} for a in names]
    teams = {f"{team}{user}": team for team in ("red", "blue") for user in range(6)}
    context = context_of({**teams, "newcomer": "red"}, owned)
    _, edges = build_graph(access, context, DAY, SETTINGS)
    probability = edges.set_index(["user_id", "asset_id"])["probability"]
    own, other = probability["newcomer", "red-repo0"], probability["newcomer", "blue-repo0"]
    assert own == pytest.approx(0.25, abs=0.08)
    assert other < own / 20
    own, other = probability["red1", "red-launch"], probability["red1", "blue-launch"]
    assert own == pytest.approx(0.25, abs=0.08)
    assert other < own / 20


def test_what_others_do_on_the_day_moves_no_probability() -> None:
    access, foreign, user_blocks, _ = planted_blocks(40, 80, 4, seed=5)
    teams = {user: f"t{block}" for user, block in user_blocks.items()}
    quiet = pd.concat([access[access["day"] < DAY], foreign.head(5)])
    crowd = [(0, user, asset) for user in user_blocks for asset in ("a001", "a002", "brand-new")]
    strangers = [(0, f"stranger{n}", "a003") for n in range(10)]
    loud = pd.concat([access, foreign, access_of(crowd + strangers, user_kind="unknown")])
    _, before = build_graph(quiet, context_of(teams), DAY, SETTINGS)
    _, after = build_graph(loud, context_of(teams), DAY, SETTINGS)
    both = before.merge(after, how="left", on=["user_id", "asset_id"], validate="one_to_one")
    assert len(after) > len(before)
    np.testing.assert_allclose(both["probability_x"], both["probability_y"], rtol=0, atol=2e-12)


# The same rows, the same graph.


def test_order_of_rows_does_not_matter() -> None:
    access, foreign, user_blocks, _ = planted_blocks(60, 120, 5, seed=6)
    access = pd.concat([access, foreign])
    context = context_of({user: f"t{block}" for user, block in user_blocks.items()})
    first = build_graph(access, context, DAY, SETTINGS)
    shuffled = build_graph(access.sample(frac=1, random_state=1), context, DAY, SETTINGS)
    for left, right in zip(first, shuffled, strict=True):
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def graph_as_text() -> str:
    access, foreign, _, _ = planted_blocks(30, 60, 3, seed=8)
    frames = build_graph(pd.concat([access, foreign]), context_of(), DAY, SETTINGS)
    return "".join(frame.astype(str).to_json(orient="values") for frame in frames)


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
    nodes, edges = build_graph(access, context_of(team), DAY, small)

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
    nodes, edges = build_graph(access, context_of(), DAY, SETTINGS)
    place = nodes.set_index(["node_type", "node_id"])[["x", "y"]]
    assert not place.duplicated().any()
    assert place.abs().max().max() == 1.0
    users = place.loc["user"].loc[edges["user_id"]].to_numpy()
    assets = place.loc["asset"].loc[edges["asset_id"]].to_numpy()
    drawn = np.linalg.norm(users - assets, axis=1)
    shuffled = np.random.default_rng(1).permutation(assets)
    assert np.median(drawn) < 0.5 * np.median(np.linalg.norm(users - shuffled, axis=1))
    yesterday, _ = build_graph(access, context_of(), DAY - timedelta(days=1), SETTINGS)
    moved = place.join(
        yesterday.set_index(["node_type", "node_id"])[["x", "y"]], rsuffix="_old", how="inner"
    )
    steps = np.hypot(moved["x"] - moved["x_old"], moved["y"] - moved["y_old"])
    assert np.median(steps) < 0.15


# The stage.


def stored_access(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with all columns of ACCESS; those that the graph does not use are empty."""
    filled = rows.assign(
        bytes_out=None, bytes_estimated=None, objects=1, first_time=None, last_time=None
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
    nodes, edges = build_graph(access, load_context(config.context, DAY), DAY, config.graph)
    stored = read_days(sail, config.storage, GRAPH_EDGES, DAY).toPandas()
    stored = stored.sort_values(["user_id", "asset_id"], ignore_index=True)
    pd.testing.assert_frame_equal(stored, edges, check_dtype=False)
    stored = read_days(sail, config.storage, GRAPH_NODES, DAY).toPandas()
    stored = stored.sort_values(["node_type", "node_id"], ignore_index=True)
    assert peer_groups(stored) == peer_groups(nodes)
    pd.testing.assert_frame_equal(
        stored.drop(columns="peers"), nodes.drop(columns="peers"), check_dtype=False
    )
