"""Which of several addresses is the caller's: SQL compared with Python's ``ipaddress``."""

from __future__ import annotations

import ipaddress
from itertools import product
from typing import TYPE_CHECKING

import pytest

from jobs.stages.ingest.addresses import FORWARDED_CHARS, address, forwarded, last_untrusted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NETWORKS = [
    ["10.0.0.0/8"],
    ["192.0.2.128/25", "198.51.100.7/32"],
    ["2001:db8:1::/48", "::1/128"],
    ["::ffff:10.0.0.0/104"],
    ["0.0.0.0/0", "::/0"],
]
# As logs write it, and the bare address.
ADDRESSES = {
    "10.0.0.0": "10.0.0.0",
    "10.255.255.255": "10.255.255.255",
    "11.0.0.0": "11.0.0.0",
    "9.255.255.255": "9.255.255.255",
    "10.1.1.1:4711": "10.1.1.1",
    "::ffff:10.1.1.1": "10.1.1.1",
    "[::ffff:0a01:0101]:443": "10.1.1.1",
    "192.0.2.127": "192.0.2.127",
    "192.0.2.128": "192.0.2.128",
    "198.51.100.7": "198.51.100.7",
    "198.51.100.70": "198.51.100.70",
    "::1": "::1",
    "::": "::",
    "2001:db8:1::": "2001:db8:1::",
    "2001:DB8:1:0:0:0:0:9": "2001:db8:1::9",
    "[2001:db8:1:ffff:ffff:ffff:ffff:ffff]": "2001:db8:1:ffff:ffff:ffff:ffff:ffff",
    "2001:db8:2::": "2001:db8:2::",
    "2001:db8::1": "2001:db8::1",
    "1:db8:1::": "1:db8:1::",
    "fe80::1%eth0": "fe80::1",
    "999.1.1.1": None,
    "unknown": None,
}


def held(text: str, networks: list[str]) -> bool:
    bare = ADDRESSES[text]
    if bare is None:
        return False
    parsed = ipaddress.ip_address(bare)
    if networks == ["::ffff:10.0.0.0/104"]:
        networks = ["10.0.0.0/8"]
    return any(parsed in ipaddress.ip_network(network) for network in networks)


@pytest.mark.parametrize("networks", NETWORKS, ids=" ".join)
def test_the_last_address_that_is_no_proxy(sail: SparkSession, networks: list[str]) -> None:
    """Every pair of forms: what is behind a proxy is believed, what is before a stranger is not."""
    pairs = list(product(ADDRESSES, ADDRESSES))
    frame = sail.createDataFrame([(list(pair),) for pair in pairs], "seen array<string>")
    rows = frame.selectExpr("seen", f"{last_untrusted('seen', networks)} as caller").collect()
    assert len(rows) == len(pairs)
    assert {tuple(row.seen): row.caller for row in rows} == {
        (first, last): first if held(last, networks) else last for first, last in pairs
    }


def test_without_proxies_the_servers_own_view_counts(sail: SparkSession) -> None:
    lists = [["10.1.1.1", "198.51.100.77"], ["198.51.100.77"], [], ["10.1.1.1", None], None]
    frame = sail.createDataFrame(
        [(n, seen) for n, seen in enumerate(lists)], "n int, seen array<string>"
    )
    caller, others = last_untrusted("seen", []), forwarded("seen", [])
    rows = frame.orderBy("n").selectExpr(f"{address(caller)} as caller", f"{others} as others")
    assert [tuple(row) for row in rows.collect()] == [
        ("198.51.100.77", "10.1.1.1"),
        ("198.51.100.77", None),
        (None, None),
        (None, "10.1.1.1"),
        (None, None),
    ]


def test_addresses_that_are_left_out_keep_their_order(sail: SparkSession) -> None:
    seen = ["evil", "203.0.113.9", "198.51.100.77", "10.0.0.1", "10.0.0.2"]
    frame = sail.createDataFrame([(seen,), (["x" * 3000, "10.0.0.1"],)], "seen array<string>")
    rows = frame.selectExpr(f"{forwarded('seen', ['10.0.0.0/8'])} as others").collect()
    assert rows[0].others == "evil, 203.0.113.9, 10.0.0.1, 10.0.0.2"
    (long,) = (
        frame.where("size(seen) = 2").selectExpr(f"{forwarded('seen', [])} as others").collect()
    )
    assert long.others == "x" * FORWARDED_CHARS
