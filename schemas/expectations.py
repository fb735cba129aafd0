"""Expectations on a day of ``events``, as data.

The suites for rows are generated from the table spec. The hand-written suites judge one row of
facts per source. ``type`` and ``limits`` are Great Expectations' own names, so the ``check`` stage
hands them over unchanged. If a critical expectation fails, the day stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.config import Quality
from schemas.formats import FORMATS
from schemas.tables.events import EVENTS
from schemas.tables.spec import Column, Table

CRITICAL = "critical"
WARNING = "warning"

SPARK_TYPES = {
    "string": "StringType",
    "timestamp": "TimestampType",
    "date": "DateType",
    "boolean": "BooleanType",
    "int": "IntegerType",
    "bigint": "LongType",
    "double": "DoubleType",
    "array": "ArrayType",
    "map": "MapType",
}
"""First word of a column's SQL type → class that Spark reports."""

SOURCE_FACTS = Table(
    name="source_facts",
    grain="source",
    key=("source",),
    columns=(
        Column("source", "string", "source name of the job config"),
        Column("events", "bigint", "events of the day", minimum=0),
        Column("rejects", "bigint", "rejected records of the day", minimum=0),
        Column("records", "bigint", "events and rejects together", minimum=0),
        Column("reject_share", "double", "rejects ÷ records", True, minimum=0, maximum=1),
        Column("unresolved", "bigint", "events whose user_kind is unknown", minimum=0),
        Column("unresolved_share", "double", "unresolved ÷ events", True, minimum=0, maximum=1),
        Column("duplicate_ids", "bigint", "events beyond the first with their id", minimum=0),
        Column("outside_day", "bigint", "events whose time is not in the day", minimum=0),
        Column("history_days", "int", "earlier days of the window with events", minimum=0),
        Column("usual_events", "double", "weighted median of those days", True, minimum=1),
        Column("volume_ratio", "double", "events ÷ usual_events", True, minimum=0),
        Column("silent_hours", "double", "last event to the end of the day", True, minimum=0),
    ),
)
"""The hand-written suite judges these rows, one for each source that is configured or seen. It does
not judge nulls: no records have no share, and the first day has no usual volume."""


@dataclass(frozen=True)
class Expectation:
    """One expectation. ``quality`` keeps its ``name`` and ``subject``.

    ``observed`` and ``unjudged`` are format texts over a row of facts. ``unjudged`` is shown if the
    fact is null.
    """

    name: str
    type: str
    severity: str
    meaning: str
    """Sentence for a person if it holds."""
    failure: str
    """Sentence for a person if it fails."""
    advice: str
    """The remedy if it fails."""
    expected: str
    observed: str = ""
    unjudged: str = ""
    column: str = ""
    """Column that Great Expectations checks; empty: the whole table."""
    subject: str = ""
    """Column of ``events`` that the expectation is about; empty: no single column."""
    limits: Mapping[str, Any] = field(default_factory=dict)


BETWEEN = "expect_column_values_to_be_between"
LOOK = "look at the rejects (`exfilwatch events --rejects`)"
SILENCE = "no access was seen, which does not mean there was none: "

DAY_NOT_EMPTY = Expectation(
    name="day_not_empty",
    type="expect_table_row_count_to_be_between",
    severity=CRITICAL,
    meaning="the day has events",
    failure="empty day: no source has events",
    advice="check the sources' paths and the day; an empty queue would look like a quiet day",
    expected="1 event or more",
    limits={"min_value": 1},
)


def schema_suite(table: Table) -> list[Expectation]:
    """Expectations on the columns and their types, in order; they read no rows."""
    advice = "run the ingest stage of this day again, with this version"
    columns = Expectation(
        name="expect_table_columns_to_match_ordered_list",
        type="expect_table_columns_to_match_ordered_list",
        severity=CRITICAL,
        meaning=f"`{table.name}` has the columns of its spec",
        failure=f"`{table.name}` has other columns than its spec",
        advice=advice,
        expected=f"{len(table.columns)} columns",
        limits={"column_list": table.column_names},
    )
    types = [
        Expectation(
            name="expect_column_values_to_be_of_type",
            type="expect_column_values_to_be_of_type",
            severity=CRITICAL,
            meaning=f"`{column.name}` is of type {column.type}",
            failure=f"`{column.name}` is of another type than {column.type}",
            advice=advice,
            expected=_spark_type(column),
            column=column.name,
            subject=column.name,
            limits={"type_": _spark_type(column)},
        )
        for column in table.columns
    ]
    return [columns, *types]


