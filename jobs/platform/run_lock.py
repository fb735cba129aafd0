"""Write access to a storage: one process at a time, and files for their owner only."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.platform.errors import InputError, RunError

LOCK_NAME = ".exfilwatch.lock"


@contextmanager
def owner_only() -> Iterator[None]:
    """Let only the owner use new files of this process and its children.

    Tables and findings name people. Existing folders and files keep their permissions.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def storage_lock(storage: str) -> Iterator[None]:
    """Hold the storage folder for this process alone; :class:`RunError` if another one holds it.

    The kernel frees the lock when the process ends, however it ends, so a lock is never stale. The
    file stays and names its last owner. Object stores are not locked; there Delta refuses the
    second of two conflicting commits.
    """
    if "://" in storage:
        yield
        return
    folder = Path(storage)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        problem = f"storage {storage} cannot be written: {error.strerror or error}"
        raise InputError([problem]) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise RunError(
                f"another run (process {owner}) is writing to {storage}; wait until it has ended"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
