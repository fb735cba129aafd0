"""The engine session: Sail inside this process, Apache Spark, or a Spark Connect server.

The jobs use only what Spark Connect knows (DataFrames, SQL functions), so that the same code runs
on every engine. Engines are imported here and nowhere else at module level, because importing one
takes seconds.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

ENGINE_OPTION = "exfilwatch.engine"
"""Session option that tells the writer of tables which engine it stands on."""
SESSION_OPTIONS = {
    # Delta on Sail refuses any other zone, and all times in the warehouse are UTC.
    "spark.sql.session.timeZone": "UTC",
    # Both engines answer null for a value that cannot be cast; rejects are decided explicitly.
    "spark.sql.ansi.enabled": "false",
}
SPARK_OPTIONS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # The default of 50 tasks for the state of a small table takes longer than the table.
    "spark.databricks.delta.snapshotPartitions": "2",
}
LOCAL_SPARK_OPTIONS = {
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.memory": "4g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


@contextmanager
def engine_session(engine: str) -> Iterator[SparkSession]:
    """Open a session on ``engine`` (as in the job config) and close it at the end.

    Raises whatever the engine raises when it cannot start; ``exfilwatch doctor`` explains why.
    """
    if engine == "sail":
        with _sail_session() as spark:
            yield spark
    elif engine.startswith("sc://"):
        with _connect_session(engine, engine) as spark:
            yield spark
    else:
        with _spark_session(engine) as spark:
            yield spark


@contextmanager
def _sail_session() -> Iterator[SparkSession]:
    # The server logs to this process's stderr; a run's own progress lines matter more.
    os.environ.setdefault("RUST_LOG", "error")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    _, port = server.listening_address
    try:
        with _connect_session(f"sc://127.0.0.1:{port}", "sail") as spark:
            yield spark
    finally:
        server.stop()


@contextmanager
def _connect_session(url: str, engine: str) -> Iterator[SparkSession]:
    from pyspark.sql.connect.session import SparkSession

    spark = SparkSession.builder.remote(url).create()
    for key, value in {**SESSION_OPTIONS, ENGINE_OPTION: engine}.items():
        spark.conf.set(key, value)
    try:
        yield spark  # type: ignore[misc]  # the Connect session has the same interface
    finally:
        spark.stop()


@contextmanager
def _spark_session(master: str) -> Iterator[SparkSession]:
    from delta import configure_spark_with_delta_pip
    from pyspark.sql import SparkSession

    options = {**SPARK_OPTIONS, **SESSION_OPTIONS, ENGINE_OPTION: master}
    if master.startswith("local"):
        options |= LOCAL_SPARK_OPTIONS
    builder = SparkSession.builder.master(master).appName("exfilwatch")
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = configure_spark_with_delta_pip(builder).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()
