"""``access`` and ``object_access`` against the same sums made row by row in Python."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobs.platform.delta_tables import replace_day
from jobs.stages import aggregate
from jobs.stages.aggregate.access import AGENT_FAMILY, MAX_DISTINCT
from jobs.stages.sql import CONTAINER
from schemas.config import JobConfig
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.events import EVENTS
from tests.worlds.raw_logs import DAY, job_config, rows_of, write_context

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

Rows = list[dict[str, Any]]
ASSETS = [
    {"asset_id": "ckpt", "kind": "checkpoint", "sensitivity": "5", "pattern": "s3://lab/ckpt/*"}
    | {"objects": "3", "bytes": "1000"},
    {"asset_id": "data", "kind": "dataset", "sensitivity": "3", "pattern": "s3://lab/one.bin"}
    | {"bytes": "800"},
    {"asset_id": "repo", "kind": "repo", "sensitivity": "3", "pattern": "github://lab/repo"}
    | {"objects": "70", "bytes": "300"},
]
FOLLOWED = ("ckpt", "data")
# As the tables hold them: UTC without a zone.
MIDNIGHT = datetime.combine(DAY, time.min)
AGENTS = [None, "[aws-cli/2.1 x]", "aws-cli/3", '"Boto3/1"', "(odd)", ""]
ELSEWHERE = {"destination_account": "444455556666"}


def event(number: int = 0, **fields: Any) -> dict[str, Any]:
    """A row of ``events``."""
    row: dict[str, Any] = dict.fromkeys(EVENTS.column_names)
    row |= {
        "event_id": f"id-{number:06d}",
        "event_time": MIDNIGHT + timedelta(hours=10),
        "day": DAY,
        "source": "trail",
        "format": "aws_cloudtrail",
        "principal": "ana",
        "user_id": "u-ana",
        "user_kind": "human",
        "action": "GetObject",
        "action_class": "read",
        "resource": "s3://lab/ckpt/shard-0",
        "asset_id": "ckpt",
        "object": "shard-0",
        "outcome": "success",
        "details": {},
    }
    return row | fields


def random_events(seed: int, count: int = 600) -> Rows:
    """Few values of everything, so that groups are large, and nulls wherever they may be."""
    draw = random.Random(seed)
    places = [
        ("s3://lab/ckpt/shard-{}", "ckpt", "shard-{}"),
        ("s3://lab/one.bin", "data", None),
        ("s3://other/key-{}", None, "key-{}"),
        ("github://lab/repo", "repo", None),
        ("k8s://c/ns/pods/p-{}", None, "pods/p-{}"),
        ("no address at all", None, None),
    ]
    rows = []
    for number in range(count):
        resource, asset, item = (
            text and text.format(draw.randrange(4)) for text in draw.choice(places)
        )
        details = {} if draw.random() < 0.1 else {"range": f"bytes={draw.randrange(3)}-9"}
        if draw.random() < 0.3:
            details = {"status_code": draw.choice(["200", "206", "206", "206"])}
        if draw.random() < 0.5:
            details |= {"object_size": draw.choice(["500", "400", "much"])}
        row = event(
            number,
            event_time=MIDNIGHT + timedelta(microseconds=draw.randrange(86_400 * 10**6)),
            source=draw.choice(["trail", "other"]),
            user_id=draw.choice(["u-ana", "u-bo"]),
            user_kind=draw.choice(["human", "service", "unknown"]),
            acting_as=draw.choice([None, "role-1", "role-2"]),
            credential=draw.choice([None, "AKIA1", "AKIA2"]),
            action=draw.choice(["GetObject", "CopyObject", "git.clone"]),
            action_class=draw.choice(["read", "copy", "list", "clone"]),
            resource=resource,
            asset_id=asset,
            object=item,
            destination=draw.choice([None, None, "s3://away/x/y", "github://o/r", "somebody"]),
            bytes_out=draw.choice([None, None, 0, 1, 2**40]),
            source_ip=draw.choice([None, "192.0.2.1", "2001:db8::1"]),
            zone=(zone := draw.choice([None, "vpn"])),
            country=zone and draw.choice([None, "DE"]),
            asn=draw.choice([None, "64500"]),
            user_agent=draw.choice(AGENTS),
            outcome=draw.choice(["success", "success", "failure", "unknown"]),
            details=details | (ELSEWHERE if draw.random() < 0.3 else {}),
        )
        rows.append(row)
    return rows


def container(uri: str) -> str:
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return uri
    steps = rest.split("/")
    kept = 1 if scheme in ("s3", "gs", "host", "model") else 2
    return f"{scheme}://{'/'.join(steps[:kept])}"


def agent(text: str | None) -> str | None:
    match = re.match(r'[\["]?([A-Za-z0-9_.+-]+)', text or "")
    return match[1].lower() if match else None


def network(row: dict[str, Any]) -> str | None:
    parts = [row["zone"], row["country"], row["asn"]]
    return "/".join(part or "-" for part in parts) if any(parts) else None


def goes_to(row: dict[str, Any]) -> str | None:
    if row["destination"] is None:
        return None
    account = row["details"].get("destination_account")
    return container(row["destination"]) + (f"#{account}" if account else "")


def total(values: list[int | None]) -> int | None:
    """Sum of what is known; unknown if nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def distinct(values: Any) -> list[str]:
    return sorted({value for value in values if value is not None})[:MAX_DISTINCT]


