"""Fixtures shared by all tests: a session on Sail for each module, one on Spark for all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import is_hypothesis_test, settings

from jobs.platform.engine import engine_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MARKERS = {
    "sail": "engine",
    "good": "engine",
    "apache_spark": "spark",
    "hdfs_url": "spark",
    "s3_server": "slow",
    "spark_cluster": "spark",
    "elasticsearch_url": "elasticsearch",
    "elasticsearch_9_url": "elasticsearch",
    "secure_elasticsearch": "elasticsearch",
    "browser": "browser",
    "dag": "airflow",
}
"""The marker of every test that uses a fixture, itself or through other fixtures."""
LONG = {"test_formats.py", "whole"}
"""Files and folders of the longest tests."""
WORLDS = {"planted", "usual", "ordinary", "run_days", "world", "small", "history"}
"""Fixtures that make months of an ordinary lab."""

# The time of an example depends on the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their fixtures, before ``-m`` selects tests by marker.

    The longest files come first: where files run side by side, none is left alone at the end.
    """
    for item in items:
        assert isinstance(item, pytest.Function)
        # A parameter may name a fixture, for example the engine.
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        names = {*item.fixturenames, *(each for each in parameters if isinstance(each, str))}
        for marker in sorted({MARKERS[name] for name in names & MARKERS.keys()}):
            item.add_marker(marker)
        if names & WORLDS or is_hypothesis_test(item.obj):
            item.add_marker("thorough")
    items.sort(key=lambda item: not LONG & {*item.path.parts})


def skip_unless(available: bool, reason: str) -> None:
    """Skip with the reason on a bare machine. Fail in CI, because nothing may be missing there."""
    if available:
        return
    if os.environ.get("CI"):
        pytest.fail(f"must not be missing in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def sail() -> Iterator[SparkSession]:
    """A session on Sail."""
    with engine_session("sail") as spark:
        yield spark


@pytest.fixture(scope="session")
def requires_java() -> None:
    """Skip if no Java is on the path."""
    skip_unless(shutil.which("java") is not None, "no java on the path (Java 17 or later needed)")


@pytest.fixture(scope="session")
def apache_spark(requires_java: None) -> Iterator[SparkSession]:
    """A session on Apache Spark, two local cores."""
    with engine_session("local[2]") as spark:
        yield spark
