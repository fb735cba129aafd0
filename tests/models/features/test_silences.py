"""Sources that fall silent: each rule beside a log that shows it, and thieves who know the rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from models.features.gap_people import reaches, scope_of
from models.features.history import History
from models.features.silences import Silence, _of_days, find_silences
from schemas.tables.sources import SOURCE_DAYS
from tests.worlds.histories import empty_history

DAY = date(2026, 9, 3)  # a Thursday
RULE = Silence(share=0.25, least=30, beside=0.6, elsewhere=0.4)
USUAL: dict[tuple[str, str], int] = {
    ("trail", "s3://ckpt"): 40,
    ("trail", "s3://data"): 60,
    ("bucket-logs", "s3://ckpt"): 40,
    ("bucket-logs", "s3://data"): 60,
    ("cluster", "k8s://prod"): 30,
    ("slurm", "slurm://a100"): 20,
}
"""Records an hour of each part, from eight to twenty; a third of it on weekends."""
Change = Callable[[np.ndarray, int], np.ndarray]
"""From the hours of a part and the days before the day to other hours."""


def history(
    changes: Mapping[tuple[str, str], Change] | None = None,
    days: int = 80,
    usual: Mapping[tuple[str, str], int] = USUAL,
) -> History:
    """Days that end with DAY."""
    rng, rows = np.random.default_rng(3), []
    for ago in range(days):
        day = DAY - timedelta(days=ago)
        level = rng.gamma(20, 1 / 20) * (1 / 3 if day.weekday() >= 5 else 1.0)
        for part, rate in usual.items():
            hours = np.zeros(24, dtype=np.int64)
            hours[8:20] = rng.poisson(rate * level, 12)
            change = (changes or {}).get(part)
            hours = hours if change is None else change(hours, ago)
            rows.append({"day": day, "source": part[0], "scope": part[1],
                         "records": int(hours.sum()), "hours": hours.tolist()})  # fmt: skip
    frame = pd.DataFrame(rows, columns=SOURCE_DAYS.column_names)
    return replace(empty_history(DAY), source_days=frame[frame["records"] > 0])


def silent(first: int, last: int, share: float = 0.0, since: int = 0) -> Change:
    """Keeps a share of the hours from ``first`` to ``last`` in the last days."""

    def change(hours: np.ndarray, ago: int) -> np.ndarray:
        kept = hours.copy()
        if ago <= since:
            kept[first : last + 1] = (kept[first : last + 1] * share).astype(int)
        return kept

    return change


def gaps(*args: Any, **more: Any) -> dict[tuple[str, str], Any]:
    found = find_silences(history(*args, **more), RULE)
    return {(row.source, row.scope): row for row in found.itertuples()}


def test_ordinary_days_have_no_gap() -> None:
    assert gaps() == {}


def test_one_of_two_logs_of_a_bucket_is_silent() -> None:
    (gap,) = gaps({("bucket-logs", "s3://ckpt"): silent(0, 23)}).values()
    assert (gap.source, gap.scope, gap.evidence) == ("bucket-logs", "s3://ckpt", "same")
    assert gap.severity == 1.0 and not gap.late and gap.observed == 0


def test_some_hours_within_a_day() -> None:
    (gap,) = gaps({("bucket-logs", "s3://ckpt"): silent(11, 16)}).values()
    assert gap.first <= 11 and gap.last >= 16 and gap.last - gap.first < 12


def test_a_heartbeat_is_no_log() -> None:
    (gap,) = gaps({("bucket-logs", "s3://ckpt"): silent(8, 19, 0.15)}).values()
    assert gap.observed > 0 and gap.severity == 1.0


def test_noise_elsewhere_in_the_source_hides_nothing() -> None:
    noise: Change = lambda hours, ago: hours + (500 if ago == 0 else 0)  # noqa: E731
    loud = dict.fromkeys([("bucket-logs", "s3://data"), ("trail", "s3://data")], noise)
    found = gaps({("bucket-logs", "s3://ckpt"): silent(0, 23)} | loud)
    assert set(found) == {("bucket-logs", "s3://ckpt")}


def test_a_bucket_that_only_one_log_has() -> None:
    alone = {part: rate for part, rate in USUAL.items() if part[0] != "bucket-logs"}
    (gap,) = gaps({("trail", "s3://ckpt"): silent(10, 23)}, usual=alone).values()
    assert (gap.scope, gap.evidence, gap.severity) == ("s3://ckpt", "beside", 0.6)


def test_a_log_that_is_thinned_out_over_weeks() -> None:
    thin: Change = lambda hours, ago: (hours * min(1.0, 0.1 + ago / 40)).astype(int)  # noqa: E731
    found = gaps({("bucket-logs", "s3://ckpt"): thin})
    assert found["bucket-logs", "s3://ckpt"].evidence == "same"
    assert found["bucket-logs", "s3://ckpt"].severity > 0.3


def test_a_bucket_that_falls_out_of_use_is_no_gap() -> None:
    thin: Change = lambda hours, ago: (hours * min(1.0, 0.1 + ago / 40)).astype(int)  # noqa: E731
    assert gaps({("bucket-logs", "s3://ckpt"): thin, ("trail", "s3://ckpt"): thin}) == {}


def test_a_holiday_of_all_sources_is_no_gap() -> None:
    assert gaps(dict.fromkeys(USUAL, silent(0, 23, 0.1))) == {}


def test_a_cluster_is_silent_while_jobs_run() -> None:
    (gap,) = gaps({("cluster", "k8s://prod"): silent(10, 15)}).values()
    assert (gap.source, gap.scope, gap.evidence) == ("cluster", "", "elsewhere")
    assert gap.severity == 0.4 and not gap.late


def test_a_file_that_is_not_there_is_late() -> None:
    changes = {part: silent(0, 23) for part in USUAL if part[0] == "bucket-logs"}
    found = gaps(changes)
    assert found and all(gap.late and gap.severity == 0 for gap in found.values())
    assert all(gap.late for gap in gaps({("cluster", "k8s://prod"): silent(12, 23)}).values())


def test_a_silence_of_long_ago_weighs_less() -> None:
    part = ("bucket-logs", "s3://ckpt")
    (old,), (new,) = (gaps({part: silent(0, 23, 0.01, since)}).values() for since in (10, 1))
    assert 0 < old.severity < new.severity < 1


def test_few_known_days_are_no_usual() -> None:
    assert gaps({("bucket-logs", "s3://ckpt"): silent(0, 23)}, days=6) == {}
    assert find_silences(empty_history(DAY), RULE).empty


def test_the_log_of_a_bucket_is_its_own_and_that_of_a_trail_is_everyones() -> None:
    scopes = {"s3://ckpt", "s3://data", "aws://111122223333"}
    assert reaches("s3://ckpt", "s3://ckpt", scopes)
    assert not reaches("s3://data", "s3://ckpt", scopes)
    assert reaches("aws://111122223333/cloudtrail", "s3://ckpt", scopes)
    assert reaches("arn:aws:cloudtrail:us-east-1:111122223333:trail/main", "s3://ckpt", scopes)
    assert not reaches("github://lab/-", "s3://ckpt", scopes)
    assert scope_of("k8s://prod/ns/pods/a") == "k8s://prod" and scope_of("x") == "-"


def test_quantiles_of_marked_days_are_those_of_numpy() -> None:
    draw = np.random.default_rng(4)
    sums, marked = draw.poisson(9.0, (40, 90)).astype(float), draw.random((40, 90)) < 0.3
    marked[3] = False
    for quantile in (0.1, 0.5):
        found = _of_days(sums, marked, quantile)
        expected = [np.quantile(row[days], quantile) if days.any() else 0.0
                    for row, days in zip(sums, marked, strict=True)]  # fmt: skip
        np.testing.assert_allclose(found, expected)
