"""The tables of stage ``aggregate`` against the same sums made row by row in Python."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schemas.tables.access import ACCESS, OBJECT_ACCESS, PLACE_ACCESS
from schemas.tables.values import MAX_LISTED
from tests.worlds.aggregated_days import (
    FOLLOWED,
    MIDNIGHT,
    Rows,
    aggregated,
    event,
    places_of_day,
)
from tests.worlds.raw_logs import DAY

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

AGENTS = [None, "[aws-cli/2.1 x]", "aws-cli/3", '"Boto3/1"', "(odd)", ""]

SEVERAL = "account://444455556666\npublic://all\nuser://friend@example.org"
CALLERS: list[dict[str, str]] = [
    {}, {"account": "111122223333"}, {"tenant": "t-1", "authentication": "OAuth"},
    {"account": "111122223333", "authentication": "AuthHeader"},
    {"account": "444455556666", "authentication": "QueryString"}, {"authentication": "SAS"},
]  # fmt: skip
ELSEWHERE = {"destination_account": "444455556666"}


def random_events(seed: int, count: int = 600) -> Rows:
    """Events with few values in each column, so that groups are large, and with nulls."""
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
        if draw.random() < 0.2:
            details |= {"identity_rule": draw.choice(["session_name", "email"])}
        details |= draw.choice(CALLERS)
        if draw.random() < 0.3:
            details |= {"bytes_in": draw.choice(["7", "90", "much"])}
        if draw.random() < 0.5:
            details |= {"object_size": draw.choice(["500", "400", "much"])}
        row = event(
            number,
            event_time=MIDNIGHT + timedelta(microseconds=draw.randrange(86_400 * 10**6)),
            source=draw.choice(["trail", "other"]),
            user_id=draw.choice(["u-ana", "u-bo", f"{ROLE}/one", f"{ROLE}/two"]),
            user_kind=draw.choice(["human", "service", "unknown"]),
            acting_as=draw.choice([None, "role-1", "role-2"]),
            credential=draw.choice([None, "AKIA1", "AKIA2"]),
            action=draw.choice(["GetObject", "CopyObject", "git.clone"]),
            action_class=draw.choice(["read", "copy", "list", "clone", "write"]),
            resource=resource,
            asset_id=asset,
            object=item,
            destination=draw.choice([None, None, "s3://away/x/y", "github://o/r", SEVERAL]),
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


ROLE = "arn:aws:sts::999988887777:assumed-role/Trainer"


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


def goes_to(row: dict[str, Any]) -> list[str]:
    account = row["details"].get("destination_account")
    places = (row["destination"] or "").split("\n")
    return [container(one) + (f"#{account}" if account else "") for one in places if one]


def total(values: list[int | None]) -> int | None:
    """Sum of what is known; unknown if nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def distinct(values: Any) -> list[str]:
    return sorted({value for value in values if value is not None})[:MAX_LISTED]


def item_of(row: dict[str, Any]) -> str:
    return row["object"] or row["resource"]


def size_of(row: dict[str, Any]) -> int | None:
    text = row["details"].get("object_size", "")
    return int(text) if text.isdigit() else None


def estimate(asset: str, action_class: str, rows: Rows) -> int | None:
    """Bytes of the objects whose bytes no event has, guessed from sizes."""
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


def actor(row: dict[str, Any]) -> str:
    """The role of a session of a role; else the identity."""
    parts = row["user_id"].split("/")
    is_session = parts[0].startswith("arn:") and parts[0].endswith(":assumed-role")
    return "/".join(parts[:2]) if is_session and len(parts) > 2 else row["user_id"]


def slow_access(rows: Rows) -> Rows:
    groups: dict[tuple[str, str, str], Rows] = defaultdict(list)
    for row in rows:
        asset = row["asset_id"] or container(row["resource"])
        groups[actor(row), asset, row["action_class"]].append(row)
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
                "destinations": distinct(one for row in group for one in goes_to(row)),
                "sources": distinct(row["source"] for row in group),
                "chosen_names": sum(
                    row["details"].get("identity_rule") == "session_name" for row in group
                ),
                "bytes_in": total([written(row) for row in done]),
                "accounts": distinct(
                    row["details"].get("account", row["details"].get("tenant")) for row in group
                ),
                "sessions": distinct(
                    row["user_id"] for row in group if actor(row) != row["user_id"]
                ),
            }
        )
    return sorted(result, key=lambda row: [str(row[column]) for column in ACCESS.key])


