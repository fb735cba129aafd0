"""The lock of the storage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.platform import run_lock
from jobs.platform.errors import InputError, RunError

ROOT = Path(__file__).parents[2]
HOLD_LOCK = """
import sys, time
from jobs.platform.run_lock import storage_lock
with storage_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_only_one_run_writes_and_a_killed_run_frees_the_storage(tmp_path: Path) -> None:
    storage = str(tmp_path / "warehouse")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, storage], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = rf"process {holder.pid}\) is writing to {storage}"
        with pytest.raises(RunError, match=message), run_lock.storage_lock(storage):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with run_lock.storage_lock(storage):
        owner = (tmp_path / "warehouse" / run_lock.LOCK_NAME).read_text()
    assert int(owner) == os.getpid()


def test_object_stores_are_not_locked() -> None:
    with run_lock.storage_lock("s3a://bucket/warehouse"):
        pass


def test_storage_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = str(tmp_path / "file" / "warehouse")
    with pytest.raises(InputError, match="cannot be written"), run_lock.storage_lock(storage):
        pass
