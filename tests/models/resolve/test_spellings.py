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
        ("bucket", 2, "s3://lab-ckpt/*"),
        ("cafe", 3, "gs://lab-data/caf\u00e9/*"),
        ("blobs", 5, "az://lab/ckpt/*"),
        ("kernels", 5, "github://Lab/Kernels"),
        ("notes", 3, "gitlab://lab/team/notes"),
        ("one", 5, "s3://lab-one/secret%20plan.bin"),
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
        ("s3://lab-ckpt/orion/run%252D7/a", "run-7", "a"),
        ("s3://lab-ckpt/orion%2Frun-7%2Fa", "run-7", "orion%2Frun-7%2Fa"),
        ("s3://lab-ckpt/orion/./run-7/a", "run-7", "a"),
        ("s3://lab-ckpt/x/../orion/run-7/y/../a", "run-7", "a"),
        ("s3://lab-ckpt/orion/run-7/", "run-7", ""),
        ("s3://lab-ckpt//orion/run-7//sub/", "run-7", "sub/"),
        ("s3://lab-ckpt.s3.dualstack.us-east-1.amazonaws.com/orion/run-7/a", "run-7", "a"),
        ("s3://lab-ckpt.s3-fips.us-gov-west-1.amazonaws.com/orion/run-7/a", "run-7", "a"),
        ("s3://lab-ckpt.s3-accelerate.amazonaws.com/orion/run-7/a", "run-7", "a"),
        ("s3://lab-ckpt.bucket.vpce-1a-b.s3.us-east-1.vpce.amazonaws.com/orion/run-7/a", "run-7",
         "a"),
        ("s3://s3.us-east-1.amazonaws.com/lab-ckpt/orion/run-7/a", "run-7", "a"),
        ("https://s3.amazonaws.com/lab-ckpt/orion/run-7/a?versionId=x", "run-7", "a?versionId=x"),
        ("https://LAB-CKPT.s3.us-east-1.amazonaws.com:443/orion/run-7/a", "run-7", "a"),
        ("s3a://lab-ckpt/orion/run-7/a", "run-7", "a"),
        ("s3://side-1.s3-accesspoint.us-east-1.amazonaws.com/orion/run-7/a", "run-7", "a"),
        ("s3://side-1.accesspoint.vpce-1a.s3.us-east-1.vpce.amazonaws.com/orion/run-7/a", "run-7",
         "a"),
        ("s3://m1.mrap.accesspoint.s3-global.amazonaws.com/orion/run-7/a", "run-7", "a"),
        ("s3://arn:aws:s3-outposts:us-west-2:1:outpost/op-1/accesspoint/side/object/orion/run-7/a",
         "run-7", "a"),
        ("s3://SIDE-abc-S3ALIAS/orion/run-7/a", "run-7", "a"),
        ("gs://lab-data/cafe\u0301/a", "cafe", "a"),
        ("https://storage.googleapis.com/lab-data/caf%C3%A9/a", "cafe", "a"),
        ("https://lab-data.storage.googleapis.com/caf%C3%A9/a", "cafe", "a"),
        ("https://storage.googleapis.com/storage/v1/b/lab-data/o/caf%C3%A9%2Fa?alt=media", "cafe",
         "caf%C3%A9%2Fa?alt=media"),
        ("https://lab.blob.core.windows.net/ckpt/a?snapshot=2026", "blobs", "a?snapshot=2026"),
        ("https://LAB-secondary.dfs.core.windows.net:443/ckpt/a", "blobs", "a"),
        ("abfss://ckpt@lab.dfs.core.windows.net/a", "blobs", "a"),
        ("github://lab/kernels", "kernels", ""),
        ("github://LAB/KERNELS.git", "kernels", ""),
        ("https://github.com/lab/kernels.git", "kernels", ""),
        ("git@github.com:Lab/Kernels.git", "kernels", ""),
        ("ssh://git@github.com:22/lab/kernels", "kernels", ""),
        ("https://ana:token@gitlab.lab.example/lab/team/notes.git/", "notes", ""),
        ("git+ssh://git@gitlab.lab.example/Lab/Team/Notes/wiki", "notes", "wiki"),
        ("s3://LAB-ONE/secret%20plan.bin", "one", ""),
        ("s3://lab-one/secret plan.bin", "one", ""),
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
        "s3://lab-ckpt2/../lab-ckpt/orion/run-7/a",
        "https://github.com/lab/kernels-notes",
        "https://notgithub.example/lab/kernels",
        "https://github.example/other/kernels",
        "https://lab2.blob.core.windows.net/ckpt/a",
        "shard-0",
    ],
)
def test_finds_nothing_else(uri: str) -> None:
    assert FIND(uri) is None