def item_of(row: dict[str, Any]) -> str:
    return row["object"] or row["resource"]


def size_of(row: dict[str, Any]) -> int | None:
    text = row["details"].get("object_size", "")
    return int(text) if text.isdigit() else None


def estimate(asset: str, action_class: str, rows: Rows) -> int | None:
    """Of objects of which nobody tells the bytes."""
    whole = {"ckpt": 1000, "data": 800, "repo": 300}.get(asset)
    one = 1000 / 3 if asset == "ckpt" else None
    amount = 0.0
    for item in {item_of(row) for row in rows}:
        mine = [row for row in rows if item_of(row) == item]
        if total([row["bytes_out"] for row in mine]) is None:
            sizes = [size for size in map(size_of, mine) if size is not None]
            guess = whole if action_class == "clone" else one
            amount += max(sizes) if sizes else guess or 0
    if action_class not in ("read", "copy", "clone"):
        return None
    return round(min(amount, whole or amount)) or None


def slow_access(rows: Rows) -> Rows:
    groups: dict[tuple[str, str, str], Rows] = defaultdict(list)
    for row in rows:
        asset = row["asset_id"] or container(row["resource"])
        groups[row["user_id"], asset, row["action_class"]].append(row)
    result = []
    for (user, asset, action_class), group in groups.items():
        done = [row for row in group if row["outcome"] != "failure"]
        hourly = []
        for hour in sorted({row["event_time"].hour for row in group}):
            within = [row for row in group if row["event_time"].hour == hour]
            touched = {item_of(row) for row in within if row["outcome"] != "failure"}
            known = total([row["bytes_out"] for row in within])
            hourly.append(
                {"hour": hour, "events": len(within), "bytes": known or 0, "objects": len(touched)}
            )
        result.append(
            {
                "day": DAY,
                "user_id": user,
                "user_kind": min(row["user_kind"] for row in group),
                "asset_id": asset,
                "action_class": action_class,
                "events": len(group),
                "failures": len(group) - len(done),
                "bytes_out": total([row["bytes_out"] for row in group]),
                "bytes_estimated": estimate(asset, action_class, done),
                "objects": len({item_of(row) for row in done}),
                "first_time": min(row["event_time"] for row in group),
                "last_time": max(row["event_time"] for row in group),
                "hourly": hourly,
                "actions": distinct(row["action"] for row in group),
                "addresses": distinct(row["source_ip"] for row in group),
                "networks": distinct(map(network, group)),
                "agents": distinct(agent(row["user_agent"]) for row in group),
                "credentials": distinct(row["credential"] for row in group),
                "acting_as": distinct(row["acting_as"] for row in group),
                "destinations": distinct(map(goes_to, group)),
                "sources": distinct(row["source"] for row in group),
            }
        )
    return sorted(result, key=lambda row: [str(row[column]) for column in ACCESS.key])


