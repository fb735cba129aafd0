"""Check a day of ``events`` with Great Expectations, and stop the day if it must not be used.

The suites are data (schemas/expectations.py). Rows are judged on the engine's own frame. Only if
some fail, one more aggregation finds their sources. Expectations about a whole source are judged on
a small frame of facts, one row for each source.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.platform.delta_tables import last_writing, to_frame
from jobs.platform.errors import GateError, RunError
from jobs.platform.terminal_text import printable
from jobs.stages.check.data_docs import render_day, write_data_docs
from jobs.stages.check.judge import Judgement, check_day
from jobs.stages.check.source_facts import read_history
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.config import JobConfig
from schemas.expectations import CRITICAL, Expectation
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.quality import QUALITY
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationValidationResult

    Judged = list[tuple[Expectation, ExpectationValidationResult]]
    Facts = dict[str, Any]

MAX_WARNINGS = 5


def check_stage(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Judge the day; keep every outcome in ``quality`` and in the Data Docs; stop if critical.

    Raises RunError at once if events and rejects are not of one run. Raises :class:`GateError` with
    every critical failure after everything is written.
    """
    written = {last_writing(config.storage, table, day) for table in (EVENTS, REJECTS)}
    if len(written) > 1:
        raise RunError(
            f"`events` and `rejects` of {day} are not of one run: an ingest ended between them; "
            f"run `exfilwatch stage ingest` for {day} again"
        )
    events, rejects = tables.read(EVENTS), tables.read(REJECTS)
    history = read_history(tables, config)
    outcomes, results = check_day(events, rejects, history, config, day)
    rows = quality_rows(outcomes, day)
    tables.replace(to_frame(tables.spark, rows, QUALITY), QUALITY)
    page = render_day(outcomes, results, day)
    write_data_docs(f"{config.output.rstrip('/')}/data_docs", page, day)

    failed = [outcome for outcome in outcomes if not outcome.success]
    critical = [outcome for outcome in failed if outcome.expectation.severity == CRITICAL]
    if critical:
        lines = [
            printable(f"- {outcome.expectation.name}: {outcome.message}") for outcome in critical
        ]
        raise GateError(
            f"the data-quality gate stopped {day}: {len(critical)} of {len(outcomes)} expectations "
            "failed critically; later stages must not use this day\n" + "\n".join(lines)
        )
    return Outcome(
        {QUALITY.name: len(rows)}, (f"{len(outcomes)} expectations, {_warnings(failed)}",)
    )


def _warnings(failed: Sequence[Judgement]) -> str:
    """The number of warnings, and the first ones by name and source."""
    counted = f"{len(failed)} warning{'' if len(failed) == 1 else 's'}"
    if not failed:
        return counted
    named = [f"{outcome.expectation.name} of {outcome.source}" for outcome in failed]
    more = f" and {len(named) - MAX_WARNINGS} more" if len(named) > MAX_WARNINGS else ""
    return f"{counted}: {', '.join(named[:MAX_WARNINGS])}{more}"


def quality_rows(outcomes: Sequence[Judgement], day: date) -> pd.DataFrame:
    """Rows of QUALITY, one for each outcome."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                day,
                outcome.source,
                outcome.expectation.name,
                outcome.expectation.subject,
                outcome.expectation.severity,
                outcome.success,
                outcome.observed,
                outcome.expectation.expected,
                outcome.message,
            )
            for outcome in outcomes
        ],
        columns=QUALITY.column_names,
    )


STAGE = Stage(
    name="check",
    reads=(Read(EVENTS), Read(REJECTS), Read(QUALITY, HISTORY_DAYS)),
    writes=(QUALITY,),
    work=check_stage,
    needs=(EVENTS, REJECTS),
)
