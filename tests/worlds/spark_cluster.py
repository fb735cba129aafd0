"""A cluster of Apache Spark in standalone mode on loopback: one master and two workers.

A worker sees an empty folder in place of the folder of the tests. So its executors share no file
with the driver but through a server. The cluster lives as long as pipes from this process are open,
so it ends with this process, even after a kill.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import skip_unless
from tests.worlds.artifacts import (
    OUTPUT,
    Artifact,
    ServerUnavailableError,
    fetch_all,
    pyspark_jars,
    start,
    stop,
)

S3_CLIENT = Path(__file__).with_name("s3_client.lock")
WORKERS = 2
WORKER_OPTIONS = ("--cores", "1", "--memory", "1g")
# The compiler and the collector with the fastest start.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# The driver plans for minutes, so the better compiler pays.
DRIVER_OPTIONS = "-XX:+UseSerialGC"
START_SECONDS = 120
HIDE = 'mount -t tmpfs none "$0" && exec "$@"'
REGISTERED = "Successfully registered with master"


@dataclass(frozen=True)
class SparkCluster:
    """A running cluster."""

    master: str
    """The value of ``engine`` in a config."""
    variables: Mapping[str, str]
    """Environment of a driver."""
    work: tuple[Path, ...]
    """The workers' folders. In each an application has a folder."""


@pytest.fixture(scope="module")
def spark_cluster(
    requires_java: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkCluster]:
    """A cluster that has the client of S3 and does not see the tests' folder."""
    base = tmp_path_factory.getbasetemp()
    probe = [*_hiding(base), "true"]
    skip_unless(
        subprocess.run(probe, capture_output=True, check=False).returncode == 0,
        "a process cannot hide a folder from a worker (`unshare --mount` of Linux)",
    )
    try:
        jars = fetch_s3_client()
    except ServerUnavailableError as error:
        skip_unless(False, str(error))
    with run_cluster(jars, tmp_path_factory.mktemp("driver"), base) as cluster:
        yield cluster


def fetch_s3_client() -> list[Path]:
    """Jars of Spark's client of S3; :class:`ServerUnavailableError` if they cannot be fetched."""
    artifacts = {}
    for line in S3_CLIENT.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            coordinates, _, checksum = line.partition(" ")
            org, name, version = coordinates.split(":")
            artifact = Artifact(org, name, version, "jar", checksum)
            artifacts[f"s3-client/{name}-{version}.jar"] = artifact
            if name == "hadoop-aws":
                hadoop = f"hadoop-client-runtime-{version}.jar"
                if not (pyspark_jars() / hadoop).exists():
                    raise ServerUnavailableError(
                        f"pyspark brings no {hadoop}: rebuild {S3_CLIENT.name} for its Hadoop"
                    )
    return fetch_all(artifacts)


@contextmanager
def run_cluster(jars: list[Path], driver: Path, hidden: Path) -> Iterator[SparkCluster]:
    """Start a cluster, stop it at the end. ``driver`` is an empty folder for the driver's files.

    No worker sees the folder ``hidden``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    # Without it other users of this machine could run code as this user.
    secret = f"spark.authenticate true\nspark.authenticate.secret {secrets.token_hex(16)}\n"
    with tempfile.TemporaryDirectory(prefix="exfilwatch-spark-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "spark.conf").write_text(secret)
        master = f"spark://127.0.0.1:{port}"
        work = tuple(folder / f"worker-{number}" for number in range(WORKERS))
        command = ["master.Master", "--port", port]
        stack.callback(stop, _start(command, folder, folder / "master"))
        workers = []
        for own in work:
            command = ["worker.Worker", "--work-dir", str(own), *WORKER_OPTIONS, master]
            workers.append(_start(command, folder, own, _hiding(hidden)))
            stack.callback(stop, workers[-1])
        for worker, own in zip(workers, work, strict=True):
            _wait_until_registered(worker, own / OUTPUT)
        (driver / "spark-defaults.conf").write_text(secret + _driver_options(jars))
        variables = {
            "SPARK_CONF_DIR": str(driver),
            "SPARK_LOCAL_DIRS": str(driver),
            "TMPDIR": str(driver),
            "PYSPARK_PYTHON": sys.executable,
        }
        yield SparkCluster(master, variables, work)


def _driver_options(jars: list[Path]) -> str:
    class_path = ":".join(map(str, jars))
    options = {
        "spark.driver.extraClassPath": class_path,
        "spark.executor.extraClassPath": class_path,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.executor.memory": "1g",
        "spark.driver.defaultJavaOptions": DRIVER_OPTIONS,
        "spark.executor.defaultJavaOptions": JAVA_OPTIONS,
        # The tables are tiny. To compile their queries takes longer than to run them.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.locality.wait": "0s",
        # A damaged file fails each time.
        "spark.task.maxFailures": "1",
    }
    return "".join(f"{key} {value}\n" for key, value in options.items())


def _hiding(folder: Path) -> list[str]:
    """The start of a command that sees an empty folder in place of ``folder``."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *rights, "--mount", "sh", "-c", HIDE, str(folder)]


def _start(
    command: list[str], folder: Path, own: Path, before: list[str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a part of the cluster in its folder ``own``, by the command ``before`` if given."""
    own.mkdir()
    spark = pyspark_jars().parent
    part = [str(spark / "bin" / "spark-class"), f"org.apache.spark.deploy.{command[0]}"]
    part += ["--host", "127.0.0.1", "--webui-port", "0"]
    part += ["--properties-file", str(folder / "spark.conf"), *command[1:]]
    environment = {
        "HOME": str(own),
        "SPARK_HOME": str(spark),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": JAVA_OPTIONS,
        "SPARK_CONF_DIR": str(own),
        "SPARK_LOCAL_DIRS": str(own),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TMPDIR": str(own),
    }
    return start([*(before or []), *part], environment, own)


def _wait_until_registered(worker: subprocess.Popen[bytes], output: Path) -> None:
    """Wait until the master knows a worker. The worker itself tries again to reach its master."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and worker.poll() is None:
        if REGISTERED in output.read_text(errors="replace"):
            return
        time.sleep(0.1)
    last = output.read_text(errors="replace").splitlines()[-15:]
    raise RuntimeError("a worker of Spark did not start:\n" + "\n".join(last))
