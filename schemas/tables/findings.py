"""Table of the stage `findings`."""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import WINDOWS

FINDINGS = Table(
    name="findings",
    stage="findings",
    grain="day x entity x window",
    key=("event_id",),
    columns=(
        Column("day", "date", "day whose queue it is in"),
        Column("event_id", "string", "deterministic id of the finding"),
        Column("entity", "string", "user_id"),
        Column("window", "string", "longest window that contributes", values=WINDOWS),
        Column("risk_score", "double", "sum of the contributions", minimum=0, maximum=100),
        Column(
            "evidence",
            "double",
            "raw points of its contributions, by which the queue is ranked; higher is riskier; "
            "null: it folds into another finding of the day",
            nullable=True,
            minimum=0,
        ),
        Column(
            "scoring_hash",
            "string",
            "tells whether the evidence of two findings was weighed by the same settings",
            nullable=True,
        ),
        Column(
            "case_id",
            "string",
            "case that it belongs to: event_id of the story's first finding",
            nullable=True,
        ),
        Column(
            "members",
            "array<string>",
            "other identities that its evidence names, without the names of sessions",
            nullable=True,
        ),
        Column("queue_rank", "int", "place in the day's queue, 1 is first", minimum=1),
        Column("in_budget", "boolean", "in the day's queue, which holds at most the alert budget"),
        Column("document", "string", "the finding as one JSON document (see schemas.finding)"),
        Column(
            "reasons",
            "string",
            "its sentences with their typed parts as JSON (see models.reasons): its own, then that "
            "of each contribution",
            nullable=True,
        ),
    ),
)
