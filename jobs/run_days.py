"""Runs the stages of one day after another.

A failed stage ends the run, because the next stage would read a day that is not there. The output
of earlier stages stays: each stage replaces its own day in one commit, and a re-run replaces it
again. For the same reason a stage that lost its engine runs once more, in a new session.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from itertools import zip_longest
from threading import Event, Lock
from typing import TYPE_CHECKING

from jobs.inputs.context import check_context
from jobs.inputs.kept_context import Choice, KeptContext, day_context, kept_context
from jobs.pipeline import (
    GATE,
    STAGES,
    after_gate,
    known_stages,
    raised_in_words,
    require_inputs,
    require_passed,
    run_stage,
)
from jobs.platform.delta_tables import kept_open
from jobs.platform.engine import EMBEDDED
from jobs.platform.errors import GateError, InputError, RunError
from jobs.platform.progress import at_work
from jobs.platform.reachable import require_storage
from jobs.platform.run_lock import owner_only, storage_lock
from jobs.platform.scratch import staging_folder
from jobs.platform.session import Session, engine_lost
from jobs.runs.gate import withdraw
from jobs.runs.record import Recorder
from jobs.runs.stale import stale_note
from jobs.stages.ingest.listing import storage_problem
from jobs.stages.stage import Outcome, RunOfDays

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from schemas.config import JobConfig

LAST_AHEAD = "aggregate"
"""No stage after this one writes a table that a stage up to this one uses."""


@dataclass(frozen=True)
class Done:
    """A finished stage of a day, and its seconds."""

    day: date
    stage: str
    seconds: float
    outcome: Outcome

    def __str__(self) -> str:
        """The progress line."""
        return f"{self.day}  {self.stage:<9}  {self.seconds:6.1f} s  {self.outcome}"


Progress = Callable[[Done | str], None]
"""Receives each finished stage, and remarks in words between the stages."""


def run_days(
    config: JobConfig,
    days: Sequence[date],
    stages: Sequence[str] | None = None,
    progress: Progress = print,
    run: str | None = None,
    context: Choice = "kept",
) -> None:
    """Run ``stages`` (None: all) for each of ``days`` in order, each with a row in ``runs``.

    On the embedded engine the stages up to :data:`LAST_AHEAD` of the next day run beside the later
    stages of a day, because both use one core most of the time.

    ``progress`` is called with each finished stage, and with remarks. ``run``: id of these runs
    (None: a new one). ``context``: the context files of days before the newest.

    Raises :class:`RunError` if a stage fails, with a note that names the day and the stage.
    """
    names = known_stages(stages)
    at_work.set((str(days[0]), names[0]))
    _require_sound(config, days, names)
    # The stage publish only reads the tables, and without an engine.
    writes = names != ["publish"]
    lock = storage_lock(config.storage) if writes else nullcontext(lambda: None)
    with owner_only(), lock as require_held, ExitStack() as end:
        run = run or uuid.uuid4().hex
        first = _Lane(names, Session(config.engine), Recorder(run))
        end.callback(first.session.close)
        kept, run_of_days = None, None
        if writes:
            if config.engine != EMBEDDED:
                require_storage(first.session.started(), config)
            with raised_in_words(config, f"{days[0]} {names[0]}"):
                kept = kept_context(config.storage, days)
                if "ingest" in names and len(days) > 1:
                    folder = end.enter_context(staging_folder(config.storage, "run"))
                    run_of_days = RunOfDays(tuple(days), folder)
        command = _Command(config, progress, require_held, end, kept, context, run_of_days)
        ahead = [name for name in names if name in _early()]
        later = names[len(ahead) :]
        if config.engine == EMBEDDED and len(days) > 1 and ahead and later:
            first.names = ahead
            second = _Lane(later, Session(config.engine), Recorder(run))
            end.callback(second.session.close)
            _run_ahead(command, first, second, days)
        else:
            for day in days:
                files, _ = _begin(command, first, day)
                files.close()
        every = [make() for make in STAGES.values()]
        if stages is None and (note := stale_note(config, every, days)):
            progress(note)


@dataclass(frozen=True)
class _Command:
    """Everything that all days and stages of one command share.

    ``end``: runs at the end of the command. ``kept``: None if the command writes no table.
    ``stopped``: no further stage begins once it is set. ``later_tables``: held by the stage that
    writes tables of the stages after :data:`LAST_AHEAD`.
    """

    config: JobConfig
    progress: Progress
    require_held: Callable[[], None]
    end: ExitStack
    kept: KeptContext | None
    context: Choice
    run_of_days: RunOfDays | None
    stopped: Event = field(default_factory=Event)
    later_tables: Lock = field(default_factory=Lock)


@dataclass
class _Lane:
    """Stages of a day that follow one another, with a session and open tables of their own."""

    names: Sequence[str]
    session: Session
    recorder: Recorder
    tables: dict[str, DeltaTable] = field(default_factory=dict)


def _early() -> list[str]:
    """The stages that may run a day ahead of the others."""
    names = list(STAGES)
    return names[: names.index(LAST_AHEAD) + 1]


def _run_ahead(command: _Command, first: _Lane, second: _Lane, days: Sequence[date]) -> None:
    """Run the lane ``first`` of the next day in a thread, beside the lane ``second`` of a day."""
    with ThreadPoolExecutor(1) as pool:

        def begun(day: date) -> Callable[[], tuple[ExitStack, JobConfig]]:
            own = copy_context()
            future = pool.submit(own.run, _begin, command, first, day)

            def result() -> tuple[ExitStack, JobConfig]:
                try:
                    return future.result()
                except RunError:
                    at_work.set(own[at_work])
                    raise

            return result

        try:
            coming = begun(days[0])
            for day, next_day in zip_longest(days, days[1:]):
                files, settings = coming()
                if next_day is not None:
                    coming = begun(next_day)
                with raised_in_words(command.config, f"{day} {second.names[0]}"):
                    second.session.renew()
                _run_lane(command, second, day, settings)
                files.close()
        except KeyboardInterrupt:
            # Its queries fail at once, and so the thread ends soon.
            first.session.close()
            raise
        finally:
            command.stopped.set()


def _begin(command: _Command, lane: _Lane, day: date) -> tuple[ExitStack, JobConfig]:
    """Run the lane's stages as the first ones of the day.

    Returns the files of the day, to be closed after its last stage, and the config to use.
    """
    config, files = command.config, ExitStack()
    command.end.callback(files.close)
    at_work.set((str(day), lane.names[0]))
    require_passed(config, day, lane.names)
    settings, note = config, ""
    if command.kept is not None:
        with raised_in_words(config, f"{day} {lane.names[0]}"):
            lane.session.renew()
            used = day_context(config, day, command.kept, command.context)
            settings, note = files.enter_context(used)
    _run_lane(command, lane, day, settings, note)
    return files, settings


def _run_lane(
    command: _Command, lane: _Lane, day: date, settings: JobConfig, note: str = ""
) -> None:
    """Run the lane's stages of the day; ``note``: a remark on the day."""
    for name in lane.names:
        if command.stopped.is_set():
            return
        command.require_held()
        at_work.set((str(day), name))
        began = time.monotonic()
        # Publish shows people as the directory names them now.
        own = command.config if name == "publish" else settings
        work = partial(_run_or_retry, command, lane.session, own, day, name)
        if name == GATE:
            work = partial(_run_gate, work, command, day)
        alone = nullcontext() if name in _early() else command.later_tables
        with kept_open(lane.tables), alone:
            outcome = lane.recorder.recorded(work, STAGES[name](), own, day)
        if name == lane.names[0]:
            outcome = replace(outcome, notes=(*outcome.notes, note))
        command.progress(Done(day, name, time.monotonic() - began, outcome))


