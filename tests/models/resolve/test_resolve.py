"""Identities, assets and networks, each against a slow and obvious way to find them."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobs.stages.ingest.staging import lookup_key
from jobs.stages.sql import quoted
from models.resolve.assets import (
    FOLDER_SCHEMES,
    WILDCARD,
    asset_finder,
    concealing_patterns,
    needs_whole_uri,
)
from models.resolve.identities import IdentityMatch, identity_finder
from models.resolve.identity_rules import Identity, guess_finder
from models.resolve.networks import network_finder
from models.resolve.sessions import MAX_SESSION_HOPS, keys_of_strangers, resolve_sessions
from schemas.context import Context
from schemas.formats import FORMATS

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


def directory(*rows: tuple[str, str, str, str, tuple[str, ...]]) -> pd.DataFrame:
    """Identities of (user_id, kind, employment, email, aliases)."""
    columns = ["user_id", "kind", "employment", "email", "aliases"]
    return pd.DataFrame(list(rows), columns=columns, dtype=object).assign(display_name="Ana Silva")


ARN = "arn:aws:iam::111122223333:user/ana"
SESSIONS = "arn:aws:sts::111122223333:assumed-role/research"
DIRECTORY = directory(
    ("u-ana", "human", "employee", "ana@example.com", ("ana-gh", ARN)),
    ("u-bo", "human", "employee", "bo@example.com", ("bo@corp.example.ai",)),
    ("u-ny", "human", "employee", "ny@example.ai", ()),
    ("u-cy", "human", "contractor", "cy@mail.example", ()),
    ("u-bo2", "human", "vendor", "bo@vendor.example", ()),
    ("s-ci", "service", "", "ci@example.com", ("ci",)),
    ("s-backup", "service", "", "ana@example.com", ()),
)
ANA, CI, EVE = Identity("u-ana", "human"), Identity("s-ci", "service"), Identity("u-eve", "human")


def test_identities_go_by_alias_email_or_user_id_best_name_first() -> None:
    find = identity_finder(DIRECTORY)
    assert find("ana-gh") == find("ana@example.com") == find("u-ana") == IdentityMatch(ANA)
    assert find("nobody\nci\nana-gh") == IdentityMatch(CI)
    assert find("ANA-GH") == find("") == IdentityMatch()


@pytest.mark.parametrize(
    ("name", "user_id", "rule"),
    [
        ("ANA@Example.com", "u-ana", "email_case"),
        ("CI@example.com", "s-ci", "email_case"),
        ("ana+aws@example.com", "u-ana", "email_tag"),
        ("Ana_example.com#EXT#@lab.onmicrosoft.com", "u-ana", "guest_name"),
        ("ana-example.com", "u-ana", "session_name"),
        (f"{SESSIONS}/ana-example.com", "u-ana", "session_name"),
        (f"{SESSIONS}/ana@example.com", "u-ana", "session_name"),
        ("oidc:ana@example.com", "u-ana", "prefixed_name"),
        ("aws:ana-example.com", "u-ana", "prefixed_name"),
        ("https://issuer.example.com/x#Ana@example.com", "u-ana", "prefixed_name"),
        # Below the person's domain, above it, and another one of the staff's.
        ("ana@corp.example.com", "u-ana", "email_domain"),
        ("cy@eu.mail.example", "u-cy", "email_domain"),
        ("ny@example.com", "u-ny", "email_domain"),
    ],
)
def test_near_certain_names(name: str, user_id: str, rule: str) -> None:
    found = identity_finder(DIRECTORY)(f"i-0123456789abcdef0\n{name}").identity
    assert found is not None
    assert (found.user_id, found.rule, found.name) == (user_id, rule, name)


@pytest.mark.parametrize(
    "name",
    [
        "ana",  # a guess
        "ana-silva",
        "Ana Silva",
        "ana@gmail.example",  # anybody's
        "ana@mail.example",  # a contractor's domain may be a mail provider's
        "cy@example.com",  # somebody new of that name may be on the staff
        "\u0430na@example.com",  # a Cyrillic letter
        "ana@notexample.com",
        "ana@example.com.evil.example",
        "ci+prod@example.com",  # a tagged mailbox is another account's
        "ci-example.com",
        "oidc:ci@example.com",
        "system:ana@example.com",
        "system:serviceaccount:ana@example.com",
        "group:ana@example.com",
        "repo:lab/kernels:environment:ana@example.com",  # whoever may name an environment
        "_example.com#EXT#@lab.onmicrosoft.com",
        "+aws@example.com",
        f"{SESSIONS}/i-0123456789abcdef0",
        f"{SESSIONS}/x/ana@example.com",
        # Anybody may open a session under her name in an account of his own.
        "arn:aws:sts::444455556666:assumed-role/research/ANA@example.com\nANA@example.com",
    ],
)
def test_what_no_rule_takes_for_anybody(name: str) -> None:
    assert identity_finder(DIRECTORY)(name) == IdentityMatch()


FOREIGN = "444455556666"
EVIL = f"arn:aws:sts::{FOREIGN}:assumed-role/evil"
OWN_ROLE = "arn:aws:iam::111122223333:role/research"


@pytest.mark.parametrize(
    "names",
    [
        # CloudTrail and S3: the ARN, the session's name, the role; a federated user; an IAM user.
        f"{EVIL}/ana@example.com\nana@example.com\narn:aws:iam::{FOREIGN}:role/evil\nevil",
        f"{EVIL}/ana@example.com",
        f"\x01ana@example.com\n{EVIL}/x\nx",
        f"arn:aws:sts::{FOREIGN}:federated-user/ana@example.com\n\x01ana@example.com",
        f"arn:aws:iam::{FOREIGN}:user/ana-gh\nana-gh",
        f"ana-gh\n\x02{FOREIGN}",
        # EKS: the session and its ARN in `extra`, and what the cluster makes of it.
        f"\x01ana@example.com\n{EVIL}/ana@example.com\nana-gh\narn:aws:iam::{FOREIGN}:role/evil",
        f"aws:{EVIL}/ana@example.com\nana-gh",
        # An invited guest of another tenant; an identity of another tenant.
        "ana_example.com#EXT#@evil.onmicrosoft.com",
        "ana@example.com\n\x0200000000-0000-0000-0000-000000000666",
    ],
)
def test_no_name_of_a_foreign_account_is_ours(names: str) -> None:
    own = ("111122223333", "lab.onmicrosoft.com", "00000000-0000-0000-0000-000000000017", "lab-gcp")
    match = identity_finder(DIRECTORY, own_accounts=own)(names)
    assert match == IdentityMatch()
    assert match.foreign


def test_which_accounts_are_ours() -> None:
    """Those of the config, else those in the directory, else those with a trail of their own."""
    names = f"{EVIL}/ana@example.com\n\x01ana@example.com"
    bare = DIRECTORY.assign(aliases=[()] * len(DIRECTORY))
    by_name = IdentityMatch(replace(ANA, rule="session_name", name="ana@example.com"))
    assert identity_finder(bare)(names) == by_name
    assert identity_finder(bare, learned_accounts=["111122223333"])(names) == IdentityMatch()
    assert identity_finder(bare, learned_accounts=[FOREIGN])(names) == by_name
    assert identity_finder(DIRECTORY, learned_accounts=[FOREIGN])(names) == IdentityMatch()
    assert identity_finder(DIRECTORY, own_accounts=[FOREIGN])(names) == by_name
    # A config that names projects only says nothing of AWS.
    assert identity_finder(DIRECTORY, own_accounts=["lab-gcp"])(names) == IdentityMatch()
    # What an alias names in whole is known wherever it is.
    listed = directory(("u-eve", "human", "vendor", "", (f"{EVIL}/eve", ARN)))
    find = identity_finder(listed, own_accounts=["111122223333"])
    assert find(f"{EVIL}/eve\n\x01eve") == IdentityMatch(EVE)


@pytest.mark.parametrize(
    "names",
    [
        f"{SESSIONS}/ana@example.com\n\x01ana@example.com\n{OWN_ROLE}\nresearch",
        f"\x01ana@example.com\n{SESSIONS}/x\n\x01x",
        f"{SESSIONS}/ana-gh\nana-gh",
        "\x01ana-gh",
        "AROAEXAMPLEID000000000:ana@example.com",
        "arn:aws:sts::111122223333:federated-user/ana@example.com",
    ],
)
def test_a_match_on_a_chosen_name_says_so(names: str) -> None:
    found = identity_finder(DIRECTORY)(names).identity
    assert found is not None
    assert (found.user_id, found.rule) == ("u-ana", "session_name")


def test_the_issuer_goes_before_the_name() -> None:
    """An alias that is the session's whole ARN is certain, but not where its issuer denies it."""
    role = "arn:aws:iam::111122223333:role/path/trainer"
    session = "arn:aws:sts::111122223333:assumed-role/trainer/ana@example.com"
    people = directory(
        ("u-ana", "human", "employee", "ana@example.com", (session, ARN)),
        ("u-bo", "human", "employee", "bo@example.com", ()),
        ("s-train", "service", "", "", (role,)),
    )
    find = identity_finder(people)
    named = f"{session}\n\x01ana@example.com"
    assert find(f"{named}\n{role}") == IdentityMatch(ANA)
    train = IdentityMatch(Identity("s-train", "service"))
    assert find(f"{session.replace('trainer', 'x')}\n\x01ana@example.com\n{role}") == train
    assert find(f"{named}\n{OWN_ROLE}") == IdentityMatch()
    assert find(f"{named}\narn:aws:iam::{FOREIGN}:role/trainer") == IdentityMatch()
    # Whoever issues a federated session names it.
    federated = "arn:aws:sts::111122223333:federated-user/bo@example.com"
    assert find(f"{federated}\n\x01bo@example.com\n{ARN}") == IdentityMatch(ANA)


