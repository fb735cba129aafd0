"""Rows of ``access``: known and estimated bytes, failures, lists, containers, agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.stages.aggregate.access import AGENT_FAMILY
from jobs.stages.sql import CONTAINER
from schemas.tables.values import MAX_LISTED
from tests.worlds.aggregated_days import aggregated, event

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession


def test_unknown_bytes_stay_unknown_and_zero_stays_zero(sail: SparkSession, tmp_path: Path) -> None:
    rows = [
        event(1, bytes_out=None, user_id="unknown"),
        event(2, bytes_out=0, user_id="nothing"),
        event(3, bytes_out=None, user_id="some"),
        event(4, bytes_out=7, user_id="some"),
    ]
    for table in aggregated(sail, tmp_path, rows):
        assert {row["user_id"]: row["bytes_out"] for row in table} == {
            "unknown": None,
            "nothing": 0,
            "some": 7,
        }


def test_unknown_bytes_are_estimated_apart(sail: SparkSession, tmp_path: Path) -> None:
    copy = {"action_class": "copy", "bytes_out": None}
    repo = {"asset_id": "repo", "resource": "github://lab/repo", "object": None}
    rows = [
        event(1, **copy),  # no log has the bytes: 1000 bytes ÷ 3 objects
        event(2, **copy, object="shard-1", details={"object_size": "20"}),
        event(3, **copy, object="shard-2", outcome="failure"),
        event(4, user_id="u-bo", bytes_out=5),
        event(5, user_id="u-bo", object="shard-1"),
        event(6, user_id="u-bo", object="shard-1"),
        # More objects than the asset has are not more than the asset.
        *(event(10 + n, user_id="u-cy", object=f"shard-{n}") for n in range(4)),
        event(20, **repo, action_class="clone"),
        event(21, **repo, action_class="clone"),
        event(22, **repo, action_class="read"),  # a fetch takes what is new
        event(23, asset_id="data", resource="s3://lab/one.bin"),  # of how many objects?
        event(24, asset_id=None, resource="s3://elsewhere/x"),
        event(25, asset_id="ckpt", action_class="list"),
    ]
    access, _ = aggregated(sail, tmp_path, rows)
    found = {
        (row["user_id"], row["asset_id"], row["action_class"]): row["bytes_estimated"]
        for row in access
    }
    assert found == {
        ("u-ana", "ckpt", "copy"): 333 + 20,
        ("u-bo", "ckpt", "read"): 333,
        ("u-cy", "ckpt", "read"): 1000,
        ("u-ana", "repo", "clone"): 300,
        ("u-ana", "repo", "read"): None,
        ("u-ana", "data", "read"): None,
        ("u-ana", "s3://elsewhere", "read"): None,
        ("u-ana", "ckpt", "list"): None,
    }


def test_failures_touch_nothing(sail: SparkSession, tmp_path: Path) -> None:
    access, object_access = aggregated(sail, tmp_path, [event(1, outcome="failure", bytes_out=0)])
    assert [(row["events"], row["failures"], row["objects"]) for row in access] == [(1, 1, 0)]
    assert object_access == []


def test_lists_are_capped(sail: SparkSession, tmp_path: Path) -> None:
    rows = [event(n, source_ip=f"192.0.2.{n}", details={"range": f"bytes={n}-"}) for n in range(70)]
    access, object_access = aggregated(sail, tmp_path, rows)
    assert access[0]["addresses"] == sorted(f"192.0.2.{n}" for n in range(70))[:MAX_LISTED]
    assert len(object_access[0]["ranges"]) == 70


def test_containers(sail: SparkSession) -> None:
    expected = {
        "s3://bucket/a/b": "s3://bucket",
        "s3://bucket": "s3://bucket",
        "github://org/repo": "github://org/repo",
        "github://org": "github://org",
        "k8s://cluster/ns/pods/p": "k8s://cluster/ns",
        "slurm://a100/pretrain/1": "slurm://a100/pretrain",
        "aws://111122223333/sts/arn:aws:iam::1:role/x": "aws://111122223333/sts",
        "model://orion": "model://orion",
        "host://name/x": "host://name",
        "no uri": "",
    }
    rows = sail.createDataFrame([(uri,) for uri in expected], "resource string")
    found = rows.selectExpr("resource", f"{CONTAINER} as container").collect()
    assert {row.resource: row.container for row in found} == expected


def test_agent_families(sail: SparkSession) -> None:
    expected = {
        "[aws-cli/2.15.0 Python/3.11]": "aws-cli",
        "Boto3/1.34 md/Botocore": "boto3",
        "git/2.39.3.windows.1": "git",
        "kubectl/v1.31.0 (linux/amd64)": "kubectl",
        "S3Console/0.4, aws-internal/3": "s3console",
        '"quoted/1"': "quoted",
        "(none)": None,
    }
    rows = sail.createDataFrame([(text,) for text in expected], "user_agent string")
    found = rows.selectExpr("user_agent", f"{AGENT_FAMILY} as family").collect()
    assert {row.user_agent: row.family for row in found} == expected
