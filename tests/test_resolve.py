"""Identities, assets and networks, each against a slow and obvious way to find them."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobs.formats import quoted
from jobs.resolve import (
    FOLDER_SCHEMES,
    MAX_SESSION_HOPS,
    WILDCARD,
    Identity,
    asset_finder,
    identity_finder,
    needs_whole_uri,
    network_finder,
    resolve_sessions,
)
from jobs.staging import lookup_key
from schemas.context import Context

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PIECES = ["a", "b", "ab", "a-1", "*", "a*", "*b", "?", "[ab]", "[!a]b", "a?b", "é.x", "[a-c]*"]
PATH = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("/".join)
PATTERN = st.builds(
    lambda scheme, path, rest: f"{scheme}://{path}{rest}",
    st.sampled_from(["s3", "github"]),
    PATH,
    st.sampled_from(["", "/*", "*"]),
)
STEP = st.sampled_from(["a", "b", "ab", "a-1", "ab1b", "é.x", "c"])
PLAIN = st.lists(STEP, min_size=1, max_size=5)
URI = st.builds(
    lambda scheme, path: f"{scheme}://{'/'.join(path)}", st.sampled_from(["s3", "github"]), PLAIN
)


def asset_frame(patterns: list[str]) -> pd.DataFrame:
    ids = [f"asset-{number}" for number in range(len(patterns))]
    return pd.DataFrame({"asset_id": ids, "pattern": patterns}, dtype=str)


def names(pattern: str, uri: str) -> bool:
    """A pattern names what it matches and everything below that."""
    return fnmatch.fnmatchcase(uri, pattern) or fnmatch.fnmatchcase(uri, f"{pattern}/*")


def slow_asset(patterns: list[str], uri: str) -> str | None:
    """Every pattern tried; the longest wins, of equals the one without wildcards, the deepest."""
    found = []
    for number, pattern in enumerate(patterns):
        if names(pattern, uri):
            stem = pattern.removesuffix("/*")
            literal = not WILDCARD.search(stem)
            depth = len(stem) if literal else 0
            exact = literal and pattern == uri
            found.append((-len(pattern), not exact, not literal, -depth, f"asset-{number}"))
    return min(found)[-1] if found else None


def whole(patterns: list[str], uri: str) -> str:
    """What decides a URI's asset, as the engine's expression says it."""
    exact, odd = needs_whole_uri(asset_frame(patterns))
    if uri in exact or (odd and re.fullmatch(odd.replace(r"\z", r"\Z"), uri)):
        return uri
    scheme = uri.split(":", 1)[0]
    return uri[: len(uri) - len(uri.rsplit("/", 1)[-1])] if scheme in FOLDER_SCHEMES else uri


@settings(max_examples=500, deadline=None)
@given(patterns=st.lists(PATTERN, min_size=1, max_size=6, unique=True), uri=URI)
def test_assets_are_those_of_the_longest_pattern(patterns: list[str], uri: str) -> None:
    match = asset_finder(asset_frame(patterns))(uri)
    assert (match.asset_id if match else None) == slow_asset(patterns, uri)


@settings(max_examples=500, deadline=None)
@given(patterns=st.lists(PATTERN, min_size=1, max_size=6, unique=True), uri=URI)
def test_a_folder_decides_unless_a_pattern_needs_all_of_it(patterns: list[str], uri: str) -> None:
    """The engine brings distinct folders only; the answer must be that for the URI itself."""
    find = asset_finder(asset_frame(patterns))
    assert find(whole(patterns, uri)) == find(uri)


@settings(max_examples=300, deadline=None)
@given(pattern=PATTERN, uri=URI)
def test_the_regular_expression_says_what_the_glob_says(pattern: str, uri: str) -> None:
    _, odd = needs_whole_uri(asset_frame([pattern]))
    assume(odd)
    matched = re.fullmatch(odd.replace(r"\z", r"\Z"), uri) is not None
    assert matched == fnmatch.fnmatchcase(uri, pattern)


def test_engine_reads_the_regular_expression_alike(sail: SparkSession) -> None:
    """Signs that mean something in a regular expression mean themselves in a glob."""
    signs = r"""a.b+c(d)e|f^g$h{2}i\j&k~l#m-n o"p'q,r<s>t=u!v%w@é☃"""
    patterns = [
        f"s3://bucket/{signs}-*.bin",
        "s3://bucket/[]x]*",
        "s3://bucket/[!]x]1",
        "s3://bucket/[a-c^&]?",
        "s3://bucket/[unclosed*",
        "s3://bucket/exact",
    ]
    uris = [
        f"s3://bucket/{signs}-7.bin",
        "s3://bucket/aXb+c(d)-7.bin",
        "s3://bucket/]1",
        "s3://bucket/y1",
        "s3://bucket/^1",
        "s3://bucket/&\n",
        "s3://bucket/d1",
        "s3://bucket/[unclosed7",
        "s3://bucket/exact",
        "s3://bucket/exact/below",
        "github://bucket/exact",
    ]
    frame = asset_frame(patterns)
    empty = pd.DataFrame()
    sql = lookup_key(Context(directory=empty, assets=frame, approvals=empty, networks=empty))
    rows = sail.createDataFrame([(uri,) for uri in uris], "resource string")
    found = rows.selectExpr("resource", f"{sql} as lookup").collect()
    assert {row.resource: row.lookup for row in found} == {
        uri: whole(patterns, uri) for uri in uris
    }
    assert quoted(signs).startswith("'")


