"""A real HDFS on loopback: a namenode and a datanode of Hadoop's own cluster for tests.

The cluster runs on the Hadoop jars of pyspark. It lives as long as a pipe from this process is
open, so it ends with this process, even after a kill.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import skip_unless
from tests.worlds.artifacts import (
    OUTPUT,
    Artifact,
    ServerUnavailableError,
    fetch,
    pyspark_jars,
    start,
    stop,
)

HADOOP = "3.5.0"
"""Must be the version of pyspark's jars."""
CLUSTER = Artifact(
    "org.apache.hadoop",
    "hadoop-client-minicluster",
    HADOOP,
    "jar",
    "0f97b282f6af3f8cb2bed25645a091c0c4ee3e8892ca30701f131c8251f1fe12"
    "9e6df67c86007de464724c73154ad08d70b6aa9c58e4e813b7ff1bc3502d8586",
)
ASSERTIONS = Artifact(
    "org.junit.jupiter",
    "junit-jupiter-api",
    "5.13.4",
    "jar",
    "6e6c1d1247b5aa99649e6cc2f8ea8f0f3720f2a141682b152eed878b1b807b4d"
    "6348741a4e616d695f92a80d327ef4e857c48cde13b9668fa75f1301202ec652",
)
"""Without this value the cluster does not find its own folder."""
MAIN_CLASS = "org.apache.hadoop.mapreduce.MiniHadoopClusterManager"
JAVA_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
START_SECONDS = 120


@pytest.fixture(scope="session")
def hdfs_url(requires_java: None) -> Iterator[str]:
    """Address of an empty HDFS: ``hdfs://host:port``."""
    try:
        jars = fetch_cluster()
    except ServerUnavailableError as error:
        skip_unless(False, str(error))
    with run_cluster(jars) as url:
        yield url


def fetch_cluster() -> list[Path]:
    """The cluster's jars. Raises :class:`ServerUnavailableError` if they cannot be fetched."""
    if not (pyspark_jars() / f"hadoop-client-runtime-{HADOOP}.jar").exists():
        found = ", ".join(jar.name for jar in pyspark_jars().glob("hadoop-client-runtime-*.jar"))
        raise ServerUnavailableError(
            f"HDFS for the tests is of Hadoop {HADOOP}, and pyspark brings "
            f"{found or 'no Hadoop'}: change HADOOP and the checksum in {Path(__file__).name}"
        )
    return [fetch(each, f"{each.name}-{each.version}.jar") for each in (CLUSTER, ASSERTIONS)]


@contextmanager
def run_cluster(jars: list[Path]) -> Iterator[str]:
    """Start a cluster and yield its address; stop it and remove its folder at the end."""
    with tempfile.TemporaryDirectory(prefix="exfilwatch-hdfs-") as name:
        folder = Path(name)
        class_path = ":".join([*map(str, jars), f"{pyspark_jars()}/*"])
        command = ["java", *JAVA_OPTIONS, "-cp", class_path]
        command += [MAIN_CLASS, "-nomr", "-format", "-datanodes", "1"]
        command += ["-writeDetails", str(folder / "details.json")]
        process = start(command, {"HOME": name}, folder)
        try:
            yield f"hdfs://127.0.0.1:{_port(process, folder)}"
        finally:
            stop(process)


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    """The namenode's port. Waits until the cluster has written it."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            port: int = json.loads((folder / "details.json").read_text())["namenode_port"]
        except (FileNotFoundError, ValueError):
            time.sleep(0.2)
        else:
            return port
    last = (folder / OUTPUT).read_text(errors="replace").splitlines()[-15:]
    raise RuntimeError("HDFS did not start:\n" + "\n".join(last))
