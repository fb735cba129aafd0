"""Checks that the server of an engine answers and that the engine sees the job's storage."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jobs.platform.errors import InputError, RunError
from jobs.platform.scratch import staging_folder
from jobs.platform.stores import create_file, file_names, is_url, open_file
from jobs.platform.terminal_text import one_line_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

CONNECT_PORT = 15002
SERVER_SECONDS = 10
PROBES = 16
"""Files that the engine reads and writes to show that all its executors see the storage."""
NO_CLIENT = re.compile(r"No FileSystem for scheme|ClassNotFoundException: Class \S*FileSystem")
NO_FILE = re.compile(r"FileNotFoundException|PATH_NOT_FOUND|FILE_NOT_EXIST|does not exist")
JARS = (
    "Spark has no client for this kind of storage: add its jars to `spark.driver.extraClassPath` "
    "and `spark.executor.extraClassPath` in spark-defaults.conf (SPARK_CONF_DIR); for s3a:// they "
    "are hadoop-aws in the version of Spark's Hadoop, and the AWS bundle that it names"
)
SHARED = "name a place that this process and every executor see, such as s3a:// or hdfs://"
REASON_CHARS = 300


def engine_name(engine: str) -> str:
    """The engine without its parameters, one of which may be a token."""
    return engine.split(";")[0].rstrip("/")


def reach_server(engine: str) -> None:
    """Raise :class:`RunError` if the server of an ``sc://`` engine does not accept connections.

    The Connect client itself would retry for a quarter of an hour before it fails.
    """
    if not engine.startswith("sc://"):
        return
    address = urlsplit(engine_name(engine))
    try:
        where = (address.hostname or "", address.port or CONNECT_PORT)
        socket.create_connection(where, SERVER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise RunError(
            f"the engine {engine_name(engine)} cannot be reached: {error}; check `engine` and "
            "that the Spark Connect server runs"
        ) from error


def unseen(error: Exception) -> str | None:
    """The remedy if the engine has no client for a storage or does not see a file; else None."""
    text = str(error)
    if NO_CLIENT.search(text):
        return JARS
    return SHARED if NO_FILE.search(text) else None


def require_storage(spark: SparkSession, config: JobConfig) -> None:
    """Raise :class:`InputError` unless this process and all executors see the same ``storage``.

    Executors that do not see it would write rows to folders of their own, where they are lost. The
    caller holds the lock of the storage. Sail and local Spark see every local folder.
    """
    engine, storage = config.engine, config.storage
    if engine == "sail" or (engine.startswith("local") and not is_url(storage)):
        return
    name = engine_name(engine)
    try:
        with staging_folder(storage, "reachable") as folder:
            lost = _lost_files(spark, folder)
    except Exception as error:
        why = one_line_of(str(error))[:REASON_CHARS]
        remedy = unseen(error) or SHARED
        raise InputError([f"storage: {name} cannot use {storage}: {remedy} ({why})"]) from error
    if lost:
        raise InputError(
            [f"storage: {name} and this process see different folders {storage}: {SHARED}"]
        )


def _lost_files(spark: SparkSession, folder: str) -> bool:
    """Whether the engine misses files of this process, or this process misses rows of it."""
    from pyarrow import parquet

    for number in range(PROBES):
        with create_file(f"{folder}/given/{number}.txt") as file:
            file.write(b"seen\n")
    if spark.read.text(f"{folder}/given").count() != PROBES:
        return True
    spark.range(PROBES).repartition(PROBES).write.parquet(f"{folder}/taken")
    rows = 0
    for name in file_names(f"{folder}/taken"):
        if name.endswith(".parquet"):
            with open_file(f"{folder}/taken/{name}") as file:
                rows += parquet.read_metadata(file).num_rows
    return rows != PROBES
