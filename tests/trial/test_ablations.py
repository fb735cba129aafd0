"""Ablations take one thing away from the history of a detector, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jobs.trial.ablations import ABLATIONS
from models.features.history import History
from models.features.novelty import neighbours
from models.features.people import teams
from tests.worlds.histories import everyday_world, history_of
from tests.worlds.plants import score_of, stranger_reads_frontier_checkpoint
from tests.worlds.scored_day import DAY


@pytest.fixture(scope="module")
def stolen() -> tuple[History, str]:
    world = everyday_world()
    user = stranger_reads_frontier_checkpoint(world)
    return history_of(world, DAY), user


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_each_ablation_still_scores_everybody(name: str, stolen: tuple[History, str]) -> None:
    history, _ = stolen
    ablation = ABLATIONS[name]
    plain = score_of(ablation.detector, history)
    found = score_of(ablation.detector, ablation.changed(history))
    assert set(found["entity"]) == set(plain["entity"])
    same = np.allclose(
        *(frame.sort_values(["entity", "window"])["statistic"] for frame in (plain, found))
    )
    assert same == (name == ablation.detector)


def test_peers_and_teams_go_one_by_one(stolen: tuple[History, str]) -> None:
    history, _ = stolen
    users = np.array(sorted(people_of(history)), dtype=object)
    both = neighbours(history, users)
    declared = neighbours(ABLATIONS["burst_peers, declared teams alone"].changed(history), users)
    learned_history = ABLATIONS["burst_peers, learned peers alone"].changed(history)
    learned = neighbours(learned_history, users)
    assert teams(learned_history.context) == {}
    for every, of_team, of_graph in zip(both, declared, learned, strict=True):
        assert set(every) == set(of_team) | set(of_graph)
    assert any(len(of_graph) for of_graph in learned)


def test_a_popular_asset_is_no_surprise(stolen: tuple[History, str]) -> None:
    history, _ = stolen
    edges = ABLATIONS["first_access, by popularity"].changed(history).edges
    users = edges["user_id"].nunique()
    for asset, part in edges.groupby("asset_id"):
        expected = part["user_id"].nunique() / (1 + users)
        assert part["probability"].tolist() == pytest.approx([expected] * len(part)), asset


def people_of(history: History) -> pd.Series:
    nodes = history.nodes
    return nodes.loc[nodes["node_type"] == "user", "node_id"]
