"""Raw logs on an S3-compatible server: the same rows as from local folders."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli.doctor import check_sources
from jobs.platform.errors import RunError
from jobs.platform.stores import create_file, list_folder
from jobs.stages import ingest
from jobs.stages.ingest import find_inputs
from jobs.stages.ingest.listing import matching_files, own_folder
from schemas.config import JobConfig
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import (
    DAY,
    envelope,
    job_config,
    rows_of,
    trail_record,
    upload,
    write_file,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest_plugins = ("tests.worlds.s3_server",)

SOURCES = [
    {"name": "trail", "path": "raw/trail/**/{yyyy}/{mm}/{dd}/*.json*"},
    {"name": "lines", "path": "raw/lines/{yyyy}-{mm}-{dd}*"},
    {"name": "whole", "path": "raw/whole/*/*.json"},
]
LARGE = 300
"""Records of a document that Sail must get as a packed copy."""


def line(number: int | str, **fields: object) -> str:
    return json.dumps(trail_record(number, **fields)) + "\n"


def write_logs(root: Path) -> None:
    """Files of every kind: packed, large, damaged, oddly named, hidden, empty and of other days."""
    days = [f"{DAY:%Y/%m/%d}", f"{DAY + timedelta(days=1):%Y/%m/%d}"]
    account = root / "raw/trail/1111/eu"
    write_file(account / days[0] / "a.json.gz", envelope(*map(trail_record, range(5))))
    write_file(account / days[1] / "late.json.gz", envelope(trail_record("late")))
    packed = gzip.compress(envelope(*map(trail_record, range(20, 30))).encode(), mtime=0)
    write_file(account / days[0] / "cut.json.gz", packed[:-40], pack=False)
    write_file(account / days[0] / "b c+d%20=ü.json", envelope(trail_record("odd name")))
    write_file(account / days[0] / "x[1].json", envelope(trail_record("a pattern")))
    write_file(account / days[0] / ".hidden.json", envelope(trail_record("hidden")))
    write_file(account / days[0] / "empty.json", "")
    write_file(account / days[0] / "notes.txt", "not a log of any source\n")
    write_file(root / f"raw/trail/{days[0]}/top.json", envelope(trail_record("top")))
    bad = line("good") + "{broken\n" + line("no time", eventTime="yesterday") + line("after")
    write_file(root / f"raw/lines/{DAY}.log", bad)
    write_file(root / f"raw/lines/{DAY}.log.gz", line("packed") * 2)
    whole = envelope(*(trail_record(f"w{n}", userAgent="x" * 300) for n in range(LARGE)))
    write_file(root / "raw/whole/one/large.json", whole.replace('{"eventV', '\n{"eventV'))
    write_file(root / "raw/whole/two/small.json", envelope(trail_record("small")))


def moved(config: JobConfig, root: Path, url: str, **settings: Any) -> JobConfig:
    """The job with the sources at a URL."""
    sources = [
        each.model_copy(update={"path": each.path.replace(str(root), url)})
        for each in config.sources
    ]
    return config.model_copy(update={"sources": sources, **settings})


def stored(spark: SparkSession, config: JobConfig) -> dict[str, Any]:
    """Rows of events and rejects."""
    return {table.name: rows_of(spark, config, table) for table in (EVENTS, REJECTS)}


@pytest.mark.parametrize(("place", "scheme"), [("on the store", "s3"), ("in a folder", "s3a")])
def test_a_day_on_a_store_has_the_rows_of_the_day_in_a_folder(
    sail: SparkSession, bucket: str, tmp_path: Path, place: str, scheme: str
) -> None:
    """Also with tables on the store and logs in a folder, or the other way round."""
    write_logs(tmp_path)
    url = f"{scheme}://{bucket}/lab"
    upload(tmp_path / "raw", f"{url}/raw")
    local = job_config(tmp_path, SOURCES)
    storage = f"s3a://{bucket}/warehouse" if place == "on the store" else f"{tmp_path}/warehouse-2"
    remote = moved(local, tmp_path, url, storage=storage)
    expected = str(ingest.STAGE.run(sail, local, DAY))
    assert str(ingest.STAGE.run(sail, remote, DAY)) == expected.replace(str(tmp_path), url)
    rows = json.dumps(stored(sail, local), default=str).replace(str(tmp_path), url)
    assert json.dumps(stored(sail, remote), default=str) == rows
    assert "NOT READ: 1 files" in expected
    if place == "on the store":
        assert list_folder(f"{storage}/_scratch", recursive=True) == []
        crossed = local.model_copy(update={"storage": f"s3a://{bucket}/crossed"})
        assert str(ingest.STAGE.run(sail, crossed, DAY)) == expected
        assert stored(sail, crossed) == stored(sail, local)


def test_scratch_of_a_killed_run_is_removed_once_it_is_old(
    sail: SparkSession, bucket: str, tmp_path: Path
) -> None:
    """A younger folder may belong to a run that is alive: a store has no lock."""
    write_file(tmp_path / f"raw/lines/{DAY}.log", line(1))
    storage = f"s3a://{bucket}/warehouse"
    config = job_config(tmp_path, SOURCES).model_copy(update={"storage": storage})
    for name in ("20260101T000000-00000000", "29990101T000000-00000000"):
        with create_file(f"{storage}/_scratch/ingest/{name}/rows/text.parquet/part") as file:
            file.write(b"half a file")
    ingest.STAGE.run(sail, config, DAY)
    left = {info.base_name for info in list_folder(f"{storage}/_scratch/ingest")}
    assert left == {"29990101T000000-00000000"}


def test_globs_match_on_a_store_as_in_a_folder(bucket: str, tmp_path: Path) -> None:
    for path in ("a.json", "b.txt", "x/a.json", "x/y/a.json", "x/y/z/.h/a.json", "x/.a.json"):
        write_file(tmp_path / "raw" / path, "{}")
    url = f"s3://{bucket}/lab"
    upload(tmp_path / "raw", f"{url}/raw")
    problems: dict[str, str] = {}
    for glob in (
        "*",
        "*.json",
        "**",
        "**/*.json",
        "x/**/a.json",
        "*/*/*",
        "x/y/a.json",
        "x/.a*",
        "[ab].*",
        "**/y/*",
        "nothing/*",
        "**/**",
        "x/y/none.json",
    ):
        pattern = f"raw/{glob}"
        local = matching_files(f"{tmp_path}/{pattern}", own_folder(f"{tmp_path}/raw/*"), problems)
        remote = matching_files(f"{url}/{pattern}", url, problems)
        assert sorted(found.path.replace(str(tmp_path), url) for found in local) == sorted(
            found.path for found in remote
        ), glob
    assert problems == {}


def test_too_many_objects_are_refused(bucket: str, tmp_path: Path) -> None:
    for number in range(4):
        write_file(tmp_path / f"raw/lines/{DAY}-{number}.log", line(number))
    upload(tmp_path / "raw", f"s3://{bucket}/raw")
    config = job_config(tmp_path, SOURCES, ingest={"max_files": 3})
    with pytest.raises(RunError, match=r"'lines' has 4 files .* `ingest.max_files` allows"):
        find_inputs(moved(config, tmp_path, f"s3://{bucket}"), DAY)


def test_a_bucket_that_cannot_be_listed_is_named(bucket: str, tmp_path: Path) -> None:
    config = moved(job_config(tmp_path, SOURCES), tmp_path, "s3://exfilwatch-no-such-bucket")
    with pytest.raises(RunError, match="cannot list the folder s3://exfilwatch-no-such-bucket/raw"):
        find_inputs(config, DAY)


def test_doctor_counts_a_store_s_files_and_names_those_that_no_source_matches(
    bucket: str, tmp_path: Path
) -> None:
    write_logs(tmp_path)
    upload(tmp_path / "raw", f"s3://{bucket}/raw")
    config = moved(job_config(tmp_path, SOURCES), tmp_path, f"s3://{bucket}")
    checks = [(each.name, each.state, each.found) for each in check_sources(config)]
    assert [state for _, state, _ in checks] == ["ok", "ok", "ok", "warning"]
    assert f"2 files (such as s3://{bucket}/raw/whole/one/large.json)" in checks[2][2]
    assert f"s3://{bucket}/raw/trail/1111/eu/{DAY:%Y/%m/%d}/notes.txt" in checks[3][2]
    missing = moved(job_config(tmp_path, SOURCES), tmp_path, "s3://exfilwatch-no-such-bucket")
    assert {each.state for each in check_sources(missing)} == {"missing"}
