"""What taken content weighs, against the formula one row at a time."""

from __future__ import annotations

import math
from collections import defaultdict

import pandas as pd
import pytest

from models.features.takings import weigh_takings
from tests.worlds.histories import CORP, everyday_world, history_of
from tests.worlds.plants import DAY


@pytest.mark.slow
def test_weights_are_those_of_the_formula() -> None:
    world = everyday_world(people=6)
    world.read(DAY, "u001", "ckpt-pretraining-1", world.shards("ckpt-pretraining-1"), network=CORP)
    history = history_of(world, DAY)
    pairs = history.pairs[history.pairs["day"] == DAY]
    taken = pairs.loc[pairs["objects"] > 0, ["user_id", "asset_id", "objects", "days_before"]]
    found = weigh_takings(history, taken.drop(columns="days_before").reset_index(drop=True))
    sums: dict[str, float] = defaultdict(float)
    usual: dict[str, float] = defaultdict(float)
    for row in taken.itertuples():
        past = history.entity_days[
            (history.entity_days["user_id"] == row.user_id)
            & (history.entity_days["day"] < DAY)
            & (history.entity_days["objects"] > 0)
        ]["objects"]
        mean = sum(math.log2(1 + each) for each in past) / len(past)
        today = math.log2(1 + taken.loc[taken["user_id"] == row.user_id, "objects"].sum())
        excess = min(1.0, max(0.0, (today - mean - 1) / 2))
        unusual = max(1 / (1 + row.days_before / 2), excess)
        weight = (world.assets[row.asset_id]["sensitivity"] / 5) ** 2
        sums[row.user_id] += unusual * weight * math.log2(1 + row.objects)
        usual[row.user_id] += (1 - unusual) * weight * row.objects
    expected = {user: sums[user] + math.log2(1 + usual[user]) / 3 for user in sums}
    totals = pd.Series(found).groupby(taken["user_id"].to_numpy()).sum().to_dict()
    assert totals == {user: pytest.approx(value) for user, value in expected.items()}
