"""The engine's session of a run: renewed for each day, and started again if the engine is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.platform.engine import EMBEDDED, engine_session
from jobs.platform.errors import GateError, InputError, RunError
from jobs.platform.errors_in_words import chain, one_line
from jobs.platform.reachable import engine_name, reach_server

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SIGNS_OF_A_LOST_ENGINE = (
    "Exception deserializing",
    "Wire format was corrupt",
    "StatusCode.UNAVAILABLE",
    "Socket closed",
    "Connection reset",
    "failed to connect to all addresses",
    "closed channel",
    "SESSION_CLOSED",
    "SESSION_NOT_FOUND",
)


@dataclass
class Session:
    """A session on ``engine``. ``spark`` is None before its start and after :meth:`close`.

    One thread uses a session; any thread may close it.
    """

    engine: str
    spark: SparkSession | None = None
    closed: bool = False
    stack: ExitStack = field(default_factory=ExitStack)

    def started(self) -> SparkSession:
        """Start a session in place of the old one, which may be lost.

        Raises RunError if the engine does not start, or if this session was closed.
        """
        self._end()
        if self.closed:
            raise RunError("the run was interrupted")
        self.spark = self.stack.enter_context(_started(self.engine))
        return self.spark

    def renew(self) -> None:
        """Start a session for a day. A new embedded engine gives back the memory of the old one."""
        if self.spark is None or self.engine == EMBEDDED:
            self.started()

    def close(self) -> None:
        """End the session for good; queries of other threads in it fail."""
        self.closed = True
        self._end()

    def _end(self) -> None:
        with suppress(Exception):
            self.stack.close()
        self.spark = None


def engine_lost(error: RunError) -> bool:
    """Whether the connection to the engine broke. If so, the stage itself may be sound."""
    if isinstance(error, InputError | GateError):
        return False
    text = " ".join(map(str, chain(error)))
    return any(sign in text for sign in SIGNS_OF_A_LOST_ENGINE)


@contextmanager
def _started(engine: str) -> Iterator[SparkSession]:
    reach_server(engine)
    with ExitStack() as stack:
        try:
            spark = stack.enter_context(engine_session(engine))
        except Exception as error:
            raise RunError(
                f"the engine {engine_name(engine)} did not start: {one_line(error)}; "
                "`exfilwatch doctor` says what is missing"
            ) from error
        yield spark
