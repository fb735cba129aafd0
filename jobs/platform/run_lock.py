"""Write access to a storage: one process at a time, and files for their owner only."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from jobs.platform.delta_tables import object_store_url
from jobs.platform.errors import InputError, RunError
from jobs.platform.store_lock import store_lock

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
def storage_lock(storage: str) -> Iterator[Callable[[], None]]:
    """Hold the storage for this process alone; :class:`RunError` if another one holds it.

    Yields a function that raises :class:`RunError` if the lock is lost. The kernel frees the lock
    of a folder when the process ends, however it ends, so that lock is never stale or lost. The
    file stays and names its last owner. Elsewhere see :mod:`jobs.platform.store_lock`.
    """
    if "://" in storage:
        with store_lock(object_store_url(storage)) as require_held:
            yield require_held
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
        yield lambda: None
    finally:
        os.close(descriptor)


@contextmanager
def folder_lock(place: str) -> Iterator[None]:
    """Wait until no other process holds the folder, then hold it for the block.

    On a store nobody waits: :class:`RunError` if another process holds the folder. A folder that
    cannot be made or opened is not locked, because its writer says why.
    """
    with ExitStack() as held:
        if "://" in place:
            held.enter_context(store_lock(object_store_url(place)))
        else:
            with suppress(OSError):
                Path(place).mkdir(parents=True, exist_ok=True)
                descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
