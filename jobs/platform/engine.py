"""The engine session: Sail in a process beside this one, Apache Spark, or a Spark Connect server.

The jobs use only Spark Connect (DataFrames, SQL functions), so the same code runs on every engine.
No module imports an engine at its top, because that import takes seconds.
"""

from __future__ import annotations

import os
import resource
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from jobs.platform.sail_server import sail_server

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EMBEDDED = "sail"
"""The engine that needs no cluster and no Java."""
ENGINE_OPTION = "exfilwatch.engine"
"""Session option that names the engine for the writer of tables."""
OPEN_FILES = 65_536
"""Limit of open files. It is more than any run needs. It is not higher, because some programs loop
over all numbers up to the limit."""
IDLE_SECONDS = 7 * 86_400
"""Longest time between two queries of a session on Sail."""
TOKEN_VARIABLE = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105  (its name, no token)
SESSION_OPTIONS = {
    # Delta on Sail refuses other zones. All times in the warehouse are UTC.
    "spark.sql.session.timeZone": "UTC",
    # Both engines give null for a value that cannot be cast. Our own SQL decides on rejects.
    "spark.sql.ansi.enabled": "false",
}
PATH_OPTIONS = {
    # A path without a scheme is local, also where Hadoop's own config makes HDFS the default.
    "fs.defaultFS": "file:///",
}
SPARK_OPTIONS = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Java's patterns use stack for each repetition of a group. Strangers choose the lines of logs,
    # and a thread without stack would kill the driver. Spark compiles a stage to one method. The
    # columns of a format easily exceed 8,000 bytes, and Java would only interpret such a method.
    "spark.driver.extraJavaOptions": "-Xss512m -XX:-DontCompileHugeMethods",
    "spark.executor.extraJavaOptions": "-Xss512m -XX:-DontCompileHugeMethods",
    # The JIT skips methods above this bytecode size. A stage without whole-stage codegen is then
    # faster than a huge interpreted method.
    "spark.sql.codegen.hugeMethodLimit": "20000",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # With the default of 50 tasks, the state of a small table takes longer than the table itself.
    "spark.databricks.delta.snapshotPartitions": "2",
    # These rules insert the expression of a join's key at each use of its name. For a parsed key
    # that takes seconds. They are not needed, because literals choose the days, not joins.
    "spark.sql.optimizer.dynamicPartitionPruning.enabled": "false",
    "spark.sql.optimizer.runtime.bloomFilter.enabled": "false",
}
LOCAL_SPARK_OPTIONS = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.memory": "4g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


def store_options() -> dict[str, str]:
    """Options for Spark's client of S3, from the variables that the client of the tables reads.

    Spark itself passes on the keys and AWS_ENDPOINT_URL.
    """
    options = {}
    if os.environ.get("AWS_ENDPOINT_URL"):
        # Compatible servers have no host name for each bucket.
        options["spark.hadoop.fs.s3a.path.style.access"] = "true"
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        options["spark.hadoop.fs.s3a.endpoint.region"] = region
    return options


@contextmanager
def engine_session(engine: str) -> Iterator[SparkSession]:
    """Open a session on ``engine`` (as in the job config) and close it at the end.

    Raises the engine's own error if it cannot start; ``exfilwatch doctor`` explains the cause.
    """
    raise_open_files()
    if engine == EMBEDDED:
        with _sail_session() as spark:
            yield spark
    elif engine.startswith("sc://"):
        with _connect_session(engine, engine) as spark:
            yield spark
    else:
        with _spark_session(engine) as spark:
            yield spark


def raise_open_files() -> None:
    """Raise this process's limit of open files as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _sail_session() -> Iterator[SparkSession]:
    # The server logs to stderr, where its lines would hide the progress of the run.
    os.environ.setdefault("RUST_LOG", "error")
    # Sail's allocator would keep most of what a stage needed. Giving it back at once saves about a
    # quarter of the engine's memory and costs about a second of its time.
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "0")
    # Sail ends a session after minutes without a query. A stage may compute for longer than that.
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(IDLE_SECONDS))
    with sail_server() as port, _connect_session(f"sc://127.0.0.1:{port}", EMBEDDED) as spark:
        yield spark


@contextmanager
def _connect_session(url: str, engine: str) -> Iterator[SparkSession]:
    # Without this variable `pyspark.sql.functions` would look for a JVM in this process.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    # Spark's launcher forks, and gRPC's fork handlers sometimes end the child too early.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from pyspark.sql.connect.session import SparkSession

    carry_our_code()
    spark = SparkSession.builder.remote(url).create()
    if not engine.startswith("sc://"):
        # If our own engine does not answer soon, the client's ten minutes of retries do not help.
        from pyspark.sql.connect.client.retries import DefaultPolicy

        spark.client.set_retry_policies([DefaultPolicy(max_retries=4, max_backoff=1000)])
    for key, value in {**SESSION_OPTIONS, **PATH_OPTIONS, ENGINE_OPTION: engine}.items():
        spark.conf.set(key, value)
    try:
        yield spark  # type: ignore[misc]  # the Connect session has the same interface
    finally:
        with suppress(Exception):
            spark.stop()


def carry_our_code() -> None:
    """Let the functions for the engine's Python workers carry our code, which executors lack."""
    from pyspark import cloudpickle

    import jobs
    import models
    import schemas

    for package in (jobs, models, schemas):
        cloudpickle.register_pickle_by_value(package)  # type: ignore[no-untyped-call]


@contextmanager
def _spark_session(master: str) -> Iterator[SparkSession]:
    """Start Apache Spark with its Connect server on loopback, and connect to it.

    The jobs then speak Spark Connect to every engine, and both engines can live in one process.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Both ends read the token while they start. Without it other users of this machine could
    # connect. It must not stay, because later sessions of this process would then insist on TLS.
    os.environ[TOKEN_VARIABLE] = secrets.token_urlsafe(24)
    with ExitStack() as stack:
        try:
            driver = _spark_driver(master, {"spark.connect.grpc.binding.port": str(port)})
            stack.callback(driver.stop)
            spark = stack.enter_context(_connect_session(f"sc://localhost:{port}", master))
        finally:
            del os.environ[TOKEN_VARIABLE]
        yield spark


def _spark_driver(master: str, connect_options: dict[str, str]) -> SparkSession:
    # In Connect mode the builder would not start a driver.
    connect_mode = os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
    try:
        from delta import configure_spark_with_delta_pip
        from pyspark.sql import SparkSession

        options = SPARK_OPTIONS | SESSION_OPTIONS | store_options() | connect_options
        if master.startswith("local"):
            options = options | LOCAL_SPARK_OPTIONS
            # Otherwise Python workers would be the first `python3` of the path.
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.master(master).appName("exfilwatch")
        for key, value in options.items():
            builder = builder.config(key, value)
        driver = configure_spark_with_delta_pip(builder).getOrCreate()
        driver.sparkContext.setLogLevel("ERROR")
        return driver
    finally:
        if connect_mode is not None:
            os.environ["SPARK_CONNECT_MODE_ENABLED"] = connect_mode