def event_suite(sources: Sequence[str]) -> list[Expectation]:
    """Expectations on each row of ``events``: those of the spec, and the names of the config.

    The spec gives nulls, closed sets and ranges; the config gives the sources and their formats.
    """
    known = [
        _closed_set("source", sorted(sources), "run the ingest stage of this day with this config"),
        _closed_set("format", tuple(FORMATS), "run the ingest stage of this day with this config"),
    ]
    return [*_row_expectations(EVENTS), *known]


def source_suite(quality: Quality) -> list[Expectation]:
    """Every source as a whole: delivery, rejects, ids, times, identities, volume, freshness."""
    return [
        _source_not_missing(quality),
        *_rejects_few(quality),
        *_events_sound(),
        _identities_resolved(quality),
        _volume_as_usual(quality),
        _source_fresh(quality),
    ]


def _source_not_missing(quality: Quality) -> Expectation:
    """A source without one event is missing."""
    return Expectation(
        name="source_not_missing",
        type=BETWEEN,
        severity=CRITICAL if quality.critical_missing_source else WARNING,
        meaning="the source has events",
        failure="missing source: not one event",
        advice=SILENCE + "find out why the log is missing (path, delivery, logging off)",
        # A plain number: later days read their history from it.
        observed="{events}",
        expected="1 event or more",
        column="events",
        limits={"min_value": 1},
    )


def _rejects_few(quality: Quality) -> list[Expectation]:
    """The share of rejected records: what a day bears, and what is usual wear."""
    return [
        Expectation(
            name="reject_share_bearable",
            type=BETWEEN,
            severity=CRITICAL,
            meaning="most records are understood",
            failure="too many records are rejected to trust the rest",
            advice=LOOK + "; the format changed, or the source names the wrong one",
            observed="{reject_share:.4g} ({rejects} of {records} records)",
            unjudged="no records",
            expected=f"{quality.max_reject_share:g} or less",
            column="reject_share",
            limits={"max_value": quality.max_reject_share},
        ),
        Expectation(
            name="reject_share_low",
            type=BETWEEN,
            severity=WARNING,
            meaning="nearly all records are understood",
            failure="more records are rejected than usual wear",
            advice=LOOK,
            observed="{reject_share:.4g} ({rejects} of {records} records)",
            unjudged="no records",
            expected=f"{quality.warn_reject_share:g} or less",
            column="reject_share",
            limits={"max_value": quality.warn_reject_share},
        ),
    ]


def _events_sound() -> list[Expectation]:
    """Ids that differ, times within the day."""
    return [
        Expectation(
            name="event_ids_unique",
            type=BETWEEN,
            severity=CRITICAL,
            meaning="no two events share an id",
            failure="events share an id",
            advice="run the ingest stage of this day again; if it fails again, report a defect",
            observed="{duplicate_ids} of {events} events",
            expected="0 events",
            column="duplicate_ids",
            subject="event_id",
            limits={"max_value": 0},
        ),
        Expectation(
            name="events_within_day",
            type=BETWEEN,
            severity=CRITICAL,
            meaning="every event's time is in the day (UTC)",
            failure="events lie outside the day (UTC)",
            advice="check the source's time zone and time format, then run ingest again",
            observed="{outside_day} of {events} events",
            expected="0 events",
            column="outside_day",
            subject="event_time",
            limits={"max_value": 0},
        ),
    ]


