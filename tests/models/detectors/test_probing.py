"""probing: speaks of its case, and not of its look-alike."""

from __future__ import annotations

from tests.worlds.api_queries import DAY, probes_the_guardrails
from tests.worlds.plants import FIRING, QUIET, Planted, Usual, assert_fires, assert_quiet, score_of


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("probing", *planted(FIRING["probing"]), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("probing", *planted(QUIET["probing"]), usual)


def test_refusals_count_more_than_other_failures(planted: Planted) -> None:
    history, user = planted(probes_the_guardrails)
    refused = score_of("probing", history).set_index("entity").loc[user]
    plain = history.but(api_days=history.api_days.assign(refused=0))
    failed = score_of("probing", plain).set_index("entity").loc[user]
    assert refused["statistic"] > 2 * failed["statistic"] > 0
    assert "stopped or marked by guardrails 80 times" in refused["reason"]


def test_the_first_day_of_a_log_says_nothing(planted: Planted) -> None:
    history, _ = planted(probes_the_guardrails)
    today = history.api_days[history.api_days["day"] == DAY]
    rows = score_of("probing", history.but(api_days=today))
    assert (rows["statistic"] == 0).all()