def slow_object_access(rows: Rows) -> Rows:
    groups: dict[tuple[str, str, str], Rows] = defaultdict(list)
    for row in rows:
        moved = row["action_class"] in ("read", "copy") and row["outcome"] != "failure"
        if row["asset_id"] in FOLLOWED and moved:
            groups[row["user_id"], row["asset_id"], item_of(row)].append(row)
    result = []
    for (user, asset, item), group in groups.items():
        ranges = [row["details"].get("range") for row in group]
        parts = [
            row["bytes_out"]
            for row in group
            if "range" not in row["details"] and row["details"].get("status_code") == "206"
        ]
        whole = None in parts or ranges.count(None) > len(parts)
        result.append(
            {
                "day": DAY,
                "user_id": user,
                "user_kind": min(row["user_kind"] for row in group),
                "asset_id": asset,
                "object": item,
                "reads": len(group),
                "bytes_out": total([row["bytes_out"] for row in group]),
                # One read of neither a range nor a part is a read of the whole.
                "ranges": [] if whole else distinct(ranges),
                "part_bytes": None if whole else total(parts),
                "object_bytes": max(map(size_of, group), key=lambda size: size or 0),
                "first_time": min(row["event_time"] for row in group),
                "last_time": max(row["event_time"] for row in group),
            }
        )
    return sorted(result, key=lambda row: [str(row[column]) for column in OBJECT_ACCESS.key])


def aggregated(spark: SparkSession, folder: Path, rows: Rows) -> tuple[Rows, Rows]:
    """Both tables of a day with these events."""
    write_context(folder / "context", assets=ASSETS)
    config: JobConfig = job_config(folder, [{"path": "unused", "format": "aws_s3_access"}])
    values = [tuple(row[column] for column in EVENTS.column_names) for row in rows]
    replace_day(spark.createDataFrame(values, EVENTS.ddl()), config.storage, EVENTS, DAY)
    aggregate.STAGE.run(spark, config, DAY)
    return rows_of(spark, config, ACCESS), rows_of(spark, config, OBJECT_ACCESS)


@pytest.mark.parametrize("seed", range(3))
def test_sums_are_those_of_a_slow_loop(sail: SparkSession, tmp_path: Path, seed: int) -> None:
    rows = random_events(seed)
    access, object_access = aggregated(sail, tmp_path, rows)
    assert access == slow_access(rows)
    assert object_access == slow_object_access(rows)


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
        event(1, **copy),  # no log tells: 1000 bytes ÷ 3 objects
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
    assert access[0]["addresses"] == sorted(f"192.0.2.{n}" for n in range(70))[:MAX_DISTINCT]
    assert len(object_access[0]["ranges"]) == 70


def test_a_read_of_the_whole_among_ranges(sail: SparkSession, tmp_path: Path) -> None:
    rows = [
        event(1, details={"range": "bytes=0-9"}),
        event(2),
        event(3, object="shard-1", details={"range": "bytes=10-19"}),
        event(4, object="shard-1", details={"range": "bytes=0-9"}),
        event(5, object="shard-1", details={"range": "bytes=0-9"}),
        # An asset that is one object has no name within it.
        event(6, asset_id="data", object=None, resource="s3://lab/one.bin", details={"range": "x"}),
    ]
    _, object_access = aggregated(sail, tmp_path, rows)
    assert {row["object"]: row["ranges"] for row in object_access} == {
        "shard-0": [],
        "shard-1": ["bytes=0-9", "bytes=10-19"],
        "s3://lab/one.bin": ["x"],
    }


def test_parts_of_unknown_place(sail: SparkSession, tmp_path: Path) -> None:
    """An S3 access log tells that a part was sent and how much, but not which one."""
    part = {"status_code": "206", "object_size": "400"}
    rows = [
        event(1, bytes_out=100, details=part),
        event(2, bytes_out=150, details=part),
        # Read as a whole besides; 200 is the whole, whatever was sent of it.
        event(3, object="shard-1", bytes_out=100, details=part),
        event(4, object="shard-1", bytes_out=100, details=part | {"status_code": "200"}),
        # Logs that tell the range tell the status too.
        event(5, object="shard-2", bytes_out=10, details=part | {"range": "bytes=0-9"}),
        event(6, object="shard-2", bytes_out=20, details=part),
        # A part of nobody knows how much may be all.
        event(7, object="shard-3", bytes_out=None, details=part),
    ]
    _, object_access = aggregated(sail, tmp_path, rows)
    found = {row["object"]: (row["ranges"], row["part_bytes"]) for row in object_access}
    assert found == {
        "shard-0": ([], 250),
        "shard-1": ([], None),
        "shard-2": (["bytes=0-9"], 20),
        "shard-3": ([], None),
    }
    assert {row["object_bytes"] for row in object_access} == {400}


def test_a_day_without_events_has_no_rows(sail: SparkSession, tmp_path: Path) -> None:
    assert aggregated(sail, tmp_path, []) == ([], [])
    # Nor does a rerun keep rows of events that are gone.
    assert len(aggregated(sail, tmp_path, [event(1)])[0]) == 1
    assert aggregated(sail, tmp_path, []) == ([], [])


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
