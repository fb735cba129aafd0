"""The suites of expectations follow the tables' schemas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from schemas.expectations import (
    CRITICAL,
    DAY_NOT_EMPTY,
    SOURCE_FACTS,
    WARNING,
    event_suite,
    schema_suite,
    source_suite,
)
from schemas.tables import TABLES
from schemas.tables.events import EVENTS
from tests.worlds.judged_days import FORMATS, job_config

if TYPE_CHECKING:
    pass


def all_suites(tmp_path: Path) -> list:
    quality = job_config(tmp_path).quality
    return [
        [*schema_suite(EVENTS), DAY_NOT_EMPTY],
        event_suite(list(FORMATS)),
        source_suite(quality),
    ]


def test_every_rule_of_the_spec_is_in_a_suite() -> None:
    rules = {(e.column, e.type) for e in event_suite(["code"])}
    for column in EVENTS.columns:
        null_rule = (column.name, "expect_column_values_to_not_be_null")
        assert (null_rule in rules) == (not column.nullable)
        if column.values:
            assert (column.name, "expect_column_values_to_be_in_set") in rules
        if column.minimum is not None or column.maximum is not None:
            assert (column.name, "expect_column_values_to_be_between") in rules
    for table in TABLES:
        assert len(schema_suite(table)) == 1 + len(table.columns)


def test_suites_have_unique_keys_and_texts_that_can_be_filled(tmp_path: Path) -> None:
    suites = all_suites(tmp_path)
    keys = [(e.name, e.subject) for suite in suites for e in suite]
    assert len(keys) == len(set(keys))
    facts = dict.fromkeys(SOURCE_FACTS.column_names, 1)
    nullable = {column.name for column in SOURCE_FACTS.columns if column.nullable}
    for expectation in suites[2]:
        assert expectation.observed.format(**facts)
        assert bool(expectation.unjudged) == (expectation.column in nullable), expectation.name
        assert not expectation.subject or expectation.subject in EVENTS.column_names
    assert all(e.severity in (CRITICAL, WARNING) for suite in suites for e in suite)
