"""Identities, against a slow and obvious way to find them."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from models.resolve.identities import identity_finder
from models.resolve.identity_rules import guess_finder
from tests.worlds.named_identities import DIRECTORY, SESSIONS, directory

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


def bears(people: list[Any], row: Any, name: str) -> bool:
    """Whether a name is an identity's own, to the letter."""
    if name in (*row.aliases, row.user_id) or (row.kind == "human" and name == row.email):
        return True
    others = [
        other.lower()
        for each in people
        for other in (*each.aliases, each.user_id, *[each.email] * (each.kind == "human"))
    ]
    return bool(name) and name == row.email and name.lower() not in others


def addresses(people: list[Any], row: Any) -> set[str]:
    """E-mail addresses among an identity's own names, in small letters."""
    own = (*row.aliases, row.user_id, row.email)
    return {n.lower() for n in own if bears(people, row, n) and re.fullmatch(ADDRESS, n)}


def fits(people: list[Any], rule: str, row: Any, name: str) -> bool:
    """Whether a rule takes a name for an identity."""
    name = name.lower()
    local, _, domain = name.partition("@")
    if rule == "email_case":
        return name in addresses(people, row)
    staff_domains = {
        each.email.lower().partition("@")[2]
        for each in people
        if each.kind == "human" and each.employment != "contractor"
    }
    for address in addresses(people, row) if row.kind == "human" else ():
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


def fitting_identities(people: list[Any], rule: str, name: str) -> set[str]:
    """Identities for which a rule takes a name; by a domain, all that share the local part."""
    found = {row.user_id for row in people if fits(people, rule, row, name)}
    if rule != "email_domain" or not found:
        return found
    starts = f"{name.lower().partition('@')[0]}@"
    return {
        row.user_id
        for row in people
        if any(address.startswith(starts) for address in addresses(people, row))
    }


def slow_identity(rows: pd.DataFrame, names: list[str]) -> tuple[str | None, str | None, set[str]]:
    """user_id, rule and candidates: every name, rule and identity tried one by one."""
    people = list(rows.itertuples())
    # A session's name was chosen. A foreign account's means nobody, nor one that says two accounts.
    opened = [name for name in names if ":sts:" in name]
    chosen = {name.rpartition("/")[2] for name in opened}
    arns = any("111122223333" in alias for row in people for alias in row.aliases)
    foreign = arns and any("444455556666" in name for name in names)
    if foreign:
        names = []
    elif len({name.split(":")[4] for name in opened}) > 1:
        names = [name for name in names if name not in (*opened, *chosen)]
    exact = [{row.user_id for row in people if bears(people, row, name)} for name in names]
    for name, known in zip(names, exact, strict=True):
        if len(known) == 1:
            return *known, "session_name" if name in chosen else None, set()
    for name, known in zip(names, exact, strict=True):
        if known:
            return None, None, known
        for rule in RULES if not foreign else ():
            fitting = fitting_identities(people, rule, name)
            if len(fitting) == 1:
                return *fitting, "session_name" if name in chosen else rule, set()
            if fitting:
                return None, None, fitting
    return None, None, set()


ADDRESS = r"[\w-]+@[\w.-]+"
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
