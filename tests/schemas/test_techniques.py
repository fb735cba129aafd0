"""The lists of ATT&CK and ATLAS: well-formed, and the techniques of a rule by tactic."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from schemas.techniques import Claim, Listed, atlas, attack, by_tactic, tactics

ID = re.compile(r"((?:AML\.)?T\d{4})(\.\d{3})?")


def problems_of(listed: tuple[Listed, ...], known: set[str]) -> list[str]:
    """Everything wrong in a list whose tactics have the names ``known``."""
    times = Counter(technique.id for technique in listed)
    names = {technique.id: technique.name for technique in listed}
    found = [f"{key}: listed {count} times" for key, count in times.items() if count > 1]
    for technique in listed:
        form = ID.fullmatch(technique.id)
        if not form:
            found.append(f"{technique.id}: no id")
            continue
        parent, part = form.groups()
        if part and not technique.name.startswith(f"{names.get(parent)}: "):
            found.append(f"{technique.id}: its name does not begin with the name of {parent}")
        if not part and ": " in technique.name:
            found.append(f"{technique.id}: the name of a sub-technique")
        if not technique.name or technique.name != technique.name.strip():
            found.append(f"{technique.id}: no name, or space around it")
        if len(set(technique.tactics)) < len(technique.tactics):
            found.append(f"{technique.id}: a tactic twice")
        found += [f"{technique.id}: no tactic {t!r}" for t in technique.tactics if t not in known]
    return found


@pytest.mark.parametrize(
    ("listed", "prefix", "least"), [(attack(), "T", 600), (atlas(), "AML.T", 200)]
)
def test_a_list_is_well_formed_and_whole(
    listed: tuple[Listed, ...], prefix: str, least: int
) -> None:
    known = {name for key, name in tactics() if key.startswith(f"{prefix}A")}
    assert problems_of(listed, known) == []
    assert [each.id for each in listed] == sorted(each.id for each in listed)
    assert all(each.id.startswith(prefix) for each in listed)
    assert {tactic for each in listed for tactic in each.tactics} == known
    assert len(listed) >= least


def test_a_tactic_has_one_id_in_each_list() -> None:
    ids = [key for key, _ in tactics()]
    names = [(key.startswith("AML."), name) for key, name in tactics()]
    assert len(set(ids)) == len(ids) == len(set(names))
    assert all(re.fullmatch(r"(AML\.)?TA\d{4}", key) for key in ids)


def test_a_broken_list_is_found() -> None:
    broken = (
        Listed("T1005", "Data from Local System", ("Collection",)),
        Listed("T1005", "Data from Local System", ("Collection", "Collection")),
        Listed("T1213.003", "Code Repositories", ("Theft",)),
        Listed("1213", "Data from Information Repositories", ("Collection",)),
    )
    assert problems_of(broken, {"Collection"}) == [
        "T1005: listed 2 times",
        "T1005: a tactic twice",
        "T1213.003: its name does not begin with the name of T1213",
        "T1213.003: no tactic 'Theft'",
        "1213: no id",
    ]


def test_a_technique_of_several_tactics_stands_under_the_claimed_ones() -> None:
    claims = [
        Claim(("T1078", "AML.T0012"), ("Initial Access", "Collection")),
        Claim(("T1078", "T1005"), ("Persistence", "Collection")),
    ]
    assert by_tactic(claims) == {
        "Initial Access": {"T1078"},
        "Persistence": {"T1078"},
        "Collection": {"T1005"},
    }
