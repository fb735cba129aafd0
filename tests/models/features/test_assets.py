"""Assets below a container, and groups of rows, beside obvious slow versions."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from models.features.assets import assets_below
from models.features.rows import each_part
from tests.worlds.histories import World, history_of
from tests.worlds.plants import DAY

PATTERNS = {
    "a": "s3://lab/run/*",
    "b": "s3://lab/run/step-1/*",
    "c": "s3://lab/*/step-2",
    "d": "s3://lab-two/x",
    "e": "s3://*",
    "f": "github://lab/repo",
    "g": "s3://lab/run",
    "h": "*",
}


@pytest.mark.parametrize(
    "container",
    ["s3://lab", "s3://lab/", "s3://lab/run", "s3://lab/run/step-1/x", "s3://lab-two", "gs://lab"],
)
def test_assets_below_are_those_of_a_slow_search(container: str) -> None:
    world = World()
    world.act(DAY, "u1", "a", "read")
    for asset, pattern in PATTERNS.items():
        world.assets[asset] = {
            "asset_id": asset, "kind": "dataset", "name": asset, "owner_team": "", "sensitivity": 3,
            "objects": 1, "bytes": 1, "allowed_countries": (), "pattern": pattern,
        }  # fmt: skip
    stem, wanted = container.rstrip("/") + "/", []
    for asset, pattern in PATTERNS.items():
        literal, *glob = re.split(r"[*?\[]", pattern, maxsplit=1)
        if literal.startswith(stem) or (glob and stem.startswith(literal)):
            wanted.append(asset)
    assert assets_below(container, history_of(world, DAY).context) == tuple(sorted(wanted))


def test_each_part_is_a_group_of_pandas() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"key": rng.choice(list("zyx"), 40), "value": np.arange(40.0)})
    parts = {name: part["value"].tolist() for name, part in each_part(frame, "key", ["value"])}
    assert parts == {name: part.tolist() for name, part in frame.groupby("key")["value"]}
    assert list(parts) == ["x", "y", "z"]
    assert list(each_part(frame.iloc[:0], "key", ["value"])) == []