@pytest.mark.parametrize("format_id", FORMATS)
def test_an_alias_may_hold_in_one_log(format_id: str) -> None:
    other = next(name for name in FORMATS if name != format_id)
    people = directory(
        ("u-ana", "human", "employee", "ana@example.com", (f"{format_id}:mlind", "everywhere")),
        ("u-bo", "human", "employee", "bo@example.com", ("its log:of:bo", "its log:bo", "mlind2")),
        ("mlind", "human", "employee", "cy@example.com", (f"{format_id}:cy", f"{other}:mlind2")),
    )
    bo, cy = Identity("u-bo", "human"), Identity("mlind", "human")
    find = identity_finder(people, sources=["its log", "its log:of", "second"])
    assert find("everywhere", "its log", format_id) == IdentityMatch(ANA)
    assert find("mlind", "its log", format_id) == find("mlind", "second", format_id)
    assert find("mlind", "its log", format_id) == IdentityMatch(ANA)
    assert find(f"{format_id}:mlind", "its log", format_id) == IdentityMatch()
    # Another log's alias is nobody's here; whoever bears it as a user_id has that one there.
    assert find("cy", "its log", other) == IdentityMatch()
    assert find("bo", "its log", format_id) == find("bo", "its log:of", other) == IdentityMatch(bo)
    assert find("bo", "second", format_id) == IdentityMatch()
    assert find("mlind", "second", other) == IdentityMatch(namesake="mlind")
    # An alias of this log goes before one of all logs.
    assert find("mlind2", "second", other) == IdentityMatch(cy)
    assert find("mlind2", "second", format_id) == IdentityMatch(bo)
    # A session that is called so was called so by whoever opened it.
    session = f"{SESSIONS}/mlind\n\x01mlind"
    chosen = replace(ANA, rule="session_name", name="mlind")
    assert find(session, "its log", format_id) == IdentityMatch(chosen)
    assert find(session, "second", other) == IdentityMatch(namesake="mlind")


