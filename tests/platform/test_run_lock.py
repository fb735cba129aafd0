"""The lock of the storage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.platform import run_lock, store_lock
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


def test_a_lease_in_place_of_a_lock_file(tmp_path: Path) -> None:
    """A URL takes the lease that object stores use; its table may lie in a folder, too."""
    storage = f"file://{tmp_path}"
    with run_lock.storage_lock(storage) as require_held:
        require_held()
        message = rf"process {os.getpid()} on .*\) is writing to {storage}.*its lock ends at "
        with pytest.raises(RunError, match=message), run_lock.storage_lock(storage):
            pass
    with run_lock.storage_lock(storage) as require_held:
        require_held()


@pytest.mark.slow
def test_a_lease_is_renewed_and_ends_with_a_dead_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = f"file://{tmp_path}"
    monkeypatch.setattr(store_lock, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(store_lock, "RENEW_SECONDS", 0.2)
    with run_lock.storage_lock(storage) as require_held:
        time.sleep(1.5)
        require_held()
    monkeypatch.setattr(store_lock, "RENEW_SECONDS", 60.0)
    with run_lock.storage_lock(storage) as require_held:
        time.sleep(1.1)
        with run_lock.storage_lock(storage) as require_held_next:
            require_held_next()
            with pytest.raises(RunError, match="another run may be writing there"):
                require_held()


@pytest.mark.slow
def test_an_unreachable_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "none")
    message = "storage s3://bucket/warehouse cannot be reached or written: "
    with pytest.raises(RunError, match=message), run_lock.storage_lock("s3a://bucket/warehouse"):
        pass


def test_publishers_take_turns(tmp_path: Path) -> None:
    hold = HOLD_LOCK.replace("storage_lock(sys.argv[1])", "folder_lock(sys.argv[1])")
    hold = hold.replace("sleep(60)", "sleep(1)").replace("storage_lock", "folder_lock")
    holder = subprocess.Popen(
        [sys.executable, "-c", f"from pathlib import Path\n{hold}", str(tmp_path / "out")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with run_lock.folder_lock(str(tmp_path / "out")):
            assert holder.wait(timeout=10) == 0


def test_storage_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = str(tmp_path / "file" / "warehouse")
    with pytest.raises(InputError, match="cannot be written"), run_lock.storage_lock(storage):
        pass
