"""Names that are nearly certainly somebody's, and those that are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.resolve.identities import IdentityMatch, identity_finder
from models.resolve.identity_rules import Identity
from schemas.formats import FORMATS
from tests.worlds.named_identities import ANA, ARN, CI, DIRECTORY, EVE, SESSIONS, directory


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
