"""Stories: one entry of the queue for a ring, one case for several days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from models.reasons.reason import Reason
from models.scoring.points import CERTAIN, Contribution, ScoredEntity
from models.scoring.stories import CASE_DAYS, Case, case_of, fold, in_order, open_cases

DAY = date(2026, 10, 5)


def part(
    detector: str, raw: float, *related: str, proof: int = 0, of: tuple[str, ...] = ()
) -> Contribution:
    return Contribution(detector, detector, "1d", raw, raw, 1e-3, 1.0, 1.0, None, "share",
                        Reason("refused_nothing"), of, related, proof)  # fmt: skip


def entity(name: str, *parts: Contribution) -> ScoredEntity:
    raw = sum(each.raw for each in parts)
    return ScoredEntity(name, "human", "1d", raw, raw, parts, ())


def names(ranked: list[ScoredEntity]) -> tuple[list[str], dict[str, str]]:
    leaders, folded = fold(ranked)
    return [each.entity for each in leaders], {each.entity: leader for each, leader in folded}


def test_a_ring_is_one_entry() -> None:
    ring = [
        entity("u1", part("collusion", 5.0, "u2", "u3")),
        entity("u2", part("collusion", 4.0, "u1", "u3")),
        entity("u9", part("recon", 3.0)),
        entity("u3", part("collusion", 2.0, "u1", "u2")),
    ]
    assert names(ring) == (["u1", "u9"], {"u2": "u1", "u3": "u1"})


def test_a_member_who_did_something_else_keeps_an_entry() -> None:
    busy = entity("u2", part("mass_clone", 4.5), part("collusion", 2.0, "u1"))
    ring = [busy, entity("u1", part("collusion", 5.0, "u2"))]
    assert names([ring[1], ring[0]])[1] == {}
    assert names(ring) == (["u2"], {"u1": "u2"})


def test_a_thief_cannot_hide_behind_the_name_of_another_story() -> None:
    """The louder finding must rest on the detector that speaks of the thief, not name them only."""
    decoy = entity("u1", part("collusion", 9.0, "thief"))
    thief = entity("thief", part("foreign_copy", 6.0), part("collusion", 1.0, "u1"))
    assert names([decoy, thief]) == (["u1", "thief"], {})


def test_a_certain_fact_and_a_detector_without_points_never_fold() -> None:
    certain = entity("u2", part("collusion", 4.0, "u1", proof=CERTAIN))
    assert names([entity("u1", part("collusion", 5.0, "u2")), certain])[1] == {}
    pointless = Contribution("collusion", "c", "1d", 5.0, 0.0, 1e-3, 1.0, 1.0, None, "share",
                             Reason("refused_nothing"), (), ("u2",))  # fmt: skip
    member = entity("u2", part("collusion", 4.0, "u1"))
    assert names([entity("u1", part("recon", 6.0), pointless), member])[1] == {}


def test_the_first_leader_that_names_a_member_has_it() -> None:
    ranked = [
        entity("u1", part("collusion", 5.0, "u3")),
        entity("u2", part("collusion", 4.0, "u3")),
        entity("u3", part("collusion", 2.0, "u1", "u2")),
    ]
    assert names(ranked) == (["u1", "u2"], {"u3": "u1"})


def test_a_role_folds_into_the_person_whose_job_read() -> None:
    """The person stands where the louder role would stand."""
    role = entity("role", part("first_access", 4.0, of=("ckpt",)), part("odd_day", 1.0))
    person = entity("u1", part("job_cover", 2.0, "role", of=("ckpt", "data")))
    other = entity("u2", part("recon", 3.0))
    leaders, folded = fold([role, other, person])
    assert [(each.entity, each.raw) for each in leaders] == [("u1", 5.0), ("u2", 3.0)]
    assert [(each.entity, leader) for each, leader in folded] == [("role", "u1")]


def test_a_role_that_did_more_than_the_job_keeps_an_entry() -> None:
    """Nobody can draw a role's theft into the story of a small job."""
    person = entity("u1", part("job_cover", 9.0, "role", of=("data",)))
    thief = entity("role", part("foreign_copy", 4.0, of=("ckpt",)), part("recon", 1.0))
    assert names([person, thief]) == (["u1", "role"], {})
    mixed = entity("role", part("first_access", 4.0, of=("ckpt", "data")))
    assert names([person, mixed])[1] == {}
    proven = entity("role", part("shard_coverage", 4.0, of=("data",), proof=1))
    assert names([proven, person]) == (["role", "u1"], {})


