"""Assets, against a slow and obvious way to find them."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobs.stages.ingest.events import with_whole_uris
from jobs.stages.ingest.staging import lookup_key
from jobs.stages.sql import quoted
from models.resolve.assets import (
    FOLDER_SCHEMES,
    WILDCARD,
    asset_finder,
    concealing_patterns,
    needs_whole_uri,
)
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


@settings(max_examples=300, deadline=None)
@given(
    patterns=st.lists(PATTERN, min_size=1, max_size=6),
    sensitivities=st.lists(st.sampled_from([1, 3, 5, None]), min_size=6, max_size=6),
    uri=URI,
)
def test_the_most_sensitive_asset_holds(
    patterns: list[str], sensitivities: list[int | None], uri: str
) -> None:
    """As the longest pattern among those of the highest sensitivity alone."""
    ranks = sensitivities[: len(patterns)]
    frame = asset_frame(patterns).assign(sensitivity=pd.array(ranks, "Int64"))
    matching = [rank or 0 for rank, each in zip(ranks, patterns, strict=True) if names(each, uri)]
    best = frame[frame["sensitivity"].fillna(0) == max(matching, default=0)]
    assert asset_finder(frame)(uri) == asset_finder(best, "longest")(uri)
    if asset_finder(frame)(uri) != asset_finder(frame, "longest")(uri):
        assert len(set(matching)) > 1


def test_patterns_that_would_conceal_a_more_sensitive_asset() -> None:
    rows = [
        ("ckpt", "s3://lab-ckpt/orion/*", 5),
        ("docs", "s3://lab-ckpt/orion/run-7/*", 1),
        ("same", "s3://lab-ckpt/orion/*", 2),
        ("unknown", "s3://lab-ckpt/orion/x", None),
        ("higher", "s3://lab-ckpt/orion/y", 5),
        ("away", "s3://lab-ckpt/vega/*", 1),
        ("runs", "s3://lab-*/vega/run-?/*", 4),
        ("in-glob", "s3://lab-ckpt/vega/run-1/readme", 1),
    ]
    frame = pd.DataFrame(rows, columns=["asset_id", "pattern", "sensitivity"])
    frame = frame.astype({"sensitivity": "Int64"})
    found = concealing_patterns(frame)
    assert [problem.split()[0] for problem in found] == ["docs", "in-glob", "same", "unknown"]
    assert found[0] == (
        "docs (s3://lab-ckpt/orion/run-7/*, sensitivity 1) is within "
        "ckpt (s3://lab-ckpt/orion/*, sensitivity 5)"
    )
    find, longest = asset_finder(frame), asset_finder(frame, "longest")
    for uri, sensitive, by_length in (
        ("s3://lab-ckpt/orion/run-7/shard-0", "ckpt", "docs"),
        ("s3://lab-ckpt/vega/run-1/readme", "runs", "in-glob"),
        ("s3://lab-ckpt/vega/run-22/readme", "away", "away"),
        ("s3://lab-ckpt/orion/y", "higher", "higher"),
    ):
        assert [f(uri).asset_id for f in (find, longest)] == [sensitive, by_length]  # type: ignore[union-attr]


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
    context = Context(directory=empty, assets=frame, approvals=empty, networks=empty)
    rows = sail.createDataFrame([(uri,) for uri in uris], "resource string")
    keyed = rows.selectExpr("resource", f"{lookup_key(context)} as lookup")
    found = with_whole_uris(keyed, context).collect()
    assert len(found) == len(uris)
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