def test_an_ambiguous_name_matches_nobody() -> None:
    shared = ("shared@example.com",)
    rows = [
        ("u-1", "human", "employee", "one@example.com", shared),
        ("u-2", "human", "employee", "Shared@example.com", ()),
        ("u-3", "human", "employee", "shared@example.com", ()),
        ("u-4", "human", "employee", "a-b@c.example", ()),
        ("u-5", "human", "employee", "a@b-c.example", ()),
    ]
    find = identity_finder(directory(*rows))
    assert find("shared@example.com") == IdentityMatch(candidates=("u-1", "u-3"))
    assert find("SHARED@example.com") == IdentityMatch(candidates=("u-1", "u-2", "u-3"))
    assert find("a-b-c.example") == IdentityMatch(candidates=("u-4", "u-5"))
    # What decides is the most telling name; a less telling one settles nothing by a rule…
    assert find("SHARED@example.com\nONE@example.com").identity is None
    # … but a name that is known does.
    assert find("shared@example.com\nu-4").identity == Identity("u-4", "human")
    # A namesake elsewhere is enough to doubt.
    assert identity_finder(DIRECTORY)("bo@eu.example.com").candidates == ("u-bo", "u-bo2")


def test_a_service_with_its_owners_address_is_not_named_by_it() -> None:
    """In whatever order the rows stand and whatever case the address is written in."""
    for rows in (DIRECTORY, DIRECTORY[::-1]):
        assert identity_finder(rows)("ana@example.com") == IdentityMatch(ANA)
    service = ("s-x", "service", "", "Ana@example.com", ())
    person = ("u-ana", "human", "employee", "ana@example.com", ())
    find = identity_finder(directory(person, service))
    assert find("Ana@example.com").identity == Identity(
        "u-ana", "human", "email_case", "Ana@example.com"
    )
    two = directory(service, ("s-y", "service", "", "Ana@example.com", ()))
    assert identity_finder(two)("Ana@example.com") == IdentityMatch(candidates=("s-x", "s-y"))


