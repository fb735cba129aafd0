"""An S3-compatible server on loopback: moto's server, in an environment of its own.

The environment lies in the user's cache. The server keeps its objects in memory. It lives as long
as a pipe from this process is open, so it ends with this process, even after a kill.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import skip_unless
from tests.worlds.artifacts import (
    ServerUnavailableError,
    cache_folder,
    start,
    stop,
)

LOCK = Path(__file__).with_name("s3_server.lock")
START_SECONDS = 60
KEYS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "no secret",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3-compatible server. The environment's variables name it until the end."""
    try:
        python = environment()
    except ServerUnavailableError as error:
        skip_unless(False, str(error))
    with run_server(python) as address, pytest.MonkeyPatch.context() as patch:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": address}.items():
            patch.setenv(name, value)
        yield address


@pytest.fixture
def bucket(s3_server: str) -> str:
    """The name of a new and empty bucket."""
    name = f"exfilwatch-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(f"{s3_server}/{name}", method="PUT")  # noqa: S310  (loopback)
    urllib.request.urlopen(request).close()  # noqa: S310
    return name


def environment() -> Path:
    """Python of the server's environment, which is made if the cache has none.

    Raises :class:`ServerUnavailableError` if the packages cannot be fetched.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"s3-server-{version}-{digest}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCK]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:]
            raise ServerUnavailableError(f"the S3 server could not be installed: {last}")
        ready.touch()
    return python


@contextmanager
def run_server(python: Path) -> Iterator[str]:
    """Start a server without objects and yield its address; stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start([str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], {})
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
    raise RuntimeError("the S3 server did not start")
