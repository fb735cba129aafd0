"""Synthetic populations: rows that `aggregate` could have written, and the bench that uses them."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from jobs.inputs.config import load_config
from jobs.inputs.context import load_context
from jobs.stages.stage import Read
from jobs.trial.bench.population import make_population, write_inputs
from jobs.trial.bench.population_days import MADE, make_day, schema_of
from jobs.trial.bench.populations import split_stages, timed_stages
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.signals import SIGNALS
from schemas.tables.spec import Table

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 10, 5)
READS = ("read", "copy")
CEILING_GB = 3.0


def day_of(count: int, number: int = 0) -> tuple[pa.Table, ...]:
    """The rows of each made table of a day of ``count`` identities."""
    return make_day(make_population(count, 3), number, DAY, 3)


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A day of 2,000 identities."""
    access, objects, *_ = day_of(2_000)
    return access.to_pandas(), objects.to_pandas()


def test_a_day_has_the_columns_of_the_tables() -> None:
    for table, made in zip(MADE, day_of(60), strict=True):
        assert made.schema == schema_of(table)
        for column in table.columns:
            if not column.nullable:
                assert made[column.name].null_count == 0, column.name


def test_same_seed_same_rows_and_another_day_has_others() -> None:
    assert day_of(60) == day_of(60)
    assert day_of(60)[0] != day_of(60, number=1)[0]


def test_a_day_has_as_many_rows_as_the_bench_says(
    rows: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    access, objects = rows
    active = access["user_id"].nunique()
    assert active / 2_000 == pytest.approx(0.32, abs=0.04)
    assert len(access) / active == pytest.approx(13, abs=1)
    assert len(objects) / active == pytest.approx(52, abs=6)
    assert objects.groupby(["user_id", "asset_id"]).size().mean() == pytest.approx(12, abs=1)
    assert (objects["ranges"].map(len) > 0).mean() == pytest.approx(0.01, abs=0.004)


def test_rows_are_unique_by_their_key_and_in_its_order(
    rows: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    for table, made in zip((ACCESS, OBJECT_ACCESS), rows, strict=True):
        keys = made[list(table.key)]
        assert not keys.duplicated().any()
        assert keys.equals(keys.sort_values(list(table.key)).reset_index(drop=True))


def test_single_objects_add_up_to_the_rows_of_their_assets(
    rows: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    access, objects = rows
    sums = objects.groupby(["user_id", "asset_id"]).agg(
        reads=("reads", "sum"), single=("object", "size"), amount=("bytes_out", "sum")
    )
    read = access[access["action_class"].isin(READS)].set_index(["user_id", "asset_id"])
    both = read.join(sums, how="inner")
    assert len(both) == len(sums)
    assert (both["events"] - both["failures"]).equals(both["reads"])
    assert both["objects"].equals(both["single"])
    assert both["bytes_out"].fillna(0).equals(both["amount"])


def test_hours_add_up_to_the_row_and_hold_its_times(
    rows: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    for row in rows[0].itertuples():
        hours = [each["hour"] for each in row.hourly]
        assert hours == sorted(set(hours))
        assert sum(each["events"] for each in row.hourly) == row.events
        assert (hours[0], hours[-1]) == (row.first_time.hour, row.last_time.hour)
        assert row.first_time <= row.last_time
        assert row.first_time.date() == row.last_time.date() == DAY


def test_the_context_lists_everybody_and_every_asset_but_scratch(tmp_path: Path) -> None:
    population = make_population(60, 3)
    config = load_config(write_inputs(tmp_path / "population", population))
    context = load_context(config.context, DAY)
    access, objects, *_ = (made.to_pandas() for made in make_day(population, 0, DAY, 3))
    assert set(access["user_id"]) <= set(context.directory["user_id"])
    assert (context.directory["kind"] == "service").mean() == pytest.approx(0.1)
    assert context.directory.groupby("team").size().tolist() == [10] * 6
    unlisted = set(access["asset_id"]) - set(context.assets["asset_id"])
    assert all(asset.startswith("s3://lab-scratch-") for asset in unlisted)
    manifests = context.assets.set_index("asset_id").loc[objects["asset_id"].unique()]
    assert set(manifests["kind"]) == {"checkpoint", "dataset"}
    read = objects.groupby("asset_id")["object"].nunique()
    assert (read <= manifests["objects"].reindex(read.index)).all()


def test_a_stage_that_needs_only_access_and_its_own_past_is_run_for_earlier_days() -> None:
    habits = Table("habits", "day", (), ())
    graph, signals, *_ = timed_stages()[-3:]
    own = replace(
        signals, name="features", reads=(Read(ACCESS), Read(habits, 89)), writes=(habits,)
    )
    run, copied = split_stages([own, graph, signals])
    assert [stage.name for stage in run] == ["features"]
    assert set(copied) == {SIGNALS}


@pytest.mark.engine
def test_a_population_goes_through_all_stages_and_the_table_is_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jobs.trial.bench.populations", "--days", "10"]
    command += ["--identities", "60", "30", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = [*(stage.name for stage in timed_stages()), "all"]
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["identities", "stage", "seconds", "peak", "GB", "growth"]
    assert [re.findall(r"[a-z]+", line)[0] for line in lines[1:]] == names * 2
    small, large = lines[1 : 1 + len(names)], lines[1 + len(names) :]
    assert small[0].split()[0] == "30"
    assert large[0].split()[0] == "60"
    assert all(re.fullmatch(r".* [a-z]+ +\d+\.\d +\d+\.\d\d", line) for line in small)
    assert all(re.fullmatch(r".* [a-z]+ +\d+\.\d +\d+\.\d\d +-?\d+\.\d\d", line) for line in large)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.engine
@pytest.mark.slow
def test_ten_thousand_identities_stay_below_a_memory_ceiling(tmp_path: Path) -> None:
    """Four days of them; the models read no day of `access` but the last."""
    command = [sys.executable, "-m", "jobs.trial.bench.populations", "--folder", str(tmp_path)]
    size = ["--identities", "10000", "--days", "4"]
    ended = subprocess.run([*command, *size], capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    peak = float(ended.stdout.splitlines()[-1].split()[2])
    assert 0.2 < peak < CEILING_GB, ended.stdout