LOCAL, DOMAIN = (
    st.sampled_from(["a", "B", "a-b"]),
    st.sampled_from(["x.io", "X.io", "e.x.io", "y-z.io"]),
)
EMAIL = st.builds(lambda local, domain: f"{local}@{domain}", LOCAL, DOMAIN)
ALIAS = st.one_of(EMAIL, st.sampled_from(["a", "oidc:a@x.io", "arn:aws:iam::111122223333:user/a"]))
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["human", "human", "service"]),
        st.sampled_from(["employee", "contractor", ""]),
        st.one_of(st.just(""), EMAIL),
        st.lists(ALIAS, max_size=2).map(tuple),
    ),
    max_size=5,
)
FORMS = [
    "{0}@{1}",
    "{0}+t@{1}",
    "{0}-{1}",
    "{0}_{1}#EXT#@t.io",
    "oidc:{0}@{1}",
    "oidc:{0}-{1}",
    "system:{0}@{1}",
    "arn:aws:sts::111122223333:assumed-role/r/{0}-{1}",
    "arn:aws:sts::444455556666:assumed-role/r/{0}@{1}",
    "{0}",
    "u0",
]
NAMES = st.lists(
    st.builds(lambda form, *parts: form.format(*parts), st.sampled_from(FORMS), LOCAL, DOMAIN),
    min_size=1,
    max_size=3,
)


def slow_identity(rows: pd.DataFrame, names: list[str]) -> tuple[str | None, str | None, set[str]]:
    """user_id, rule and candidates: every name, rule and identity tried one by one."""
    people = list(rows.itertuples())

    def bears(row: Any, name: str) -> bool:
        if name in (*row.aliases, row.user_id) or (row.kind == "human" and name == row.email):
            return True
        others = [
            other.lower()
            for each in people
            for other in (*each.aliases, each.user_id, *[each.email] * (each.kind == "human"))
        ]
        return bool(name) and name == row.email and name.lower() not in others

    def addresses(row: Any) -> set[str]:
        own = (*row.aliases, row.user_id, row.email)
        return {n.lower() for n in own if bears(row, n) and re.fullmatch(r"[\w-]+@[\w.-]+", n)}

    def fits(rule: str, row: Any, name: str) -> bool:
        name = name.lower()
        local, _, domain = name.partition("@")
        if rule == "email_case":
            return name in addresses(row)
        for address in addresses(row) if row.kind == "human" else ():
            dashed = address.replace("@", "-")
            forms = {
                "email_tag": [address.replace("@", "+t@")],
                "guest_name": [address.replace("@", "_") + "#ext#@t.io"],
                "session_name": [dashed, *(f"{r}/{n}" for r in ROLES for n in (dashed, address))],
                "prefixed_name": [f"oidc:{address}", f"oidc:{dashed}"],
            }
            if name in forms.get(rule, []):
                return True
            own = address.partition("@")[2]
            near = f".{own}".endswith(f".{domain}") or f".{domain}".endswith(f".{own}")
            same = rule == "email_domain" and address.startswith(f"{local}@") and domain
            if same and "#" not in name and (near or {own, domain} <= staff_domains):
                return True
        return False

    staff_domains = {
        row.email.lower().partition("@")[2]
        for row in people
        if row.kind == "human" and row.employment != "contractor"
    }
    # A session's name was chosen. A foreign account's means nobody, nor one that says two accounts.
    opened = [name for name in names if ":sts:" in name]
    chosen = {name.rpartition("/")[2] for name in opened}
    arns = any("111122223333" in alias for row in people for alias in row.aliases)
    foreign = arns and any("444455556666" in name for name in names)
    if foreign:
        names = []
    elif len({name.split(":")[4] for name in opened}) > 1:
        names = [name for name in names if name not in (*opened, *chosen)]
    exact = [{row.user_id for row in people if bears(row, name)} for name in names]
    for name, known in zip(names, exact, strict=True):
        if len(known) == 1:
            return *known, "session_name" if name in chosen else None, set()
    for name, known in zip(names, exact, strict=True):
        if known:
            return None, None, known
        for rule in RULES if not foreign else ():
            fitting = {row.user_id for row in people if fits(rule, row, name)}
            if rule == "email_domain" and fitting:
                local = name.lower().partition("@")[0]
                starts = f"{local}@"
                fitting = {
                    row.user_id
                    for row in people
                    if any(address.startswith(starts) for address in addresses(row))
                }
            if len(fitting) == 1:
                return *fitting, "session_name" if name in chosen else rule, set()
            if fitting:
                return None, None, fitting
    return None, None, set()


