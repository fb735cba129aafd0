"""Sessions, followed to where they began."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from models.resolve.identity_rules import Identity
from models.resolve.sessions import MAX_SESSION_HOPS, keys_of_strangers, resolve_sessions
from tests.worlds.named_identities import ANA, CI, EVE


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
