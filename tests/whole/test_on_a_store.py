"""Whole runs with raw logs, tables and output on an S3-compatible server.

Sail makes one, and a cluster of Apache Spark that shares nothing but the server the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.inputs.config import load_config
from jobs.platform.frames import stored_frame
from jobs.platform.stores import list_folder, open_file
from jobs.run_days import run_days
from jobs.trial.lab import make_lab
from schemas.config import JobConfig
from schemas.tables import TABLES
from tests.worlds.raw_logs import upload
from tests.worlds.spark_cluster import SparkCluster

pytest_plugins = ("tests.worlds.s3_server", "tests.worlds.spark_cluster")

LAST_DAY = date(2026, 10, 30)
OUTPUT = ("findings.ndjson", "report.html", "data_docs/index.html")


@pytest.fixture(scope="module")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> JobConfig:
    """The job of a small lab in a folder; Sail has run its last day."""
    folder = tmp_path_factory.mktemp("store") / "lab"
    make_lab(folder, seed=11, people=8, services=3, days=4, end=LAST_DAY)
    config = load_config(folder / "config.yml")
    run_days(config, [LAST_DAY], progress=lambda _: None)
    return config


def rows_of(config: JobConfig, root: str) -> dict[str, list[str]]:
    """The days' rows of every table as sorted text, with the job's place cut out."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        rows = stored_frame(config.storage, table, LAST_DAY, 1)
        records: list[dict[str, Any]] = rows.to_dict("records")
        found[table.name] = sorted(str(record).replace(root, "") for record in records)
    return found


def texts_of(config: JobConfig, root: str) -> dict[str, str]:
    """The published files, with the job's place cut out."""
    texts = {}
    for name in OUTPUT:
        with open_file(f"{config.output}/{name}") as file:
            texts[name] = file.read().decode().replace(root, "")
    return texts


def moved_to_a_store(local: JobConfig, bucket: str) -> JobConfig:
    """The job with a copy of its raw logs, and with its tables and output, in a bucket."""
    root = str(Path(local.storage).parent)
    upload(Path(root) / "raw", f"s3://{bucket}/raw")
    sources = [
        each.model_copy(update={"path": each.path.replace(root, f"s3://{bucket}")})
        for each in local.sources
    ]
    places = {"storage": f"s3a://{bucket}/warehouse", "output": f"s3a://{bucket}/out"}
    return local.model_copy(update={"sources": sources, **places})


@pytest.mark.engine
def test_a_run_on_a_store_gives_the_rows_and_files_of_a_local_run(
    local_run: JobConfig, bucket: str
) -> None:
    config = moved_to_a_store(local_run, bucket)
    run_days(config, [LAST_DAY], progress=lambda _: None)
    root = str(Path(local_run.storage).parent)
    assert rows_of(config, f"s3://{bucket}") == rows_of(local_run, root)
    assert texts_of(config, f"s3://{bucket}") == texts_of(local_run, root)
    assert list_folder(f"{config.storage}/_scratch", recursive=True) == []


def job_of_a_cluster(lab: Path, cluster: SparkCluster, bucket: str) -> Path:
    """The lab's job as a file for a cluster: logs, tables and output in a bucket."""
    upload(lab / "raw", f"s3://{bucket}/raw")
    values = yaml.safe_load((lab / "config.yml").read_text(encoding="utf-8"))
    for source in values["sources"]:
        source["path"] = f"s3a://{bucket}/{source['path']}"
    values |= {"storage": f"s3a://{bucket}/warehouse", "output": f"s3a://{bucket}/out"}
    job = lab / "cluster.yml"
    job.write_text(yaml.safe_dump({**values, "engine": cluster.master}), encoding="utf-8")
    return job


@pytest.mark.timeout(1200)
def test_a_cluster_that_shares_only_the_store_gives_the_rows_of_a_local_run_on_sail(
    local_run: JobConfig, spark_cluster: SparkCluster, bucket: str
) -> None:
    lab = Path(local_run.storage).parent
    job = job_of_a_cluster(lab, spark_cluster, bucket)
    command = [sys.executable, "-m", "jobs.cli.app", "run", "--config", str(job)]
    done = subprocess.run(
        [*command, "--day", str(LAST_DAY)],
        env={**os.environ, **spark_cluster.variables, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    config = load_config(job)
    assert rows_of(config, f"s3a://{bucket}") == rows_of(local_run, str(lab))
    assert texts_of(config, f"s3a://{bucket}") == texts_of(local_run, str(lab))
    idle = [str(folder) for folder in spark_cluster.work if not list(folder.glob("app-*/*/stderr"))]
    assert idle == []
