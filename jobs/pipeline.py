"""The stages in the order of the data, and the run of one stage on one day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from jobs.platform.delta_tables import require_day
from jobs.platform.errors import GateError, InputError, RunError
from jobs.platform.errors_in_words import in_words, one_line
from jobs.runs.gate import require_not_stopped
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


def known_stages(stages: Sequence[str] | None) -> list[str]:
    """The stages by name (None: all); InputError for each unknown name."""
    names = list(STAGES) if stages is None else list(stages)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        raise InputError(
            [f"unknown stage {name!r}; one of {', '.join(STAGES)}" for name in unknown]
        )
    return names


def after_gate() -> list[str]:
    """Names of the stages that use a day only if the gate let it pass."""
    names = list(STAGES)
    return names[names.index(GATE) + 1 :]


def require_passed(config: JobConfig, day: date, names: Sequence[str]) -> None:
    """GateError with a note if the gate stopped the day, and ``names`` start after the gate."""
    if names[0] in after_gate():
        with raised_in_words(config, f"{day} {names[0]}"):
            require_not_stopped(config.storage, day)


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
    with raised_in_words(config, f"{day} {name}"):
        return STAGES[name]().run(spark, config, day, run)


@contextmanager
def raised_in_words(config: JobConfig, where: str) -> Iterator[None]:
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
