"""The stages in the order the data flows, run day by day in one engine session.

A failed stage ends the run: the stages after it would read a day that is not there. What earlier
stages wrote stays, because each replaces its own day in one commit and a re-run replaces it again.
For the same reason a stage that lost its engine is run once more, in a new session.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jobs.engine import engine_session
from jobs.errors import GateError, InputError, RunError
from jobs.listing import storage_problem
from jobs.platform_errors import chain, in_words, one_line
from jobs.warehouse import require_day, written_days
from schemas.tables import SIGNALS, TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

STAGES = {
    "ingest": "jobs.ingest",
    "check": "jobs.check",
    "aggregate": "jobs.aggregate",
    "graph": "jobs.graph",
    "signals": "jobs.signals",
    "findings": "jobs.findings",
    "publish": "jobs.publish",
}
"""Stage → module with ``run(spark, config, day) -> str`` and ``INPUTS``.

The summary is for the progress line. ``INPUTS`` are the tables whose rows of the day the stage
reads (``SENT_INPUTS``: those that it reads only for Elasticsearch). Earlier days may be missing.
"""
LOCK_NAME = ".exfilwatch.lock"
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
LOOK_BACK_DAYS = max(days for table in TABLES for _, days in table.reads)
"""Most days that any stage looks back: so many later days rest on a day."""
CONNECT_PORT = 15002
SERVER_SECONDS = 10

Progress = Callable[[str], None]


def run_days(
    config: JobConfig,
    days: Sequence[date],
    stages: Sequence[str] | None = None,
    progress: Progress = print,
) -> None:
    """Run ``stages`` (None: all) for each of ``days`` in order; one progress line per stage.

    Raises the stage's own :class:`RunError`, any other error of a stage as one, each with a note
    that names the day and the stage.
    """
    from jobs.context import check_context
    from jobs.pseudonyms import pseudonym_key

    names = list(STAGES) if stages is None else list(stages)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        raise InputError(
            [f"unknown stage {name!r}; one of {', '.join(STAGES)}" for name in unknown]
        )
    if "ingest" in names:
        problems = [problem for each in config.sources if (problem := storage_problem(each))]
        if problems:
            raise InputError(problems)
    check_context(config.context, days)
    if config.privacy.pseudonymize and "publish" in names:
        pseudonym_key(config)
    # Before the storage is made, and before an engine is started for nothing.
    require_inputs(config, days[0], names[0])
    # What is published is read from the tables without an engine.
    needs_engine = names != ["publish"]
    with owner_only(), storage_lock(config.storage), ExitStack() as engine:
        spark = engine.enter_context(_started(config.engine)) if needs_engine else None
        for day in days:
            for name in names:
                began = time.monotonic()
                try:
                    summary = run_stage(spark, config, day, name)
                except RunError as error:
                    if spark is None or not engine_lost(error):
                        raise
                    progress(f"{day}  {name:<9}  the engine was lost; once more in a new session")
                    with suppress(Exception):
                        engine.close()
                    spark = engine.enter_context(_started(config.engine))
                    summary = run_stage(spark, config, day, name)
                seconds = time.monotonic() - began
                progress(f"{day}  {name:<9}  {seconds:6.1f} s  {summary}")
        if stages is None and (note := _stale_note(config, days)):
            progress(note)


def _stale_note(config: JobConfig, days: Sequence[date]) -> str:
    """One line about later days that were scored from the days before they were run again."""
    stale = written_days(config.storage, SIGNALS, max(days), LOOK_BACK_DAYS)
    if not stale:
        return ""
    old = f"{days[0]}" if len(days) == 1 else f"{min(days)} to {max(days)}"
    later = f"{stale[0]} was" if len(stale) == 1 else f"{stale[0]} to {stale[-1]} were"
    return (
        f"{later} scored from the old {old}: run {'it' if len(stale) == 1 else 'them'} again with "
        f"`exfilwatch run --config … --start {stale[0]} --end {stale[-1]}`"
    )


def engine_lost(error: RunError) -> bool:
    """Whether the connection to the engine broke, which says nothing about the stage itself."""
    if isinstance(error, InputError | GateError):
        return False
    text = " ".join(map(str, chain(error)))
    return any(sign in text for sign in SIGNS_OF_A_LOST_ENGINE)


def run_stage(spark: SparkSession | None, config: JobConfig, day: date, name: str) -> str:
    """Run one stage and give its summary; every failure is a :class:`RunError` with a note."""
    require_inputs(config, day, name)
    try:
        return str(importlib.import_module(STAGES[name]).run(spark, config, day))
    except Exception as error:
        failure = _worded(error, config)
        failure.add_note(f"{day} {name}")
        if failure is error:
            raise
        raise failure from error


def _worded(error: Exception, config: JobConfig) -> RunError:
    """The error as one that says its cause and what to do, as far as that is known."""
    if isinstance(error, InputError | GateError):
        return error
    if words := in_words(error, config):
        return RunError(words)
    return error if isinstance(error, RunError) else RunError(f"{one_line(error)} (-v shows where)")


def require_inputs(config: JobConfig, day: date, name: str) -> None:
    """RunError, with a note, if an earlier stage has never written the day that ``name`` reads."""
    module = importlib.import_module(STAGES[name])
    inputs = list(module.INPUTS)
    if config.elasticsearch.url is not None:
        inputs += getattr(module, "SENT_INPUTS", ())
    try:
        require_day(config.storage, inputs, day)
    except RunError as error:
        error.add_note(f"{day} {name}")
        raise


@contextmanager
def owner_only() -> Iterator[None]:
    """Let only the owner use what this process and its children make: tables and findings name
    people. Folders and files that are there already keep their permissions."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def storage_lock(storage: str) -> Iterator[None]:
    """Hold the storage folder for this process alone; :class:`RunError` if another one does.

    The kernel frees the lock with the process, however it ends, so none is ever stale; the file
    stays and names its last owner. Object stores are not locked: there, Delta refuses the second
    of two commits that conflict.
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


def engine_name(engine: str) -> str:
    """The engine without its parameters, one of which may be a token."""
    return engine.split(";")[0].rstrip("/")


def reach_server(engine: str) -> None:
    """Raise :class:`RunError` if the server of an ``sc://`` engine does not accept connections.

    The Connect client itself would try for a quarter of an hour before it says so.
    """
    if not engine.startswith("sc://"):
        return
    address = urlsplit(engine_name(engine))
    try:
        where = (address.hostname or "", address.port or CONNECT_PORT)
        socket.create_connection(where, SERVER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise RunError(
            f"the engine {engine_name(engine)} cannot be reached: {error}; check `engine` and "
            "that the Spark Connect server runs"
        ) from error


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
