"""The stages in the order of the data, run day by day.

A failed stage ends the run, because the next stage would read a day that is not there. The output
of earlier stages stays: each stage replaces its own day in one commit, and a re-run replaces it
again. For the same reason a stage that lost its engine runs once more, in a new session.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from jobs.inputs.context import check_context
from jobs.inputs.kept_context import Choice, day_context, kept_context
from jobs.platform.delta_tables import require_day
from jobs.platform.engine import EMBEDDED, engine_session
from jobs.platform.errors import GateError, InputError, RunError
from jobs.platform.errors_in_words import chain, in_words, one_line
from jobs.platform.reachable import engine_name, reach_server, require_storage
from jobs.platform.run_lock import owner_only, storage_lock
from jobs.platform.scratch import OF_RUN, staging_folder
from jobs.runs.gate import require_not_stopped, withdraw
from jobs.runs.record import Recorder
from jobs.runs.stale import INPUT_KINDS, longest_look_back, stage_states
from jobs.stages.ingest.listing import storage_problem
from jobs.stages.stage import Outcome, RunOfDays, Stage

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig


def _ingest() -> Stage:
    from jobs.stages.ingest import STAGE

    return STAGE


def _check() -> Stage:
    from jobs.stages.check import STAGE

    return STAGE


def _aggregate() -> Stage:
    from jobs.stages.aggregate import STAGE

    return STAGE


def _features() -> Stage:
    from jobs.stages.features import STAGE

    return STAGE


def _graph() -> Stage:
    from jobs.stages.graph import STAGE

    return STAGE


def _signals() -> Stage:
    from jobs.stages.signals import STAGE

    return STAGE


def _findings() -> Stage:
    from jobs.stages.findings import STAGE

    return STAGE


def _publish() -> Stage:
    from jobs.stages.publish import STAGE

    return STAGE


STAGES: dict[str, Callable[[], Stage]] = {
    "ingest": _ingest,
    "check": _check,
    "aggregate": _aggregate,
    "features": _features,
    "graph": _graph,
    "signals": _signals,
    "findings": _findings,
    "publish": _publish,
}
"""Stage name → function that imports the stage. An import takes seconds."""
GATE = "check"
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

    ``progress`` is called with each finished stage, and with remarks. ``run``: id of these runs
    (None: a new one). ``context``: the context files of days before the newest.

    Raises :class:`RunError` if a stage fails, with a note that names the day and the stage.
    """
    names = _known(stages)
    _require_sound(config, days, names)
    recorder = Recorder(run or uuid.uuid4().hex)
    # The stage publish only reads the tables, and without an engine.
    writes = names != ["publish"]
    lock = storage_lock(config.storage) if writes else nullcontext(lambda: None)
    with owner_only(), lock as require_held, ExitStack() as scratch, ExitStack() as engine:
        session = _Session(config.engine, engine)
        if writes:
            session.start()
        if session.spark is not None:
            require_storage(session.spark, config)
        with _in_words(config, f"{days[0]} {names[0]}"):
            kept = kept_context(config.storage, days)
            run_of_days = None
            if "ingest" in names and len(days) > 1:
                folder = scratch.enter_context(staging_folder(config.storage, OF_RUN))
                run_of_days = RunOfDays(tuple(days), folder)
        for day in days:
            require_passed(config, day, names)
            if writes and day != days[0]:
                session.renew()
            with ExitStack() as files:
                settings, note = config, ""
                if writes:
                    with _in_words(config, f"{day} {names[0]}"):
                        used = day_context(config, day, kept, context)
                        settings, note = files.enter_context(used)
                for name in names:
                    require_held()
                    began = time.monotonic()
                    # Publish shows people as the directory names them now.
                    own = config if name == "publish" else settings
                    work = partial(_run_or_retry, session, own, day, name, progress, run_of_days)
                    if name == GATE:
                        work = partial(_run_gate, work, config, day)
                    outcome = recorder.recorded(work, STAGES[name](), own, day)
                    if name == names[0]:
                        outcome = replace(outcome, notes=(*outcome.notes, note))
                    progress(Done(day, name, time.monotonic() - began, outcome))
        if stages is None and (note := _stale_note(config, days)):
            progress(note)


def _require_sound(config: JobConfig, days: Sequence[date], names: Sequence[str]) -> None:
    """Fail before the storage is made and before an engine is started."""
    from jobs.privacy.identities_file import pseudonym_key

    if "ingest" in names:
        problems = [problem for each in config.sources if (problem := storage_problem(each))]
        if problems:
            raise InputError(problems)
    check_context(config.context, days)
    if config.privacy.pseudonymize and "publish" in names:
        pseudonym_key(config)
    require_passed(config, days[0], names)
    require_inputs(config, days[0], names[0])


