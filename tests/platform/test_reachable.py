"""Storage that the engine does not see is refused before a stage begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.platform.errors import InputError
from jobs.platform.reachable import JARS, SHARED, require_storage, unseen
from jobs.platform.stores import list_folder
from tests.worlds.raw_logs import job_config

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest_plugins = ("tests.worlds.s3_server",)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found", JARS),
        ('UnsupportedFileSystemException: No FileSystem for scheme "gs"', JARS),
        ("java.io.FileNotFoundException: File file:/raw/a.json does not exist", SHARED),
        ("[PATH_NOT_FOUND] Path does not exist: file:/raw/a.json", SHARED),
        ("java.lang.OutOfMemoryError: Java heap space", None),
    ],
)
def test_an_error_of_a_file_that_is_not_seen_has_a_remedy(text: str, remedy: str | None) -> None:
    assert unseen(RuntimeError(text)) == remedy


def test_spark_without_the_client_of_a_store_is_refused(
    apache_spark: SparkSession, bucket: str, tmp_path: Path
) -> None:
    config = job_config(tmp_path, [{"path": "raw/*"}], engine="local[2]")
    storage = f"s3a://{bucket}/warehouse"
    with pytest.raises(InputError, match=r"storage: local\[2\] cannot use s3a://.*hadoop-aws"):
        require_storage(apache_spark, config.model_copy(update={"storage": storage}))
    assert list_folder(storage, recursive=True) == []


def test_storage_that_a_cluster_sees_is_taken(apache_spark: SparkSession, tmp_path: Path) -> None:
    """The engine's name makes the check run; the folder is one that this Spark does see."""
    config = job_config(tmp_path, [{"path": "raw/*"}], engine="spark://host:7077")
    require_storage(apache_spark, config)
    assert list((tmp_path / "warehouse/_scratch/reachable").iterdir()) == []
