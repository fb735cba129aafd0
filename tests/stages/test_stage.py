"""Stages meet in tables only, and use none that they do not declare."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from jobs.pipeline import STAGES
from jobs.stages.stage import Outcome, Read, StageTables
from schemas.tables import TABLES
from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS
from schemas.tables.signals import SIGNALS

DAY = date(2026, 10, 5)


def test_every_table_is_written_by_the_stage_that_it_names() -> None:
    written = {table.name: name for name, stage in STAGES.items() for table in stage().writes}
    assert written == {table.name: table.stage for table in TABLES}


def test_every_stage_needs_only_tables_that_it_reads_and_an_earlier_stage_writes() -> None:
    problems = []
    earlier: set[str] = set()
    for name, make in STAGES.items():
        stage = make()
        assert stage.name == name
        read = {read.table.name for read in stage.reads}
        for table in (*stage.needs, *stage.sent):
            if table.name not in read:
                problems.append(f"{name}: needs {table.name} and does not read it")
            if table.name not in earlier:
                problems.append(f"{name}: needs {table.name}, which no earlier stage writes")
        problems += [
            f"{name}: reads {each.table.name} of the same day before it is written"
            for each in stage.reads
            if each.table.name not in earlier | {table.name for table in stage.writes}
        ]
        earlier |= {table.name for table in stage.writes}
    assert not problems, "\n".join(problems)


@pytest.fixture
def tables(tmp_path: object) -> StageTables:
    reads = (Read(ACCESS, 2), Read(SIGNALS))
    return StageTables("graph", reads, (SIGNALS,), DAY, str(tmp_path), None)


def test_a_declared_read_is_allowed(tables: StageTables) -> None:
    assert tables.frame(ACCESS, DAY, 2).empty
    assert tables.frame(ACCESS, DAY - timedelta(days=1), 1).empty
    assert tables.frame(SIGNALS).empty


@pytest.mark.parametrize(
    ("last", "look_back"), [(DAY, 3), (DAY - timedelta(days=1), 2), (DAY - timedelta(days=3), 0)]
)
def test_a_longer_look_back_than_declared_is_refused(
    tables: StageTables, last: date, look_back: int
) -> None:
    with pytest.raises(ValueError, match="graph looks back 3 days in access and declares 2"):
        tables.frame(ACCESS, last, look_back)


def test_an_undeclared_table_is_refused(tables: StageTables) -> None:
    with pytest.raises(ValueError, match="graph does not declare that it reads events"):
        tables.frame(EVENTS)
    with pytest.raises(ValueError, match="graph does not declare that it writes access"):
        tables.stored(ACCESS)


def test_an_outcome_is_one_line() -> None:
    assert str(Outcome({"events": 2}, ("2 events", "", "NO FILE for a"))) == (
        "2 events; NO FILE for a"
    )
