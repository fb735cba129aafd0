"""Another spelling of an object still finds its asset, and the object's name within it."""

from __future__ import annotations

import pandas as pd
import pytest

from models.resolve.assets import asset_finder
from models.resolve.spellings import any_spelling_finder

ASSETS = pd.DataFrame(
    [
        ("data", 3, "s3://lab-data/*"),
        ("run-7", 5, "s3://lab-ckpt/orion/run-7/*"),
        ("serving", 4, "k8s://prod/serving"),
    ],
    columns=["asset_id", "sensitivity", "pattern"],
)
FIND = any_spelling_finder(asset_finder(ASSETS), ASSETS)


@pytest.mark.parametrize(
    ("uri", "asset", "rest"),
    [
        ("s3://lab-ckpt/orion/run-7/shard-0", "run-7", "shard-0"),
        ("s3://LAB-ckpt/orion/run-7/shard-0", "run-7", "shard-0"),
        ("s3://lab-ckpt./orion/run-7/shard-0", "run-7", "shard-0"),
        ("s3://lab-ckpt//orion//run-7/shard-0", "run-7", "shard-0"),
        ("s3://lab-ckpt/orion/run%2D7/shard-0", "run-7", "shard-0"),
        ("s3://lab-ckpt.s3.us-east-1.amazonaws.com/orion/run-7/shard-0", "run-7", "shard-0"),
        ("s3://lab-ckpt.s3-website-us-east-1.amazonaws.com/orion/run-7/a", "run-7", "a"),
        ("s3://side-abc123-s3alias/orion/run-7/shard-0", "run-7", "shard-0"),
        ("s3://side--ol-s3/orion/run-7/", "run-7", ""),
        ("s3://m1x2.mrap//orion/run-7/a", "run-7", "a"),
        ("s3://arn:aws:s3:us-east-1:111122223333:accesspoint/side/object/orion/run-7/a", "run-7",
         "a"),
        ("s3://arn:aws:s3:us-east-1:111122223333:accesspoint/side/orion/run-7/a", "run-7", "a"),
        ("K8S://Prod/serving/pods/x", "serving", "pods/x"),
    ],
)  # fmt: skip
def test_finds_the_asset(uri: str, asset: str, rest: str) -> None:
    match = FIND(uri)
    assert match is not None
    assert match.asset_id == asset
    assert uri[match.prefix_chars :].lstrip("/") == rest


@pytest.mark.parametrize(
    "uri",
    [
        "s3://side-abc123-s3alias/notes.txt",
        "s3://drop-box/orion/run-7/shard-0",
        "s3://side-abc123-s3alias/orion/run-70/shard-0",
        "shard-0",
    ],
)
def test_finds_nothing_else(uri: str) -> None:
    assert FIND(uri) is None