def _identities_resolved(quality: Quality) -> Expectation:
    """The share of events whose principal the directory does not know."""
    return Expectation(
        name="identities_resolved",
        type=BETWEEN,
        severity=WARNING,
        meaning="the directory knows the principals",
        failure="the directory does not know many principals",
        advice="list them with `exfilwatch doctor --identities`, add aliases to directory.csv",
        observed="{unresolved_share:.4g} ({unresolved} of {events} events)",
        unjudged="no events",
        expected=f"{quality.warn_unresolved_share:g} or less",
        column="unresolved_share",
        subject="user_kind",
        limits={"max_value": quality.warn_unresolved_share},
    )


def _volume_as_usual(quality: Quality) -> Expectation:
    """Events of the day against the usual of its history."""
    least, most = quality.min_volume_ratio, quality.max_volume_ratio
    return Expectation(
        name="volume_as_usual",
        type=BETWEEN,
        severity=WARNING,
        meaning="the volume is as usual",
        failure="the volume is far from the usual",
        advice="less: " + SILENCE + "check the delivery; more: look who causes it",
        observed=(
            "{events} events, {volume_ratio:.3g} times the usual {usual_events:.0f} "
            "({history_days} days)"
        ),
        unjudged="{events} events, no history",
        expected=f"{least:g} to {most:g} times the usual",
        column="volume_ratio",
        limits={"min_value": least, "max_value": most},
    )


def _source_fresh(quality: Quality) -> Expectation:
    """Hours from the last event to the end of the day."""
    return Expectation(
        name="source_fresh",
        type=BETWEEN,
        severity=WARNING,
        meaning="events go on until late in the day",
        failure="stale source: it falls silent before the end of the day",
        advice=SILENCE + "later files may be missing; run the day again when they are there",
        observed="{silent_hours:.1f} hours of silence",
        unjudged="no events",
        expected=f"{quality.max_silent_hours:g} hours or less",
        column="silent_hours",
        subject="event_time",
        limits={"max_value": quality.max_silent_hours},
    )


def _row_expectations(table: Table) -> list[Expectation]:
    advice = "a defect of the format or of the source's mapping: fix it, run ingest again"
    nulls = [
        Expectation(
            name="expect_column_values_to_not_be_null",
            type="expect_column_values_to_not_be_null",
            severity=CRITICAL,
            meaning=f"`{column.name}` is never null",
            failure=f"`{column.name}` is null",
            advice=advice,
            expected="0 rows",
            column=column.name,
            subject=column.name,
        )
        for column in table.columns
        if not column.nullable
    ]
    sets = [
        _closed_set(column.name, column.values, advice)
        for column in table.columns
        if column.values is not None
    ]
    ranges = [
        Expectation(
            name="expect_column_values_to_be_between",
            type=BETWEEN,
            severity=CRITICAL,
            meaning=f"`{column.name}` is {_range_text(column)}",
            failure=f"`{column.name}` is out of range",
            advice=advice,
            expected=_range_text(column),
            column=column.name,
            subject=column.name,
            limits=_bounds(column),
        )
        for column in table.columns
        if _bounds(column)
    ]
    return [*nulls, *sets, *ranges]


def _closed_set(column: str, values: Sequence[str], advice: str) -> Expectation:
    return Expectation(
        name="expect_column_values_to_be_in_set",
        type="expect_column_values_to_be_in_set",
        severity=CRITICAL,
        meaning=f"`{column}` is one of its {len(values)} values",
        failure=f"`{column}` is none of its {len(values)} values",
        advice=advice,
        expected=", ".join(values),
        column=column,
        subject=column,
        limits={"value_set": list(values)},
    )


def _bounds(column: Column) -> dict[str, float]:
    bounds = {"min_value": column.minimum, "max_value": column.maximum}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _range_text(column: Column) -> str:
    low = "" if column.minimum is None else f"at least {column.minimum:g}"
    high = "" if column.maximum is None else f"at most {column.maximum:g}"
    return " and ".join(part for part in (low, high) if part)


def _spark_type(column: Column) -> str:
    return SPARK_TYPES[column.type.split("<")[0]]