@dataclass
class _Session:
    """The engine's session of a run, None before its start, and the stack that ends it."""

    engine: str
    stack: ExitStack
    spark: SparkSession | None = None

    def start(self) -> None:
        """Start a session in place of the old one, which may be lost."""
        with suppress(Exception):
            self.stack.close()
        self.spark = self.stack.enter_context(_started(self.engine))

    def renew(self) -> None:
        """Start a new embedded engine for the next day, which gives back the old one's memory."""
        if self.engine == EMBEDDED:
            self.start()


def _known(stages: Sequence[str] | None) -> list[str]:
    """The stages by name (None: all); InputError for each unknown name."""
    names = list(STAGES) if stages is None else list(stages)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        raise InputError(
            [f"unknown stage {name!r}; one of {', '.join(STAGES)}" for name in unknown]
        )
    return names


def _after_gate() -> list[str]:
    """Names of the stages that use a day only if the gate let it pass."""
    names = list(STAGES)
    return names[names.index(GATE) + 1 :]


def require_passed(config: JobConfig, day: date, names: Sequence[str]) -> None:
    """GateError with a note if the gate stopped the day, and ``names`` start after the gate."""
    if names[0] in _after_gate():
        with _in_words(config, f"{day} {names[0]}"):
            require_not_stopped(config.storage, day)


def _run_gate(work: Callable[[], Outcome], config: JobConfig, day: date) -> Outcome:
    """Run the gate; if it stops the day, withdraw the rows and findings of an older run."""
    try:
        return work()
    except GateError as error:
        later = [STAGES[name]() for name in _after_gate()]
        withdraw(error, config, day, later, STAGES["publish"]())
        raise


def _run_or_retry(
    session: _Session,
    config: JobConfig,
    day: date,
    name: str,
    progress: Progress,
    run: RunOfDays | None,
) -> Outcome:
    """Run one stage, and once more in a new session if the engine is lost."""
    try:
        return run_stage(session.spark, config, day, name, run)
    except RunError as error:
        if session.spark is None or not engine_lost(error):
            raise
    progress(f"{day}  {name:<9}  the engine was lost; once more in a new session")
    session.start()
    return run_stage(session.spark, config, day, name, run)


def _stale_note(config: JobConfig, days: Sequence[date]) -> str:
    """One line that names later days whose scores rest on the old version of ``days``."""
    stages = [make() for make in STAGES.values()]
    last = max(days)
    newest = last + timedelta(days=longest_look_back(stages))
    states = stage_states(config.storage, stages, last + timedelta(days=1), newest)
    stale = [
        state for state in states if any(problem.kind in INPUT_KINDS for problem in state.problems)
    ]
    if not stale:
        return ""
    first, end = stale[0].day, max(state.day for state in stale)
    old = f"{days[0]}" if len(days) == 1 else f"{min(days)} to {last}"
    later = f"{first} was" if first == end else f"{first} to {end} were"
    return (
        f"{later} scored from the old {old}: run {'it' if first == end else 'them'} again with "
        f"`exfilwatch run --config … --start {first} --end {end}`"
    )


def engine_lost(error: RunError) -> bool:
    """Whether the connection to the engine broke. If so, the stage itself may be sound."""
    if isinstance(error, InputError | GateError):
        return False
    text = " ".join(map(str, chain(error)))
    return any(sign in text for sign in SIGNS_OF_A_LOST_ENGINE)


def run_stage(
    spark: SparkSession | None,
    config: JobConfig,
    day: date,
    name: str,
    run: RunOfDays | None = None,
) -> Outcome:
    """Run one stage; every failure is a :class:`RunError` with a note.

    ``run``: the run of several days that the day belongs to.
    """
    require_inputs(config, day, name)
    with _in_words(config, f"{day} {name}"):
        return STAGES[name]().run(spark, config, day, run)


@contextmanager
def _in_words(config: JobConfig, where: str) -> Iterator[None]:
    """Raise every error of the block as a :class:`RunError` with the note ``where``."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # deltalake's panics are no Exception
        failure = _worded(error, config)
        failure.add_note(where)
        if failure is error:
            raise
        raise failure from error


def _worded(error: BaseException, config: JobConfig) -> RunError:
    """The error with its cause and the remedy, as far as they are known."""
    if isinstance(error, InputError | GateError):
        return error
    if words := in_words(error, config):
        return RunError(words)
    return error if isinstance(error, RunError) else RunError(f"{one_line(error)} (-v shows where)")


def require_inputs(config: JobConfig, day: date, name: str) -> None:
    """RunError with a note if an earlier stage has not written the day that ``name`` reads."""
    stage = STAGES[name]()
    inputs = list(stage.needs)
    if config.elasticsearch.url is not None:
        inputs += stage.sent
    try:
        require_day(config.storage, inputs, day)
    except RunError as error:
        error.add_note(f"{day} {name}")
        raise


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