def slow_object_access(rows: Rows) -> Rows:
    groups: dict[tuple[str, str, str], Rows] = defaultdict(list)
    for row in rows:
        moved = row["action_class"] in ("read", "copy") and row["outcome"] != "failure"
        if row["asset_id"] in FOLLOWED and moved:
            groups[actor(row), row["asset_id"], item_of(row)].append(row)
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
                # A read without a range or a part is a read of the whole object.
                "ranges": [] if whole else distinct(ranges),
                "part_bytes": None if whole else total(parts),
                "object_bytes": max(map(size_of, group), key=lambda size: size or 0),
                "first_time": min(row["event_time"] for row in group),
                "last_time": max(row["event_time"] for row in group),
            }
        )
    return sorted(result, key=lambda row: [str(row[column]) for column in OBJECT_ACCESS.key])


def place(row: dict[str, Any]) -> str | None:
    block = {None: None, "192.0.2.1": "192.0.2.0/24", "2001:db8::1": "2001:db8:0::/48"}
    return network(row) or block[row["source_ip"]]


def written(row: dict[str, Any]) -> int | None:
    text = row["details"].get("bytes_in", row["details"].get("object_size", ""))
    return int(text) if row["action_class"] == "write" and text.isdigit() else None


def links(rows: Rows) -> Rows:
    return [row for row in rows if row["details"].get("authentication") in ("QueryString", "SAS")]


def slow_place_access(rows: Rows) -> Rows:
    groups: dict[tuple[str, str, str], Rows] = defaultdict(list)
    for row in rows:
        if where := place(row):
            asset = row["asset_id"] or container(row["resource"])
            groups[actor(row), where, asset].append(row)
    result = []
    for (user, where, asset), group in groups.items():
        done = [row for row in group if row["outcome"] != "failure"]
        content = [row for row in done if row["action_class"] in ("read", "copy", "clone")]
        by_class: dict[str, Rows] = defaultdict(list)
        for row in content:
            by_class[row["action_class"]].append(row)
        everywhere = {
            name: {
                item_of(row) for row in rows
                if row["outcome"] != "failure" and row["action_class"] == name
                and actor(row) == user and (row["asset_id"] or container(row["resource"])) == asset
            }
            for name in by_class
        }  # fmt: skip
        hours = {row["event_time"].hour for row in done}
        result.append(
            {
                "day": DAY, "user_id": user, "place": where, "asset_id": asset,
                "user_kind": min(row["user_kind"] for row in group),
                "zone": group[0]["zone"], "country": group[0]["country"],
                "events": len(group), "failures": len(group) - len(done),
                "objects": sum(min(len(found), len(everywhere[name]))
                               for name, found in by_class.items()),
                "bytes": total([row["bytes_out"] for row in content]),
                "hours": sum(1 << hour for hour in hours),
                "linked": len(links(done)),
                "linked_objects": sum(min(len(links(found)), len(everywhere[name]))
                                      for name, found in by_class.items()),
            }
        )  # fmt: skip
    return sorted(result, key=lambda row: [str(row[column]) for column in PLACE_ACCESS.key])


@pytest.mark.parametrize("seed", range(3))
def test_sums_are_those_of_a_slow_loop(sail: SparkSession, tmp_path: Path, seed: int) -> None:
    rows = random_events(seed)
    access, object_access = aggregated(sail, tmp_path, rows)
    assert access == slow_access(rows)
    assert object_access == slow_object_access(rows)
    assert places_of_day(sail, tmp_path) == slow_place_access(rows)


def test_a_day_without_events_has_no_rows(sail: SparkSession, tmp_path: Path) -> None:
    assert aggregated(sail, tmp_path, []) == ([], [])
    # Nor does a rerun keep rows of events that are gone.
    assert len(aggregated(sail, tmp_path, [event(1)])[0]) == 1
    assert aggregated(sail, tmp_path, []) == ([], [])


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:0DB8:0042:1::9", "2001:db8:42::/48"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::1", "0:0:0::/48"),
        ("2001:db8::", "2001:db8:0::/48"),
    ],
)
def test_an_unlisted_address_is_in_its_block(
    sail: SparkSession, tmp_path: Path, address: str, block: str
) -> None:
    aggregated(sail, tmp_path, [event(1, source_ip=address), event(2)])
    assert [row["place"] for row in places_of_day(sail, tmp_path)] == [block]
