"""Scores: what adds up, what is held back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.reasons.reason import Reason
from models.scoring.circumstances import gather
from models.scoring.points import ONE_FAMILY_MOST, share_points
from schemas.config import Suppression
from schemas.context import Derived
from schemas.finding import SEVERITY_FROM, severity
from tests.worlds import histories
from tests.worlds.scored_signals import (
    A_DAY,
    DAY,
    FAMILIES,
    RULES,
    SETTINGS,
    circumstances,
    reads,
    score,
    signal,
    world,
)


def test_a_place_weighs_what_it_inherits() -> None:
    context = histories.context_of(world())
    derived = {
        "s3://copy": Derived("ckpt-pretraining-1", 5.0, 1.0, logged=True),
        "s3://by-size": Derived("ckpt-pretraining-1", 3.5, 1.0, logged=False),
    }
    plain, knows = (
        gather(DAY, each, RULES, SETTINGS, FAMILIES, (), {}, reads()).weights
        for each in (context, replace(context, derived=derived))
    )
    assert knows.items() - plain.items() == {("s3://copy", 1.8), ("s3://by-size", 1.2)}
    assert plain.items() <= knows.items()
    facts = replace(circumstances(), weights=knows)
    about = signal(asset_ids=["s3://copy"])
    (found,) = score(about, facts=facts)
    (other,) = score(about, facts=replace(facts, other={(found.entity, "s3://copy")}))
    unknown = RULES.unknown_sensitivity_weight
    assert other.raw == pytest.approx(found.raw * unknown / 1.8)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0, 100), st.lists(st.floats(0, 60, allow_subnormal=False), min_size=1, max_size=12)
)
def test_parts_sum_to_the_score_exactly(total: float, raw: list[float]) -> None:
    parts = share_points(total, raw)
    whole = round(4 * total + 1e-12) / 4 if sum(raw) > 0 else 0.0
    assert sum(parts) == sum(reversed(parts))
    assert abs(sum(parts) - whole) <= 0.25
    assert all(part >= 0 and (4 * part).is_integer() for part in parts)


def test_contributions_sum_to_the_score() -> None:
    (found,) = score(*(signal(name, p_value=10.0 ** -(i + 2)) for i, name in enumerate(FAMILIES)))
    assert sum(c.points for c in found.contributions) == found.score
    assert 0 < found.score <= 100


def test_one_loud_family_stays_below_high() -> None:
    (found,) = score(
        signal("shard_coverage", p_value=1e-12),
        signal("slow_drip", p_value=1e-12, window="30d"),
        signal("odd_day", p_value=1e-12, unit="isolation"),
    )
    assert found.score <= ONE_FAMILY_MOST
    assert severity(found.score) == 2


def test_two_families_reach_high() -> None:
    (found,) = score(signal("shard_coverage", p_value=1e-6), signal("first_access", p_value=1e-6))
    assert severity(found.score) >= 3


def test_a_family_counts_once_fully_then_less() -> None:
    elsewhere = signal("burst_self", asset_ids=["ckpt-pretraining-2"])
    both = score(signal("burst_peers"), elsewhere)[0]
    alone = score(elsewhere)[0]
    of_self = next(c for c in both.contributions if c.detector == "burst_self")
    assert of_self.raw == pytest.approx(alone.contributions[0].raw / 2**1.5)


@pytest.mark.parametrize(
    ("assets", "stronger"),
    [
        (["ckpt-pretraining-1"], 2),
        (["ckpt-pretraining-1", "ckpt-evals-1"], 2),
        (["ckpt-pretraining-1", "ckpt-evals-1", "ckpt-evals-2"], 2),
        (["ckpt-evals-1"], 0),
        ([], 0),
    ],
)
def test_one_asset_told_of_by_several_families_counts_less_each_time(
    assets: list[str], stronger: int
) -> None:
    """One reading is news to shard_coverage and first_access alike."""
    weak = signal("mass_clone", p_value=3e-3, asset_ids=assets)
    loud = [signal(name, p_value=1e-6) for name in ("shard_coverage", "first_access")]
    facts = replace(circumstances(), rules=RULES.model_copy(update={"min_score": 0}))
    alone = score(weak, facts=facts)[0].raw
    found = score(*loud, weak, facts=facts)[0]
    of_weak = next(c for c in found.contributions if c.detector == "mass_clone")
    assert of_weak.raw == pytest.approx(alone / (1 + stronger) ** 0.5)


def test_severity_bands_are_those_of_the_finding() -> None:
    assert [severity(least) for least in SEVERITY_FROM] == [1, 2, 3, 4]
    assert [severity(least - 0.25) for least in SEVERITY_FROM[1:]] == [1, 2, 3]


def test_what_is_not_unlikely_is_no_evidence() -> None:
    assert score(signal(p_value=0.2), signal("first_access", p_value=0.06)) == []


def test_several_windows_pay_for_the_choice() -> None:
    one = score(signal(window="1d"))[0].raw
    best_of_four = score(*(signal(window=w) for w in ("1d", "7d", "30d", "90d")))[0].raw
    assert best_of_four < one


def test_tiny_amounts_say_little() -> None:
    small = score(signal("burst_self", observed=5e7))
    large = score(signal("burst_self", observed=5e12))
    assert large[0].score > 5
    assert small == []


def test_sensitivity_weighs() -> None:
    frontier = score(signal())[0].raw
    public = score(signal(asset_ids=["repo-0"]), signal("first_access", asset_ids=["repo-0"]))[
        0
    ].raw
    assert frontier > public / 2


def said(reasons: Iterable[Reason]) -> list[str]:
    return [reason.say() for reason in reasons]


def test_a_row_of_an_earlier_version_is_told_by_its_figures() -> None:
    (found,) = score(signal("burst_self", reason_parts=None))
    assert found.contributions[0].reason.say() == "observed 10 TB"
    (found,) = score(signal("burst_self", reason_parts='[["reason","no such sentence",{}]]'))
    assert found.contributions[0].reason.say() == "observed 10 TB"


def test_leavers_weigh_more() -> None:
    made = world()
    made.person("u1")["notice_date"] = DAY - timedelta(days=3)
    made.person("u2")["end_date"] = DAY + timedelta(days=90)  # far off
    made.person("u3")["end_date"] = DAY - timedelta(days=2)
    found = {
        s.entity: s
        for s in score(*(signal(entity=u) for u in ("u1", "u2", "u3")), facts=circumstances(made))
    }
    assert found["u1"].raw == pytest.approx(1.5 * found["u2"].raw)
    assert said(found["u1"].notes) == [f"gave notice on {DAY - timedelta(days=3)}"]
    assert said(found["u3"].notes) == [f"was active after leaving on {DAY - timedelta(days=2)}"]
    assert not found["u2"].notes


def test_no_approval_forgives_a_place_or_a_decoy() -> None:
    """Whoever steals the credentials of somebody with a ticket has the ticket as well."""
    made = world()
    histories._add_identity(made, "u001", "human", "evals")
    made.approvals.append(histories.approval("u1", "s3://ckpt/pretraining/*", DAY, DAY))
    facts = circumstances(made)
    for name in ("new_place", "canary", "shard_coverage"):
        one = signal(name, unit="objects" if name == "new_place" else "touches")
        (plain,), (approved,) = score(one), score(one, facts=facts)
        assert (approved.raw == plain.raw) == (name != "shard_coverage")


def test_a_decoy_stays_first_however_often_it_is_touched() -> None:
    days = [DAY - step * A_DAY for step in range(1, 9)]
    touch = signal("canary", unit="touches", asset_ids=[], statistic=1.0)
    shown = pd.DataFrame([touch | {"day": day} for day in days])
    entries = pd.DataFrame({"day": days, "entity": "u1", "evidence": 9.0})
    loud = signal(entity="u2", p_value=1e-4)
    facts = replace(circumstances(), rules=RULES.model_copy(update={"min_score": 20}))
    found = score(touch, loud, shown=shown, entries=entries, facts=facts)
    assert [entity.entity for entity in found] == ["u1", "u2"]
    assert found[0].score < 20 < found[1].score


def test_what_colleagues_do_likewise_is_shared_and_told() -> None:
    alike = replace(circumstances(), alike={("u1", "shard_coverage"): 3.0})
    (alone,), (shared,) = score(signal()), score(signal(), facts=alike)
    assert shared.raw == pytest.approx(alone.raw / 4)
    assert said([shared.contributions[0].reason]) == [
        "had no refused attempts (3 of the team did likewise today)"
    ]


def test_people_whom_a_detector_unites_excuse_each_other_in_nothing() -> None:
    together = [name for name, each in SETTINGS.items() if each.together]
    assert {"collusion", "canary", "api_distillation"} <= set(together)
    for name in together:
        alike = replace(circumstances(), alike={("u1", name): 3.0})
        (alone,), (united,) = score(signal(name)), score(signal(name), facts=alike)
        assert united.raw == alone.raw


def test_newcomers_weigh_less_and_strangers_do_not() -> None:
    found = {
        s.entity: s.raw
        for s in score(
            signal(entity="u1"), signal(entity="u2"), signal(entity="not-in-the-directory"),
            facts=circumstances(tenure={"u1": 0.0, "u2": 400.0, "not-in-the-directory": 0.0}),
        )
    }  # fmt: skip
    assert found["u1"] == pytest.approx(0.5 * found["u2"])
    assert found["not-in-the-directory"] == found["u2"]


@pytest.mark.parametrize(
    ("ticket", "approved"),
    [
        (histories.approval("u1", "s3://ckpt/pretraining/*", DAY, DAY), True),
        (histories.approval("u1", "s3://ckpt/pretraining/run/step-1/*", DAY, DAY), True),
        (histories.approval("u1", "s3://*", DAY - timedelta(days=9), DAY), True),
        # another asset, another person, expired, not yet, approved by oneself
        (histories.approval("u1", "s3://ckpt/pretraining/run/step-2/*", DAY, DAY), False),
        (histories.approval("u2", "s3://*", DAY, DAY), False),
        (histories.approval("u1", "s3://*", DAY - 9 * A_DAY, DAY - A_DAY), False),
        (histories.approval("u1", "s3://*", DAY + A_DAY, DAY + 2 * A_DAY), False),
        (histories.approval("u1", "s3://*", DAY, DAY, approver="u1"), False),
    ],
)  # fmt: skip
def test_approvals_that_fit_discount(ticket: dict[str, Any], approved: bool) -> None:
    made = world()
    histories._add_identity(made, "u001", "human", "evals")
    plain = score(signal())[0].raw
    made.approvals.append(ticket)
    rules = replace(circumstances(made), rules=RULES.model_copy(update={"min_score": 0.0}))
    (found,) = score(signal(), facts=rules)
    assert (found.raw < plain) == approved
    assert ("approved by T-1" in found.contributions[0].reason.say()) == approved


def test_half_covered_evidence_is_half_discounted() -> None:
    made = world()
    histories._add_identity(made, "u001", "human", "evals")
    made.approvals.append(histories.approval("u1", "s3://ckpt/pretraining/run/step-2/*", DAY, DAY))
    assets = ["ckpt-pretraining-1", "ckpt-pretraining-2"]
    plain = score(signal(asset_ids=assets))[0].raw
    (found,) = score(signal(asset_ids=assets), facts=circumstances(made))
    assert found.raw == pytest.approx(plain * (1 - 0.85 / 5))


def test_suppressed_signals_get_no_points() -> None:
    rule = Suppression(user_id="u*", detector="shard_*", asset_id="ckpt-pretraining-*",
                       until=str(DAY), reason="weekly test")  # fmt: skip
    (found,) = score(signal(), signal("first_access"), facts=circumstances(suppressions=(rule,)))
    points = {c.detector: c.points for c in found.contributions}
    assert points["shard_coverage"] == 0 and points["first_access"] > 0
    assert "suppressed until" in found.contributions[-1].reason.say()


def test_suppressions_end_and_hide_nothing_else() -> None:
    ended = Suppression(until=str(DAY - timedelta(days=1)), reason="over")
    other = Suppression(asset_id="ckpt-evals-*", until=str(DAY), reason="other asset")
    assets = ["ckpt-evals-1", "ckpt-pretraining-1"]
    for rule in (ended, other):
        assert score(signal(asset_ids=assets), facts=circumstances(suppressions=(rule,)))


def test_queue_is_ordered_and_independent_of_row_order() -> None:
    signals = [signal(entity=f"u{i}", p_value=10.0 ** -(i + 2)) for i in range(4)]
    signals += [signal("first_access", entity="u0", p_value=1e-5)]
    first, second = score(*signals), score(*reversed(signals))
    assert first == second
    places = [(not s.proof, -s.raw) for s in first]
    assert places == sorted(places)


def test_window_is_the_longest_that_matters() -> None:
    (found,) = score(signal(window="30d"), signal("first_access", window="1d"))
    assert found.window == "30d"
