"""Tables that the pipeline itself writes: the runs of stages, and the context files of a day."""

from __future__ import annotations

from schemas.tables.spec import Column, Table

RUNS = Table(
    name="runs",
    grain="day x stage x run; a re-run adds rows",
    key=("stage", "run"),
    columns=(
        Column("day", "date", "day of the stage's work"),
        Column("stage", "string", "name of the stage"),
        Column("run", "string", "id of the command, as in its JSON log lines"),
        Column("started", "timestamp", "start of the stage"),
        Column("seconds", "double", "duration", minimum=0),
        Column(
            "outcome",
            "string",
            "stopped: by the data-quality gate",
            values=("ok", "failed", "stopped"),
        ),
        Column("reason", "string", "first line of the error, with secrets masked", nullable=True),
        Column("rows", "map<string,bigint>", "table → rows written"),
        Column(
            "inputs",
            "map<string,bigint>",
            "table that the stage reads → its Delta version at the start; missing: no table",
        ),
        Column(
            "outputs",
            "map<string,bigint>",
            "table that the stage wrote → its Delta version at the end",
        ),
        Column(
            "writings",
            "map<string,bigint>",
            "table that the stage writes → how often the day was written by the end",
        ),
        Column("config", "string", "hash of the settings, without places and secrets"),
        Column("context", "string", "hash of the context files in force on the day"),
        Column("code", "string", "version, and a hash of the sources"),
    ),
)
CONTEXT_FILES = Table(
    name="context_files",
    grain="day x kind of context file",
    key=("kind",),
    columns=(
        Column("day", "date", "day that used the file"),
        Column("kind", "string", "directory, assets, approvals or networks"),
        Column("name", "string", "name of the file in force on the day", nullable=True),
        Column("hash", "string", "SHA-256 of the file; null: there was none", nullable=True),
        Column("content", "binary", "the file", nullable=True),
    ),
)