def test_a_role_follows_its_submitter_into_a_ring() -> None:
    ring = [
        entity("u1", part("collusion", 5.0, "u2")),
        entity("u2", part("collusion", 4.0, "u1"), part("job_cover", 1.0, "role", of=("ckpt",))),
        entity("role", part("burst_self", 2.0, of=("ckpt",))),
    ]
    assert names(ring) == (["u1"], {"u2": "u1", "role": "u1"})


def test_nobody_is_kept_without_the_leader_of_the_story() -> None:
    leaders = [entity(name, part("recon", 1.0)) for name in ("a", "b", "c")]
    folded = [(entity("of a", part("recon", 1.0)), "a"), (entity("of c", part("recon", 1.0)), "c")]

    def kept(most: int) -> list[str]:
        return [each.entity for each in in_order(leaders, folded, 1, most)]

    assert kept(9) == ["a", "of a", "of c", "b", "c"]
    assert kept(5) == kept(9)
    assert kept(4) == ["a", "of a", "b"]
    assert kept(1) == ["a"]


def test_a_finding_joins_the_latest_case_about_its_people() -> None:
    yesterday = DAY - timedelta(days=1)
    shown = [
        (DAY - timedelta(days=9), "a", {"u1"}),
        (yesterday, "b", {"u1", "u2"}),
        (yesterday, "c", {"u4"}),
        (DAY - timedelta(days=3), "c", {"u5"}),
    ]
    cases = open_cases(shown)
    assert cases == [
        Case("a", DAY - timedelta(days=9), frozenset({"u1"})),
        Case("b", yesterday, frozenset({"u1", "u2"})),
        Case("c", yesterday, frozenset({"u4", "u5"})),
    ]
    assert case_of(DAY, {"u1"}, cases) == "b"
    assert case_of(DAY, {"u9", "u5"}, cases) == "c"
    assert case_of(DAY, {"u9"}, cases) is None


@pytest.mark.parametrize(("days", "joins"), [(0, False), (1, True), (CASE_DAYS, True),
                                             (CASE_DAYS + 1, False)])  # fmt: skip
def test_a_case_is_open_for_thirty_days_after_its_last_finding(days: int, joins: bool) -> None:
    case = Case("a", DAY - timedelta(days=days), frozenset({"u1"}))
    assert case_of(DAY, {"u1"}, [case]) == ("a" if joins else None)


def test_strangers_who_do_likewise_at_one_address_are_one_entry() -> None:
    flood = [entity(f"key-{n}", part("foreign_copy", 9.0 - n / 10)) for n in range(8)]
    others = [entity("u1", part("foreign_copy", 5.0)), entity("far", part("foreign_copy", 4.0))]
    at = {each.entity: frozenset({"192.0.2.7"}) for each in flood} | {"far": frozenset({"x"})}
    leaders, folded = fold([*flood, *others], at)
    assert [each.entity for each in leaders] == ["key-0", "u1", "far"]
    assert {leader for _, leader in folded} == {"key-0"}
    assert leaders[0].contributions[0].related_users == tuple(f"key-{n}" for n in range(1, 8))
    assert leaders[0].notes[0].say().startswith("so did key-1, key-2, key-3")


def test_strangers_fold_by_an_asset_as_well_and_never_by_the_address_alone() -> None:
    one = entity("key-1", part("first_access", 5.0, of=("ckpt",)))
    two = entity("key-2", part("first_access", 4.0, of=("ckpt", "data")))
    three = entity("key-3", part("recon", 3.0), part("first_access", 1.0, of=("ckpt",)))
    four = entity("key-4", part("recon", 1.2), part("first_access", 0.9, of=("x",)))
    at = {each: frozenset({each == "key-2"}) for each in ("key-1", "key-2", "key-3", "key-4")}
    leaders, folded = fold([one, two, three, four], at)
    assert [each.entity for each in leaders] == ["key-1", "key-3"]
    assert [(each.entity, to) for each, to in folded] == [("key-2", "key-1"), ("key-4", "key-3")]
