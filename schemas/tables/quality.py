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
        Column("success", "boolean", "whether it held"),
        Column("observed", "string", "what was seen", nullable=True),
        Column("expected", "string", "what was expected", nullable=True),
        Column("message", "string", "one sentence for a person"),
    ),
)
