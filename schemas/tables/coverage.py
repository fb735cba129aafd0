"""Table `coverage` of the stage `features`: how much of an artefact an identity has read."""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import USER_KINDS

COVERAGE_DAYS = (1, 7, 30, 90)
"""Days of the windows, each of which ends with the day."""
PORTIONS = "array<struct<ago:int,objects:int,first30:int,first90:int>>"


def _window(days: int) -> tuple[Column, ...]:
    return (
        Column(f"objects_{days}", "int", f"distinct objects read in {days} days", minimum=0),
        Column(
            f"read_{days}",
            "double",
            f"objects read in {days} days, each by the part of it that was read",
            minimum=0,
        ),
        Column(
            f"new_{days}",
            "double",
            f"part of read_{days} that the identity had not read in the days before the window",
            minimum=0,
        ),
        Column(f"bytes_{days}", "bigint", f"bytes of read_{days}, as far as sizes are known",
               minimum=0),
        Column(f"unsized_{days}", "double", f"part of read_{days} whose bytes are not known",
               minimum=0),
    )  # fmt: skip


COVERAGE = Table(
    name="coverage",
    stage="features",
    grain="day x identity x artefact read on the day",
    key=("user_id", "asset_id"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day"),
        Column("user_id", "string", "as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("asset_id", "string", "checkpoint or dataset of assets.csv"),
        *(column for days in COVERAGE_DAYS for column in _window(days)),
        Column("asset_objects", "int", "distinct objects of the artefact that anybody read in 90 "
               "days, where assets.csv has no number of objects; else null", True, minimum=1),
        Column("portions", PORTIONS, "per day with reads, by days ago: objects read, and those of "
               "them that were read for the first time within 30 and within 90 days"),
        Column("recent_today", "int", "objects read on the day whose first read lies in 30 days",
               minimum=0),
        Column("new_objects", "array<bigint>", "hashes of the objects read on the day and on none "
               "of the 89 days before it, sorted"),
    ),
)  # fmt: skip