@pytest.mark.parametrize(
    ("pattern", "uri", "asset_object"),
    [
        ("s3://b/run/*", "s3://b/run/x/shard-1", "x/shard-1"),
        ("s3://b/run", "s3://b/run/shard-1", "shard-1"),
        ("s3://b/model.bin", "s3://b/model.bin", ""),
        ("s3://b/run-*/*", "s3://b/run-7/shard-1", "run-7/shard-1"),
        ("s3://b/*/clean/*", "s3://b/x/clean/y", "x/clean/y"),
        ("k8s://c/ns", "k8s://c/ns/pods/p", "pods/p"),
        ("github://o/r", "github://o/r", ""),
        ("github://o/*", "github://o/r", "r"),
    ],
)
def test_object_within_the_asset(pattern: str, uri: str, asset_object: str) -> None:
    match = asset_finder(asset_frame([pattern]))(uri)
    assert match is not None
    assert uri[match.prefix_chars :] == asset_object


@pytest.mark.parametrize(
    ("pattern", "uri"),
    [
        # Neighbours that only begin alike; what holds the asset; another case.
        ("s3://b/run-1/*", "s3://b/run-10/x"),
        ("s3://b/run-1", "s3://b/run-10"),
        ("s3://b/run/*", "s3://b/run"),
        ("s3://b/run/*", "s3://b/"),
        ("s3://b/run/*", "s3://B/run/x"),
        ("github://o/r", "github://o/r2"),
        ("github://o/*", "github://o"),
    ],
)
def test_what_a_pattern_does_not_name(pattern: str, uri: str) -> None:
    assert asset_finder(asset_frame([pattern]))(uri) is None


CIDRS = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
).map(lambda pair: ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False))


@settings(max_examples=300, deadline=None)
@given(networks=st.lists(CIDRS, max_size=8, unique=True), data=st.data())
def test_networks_are_the_longest_that_hold_it(networks: list, data: st.DataObject) -> None:
    inside = [network[data.draw(st.integers(0, network.num_addresses - 1))] for network in networks]
    address = data.draw(st.sampled_from([*inside, data.draw(st.ip_addresses())]))
    frame = pd.DataFrame(
        [(str(n), "z", "c", str(n)) for n in networks],
        columns=["cidr", "zone", "country", "asn"],
        dtype=str,
    )
    holding = [n for n in networks if address.version == n.version and address in n]
    expected = max(holding, key=lambda n: n.prefixlen, default=None)
    mapped = address.version == 6 and address.ipv4_mapped
    assume(not mapped)
    found = network_finder(frame)(str(address))
    assert (found[2] if found else None) == (str(expected) if expected else None)


def test_addresses_in_other_spellings() -> None:
    frame = pd.DataFrame(
        {"cidr": ["10.0.0.0/8", "2001:db8::/32"], "zone": ["corp", "vpn"], "country": "", "asn": ""}
    )
    find = network_finder(frame)
    assert find("::ffff:10.1.2.3") == find("10.1.2.3") == ("corp", "", "")
    assert find("2001:0DB8:0::1") == ("vpn", "", "")
    assert find("fe80::1%eth0") is None
    for text in ("", "10.0.0", "10.0.0.1:443", "host", "999.1.1.1", "secretsmanager.amazonaws.com"):
        assert find(text) is None


DIRECTORY = pd.DataFrame(
    {
        "user_id": ["u-ana", "s-ci"],
        "email": ["ana@example.com", ""],
        "kind": ["human", "service"],
        "aliases": [("ana-gh", "arn:aws:iam::111122223333:user/ana"), ("ci",)],
    }
)
ANA, CI, EVE = Identity("u-ana", "human"), Identity("s-ci", "service"), Identity("u-eve", "human")


def test_identities_go_by_alias_email_or_user_id_best_name_first() -> None:
    find = identity_finder(DIRECTORY)
    assert find("ana-gh") == find("ana@example.com") == find("u-ana") == ANA
    assert find("nobody\nci\nana-gh") == CI
    assert find("ANA-GH") is None
    assert find("") is None


def find_simple(names_text: str) -> Identity | None:
    return {"ana": ANA, "ci": CI}.get(names_text)


def test_sessions_are_followed_to_where_they_began() -> None:
    issued = [("k3", "role-2", "k2"), ("k1", "ana", "AKIA"), ("k2", "role-1", "k1")]
    assert resolve_sessions(issued, {}, find_simple) == {"k1": ANA, "k2": ANA, "k3": ANA}
    # A key known from the days before ends the search.
    known = {"k0": EVE}
    later = [("k1", "ana", "k0"), ("k2", "role-1", "k1")]
    assert resolve_sessions(later, known, find_simple) == {"k0": EVE, "k1": EVE, "k2": EVE}
    # Nobody known at the beginning: the nearest who is.
    assert resolve_sessions([("k1", "?", None), ("k2", "ci", "k1")], {}, find_simple) == {"k2": CI}
    assert resolve_sessions([("k1", "?", None)], {}, find_simple) == {}


@settings(max_examples=200, deadline=None)
@given(
    links=st.dictionaries(
        st.integers(0, 7),
        st.tuples(st.sampled_from(["ana", "ci", "?"]), st.integers(0, 9)),
        max_size=8,
    ),
    data=st.data(),
)
def test_sessions_end_in_circles_and_in_any_order(links: dict, data: st.DataObject) -> None:
    """Against one hop after another, whatever links to whatever."""
    issued = [(f"k{key}", name, f"k{used}") for key, (name, used) in links.items()]
    expected = {}
    for key in links:
        chain = [key]
        while len(chain) <= MAX_SESSION_HOPS and links[chain[-1]][1] in links:
            chain.append(links[chain[-1]][1])
        known = [find_simple(links[k][0]) for k in chain if find_simple(links[k][0])]
        if known:
            expected[f"k{key}"] = known[-1]
    shuffled = data.draw(st.permutations(issued))
    assert resolve_sessions(shuffled, {}, find_simple) == expected