def _require_sound(config: JobConfig, days: Sequence[date], names: Sequence[str]) -> None:
    """Fail before the storage is made and before an engine is started."""
    from jobs.privacy.identities_file import pseudonym_key
    from jobs.stages.ingest.formats import LOG_FORMATS

    if "ingest" in names:
        problems = [problem for each in config.sources if (problem := storage_problem(each))]
        if problems:
            raise InputError(problems)
    check_context(config.context, days)
    private = any(LOG_FORMATS[source.format].private_text for source in config.sources)
    keyed = "publish" in names or ("ingest" in names and private)
    if config.privacy.pseudonymize and keyed:
        pseudonym_key(config)
    require_passed(config, days[0], names)
    require_inputs(config, days[0], names[0])


def _run_gate(work: Callable[[], Outcome], command: _Command, day: date) -> Outcome:
    """Run the gate; if it stops the day, withdraw the rows and findings of an older run."""
    try:
        return work()
    except GateError as error:
        later = [STAGES[name]() for name in after_gate()]
        with command.later_tables:
            withdraw(error, command.config, day, later, STAGES["publish"]())
        raise


def _run_or_retry(
    command: _Command, session: Session, config: JobConfig, day: date, name: str
) -> Outcome:
    """Run one stage, and once more in a new session if the engine is lost."""
    try:
        return run_stage(session.spark, config, day, name, command.run_of_days)
    except RunError as error:
        if session.spark is None or not engine_lost(error):
            raise
    command.progress(f"{day}  {name:<9}  the engine was lost; once more in a new session")
    return run_stage(session.started(), config, day, name, command.run_of_days)
