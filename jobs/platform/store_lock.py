"""Write access to a storage on an object store or HDFS: one process at a time, by a lease.

The lease is a transaction in the log of a small Delta table. A store creates a commit only if no
other process has created the same one, so only one of two processes gets the lease. Its holder
renews it. A killed holder does not, and after ``LEASE_SECONDS`` the next process takes it over. So
the clocks of two machines may differ by as much as ``LEASE_SECONDS - RENEW_SECONDS``.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.platform.errors import RunError
from jobs.platform.terminal_text import one_line_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

logger = logging.getLogger(__name__)
LEASE_SECONDS = 120.0
RENEW_SECONDS = 20.0
FOLDER = "_run_lock"
LEASE = "exfilwatch lease"
"""Delta transaction whose version is the end of the lease in ms since 1970; 0: nobody holds it."""
REASON_CHARS = 300
OWNER = "exfilwatch.owner"


@contextmanager
def store_lock(storage: str) -> Iterator[Callable[[], None]]:
    """Hold the storage, an address in deltalake's spelling, for this process alone.

    Yields a function that raises :class:`RunError` if another process may have taken the lease
    over. Raises :class:`RunError` if another process holds it, or if the store cannot be reached.
    """
    try:
        table = _open_lock(storage)
    except Exception as error:
        reason = one_line_of(str(error))[:REASON_CHARS]
        raise RunError(f"storage {storage} cannot be reached or written: {reason}") from error
    lease = _Lease(storage, table)
    lease.take()
    ended = threading.Event()
    renewal = threading.Thread(target=lease.renew_until, args=(ended,), daemon=True)
    renewal.start()
    try:
        yield lease.require
    finally:
        ended.set()
        renewal.join()
        lease.give_back()


class _Lease:
    """A lease, and the table that holds it."""

    def __init__(self, storage: str, table: DeltaTable) -> None:
        self.storage = storage
        self.table = table
        self.until_ms = 0
        self.lost = False

    def take(self) -> None:
        """Take the lease. Raises :class:`RunError` if another process holds it."""
        from deltalake.exceptions import CommitFailedError

        until = self.table.transaction_version(LEASE) or 0
        if until > time.time() * 1000:
            raise self._refused(until)
        try:
            self._commit(_lease_end())
        except CommitFailedError as error:
            self.table.update_incremental()
            raise self._refused(self.table.transaction_version(LEASE) or 0) from error

    def require(self) -> None:
        """Raise :class:`RunError` if the lease is lost."""
        if self.lost or time.time() * 1000 > self.until_ms:
            raise RunError(
                f"this run was not able to renew its lock of {self.storage} for "
                f"{LEASE_SECONDS:.0f} s, so another run may be writing there; run the day again"
            )

    def renew_until(self, ended: threading.Event) -> None:
        """Renew the lease until ``ended`` is set or another process has the lease."""
        while not ended.wait(RENEW_SECONDS) and not self.lost:
            try:
                self._renew(_lease_end())
            except Exception as error:  # noqa: BLE001  # the store may answer again in time
                logger.warning("the lock of %s is not renewed: %s", self.storage, error)

    def give_back(self) -> None:
        """Free the storage at once. After an error the lease ends by itself."""
        with suppress(Exception):
            self._renew(0)

    def _renew(self, until_ms: int) -> None:
        self.table.update_incremental()
        self.lost = self.table.transaction_version(LEASE) != self.until_ms
        if not self.lost:
            self._commit(until_ms)

    def _commit(self, until_ms: int) -> None:
        """Set the end of the lease; CommitFailedError if another process did so at this moment."""
        from deltalake import CommitProperties, Transaction

        properties = CommitProperties(
            custom_metadata={OWNER: f"process {os.getpid()} on {socket.gethostname()}"},
            max_commit_retries=0,
            app_transactions=[Transaction(LEASE, until_ms, int(time.time() * 1000))],
        )
        schema = self.table.schema()
        self.table.create_write_transaction([], "append", schema, commit_properties=properties)
        self.until_ms = until_ms

    def _refused(self, until_ms: int) -> RunError:
        owner = self.table.history(1)[0].get(OWNER, "unknown")
        end = datetime.fromtimestamp(until_ms / 1000, UTC)
        return RunError(
            f"another run ({owner}) is writing to {self.storage}; wait until it has ended (if it "
            f"was killed, its lock ends at {end:%H:%M:%S} UTC)"
        )


def _lease_end() -> int:
    return int((time.time() + LEASE_SECONDS) * 1000)


def _open_lock(storage: str) -> DeltaTable:
    """The table of the lease, which is made if it is missing."""
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    url = f"{storage.rstrip('/')}/{FOLDER}"
    if not DeltaTable.is_deltatable(url):
        # Another process may make it at the same time.
        with suppress(DeltaError):
            DeltaTable.create(url, pa.schema([("nothing", pa.string())]), mode="ignore")
    return DeltaTable(url)
