"""Table of the stage `check`."""

from __future__ import annotations

from schemas.tables.spec import Column, Table

QUALITY = Table(
    name="quality",
    stage="check",
    grain="expectation x source x day",
    key=("source", "expectation", "column"),
    columns=(
        Column("day", "date", "day checked"),
        Column("source", "string", "source name, or `*` for all sources together"),
        Column("expectation", "string", "expectation type or name"),
        Column("column", "string", "column checked; empty for the whole table"),
        Column("severity", "string", "critical stops the day", values=("critical", "warning")),
        Column("success", "boolean", "true if the expectation holds"),
        Column("observed", "string", "observed value", nullable=True),
        Column("expected", "string", "expected value", nullable=True),
        Column("message", "string", "one sentence for a person"),
    ),
)