RULES = (
    "email_case",
    "email_tag",
    "guest_name",
    "session_name",
    "prefixed_name",
    "email_domain",
)
ROLES = [f"arn:aws:sts::{account}:assumed-role/r" for account in (111122223333, 444455556666)]


@settings(max_examples=300, deadline=None)
@given(people=PEOPLE, names=NAMES, data=st.data())
def test_names_are_matched_as_one_by_one_and_in_any_order_of_the_directory(
    people: list, names: list[str], data: st.DataObject
) -> None:
    rows = directory(*((f"u{number}", *row) for number, row in enumerate(people)))
    match = identity_finder(rows)("\n".join(names))
    user_id, rule, candidates = slow_identity(rows, names)
    found = match.identity
    assert (found.user_id if found else None, found.rule if found else None) == (user_id, rule)
    assert match.candidates == tuple(sorted(candidates))
    shuffled = rows.iloc[data.draw(st.permutations(range(len(rows))))]
    assert identity_finder(shuffled)("\n".join(names)) == match


@settings(max_examples=100, deadline=None)
@given(names=st.text(max_size=60))
def test_any_text_is_a_name(names: str) -> None:
    identity_finder(DIRECTORY)(names)
    guess_finder(DIRECTORY)(names)


def test_guesses_go_by_the_bare_name() -> None:
    guess = guess_finder(DIRECTORY)
    for principal in (
        "ana",
        "ANA",
        "oidc:ana",
        f"{SESSIONS}/ana",
        "ana+x@gmail.example",
        "ana_gmail.example#EXT#@lab.onmicrosoft.com",
    ):
        assert guess(principal) == ["s-backup", "u-ana"]
    assert guess("bo") == ["u-bo", "u-bo2"]
    assert guess("Ana Silva") == sorted(DIRECTORY["user_id"])
    for principal in ("", "17", "user/17", "nobody", "@example.com", "system:node:x"):
        assert guess(principal) == []


def find_simple(names_text: str) -> Identity | None:
    return {"ana": ANA, "ci": CI}.get(names_text)


def test_keys_of_strangers_are_followed() -> None:
    issued = [("k3", "ana", "k2"), ("k1", "evil", None), ("k2", "ana", "k1"), ("k4", "ana", "AKIA")]
    assert keys_of_strangers(issued, lambda asker: asker == "evil") == {"k1", "k2", "k3"}


def test_a_rule_gives_way_to_a_name_that_is_known() -> None:
    """A chain's beginning that only a rule knows is worth less than a known name on the way."""
    near = Identity("u-eve", "human", "email_case", "EVE@example.com")

    def find(names: str) -> Identity | None:
        return near if names == "eve" else find_simple(names)

    issued = [("k1", "eve", "AKIA"), ("k2", "ci", "k1"), ("k3", "?", "k1")]
    assert resolve_sessions(issued, {}, find) == {"k1": near, "k2": CI, "k3": near}
    assert resolve_sessions([("k2", "ci", "k1")], {"k1": near}, find)["k2"] == CI
    assert resolve_sessions([("k2", "eve", "k1")], {"k1": CI}, find)["k2"] == CI


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
