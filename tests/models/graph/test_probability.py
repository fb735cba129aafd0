"""Probabilities of edges against a planted truth."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import NMF

from models.graph import factors
from models.graph.probability import PSEUDO_TOUCHES, ROOT_RATE
from tests.worlds.graphs import (
    DAY,
    SETTINGS,
    access_of,
    context_of,
    graph_of,
    planted_blocks,
    share_ranked_higher,
)

# Probabilities.


def test_first_day_of_all_knows_nothing() -> None:
    access = access_of([(0, "ann", "a"), (0, "bob", "a"), (0, "bob", "b")])
    _, edges = graph_of(access, context_of(), DAY, SETTINGS)
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
        _, edges = graph_of(access, context, DAY, SETTINGS)
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
        _, edges = graph_of(access, context, DAY, SETTINGS)
        known = edges[~edges["is_new"]]
        expected += known["probability"].sum()
        touched += known["today"].sum()
    assert touched > 200
    assert expected == pytest.approx(touched, rel=0.15)


def test_daily_work_is_nearly_certain_and_more_days_are_likelier() -> None:
    daily = [(ago, "ann", "daily") for ago in range(1, 30)]
    weekly = [(ago, "ann", "weekly") for ago in range(1, 30, 7)]
    access = access_of([*daily, *weekly, (5, "ann", "once"), (0, "ann", "never")])
    _, edges = graph_of(access, context_of(), DAY, SETTINGS)
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
    _, edges = graph_of(access, context, DAY, SETTINGS)
    probability = edges.set_index(["user_id", "asset_id"])["probability"]
    own, other = probability["newcomer", "red-repo0"], probability["newcomer", "blue-repo0"]
    assert own == pytest.approx(0.25, abs=0.08)
    assert other < own / 20
    own, other = probability["red1", "red-launch"], probability["red1", "blue-launch"]
    assert own == pytest.approx(0.25, abs=0.08)
    assert other < own / 20


@pytest.mark.parametrize("shape", [(60, 25), (25, 60)])
def test_factors_equal_those_of_scikit_learn(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    rates = rng.gamma(0.3, 1, (shape[0], 6)) @ rng.gamma(0.3, 1, (6, shape[1]))
    counts = sparse.csr_matrix(rng.poisson(rates).astype(np.float64))
    model = NMF(
        n_components=6,
        init="nndsvda",
        solver="mu",
        beta_loss="kullback-leibler",
        max_iter=factors.STEPS,
        tol=factors.LEAST_GAIN,
        random_state=7,
    )
    left = model.fit_transform(counts)
    assert model.n_iter_ < factors.STEPS
    found = factors.factorise(counts, rank=6, seed=7)
    for one, other in zip(found, (left, model.components_), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    row, column = np.indices(shape).reshape(2, -1)
    expected = factors.expected_counts(*found, row, column).reshape(shape)
    np.testing.assert_allclose(expected, left @ model.components_, rtol=1e-9, atol=1e-12)


def test_what_others_do_on_the_day_moves_no_probability() -> None:
    access, foreign, user_blocks, _ = planted_blocks(40, 80, 4, seed=5)
    teams = {user: f"t{block}" for user, block in user_blocks.items()}
    quiet = pd.concat([access[access["day"] < DAY], foreign.head(5)])
    crowd = [(0, user, asset) for user in user_blocks for asset in ("a001", "a002", "brand-new")]
    strangers = [(0, f"stranger{n}", "a003") for n in range(10)]
    loud = pd.concat([access, foreign, access_of(crowd + strangers, user_kind="unknown")])
    _, before = graph_of(quiet, context_of(teams), DAY, SETTINGS)
    _, after = graph_of(loud, context_of(teams), DAY, SETTINGS)
    both = before.merge(after, how="left", on=["user_id", "asset_id"], validate="one_to_one")
    assert len(after) > len(before)
    np.testing.assert_allclose(both["probability_x"], both["probability_y"], rtol=0, atol=2e-12)
