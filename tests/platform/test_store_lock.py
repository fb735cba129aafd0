"""The lock of a storage on an S3-compatible server, between real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.platform.errors import RunError
from jobs.platform.run_lock import storage_lock

pytest_plugins = ("tests.worlds.s3_server",)

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from jobs.platform import store_lock
from jobs.platform.errors import RunError
from jobs.platform.run_lock import storage_lock
store_lock.LEASE_SECONDS, store_lock.RENEW_SECONDS = 2.0, 0.5
try:
    with storage_lock(sys.argv[1]) as require_held:
        print("held", flush=True)
        sys.stdin.readline()
        require_held()
        print("still held", flush=True)
except RunError as error:
    print(error, flush=True)
"""


@contextmanager
def holder(storage: str) -> Iterator[subprocess.Popen[str]]:
    """A process that takes the lock, holds it until it gets a line, and says what happened."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, storage],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def storage(bucket: str) -> str:
    return f"s3a://{bucket}/warehouse"


def test_the_second_of_two_writers_is_refused(storage: str) -> None:
    with holder(storage) as first:
        assert said(first) == "held"
        time.sleep(3)  # longer than a lease: it is renewed
        with holder(storage) as second:
            assert f"another run (process {first.pid} on " in said(second)
        go_on(first)
        assert said(first) == "still held"
        first.wait()
    with storage_lock(storage) as require_held:
        require_held()


def test_only_one_of_many_gets_a_new_storage(storage: str) -> None:
    with holder(storage) as a, holder(storage) as b, holder(storage) as c:
        answers = [said(process) for process in (a, b, c)]
    assert answers.count("held") == 1, answers
    assert sum(answer.startswith("another run (process") for answer in answers) == 2, answers


def test_the_lock_of_a_killed_writer_is_taken_over(storage: str) -> None:
    with holder(storage) as first:
        assert said(first) == "held"
        first.send_signal(signal.SIGKILL)
        first.wait()
        with pytest.raises(RunError, match="its lock ends at"), storage_lock(storage):
            pass
        time.sleep(2.5)
        with storage_lock(storage) as require_held:
            require_held()


def test_a_writer_that_slept_notices_the_next_one(storage: str) -> None:
    with holder(storage) as first:
        assert said(first) == "held"
        first.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        with storage_lock(storage) as require_held:
            first.send_signal(signal.SIGCONT)
            time.sleep(1)
            go_on(first)
            assert "another run may be writing there" in said(first)
            first.wait()
            require_held()
